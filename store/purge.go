// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"

	"flyball/experiment"
	"flyball/fault"
	"flyball/ident"
)

// PurgeRun removes a deleted run for good, and the datasets that only it read. What it
// logged to logged models stays with them. A run that is not there is nothing, one that
// is not deleted a Refused fault. A long history goes in parts, so that others can write
// between; whoever is interrupted may purge again.
func (db *DB) PurgeRun(ctx context.Context, id ident.RunID) error {
	for more := true; more; {
		err := db.atomic(ctx, "the run was not removed", func(t *tx) error {
			more = false
			r, err := scanRun(t.row(ctx, `SELECT `+runColumns+` FROM runs r WHERE r.run_id = $1 {lock}`, id))
			if none(err) {
				return nil
			}
			if err != nil {
				return err
			}
			if !r.Deleted {
				return fault.New(fault.Refused, "run %s is not deleted", id)
			}
			if more, err = t.purgePoints(ctx, r.seq); err != nil || more {
				return err
			}
			if err := t.holdDatasets(ctx, true); err != nil {
				return err
			}
			return t.execAll(ctx, r.seq,
				`DELETE FROM datasets WHERE id IN (SELECT dataset FROM inputs WHERE run = $1)
					AND NOT EXISTS (SELECT 1 FROM inputs o WHERE o.dataset = datasets.id AND o.run <> $1)`,
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

// PurgeLoggedModel removes a logged model for good that was deleted, or whose experiment
// was. One that is not there is nothing, one that is not deleted a Refused fault.
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

// PurgeExperiment removes a deleted experiment for good. One that is not there is
// nothing; one that is not deleted, still holds runs or logged models, or is the default
// one is a Refused fault.
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
