// SPDX-License-Identifier: Apache-2.0

package app

import (
	"path/filepath"

	"flyball/fault"
	"flyball/training/executor/local"
)

// openExecutor makes what runs the commands of model files, where somebody allowed it.
// Programs are looked for beside the interpreter of --python first, so that a model is
// trained by what it is scored with.
func (a *App) openExecutor() (err error) {
	switch a.cfg.Executor {
	case "":
		return nil
	case "local":
	default:
		return fault.New(fault.Invalid, "%q is no executor of this version", a.cfg.Executor).Do("write --executor local")
	}
	o := local.Options{Dir: filepath.Join(a.cfg.Data, "work"), Logger: a.cfg.Logger}
	if p := a.cfg.Python; p != "uv" && filepath.Base(p) != p {
		dir, err := filepath.Abs(filepath.Dir(p))
		if err != nil {
			return fault.Wrap(err, fault.Unavailable, "the folder of the interpreter cannot be found")
		}
		o.Path = []string{dir}
	}
	a.executor, err = local.New(o)
	return err
}
