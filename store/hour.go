// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"maps"
	"slices"
	"time"

	"flyball/serving/release"
)

// keptHours is how long the counts of an hour are kept: two years.
const keptHours = 2 * 366 * 24 * time.Hour

// KeepHours keeps what a process counted since it began, in the place of what it kept of
// the same hours before. Counts that are more than two years older than the newest of
// them are forgotten.
func (db *DB) KeepHours(ctx context.Context, process string, hours []release.Hour) error {
	if len(hours) == 0 {
		return nil
	}
	return db.atomic(ctx, "the counts of requests were not kept", func(t *tx) error {
		return t.keepHours(ctx, process, hours)
	})
}

// keepHours keeps the counts of a process.
func (t *tx) keepHours(ctx context.Context, process string, hours []release.Hour) error {
	var newest time.Time
	models := map[string]bool{}
	for _, h := range hours {
		if _, err := t.exec(ctx, `INSERT INTO hours (process, model, start_at, generation, answered, failed, rows) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (model, start_at, generation, process) DO UPDATE SET answered = excluded.answered, failed = excluded.failed, rows = excluded.rows`,
			process, h.Model, h.Start.UnixMicro(), h.Generation, h.Answered, h.Failed, h.Rows); err != nil {
			return err
		}
		if models[h.Model] = true; h.Start.After(newest) {
			newest = h.Start
		}
	}
	for _, name := range slices.Sorted(maps.Keys(models)) {
		if _, err := t.exec(ctx, `DELETE FROM hours WHERE model = $1 AND start_at < $2`, name, newest.Add(-keptHours).UnixMicro()); err != nil {
			return err
		}
	}
	return nil
}

// Hours are how a model's route answered in the hours since a moment, of all processes
// together, in order. As of a moment those that were over: an hour is counted as a whole.
func (db *DB) Hours(ctx context.Context, model string, since time.Time) ([]release.Hour, error) {
	ctx, at := then(ctx)
	return all(ctx, db, "the counts of requests cannot be read", func(s scanner) (release.Hour, error) {
		h := release.Hour{Model: model}
		err := s.Scan(moment{&h.Start}, &h.Generation, &h.Answered, &h.Failed, &h.Rows)
		return h, err
	}, `SELECT start_at, generation, CAST(SUM(answered) AS BIGINT), CAST(SUM(failed) AS BIGINT), CAST(SUM(rows) AS BIGINT) FROM hours WHERE model = $1 AND start_at >= $2 AND start_at <= $3
		GROUP BY start_at, generation ORDER BY start_at, generation`, model, since.UnixMicro(), at-time.Hour.Microseconds())
}
