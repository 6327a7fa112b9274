// SPDX-License-Identifier: Apache-2.0

package app

import (
	"os/exec"
	"path/filepath"

	"flyball/api"
	"flyball/api/scoring"
	"flyball/fault"
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

// python refuses an interpreter that is not there, before anybody asks for a model.
func python(program string) error {
	if program == "" {
		return nil
	}
	_, err := exec.LookPath(program)
	switch {
	case err == nil:
		return nil
	case program == "uv":
		return fault.Wrap(err, fault.NotFound, "there is no uv in PATH, which makes environments for models that need Python; install it, or name an interpreter with --python")
	}
	return fault.Wrap(err, fault.NotFound, "the interpreter %s cannot be run", program)
}

// scoring adds MLflow's scoring server.
func (a *App) scoring(routes *api.Routes) {
	scoring.New(routes, scoring.Options{Serving: a.serving, Logger: a.cfg.Logger, Metrics: a.metrics})
}
