// SPDX-License-Identifier: Apache-2.0

package mlflowimport

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"flyball/experiment/archive"
	"flyball/fault"
)

// Files walks the folder of a run or logged model. A folder that is not there has no
// files; a place that this machine cannot reach is a Refused fault.
func (d *database) Files(ctx context.Context, owner archive.Record) iter.Seq2[archive.File, error] {
	return func(yield func(archive.File, error) bool) {
		where, err := d.location(ctx, owner)
		if err != nil || where == "" {
			if err != nil {
				yield(archive.File{}, err)
			}
			return
		}
		root, err := d.folder(where)
		if err != nil {
			yield(archive.File{}, err)
			return
		}
		walk(root, yield)
	}
}

// location is where the source says that the owner's files lie.
func (d *database) location(ctx context.Context, owner archive.Record) (string, error) {
	var where string
	var err error
	switch {
	case owner.Run != nil:
		err = d.sql.QueryRowContext(ctx, `SELECT COALESCE(artifact_uri, '') FROM runs WHERE run_uuid = $1`, string(owner.Run.ID)).Scan(&where)
	case owner.LoggedModel != nil:
		err = d.sql.QueryRowContext(ctx, `SELECT artifact_location FROM logged_models WHERE model_id = $1`, string(owner.LoggedModel.ID)).Scan(&where)
	}
	if err != nil {
		return "", d.problem(err)
	}
	return where, nil
}

// folder is the folder on this machine of a location.
func (d *database) folder(where string) (string, error) {
	scheme, rest, found := strings.Cut(where, ":")
	switch {
	case !found || len(scheme) == 1:
		return where, nil
	case scheme == "file":
		u, err := url.Parse(where)
		if err != nil {
			return "", fault.Wrap(err, fault.Invalid, "the location %q cannot be read", where)
		}
		return filepath.FromSlash(u.Path), nil
	case scheme == "mlflow-artifacts" && d.opts.Artifacts != "":
		below := strings.TrimPrefix(rest, "//")
		if host, p, found := strings.Cut(below, "/"); found && strings.HasPrefix(rest, "//") && host != "" {
			below = p // mlflow-artifacts://host/path
		}
		below = path.Clean("/" + below)
		return filepath.Join(d.opts.Artifacts, filepath.FromSlash(below)), nil
	}
	return "", fault.New(fault.Refused, "the files at %s are not on this machine", where).
		Do("say with --artifacts where the server's artifacts lie, or leave them out with --no-artifacts; files in a bucket stay there")
}

// walk yields the regular files below root, by path. Links are not followed.
func walk(root string, yield func(archive.File, error) bool) {
	errEnough := errors.New("enough")
	err := filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !e.Type().IsRegular() {
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		f := archive.File{Path: filepath.ToSlash(rel), Size: info.Size(), Open: func(context.Context) (io.ReadCloser, error) { return os.Open(p) }}
		if !yield(f, nil) {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) && !errors.Is(err, fs.ErrNotExist) {
		yield(archive.File{}, fault.Wrap(err, fault.Unavailable, "the files of %s cannot be read", root))
	}
}
