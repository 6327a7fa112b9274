// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"flyball/blob"
	"flyball/control"
	sources "flyball/data/source"
	"flyball/fault"
	"flyball/model/registry"
	"flyball/spec"
)

// filesIn are the files that apply and diff take of a path: the file itself, or of a
// folder its pipelines that no model file beside them names, and then its model files.
// Hidden folders are left out. Where one of a folder is wrong, the fault has every mistake
// of all of them.
func filesIn(place string) ([]string, error) {
	if info, err := os.Stat(place); err != nil || !info.IsDir() {
		return []string{place}, nil // whoever reads it says what is wrong
	}
	var pipelines, models, wrong []string
	named := map[string]bool{}
	err := filepath.WalkDir(place, func(at string, d fs.DirEntry, err error) error {
		ext := filepath.Ext(at)
		switch {
		case err != nil:
			return err
		case d.IsDir() && at != place && strings.HasPrefix(d.Name(), "."):
			return filepath.SkipDir
		case d.IsDir() || ext != ".yaml" && ext != ".yml" || !says(at, fileKind):
			return nil
		case !says(at, modelKind):
			pipelines = append(pipelines, at)
			return nil
		}
		models = append(models, at)
		m, err := readFiles(at)
		if err == nil {
			_, _, err = control.Read(m.application)
			named[m.application.PipelineName] = true
		}
		if err != nil {
			wrong = append(wrong, err.Error())
		}
		return nil
	})
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "the folder %s cannot be read", place)
	}
	pipelines = slices.DeleteFunc(pipelines, func(p string) bool { return named[p] })
	for _, p := range pipelines {
		raw, err := os.ReadFile(p)
		if err == nil {
			_, err = spec.Parse(p, raw)
		}
		if err != nil {
			wrong = append(wrong, err.Error())
		}
	}
	switch {
	case len(wrong) > 0:
		return nil, fault.New(fault.Invalid, "%s", strings.Join(wrong, "\n"))
	case len(models)+len(pipelines) == 0:
		return nil, fault.New(fault.NotFound, "no model or pipeline file lies in %s", place)
	}
	return slices.Concat(pipelines, models), nil
}

// exportFiles writes model files as they were applied, each in a folder of its own with
// its pipeline, its code and its data where the file looks for them. Without models, all.
func (e *env) exportFiles(ctx context.Context, to string, models []string, data, over bool) error {
	if len(models) == 0 {
		all, err := e.client().Statuses(ctx)
		if err != nil {
			return err
		}
		for _, st := range all {
			models = append(models, st.Model)
		}
	}
	if err := os.MkdirAll(to, 0o755); err != nil { //nolint:gosec // files for others to read, as in any checkout
		return fault.Wrap(err, fault.Unavailable, "the folder %s cannot be made", to)
	}
	root, err := os.OpenRoot(to)
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "the folder %s cannot be opened", to)
	}
	defer root.Close()
	t := table{head: []string{"model", "file"}}
	for _, name := range models {
		x := &exporting{env: e, root: root, over: over}
		at, err := x.model(ctx, name, data)
		if err != nil {
			return err
		}
		t.add(name, filepath.Join(to, filepath.FromSlash(at)))
	}
	return e.show(t.rows, t)
}

// exporting writes the files of one model below a folder, and nothing outside of it.
type exporting struct {
	*env
	root *os.Root
	over bool // files that are there with other bytes
}

// model writes a model's files, and gives the path of its model file.
func (x *exporting) model(ctx context.Context, name string, data bool) (string, error) {
	got, err := x.client().File(ctx, name)
	if err != nil {
		return "", err
	}
	f, err := spec.Parse(name, []byte(got.File))
	if err != nil || f.Model == nil {
		return "", fault.Wrap(err, fault.Internal, "the file of %s cannot be read", name)
	}
	place := filepath.ToSlash(f.Model.Data.Source)
	dir := name
	for range strings.Count(path.Clean(place)+"/", "../") - 1 { // so deep that its data lies below the folder too
		dir = path.Join(dir, "model")
	}
	file := path.Join(dir, "model.yaml")
	if err := x.write(file, strings.NewReader(got.File)); err != nil {
		return "", err
	}
	if p := f.Model.Pipeline.Name; p != "" && p != "none" {
		if err := x.write(path.Join(dir, p+".yaml"), strings.NewReader(got.Pipeline)); err != nil {
			return "", err
		}
	}
	if err := x.blobs(ctx, dir, got.Code); err != nil || sources.Elsewhere(place) {
		return file, err
	}
	if path.IsAbs(place) {
		x.say("the data of %s lies at %s, and is not written", name, place)
		return file, nil
	}
	if !data {
		return file, nil
	}
	base := path.Clean(place) // of a folder
	if _, single := got.Data[path.Base(place)]; strings.ContainsAny(place, "*?[") {
		p, err := sources.ParsePattern(place)
		if err != nil {
			return "", err
		}
		base = p.Base
	} else if single && len(got.Data) == 1 {
		base = path.Dir(place)
	}
	return file, x.blobs(ctx, path.Join(dir, base), got.Data)
}

// blobs writes files by their digests.
func (x *exporting) blobs(ctx context.Context, dir string, files map[string]registry.DataFile) error {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		at, d := path.Join(dir, name), files[name].Digest
		if have, err := x.digest(at); err == nil && have == d {
			continue
		}
		in, err := x.client().Blob(ctx, string(d))
		if err != nil {
			return err
		}
		if err := errors.Join(x.write(at, in), in.Close()); err != nil {
			return err
		}
		if have, err := x.digest(at); err != nil || have != d {
			return fault.Wrap(err, fault.Unavailable, "%s was not written as it was sent", at)
		}
	}
	return nil
}

// digest is that of a file below the folder.
func (x *exporting) digest(at string) (blob.Digest, error) {
	in, err := x.root.Open(filepath.FromSlash(at))
	if err != nil {
		return "", err
	}
	defer in.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, in)
	return blob.Digest(hex.EncodeToString(sum.Sum(nil))), err
}

// write writes a file below the folder. One that is there with other bytes is a Conflict
// fault, unless it may be written over.
func (x *exporting) write(at string, in io.Reader) error {
	name := filepath.FromSlash(at)
	if !filepath.IsLocal(name) {
		return fault.New(fault.Refused, "%s lies outside of the folder", at)
	}
	if _, err := x.root.Stat(name); err == nil && !x.over {
		raw, err := io.ReadAll(io.LimitReader(in, spec.MaxSize+1))
		if have, read := x.digest(at); err == nil && read == nil && have == blob.Sum(raw) {
			return nil
		}
		return fault.New(fault.Conflict, "%s is there, with other bytes", filepath.Join(x.root.Name(), name)).Do("name another folder, or say --overwrite")
	}
	if err := x.root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fault.Wrap(err, fault.Unavailable, "the folder of %s cannot be made", at)
	}
	half := name + ".part" // one that is cut off leaves what was there before
	out, err := x.root.Create(half)
	if err == nil {
		_, err = io.Copy(out, in)
		err = errors.Join(err, out.Close())
	}
	if err == nil {
		err = x.root.Rename(half, name)
	}
	if err != nil {
		_ = x.root.Remove(half) // it may not be there
	}
	return fault.Wrap(err, fault.Unavailable, "%s cannot be written", at)
}
