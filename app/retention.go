// SPDX-License-Identifier: Apache-2.0

package app

import (
	"cmp"
	"context"
	"time"

	"flyball/governance/retention"
)

// collectEvery is how often what was deleted long ago is removed, where that is wanted.
const collectEvery = 24 * time.Hour

// retention is what a collection keeps when nobody says otherwise.
func (a *App) retention() retention.Policy {
	return retention.Policy{Keep: cmp.Or(a.cfg.Keep, retention.DefaultKeep), Grace: retention.DefaultGrace}
}

// collect removes what was deleted long ago, an hour after the start and then every
// day, until ctx is done. Without a time to keep it does nothing.
func (a *App) collect(ctx context.Context) error {
	if a.cfg.Keep <= 0 {
		return nil
	}
	next := time.NewTimer(time.Hour)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-next.C:
		}
		switch r, err := a.collector.Collect(ctx, "flyball", a.retention(), false, nil); {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			a.cfg.Logger.Error("what was deleted could not be removed", "error", err)
		default:
			a.cfg.Logger.Info("what was deleted is removed", "runs", r.Runs, "logged_models", r.Models, "experiments", r.Experiments,
				"blobs", r.Blobs.Number, "bytes", r.Blobs.Bytes)
		}
		next.Reset(collectEvery)
	}
}
