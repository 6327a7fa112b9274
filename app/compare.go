// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"

	"flyball/data/dataset"
	"flyball/experiment/compare"
	"flyball/experiment/gate"
	"flyball/model/registry"
)

// finder compares runs and versions under the rules of the model's gate. All faces
// share one, with what it remembers.
func (a *App) finder() *compare.Finder {
	a.findOnce.Do(func() {
		a.find = &compare.Finder{
			Tracker: a.tracker, Artifacts: a.artifacts, Registry: registry.New(registry.Options{Store: a.store, Now: a.clock.now}),
			Policy: func(ctx context.Context, model string) (gate.Policy, dataset.Costs, bool) {
				m, err := a.control.Model(ctx, model)
				return m.Recipe.Gate, m.Recipe.Task.Cost, err == nil
			},
		}
	})
	return a.find
}
