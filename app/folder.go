// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"io"
	"strings"

	"flyball/blob/artifact"
	"flyball/model/mlmodel"
	"flyball/model/registry"
)

// folder is the folder at a location below mlflow-artifacts:/, where versions that
// clients registered lie.
func (a *App) folder(location string) mlmodel.Source {
	return folder{a.artifacts, strings.Trim(strings.TrimPrefix(location, "mlflow-artifacts:"), "/")}
}

// folder is a folder in the tree of artifacts.
type folder struct {
	tree *artifact.Tree
	root string
}

// Open opens a file by its path in the folder.
func (f folder) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	_, r, err := f.tree.Open(ctx, f.root+"/"+name)
	return r, err
}

// Names are the paths of all files in the folder.
func (f folder) Names(ctx context.Context) ([]string, error) {
	var out []string
	for e, err := range f.tree.Walk(ctx, f.root) {
		if err != nil {
			return nil, err
		}
		out = append(out, strings.TrimPrefix(e.Path, f.root+"/"))
	}
	return out, nil
}

// versionFolder is where a client finds the files of a version that Flyball made.
func (a *App) versionFolder(ctx context.Context, v registry.Version) (string, error) {
	return mlmodel.Folder(ctx, a.blobs, a.artifacts, v)
}
