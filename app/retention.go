// SPDX-License-Identifier: Apache-2.0

package app

import (
	"cmp"
	"context"
	"time"

	"flyball/governance/retention"
)

// retention is what a collection keeps when nobody says otherwise.
func (a *App) retention() retention.Policy {
	return retention.Policy{Keep: cmp.Or(a.cfg.Keep, retention.DefaultKeep), Grace: retention.DefaultGrace}
}

// collect removes what was deleted long ago, as often as that is wanted, until ctx is
// done.
func (a *App) collect(ctx context.Context) error {
	if a.cfg.Keep > 0 {
		daily(ctx, func() {
			r, err := a.collector.Collect(ctx, "flyball", a.retention(), false, nil)
			switch {
			case ctx.Err() != nil:
			case err != nil:
				a.cfg.Logger.Error("what was deleted could not be removed", "error", err)
			default:
				a.cfg.Logger.Info("what was deleted is removed", "runs", r.Runs, "logged_models", r.Models, "experiments", r.Experiments,
					"blobs", r.Blobs.Number, "bytes", r.Blobs.Bytes)
			}
		})
	}
	return nil
}

// daily calls do an hour from now and then every day, until ctx is done.
func daily(ctx context.Context, do func()) {
	next := time.NewTimer(time.Hour)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
			do()
			next.Reset(24 * time.Hour)
		}
	}
}
