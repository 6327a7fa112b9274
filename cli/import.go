// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"time"

	"github.com/spf13/cobra"

	"flyball/client"
	"flyball/experiment/archive"
	"flyball/experiment/mlflowimport"
	"flyball/fault"
)

func importCommand(e *env) *cobra.Command {
	var o transfer
	var files string
	c := &cobra.Command{
		Use: "import (mlflow SOURCE | FOLDER | FILE)", Short: "Bring in experiments, runs, models and files, or one version", Args: cobra.RangeArgs(1, 2),
		Long: "Brings in what another MLflow server holds, from its address or its database, or what\n`flyball export` wrote. Nothing that is here is changed: what is here and equal is counted,\nwhat is here and different is named and left. It may be stopped and run again.\n\nFrom a file that `flyball export MODEL@VERSION FILE` wrote: that version, with its verdict.\nIt keeps its number where that is free, and gets the next one where it is not; nothing\nreleases it by itself.",
		Example: "  flyball import mlflow http://mlflow:5000 --dry-run\n  flyball import mlflow sqlite:///mlflow.db --artifacts ./mlartifacts\n" +
			"  flyball import mlflow postgresql://mlflow@db/mlflow --no-artifacts\n  flyball import backup/\n  flyball import v7.tar",
		RunE: func(cmd *cobra.Command, args []string) error {
			if info, err := os.Stat(args[0]); len(args) == 1 && err == nil && info.Mode().IsRegular() {
				if o.dry || o.noFiles || files != "" {
					return fault.New(fault.Invalid, "a version comes as it is: these flags are for folders and other servers")
				}
				return e.importVersion(cmd.Context(), args[0])
			}
			src, err := source(cmd.Context(), args, files)
			if err != nil {
				return err
			}
			defer src.Close()
			o.env, o.client, o.src = e, e.client(), src
			return o.bringIn(cmd.Context())
		},
	}
	c.Flags().BoolVar(&o.dry, "dry-run", false, "count what is new, equal and different; write nothing")
	c.Flags().StringVar(&files, "artifacts", "", "folder that holds the other server's mlflow-artifacts:/")
	c.Flags().BoolVar(&o.noFiles, "no-artifacts", false, "leave files where they are")
	return c
}

func source(ctx context.Context, args []string, files string) (archive.Source, error) {
	if len(args) == 1 {
		if args[0] == "mlflow" {
			return nil, fault.New(fault.Invalid, "import mlflow needs the source").Do("name http://host:5000, sqlite:///mlflow.db or postgresql://user@host/database")
		}
		return archive.OpenFolder(args[0])
	}
	if args[0] != "mlflow" {
		return nil, fault.New(fault.Invalid, "%q cannot be imported from", args[0]).Do("write flyball import mlflow SOURCE, or flyball import FOLDER")
	}
	return mlflowimport.Open(ctx, args[1], mlflowimport.Options{Artifacts: files})
}

// transfer is one import or export.
type transfer struct {
	*env
	client  *client.Client
	src     archive.Source
	dry     bool
	noFiles bool

	report  archive.Report
	batch   []archive.Record
	size    int // points, params and tags in batch
	total   map[string]int64
	told    time.Time
	files   fileCount
	skipped map[string]int // why files were left out → of how many owners
}

type fileCount struct {
	Added int64 `json:"added"`
	Same  int64 `json:"same"`
	Bytes int64 `json:"bytes"` // of those that were added
}

// maxBatch is how much is sent in one request.
const maxBatch = 50_000

func (t *transfer) bringIn(ctx context.Context) error {
	var err error
	if t.total, err = t.src.Count(ctx); err != nil {
		return err
	}
	t.skipped = map[string]int{}
	if err := t.bringBlobs(ctx); err != nil {
		return err
	}
	if err := t.records(ctx, t.dry); err != nil {
		return err
	}
	done := t.report
	if !t.noFiles && !t.dry {
		if err := t.bringFiles(ctx); err != nil {
			return err
		}
	}
	if !t.dry {
		if err := t.verify(ctx); err != nil {
			return err
		}
	}
	if err := t.show(struct {
		archive.Report
		Files fileCount `json:"files"`
	}{done, t.files}, t.table(done)); err != nil {
		return err
	}
	for _, d := range done.Differing {
		t.say("%s; it was left as it is", d)
	}
	for why, n := range t.skipped {
		t.say("the files of %d of the runs and models were left out: %s", n, why)
	}
	for _, n := range done.Kinds {
		if n.Differ > 0 {
			return errNo
		}
	}
	return nil
}

func (t *transfer) table(r archive.Report) table {
	out := table{head: []string{"what", "new", "equal", "different"}, short: 4}
	for _, kind := range archive.Kinds() {
		n := r.Kinds[kind]
		out.add(kind, fmt.Sprint(n.Added), fmt.Sprint(n.Same), fmt.Sprint(n.Differ))
	}
	out.add("files", fmt.Sprint(t.files.Added), fmt.Sprint(t.files.Same), "0")
	return out
}

// records sends every record of the source.
func (t *transfer) records(ctx context.Context, dry bool) error {
	t.report, t.batch, t.size = archive.Report{}, nil, 0
	for r, err := range t.src.Records(ctx) {
		if err != nil {
			return err
		}
		t.batch = append(t.batch, r)
		t.size += weight(r)
		if t.size >= maxBatch {
			if err := t.flush(ctx, dry); err != nil {
				return err
			}
		}
	}
	return t.flush(ctx, dry)
}

