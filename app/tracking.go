// SPDX-License-Identifier: Apache-2.0

package app

import (
	"flyball/api"
	"flyball/api/mlflow"
	"flyball/model/registry"
)

// tracking adds MLflow's API.
func (a *App) tracking(routes *api.Routes) {
	mlflow.New(routes, mlflow.Options{
		Tracker:   a.tracker,
		Registry:  registry.New(registry.Options{Store: a.store, Now: a.clock.now, Folder: a.versionFolder}),
		Artifacts: a.artifacts,
		Now:       a.clock.now, Version: a.cfg.Version, Logger: a.cfg.Logger, Metrics: a.metrics,
	})
}
