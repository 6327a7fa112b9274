// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"io"
	"strings"

	"flyball/experiment"
	"flyball/fault"
	"flyball/training"
)

// commands looks at the commands of trainings from outside.
func (a *App) commands() *training.Commands {
	c := &training.Commands{
		Executor: a.executor,
		Jobs:     a.store, Tracker: trials{tracker: a.tracker, artifacts: a.artifacts}, Now: a.clock.now, Find: a.finder().Named,
		Open: func(ctx context.Context, r experiment.Run, path string) (io.ReadSeekCloser, error) {
			folder, ours := strings.CutPrefix(r.Location, "mlflow-artifacts:/")
			if !ours {
				return nil, fault.New(fault.NotFound, "the files of run %s are not here", r.ID)
			}
			_, f, err := a.artifacts.Open(ctx, folder+"/"+path)
			return f, err
		},
	}
	return c
}
