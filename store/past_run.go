// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"

	"flyball/experiment"
)

// notKeptTag says what of a run is not told as of a moment.
const notKeptTag = "flyball.not_kept"

// earlierRun takes from a run what came after a moment, in microseconds: its end and the
// points of its metrics. Its name and tags are overwritten, so they are left out; so are the
// params and inputs of a run that went on, for when they were logged is not kept. A tag says
// so.
func (db *DB) earlierRun(ctx context.Context, r *experiment.Run, at int64) error {
	what := "its tags then"
	if r.End == 0 || r.End > at/1000 {
		r.Status, r.End = experiment.Running, 0
		r.Params, r.Inputs, r.Models, r.Outputs = nil, nil, nil, nil
		what = "its params, inputs and tags then: it went on"
	}
	r.Tags = []experiment.Tag{{Key: notKeptTag, Value: what}}
	kept := r.Metrics[:0]
	for _, m := range r.Metrics {
		if m.Timestamp > at/1000 {
			of, there, err := db.series(ctx, r.ID, m.Key)
			if err != nil || !there {
				return err
			}
			p, err := scanPoint(db.row(ctx, `SELECT at, step, nan, value FROM metrics WHERE run = $1 AND key = $2 AND at <= $3
				ORDER BY step DESC, at DESC, nan, value DESC LIMIT 1`, of.run, of.key, at/1000))
			if errors.Is(err, sql.ErrNoRows) {
				continue // it came later
			}
			if err != nil {
				return problem(err, "the metric cannot be read")
			}
			m = p.metric(m.Key)
		}
		kept = append(kept, m)
	}
	r.Metrics = kept
	return nil
}
