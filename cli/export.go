// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"flyball/experiment/archive"
	"flyball/fault"
	"flyball/model/registry"
)

func exportCommand(e *env) *cobra.Command {
	var all, noFiles, over bool
	var data, files string
	c := &cobra.Command{
		Use: "export MODEL@VERSION FILE | --all FOLDER | --files FOLDER [MODEL…]", Short: "Write a version as one archive, everything, or the model files",
		Args: func(cmd *cobra.Command, args []string) error {
			if files != "" {
				return nil
			}
			return cobra.RangeArgs(1, 2)(cmd, args)
		},
		Long: "Of a version: one archive with its data, code, environment and model, from which\nflyball reproduce --from makes it again anywhere; docs/formats/bundle-tar.md tells it.\n" +
			"With --all: runs, params, tags and metrics as Parquet, the rest as JSON, and files as they are;\ndocs/formats/export.md tells it. `flyball import FOLDER` reads it back.\n" +
			"With --files: the model files as they were applied, byte for byte, each with its pipeline, code and\ndata where the file looks for them; of the models named, or of all. `flyball apply FOLDER` on another\nserver applies them, and `flyball diff FOLDER` then finds nothing. --data digests leaves the data out.",
		Example: "  flyball export hotel-cancel@7 v7.tar\n  flyball export hotel-cancel v-live.tar --data digests\n  flyball export --all backup/\n  flyball export --all backup/ --no-artifacts\n  flyball export --files models/\n  flyball export --files models/ hotel-cancel --overwrite",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case files != "" && !all && (data == "whole" || data == "digests"):
				return e.exportFiles(cmd.Context(), files, args, data == "whole", over)
			case all && len(args) != 1 || !all && len(args) != 2:
				return fault.New(fault.Invalid, "name a version and a file, or --all and a folder").Do("flyball export hotel-cancel@7 v7.tar, or flyball export --all backup/")
			case data != "whole" && data != "digests":
				return fault.New(fault.Invalid, "--data is %q", data).Do("write whole or digests")
			case !all:
				return e.exportVersion(cmd.Context(), args[0], args[1], data == "digests")
			}
			t := &transfer{env: e, client: e.client(), noFiles: noFiles}
			return t.takeOut(cmd.Context(), args[0])
		},
	}
	c.Flags().BoolVar(&all, "all", false, "everything")
	c.Flags().StringVar(&files, "files", "", "the model files, to this folder")
	c.Flags().BoolVar(&over, "overwrite", false, "files that are there with other bytes (--files)")
	c.Flags().StringVar(&data, "data", "whole", "of a version, or of model files: whole, or only the digests of the data")
	c.Flags().BoolVar(&noFiles, "no-artifacts", false, "leave files out")
	return c
}

func (t *transfer) takeOut(ctx context.Context, dir string) error {
	folder, err := archive.NewFolder(dir)
	if err != nil {
		return err
	}
	var owners []archive.Record
	var digests []string
	counts := map[string]archive.Outcome{}
	err = t.client.Export(ctx, func(r archive.Record) error {
		n := counts[r.Kind()]
		n.Added++
		counts[r.Kind()] = n
		switch {
		case r.Run != nil:
			owners = append(owners, archive.Record{Run: &archive.Run{ID: r.Run.ID}})
		case r.LoggedModel != nil:
			owners = append(owners, archive.Record{LoggedModel: &archive.LoggedModel{ID: r.LoggedModel.ID}})
		case r.Version != nil:
			v := r.Version.Version
			digests = append(digests, string(v.Bundle), string(v.Judged), string(v.Snapshot), string(v.Record))
		case r.Model != nil && r.Model.Cared():
			for _, d := range r.Model.Data {
				digests = append(digests, string(d.Digest))
			}
			if err := modelFiles(folder, *r.Model); err != nil {
				return err
			}
		}
		return folder.Add(r)
	})
	for i := 0; err == nil && i < len(digests); i++ {
		err = t.takeBlob(ctx, folder, digests[i])
	}
	for i := 0; err == nil && !t.noFiles && i < len(owners); i++ {
		err = t.takeFiles(ctx, folder, owners[i])
	}
	if err = errors.Join(err, folder.Close()); err != nil {
		return err
	}
	out := table{head: []string{"what", "written"}, short: 2}
	for _, kind := range archive.Kinds() {
		out.add(kind, fmt.Sprint(counts[kind].Added))
	}
	out.add("files", fmt.Sprint(t.files.Added))
	return t.show(struct {
		Kinds map[string]archive.Outcome `json:"kinds"`
		Files fileCount                  `json:"files"`
	}{counts, t.files}, out)
}

// modelFiles writes a model's file, and the pipeline that it names, as they were
// applied.
func modelFiles(folder *archive.Folder, m registry.Model) error {
	_, err := folder.File("models/"+m.Name+"/model.yaml", strings.NewReader(m.File))
	if err == nil && m.Pipeline != "" {
		_, err = folder.File("models/"+m.Name+"/pipeline.yaml", strings.NewReader(m.Pipeline))
	}
	return err
}

// A document is small; in it other digests may stand.
const maxDocument = 8 << 20

var inDocument = regexp.MustCompile(`"([0-9a-f]{64})"`)

// takeBlob keeps the bytes of a digest and, when they are JSON, those of every digest
// in them. What the server does not have is no blob.
func (t *transfer) takeBlob(ctx context.Context, folder *archive.Folder, digest string) error {
	if digest == "" || folder.HasBlob(digest) {
		return nil
	}
	in, err := t.client.Blob(ctx, digest)
	if f, is := errors.AsType[*fault.Error](err); is && f.Kind == fault.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	head, err := io.ReadAll(io.LimitReader(in, maxDocument))
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "blob %s cannot be read", digest)
	}
	if err := folder.Blob(digest, io.MultiReader(bytes.NewReader(head), in)); err != nil {
		return err
	}
	if !bytes.HasPrefix(head, []byte("{")) {
		return nil
	}
	for _, m := range inDocument.FindAllSubmatch(head, -1) {
		if err := t.takeBlob(ctx, folder, string(m[1])); err != nil {
			return err
		}
	}
	return nil
}

func (t *transfer) takeFiles(ctx context.Context, folder *archive.Folder, owner archive.Record) error {
	place, err := t.place(ctx, owner)
	if err != nil || place == "" {
		return err
	}
	return t.takeDir(ctx, folder, place, archive.OwnerFolder(owner))
}

func (t *transfer) takeDir(ctx context.Context, folder *archive.Folder, from, to string) error {
	list, err := t.client.Artifacts(ctx, from)
	if err != nil {
		return err
	}
	for _, a := range list {
		if a.Dir {
			if err := t.takeDir(ctx, folder, path.Join(from, a.Path), path.Join(to, a.Path)); err != nil {
				return err
			}
			continue
		}
		in, err := t.client.OpenArtifact(ctx, path.Join(from, a.Path))
		if err != nil {
			return err
		}
		_, err = folder.File(path.Join(to, a.Path), in)
		if err := errors.Join(err, in.Close()); err != nil {
			return err
		}
		t.files.Added++
		t.files.Bytes += a.Size
	}
	return nil
}
