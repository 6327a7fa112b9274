// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"

	"flyball/experiment"
	"flyball/fault"
	"flyball/ident"
)

var _ experiment.Remains = (*DB)(nil)

func scanDeleted[ID any](s scanner) (d experiment.Deleted[ID], err error) {
	err = s.Scan(&d.ID, &d.Location, &d.At)
	return d, err
}

// DeletedRuns are runs deleted before a moment; see experiment.Remains.
func (db *DB) DeletedRuns(ctx context.Context, before int64, limit int) ([]experiment.Deleted[ident.RunID], error) {
	return all(ctx, db, "the deleted runs cannot be read", scanDeleted[ident.RunID], `SELECT run_id, location, deleted_at FROM runs
		WHERE deleted <> 0 AND deleted_at < $1 ORDER BY deleted_at, seq LIMIT $2`, before, clamp(limit))
}

// DeletedLoggedModels are logged models deleted before a moment, by themselves or with
// their experiment; see experiment.Remains.
func (db *DB) DeletedLoggedModels(ctx context.Context, before int64, limit int) ([]experiment.Deleted[ident.ModelID], error) {
	return all(ctx, db, "the deleted logged models cannot be read", scanDeleted[ident.ModelID], `SELECT model_id, location, at FROM (
			SELECT m.seq, m.model_id, m.location, CASE WHEN m.deleted <> 0 THEN m.updated ELSE e.updated END AS at
			FROM logged_models m JOIN experiments e ON e.id = m.experiment WHERE m.deleted <> 0 OR e.deleted <> 0) AS gone
		WHERE at < $1 ORDER BY at, seq LIMIT $2`, before, clamp(limit))
}

// DeletedExperiments are experiments deleted before a moment; see experiment.Remains.
func (db *DB) DeletedExperiments(ctx context.Context, before int64, limit int) ([]experiment.Deleted[ident.ExperimentID], error) {
	return all(ctx, db, "the deleted experiments cannot be read", scanDeleted[ident.ExperimentID], `SELECT id, location, updated FROM experiments
		WHERE deleted <> 0 AND id <> $1 AND updated < $2 ORDER BY updated, id LIMIT $3`, experiment.Default, before, clamp(limit))
}

// PurgeRun removes a deleted run for good; see experiment.Remains. What it logged to
// logged models stays with them. A long history goes in parts, so that others can write
// between.
func (db *DB) PurgeRun(ctx context.Context, id ident.RunID) error {
	for more := true; more; {
		err := db.atomic(ctx, "the run was not removed", func(t *tx) error {
			more = false
			var seq int64
			var deleted bool
			err := t.row(ctx, `SELECT seq, deleted FROM runs WHERE run_id = $1 {lock}`, id).Scan(&seq, flag{&deleted})
			if none(err) {
				return nil
			}
			if err != nil {
				return err
			}
			if !deleted {
				return fault.New(fault.Refused, "run %s is not deleted", id)
			}
			if more, err = t.purgePoints(ctx, seq); err != nil || more {
				return err
			}
			return t.execAll(ctx, seq,
				`DELETE FROM latest_metrics WHERE run = $1`, `DELETE FROM params WHERE run = $1`, `DELETE FROM tags WHERE run = $1`,
				`DELETE FROM inputs WHERE run = $1`, `DELETE FROM run_models WHERE run = $1`, `DELETE FROM runs WHERE seq = $1`)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// purgeChunk is how many points one transaction removes.
const purgeChunk = 10_000

// purgePoints removes points of a run; more is true when it left some.
func (t *tx) purgePoints(ctx context.Context, run int64) (more bool, err error) {
	last := point{run: run}
	err = t.row(ctx, `SELECT key, at, step, nan, value FROM metrics WHERE run = $1 ORDER BY key, at, step, nan, value LIMIT 1 OFFSET $2`, run, purgeChunk-1).
		Scan(&last.key, &last.at, &last.step, &last.nan, &last.value)
	if none(err) {
		_, err = t.exec(ctx, `DELETE FROM metrics WHERE run = $1`, run)
		return false, err
	}
	if err != nil {
		return false, err
	}
	_, err = t.exec(ctx, `DELETE FROM metrics WHERE run = $1 AND (key, at, step, nan, value) <= ($2, $3, $4, $5, $6)`,
		run, last.key, last.at, last.step, last.nan, last.value)
	return true, err
}

// execAll runs statements with one argument.
func (t *tx) execAll(ctx context.Context, arg any, statements ...string) error {
	for _, s := range statements {
		if _, err := t.exec(ctx, s, arg); err != nil {
			return err
		}
	}
	return nil
}

// PurgeLoggedModel removes a deleted logged model for good; see experiment.Remains.
func (db *DB) PurgeLoggedModel(ctx context.Context, id ident.ModelID) error {
	return db.atomic(ctx, "the logged model was not removed", func(t *tx) error {
		var seq int64
		var deleted bool
		err := t.row(ctx, `SELECT m.seq, m.deleted + e.deleted FROM logged_models m JOIN experiments e ON e.id = m.experiment WHERE m.model_id = $1`, id).
			Scan(&seq, flag{&deleted})
		if none(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if !deleted {
			return fault.New(fault.Refused, "logged model %s is not deleted", id)
		}
		if _, err := t.exec(ctx, `DELETE FROM logged_model_metrics WHERE model = $1`, id); err != nil {
			return err
		}
		return t.execAll(ctx, seq, `DELETE FROM logged_model_params WHERE model = $1`, `DELETE FROM logged_model_tags WHERE model = $1`,
			`DELETE FROM logged_models WHERE seq = $1`)
	})
}

// PurgeExperiment removes a deleted experiment for good; see experiment.Remains. Its
// runs and logged models must have been purged before.
func (db *DB) PurgeExperiment(ctx context.Context, id ident.ExperimentID) error {
	return db.atomic(ctx, "the experiment was not removed", func(t *tx) error {
		e, err := t.experiment(ctx, id, "{lock}")
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if !e.Deleted || id == experiment.Default {
			return fault.New(fault.Refused, "experiment %d is not deleted", id)
		}
		var held bool
		err = t.row(ctx, `SELECT CASE WHEN EXISTS (SELECT 1 FROM runs WHERE experiment = $1)
			OR EXISTS (SELECT 1 FROM logged_models WHERE experiment = $1) THEN 1 ELSE 0 END`, id).Scan(flag{&held})
		if err != nil {
			return err
		}
		if held {
			return fault.New(fault.Refused, "experiment %d still has runs or logged models", id)
		}
		return t.execAll(ctx, id, `DELETE FROM datasets WHERE experiment = $1`, `DELETE FROM experiment_tags WHERE experiment = $1`,
			`DELETE FROM experiments WHERE id = $1`)
	})
}
