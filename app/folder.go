// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"io"
	"strings"

	"flyball/model/mlmodel"
	"flyball/model/registry"
)

// folder opens files of the folder at a location below mlflow-artifacts:/, where
// versions that clients registered lie.
func (a *App) folder(location string) mlmodel.Open {
	root := strings.Trim(strings.TrimPrefix(location, "mlflow-artifacts:"), "/")
	return func(ctx context.Context, name string) (io.ReadCloser, error) {
		_, r, err := a.artifacts.Open(ctx, root+"/"+name)
		return r, err
	}
}

// versionFolder is where a client finds the files of a version that Flyball made.
func (a *App) versionFolder(ctx context.Context, v registry.Version) (string, error) {
	return mlmodel.Folder(ctx, a.blobs, a.artifacts, v)
}
