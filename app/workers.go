// SPDX-License-Identifier: Apache-2.0

package app

import (
	"net/http"
	"path/filepath"

	"flyball/api/scoring"
	"flyball/model/worker"
)

// newWorkers is what runs the models that need Python; nil where nobody allowed it, for
// such a model's code does whatever its author wrote.
func (a *App) newWorkers() *worker.Host {
	o := worker.Options{
		Dir: filepath.Join(a.cfg.Data, "workers"), Memory: a.cfg.PythonMemory, Workers: a.cfg.PythonWorkers,
		Logger: a.cfg.Logger, Metrics: a.metrics,
	}
	if o.Memory == 0 {
		o.Memory = memory() / 2
	}
	switch a.cfg.Python {
	case "":
		return nil
	case "uv": // an environment for each list of requirements
	default:
		o.Python = a.cfg.Python
	}
	return worker.New(o)
}

// scoring adds MLflow's scoring server.
func (a *App) scoring(mux *http.ServeMux) {
	scoring.New(mux, scoring.Options{Serving: a.serving, Logger: a.cfg.Logger, Metrics: a.metrics})
}