// weight is about how many rows a record is.
func weight(r archive.Record) int {
	switch {
	case r.Run != nil:
		return 10 + len(r.Run.Metrics) + len(r.Run.Params) + len(r.Run.Tags)
	case r.Points != nil:
		return len(r.Points.Metrics)
	case r.LoggedModel != nil:
		return 10 + len(r.LoggedModel.Metrics)
	}
	return 10
}

func (t *transfer) flush(ctx context.Context, dry bool) error {
	if len(t.batch) == 0 {
		return nil
	}
	got, err := t.client.Import(ctx, t.batch, dry)
	t.report.Merge(got)
	t.batch, t.size = t.batch[:0], 0
	t.progress(false)
	return err
}

// progress says how far the records are, at most twice a second.
func (t *transfer) progress(last bool) {
	if !t.terminal || !last && time.Since(t.told) < 500*time.Millisecond {
		return
	}
	t.told = time.Now()
	n := t.report.Kinds["runs"]
	done := n.Added + n.Same + n.Differ
	if all := t.total["runs"]; all > 0 {
		fmt.Fprintf(t.err, "\r%d of %d runs, %d files", done, all, t.files.Added+t.files.Same)
	} else {
		fmt.Fprintf(t.err, "\r%d runs, %d files", done, t.files.Added+t.files.Same)
	}
}

// bringBlobs sends what versions are made of, before the versions that name it.
func (t *transfer) bringBlobs(ctx context.Context) error {
	src, has := t.src.(archive.Bytes)
	if !has || t.dry {
		return nil
	}
	for f, err := range src.Blobs() {
		if err != nil {
			return err
		}
		in, err := f.Open(ctx)
		if err != nil {
			return err
		}
		got, err := t.client.Upload(ctx, in)
		if err := errors.Join(err, in.Close()); err != nil {
			return err
		}
		if got.Digest != f.Path {
			return fault.New(fault.Invalid, "blob %s of the export holds other bytes", f.Path).Do("export again")
		}
	}
	return nil
}

// bringFiles sends the files that are not here with the same bytes.
func (t *transfer) bringFiles(ctx context.Context) error {
	for r, err := range t.src.Records(ctx) {
		if err != nil {
			return err
		}
		if r.Run == nil && r.LoggedModel == nil {
			continue
		}
		err := t.filesOf(ctx, r)
		if f, is := errors.AsType[*fault.Error](err); is && f.Kind == fault.Refused {
			t.skipped[f.Advice]++
			continue
		}
		if err != nil {
			return err
		}
		t.progress(false)
	}
	return nil
}

func (t *transfer) filesOf(ctx context.Context, owner archive.Record) error {
	place := ""
	for f, err := range t.src.Files(ctx, owner) {
		if err != nil {
			return err
		}
		if place == "" {
			if place, err = t.place(ctx, owner); err != nil {
				return err
			}
			if place == "" {
				return fault.New(fault.Refused, "files lie elsewhere").Do("they lie in a bucket, which clients read by themselves")
			}
		}
		if err := t.file(ctx, path.Join(place, f.Path), f); err != nil {
			return err
		}
	}
	return nil
}

func (t *transfer) place(ctx context.Context, owner archive.Record) (string, error) {
	if owner.Run != nil {
		return t.client.RunPlace(ctx, owner.Run.ID)
	}
	return t.client.ModelPlace(ctx, owner.LoggedModel.ID)
}

// file sends a file unless the same bytes are there, and checks that they are then.
func (t *transfer) file(ctx context.Context, to string, f archive.File) error {
	sum, err := t.digest(ctx, f)
	if err != nil {
		return err
	}
	have, there, err := t.client.ArtifactDigest(ctx, to)
	if err != nil {
		return err
	}
	if there && have == sum {
		t.files.Same++
		return nil
	}
	in, err := f.Open(ctx)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := t.client.PutArtifact(ctx, to, in); err != nil {
		return err
	}
	if have, _, err = t.client.ArtifactDigest(ctx, to); err != nil {
		return err
	}
	if have != sum {
		return fault.New(fault.Unavailable, "the file %s is not here as it was there", to).Do("it changed meanwhile, or the line is bad: run the import again")
	}
	t.files.Added++
	t.files.Bytes += f.Size
	return nil
}

func (t *transfer) digest(ctx context.Context, f archive.File) (string, error) {
	in, err := f.Open(ctx)
	if err != nil {
		return "", err
	}
	defer in.Close()
	h := sha256.New()
	if _, err := io.Copy(h, in); err != nil {
		return "", fault.Wrap(err, fault.Unavailable, "the file %s cannot be read", f.Path)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// verify reads the source once more and has the server compare it with what it holds.
func (t *transfer) verify(ctx context.Context) error {
	told := t.report
	if err := t.records(ctx, true); err != nil {
		return err
	}
	missing := int64(0)
	for _, n := range t.report.Kinds {
		missing += n.Added
	}
	t.report, told = told, t.report
	t.progress(true)
	if t.terminal {
		fmt.Fprintln(t.err)
	}
	if missing > 0 {
		return fault.New(fault.Unavailable, "%d records are not here as they are there", missing).Do("the source changed meanwhile: run the import again")
	}
	n := int64(0)
	for _, k := range told.Kinds {
		n += k.Same
	}
	t.say("verified: %d records are here and equal", n)
	return nil
}
