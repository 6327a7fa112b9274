// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"

	"flyball/experiment"
	"flyball/fault"
	"flyball/ident"
)

var _ experiment.Experiments = (*DB)(nil)

// CreateExperiment keeps e; see experiment.Experiments.
func (db *DB) CreateExperiment(ctx context.Context, e experiment.Experiment) (experiment.Experiment, error) {
	var kept experiment.Experiment
	e.Name = clean(e.Name)
	err := db.atomic(ctx, "the experiment was not made", func(t *tx) error {
		kept = e
		var err error
		if kept.ID, err = t.experimentID(ctx, e.ID); err != nil {
			return err
		}
		if kept.Location == "" {
			kept.Location = "mlflow-artifacts:/" + kept.ID.String()
		}
		n, err := t.exec(ctx, `INSERT INTO experiments (id, name, location, deleted, created, updated)
			VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO NOTHING`,
			kept.ID, kept.Name, kept.Location, bit(kept.Deleted), kept.Created, kept.Updated)
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.New(fault.Conflict, "Experiment(name=%s) already exists.", kept.Name)
		}
		for _, tag := range kept.Tags {
			if err := t.tagExperiment(ctx, kept.ID, tag); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return experiment.Experiment{}, err
	}
	return kept, nil
}

// experimentID is wanted when that is positive and free, else a number that was never
// given before.
func (t *tx) experimentID(ctx context.Context, wanted ident.ExperimentID) (ident.ExperimentID, error) {
	if err := t.lockExperimentNames(ctx); err != nil {
		return 0, err
	}
	if wanted > 0 {
		var taken int
		err := t.row(ctx, `SELECT 1 FROM experiments WHERE id = $1`, wanted).Scan(&taken)
		if errors.Is(err, sql.ErrNoRows) {
			_, err = t.exec(ctx, `INSERT INTO heads (name, seq) VALUES ('experiment', $1)
				ON CONFLICT (name) DO UPDATE SET seq = CASE WHEN heads.seq > excluded.seq THEN heads.seq ELSE excluded.seq END`, wanted)
			return wanted, err
		}
		if err != nil {
			return 0, err
		}
	}
	id, err := t.next(ctx, "experiment", 1)
	return ident.ExperimentID(id), err
}

// lockExperimentNames has others that make or rename experiments wait for this
// transaction.
func (t *tx) lockExperimentNames(ctx context.Context) error {
	_, err := t.next(ctx, "experiment", 0)
	return err
}

func (t *tx) tagExperiment(ctx context.Context, id ident.ExperimentID, tag experiment.Tag) error {
	_, err := t.exec(ctx, `INSERT INTO experiment_tags (experiment, name, value) VALUES ($1, $2, $3)
		ON CONFLICT (experiment, name) DO UPDATE SET value = excluded.value`, id, clean(tag.Key), clean(tag.Value))
	return err
}

// Experiment is one experiment; see experiment.Experiments.
func (db *DB) Experiment(ctx context.Context, id ident.ExperimentID) (experiment.Experiment, error) {
	ctx = db.short(ctx)
	e, err := scanExperiment(db.row(ctx, `SELECT `+experimentColumns+` FROM experiments e WHERE e.id = $1`, id))
	if err != nil {
		return experiment.Experiment{}, found(err, "the experiment cannot be read", "No Experiment with id=%d exists", id)
	}
	return db.tagged(ctx, e)
}

// ExperimentByName is one experiment; see experiment.Experiments.
func (db *DB) ExperimentByName(ctx context.Context, name string) (experiment.Experiment, error) {
	ctx = db.short(ctx)
	e, err := scanExperiment(db.row(ctx, `SELECT `+experimentColumns+` FROM experiments e WHERE e.name = $1`, clean(name)))
	if err != nil {
		return experiment.Experiment{}, found(err, "the experiment cannot be read", "Could not find experiment with name '%s'", name)
	}
	return db.tagged(ctx, e)
}

func (db *DB) tagged(ctx context.Context, e experiment.Experiment) (experiment.Experiment, error) {
	one := []experiment.Experiment{e}
	err := db.fillExperiments(ctx, one)
	return one[0], err
}

// alive keeps an experiment from being changed during this transaction. One that is not
// there is a NotFound fault, a deleted one an Invalid fault.
func (t *tx) alive(ctx context.Context, id ident.ExperimentID) error {
	e, err := t.experiment(ctx, id, "{share}")
	if err != nil {
		return err
	}
	return active(e)
}

func active(e experiment.Experiment) error {
	if e.Deleted {
		return fault.New(fault.Invalid, "The experiment %d must be in the 'active' state. Current state is deleted.", e.ID)
	}
	return nil
}

// experiment keeps an experiment's row, {lock} or {share}, and returns the experiment.
func (t *tx) experiment(ctx context.Context, id ident.ExperimentID, keep string) (experiment.Experiment, error) {
	e, err := scanExperiment(t.row(ctx, `SELECT `+experimentColumns+` FROM experiments e WHERE e.id = $1 `+keep, id))
	return e, found(err, "the experiment cannot be read", "No Experiment with id=%d exists", id)
}

// changeExperiment runs do on an experiment that is active, and notes when.
func (t *tx) changeExperiment(ctx context.Context, id ident.ExperimentID, now int64, do func() error) error {
	e, err := t.experiment(ctx, id, "{lock}")
	if err != nil {
		return err
	}
	if err := active(e); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	_, err = t.exec(ctx, `UPDATE experiments SET updated = $2 WHERE id = $1`, id, now)
	return err
}

// RenameExperiment gives an experiment another name; see experiment.Experiments.
func (db *DB) RenameExperiment(ctx context.Context, id ident.ExperimentID, name string, now int64) error {
	name = clean(name)
	return db.atomic(ctx, "the experiment was not renamed", func(t *tx) error {
		if err := t.lockExperimentNames(ctx); err != nil {
			return err
		}
		e, err := t.experiment(ctx, id, "{lock}")
		if err != nil {
			return err
		}
		if e.Deleted {
			return fault.New(fault.Invalid, "Cannot rename a non-active experiment.")
		}
		var taken int
		err = t.row(ctx, `SELECT 1 FROM experiments WHERE name = $1 AND id <> $2`, name, id).Scan(&taken)
		if err == nil {
			return fault.New(fault.Conflict, "Experiment(name=%s) already exists.", name)
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		_, err = t.exec(ctx, `UPDATE experiments SET name = $2, updated = $3 WHERE id = $1`, id, name, now)
		return err
	})
}

// SetExperimentDeleted deletes or restores an experiment with its runs; see
// experiment.Experiments. Runs that were deleted by themselves stay so.
func (db *DB) SetExperimentDeleted(ctx context.Context, id ident.ExperimentID, deleted bool, now int64) error {
	return db.atomic(ctx, "the experiment was not changed", func(t *tx) error {
		n, err := t.exec(ctx, `UPDATE experiments SET deleted = $2, updated = $3 WHERE id = $1 AND deleted <> $2`, id, bit(deleted), now)
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.New(fault.NotFound, "No Experiment with id=%d exists", id)
		}
		if deleted {
			_, err = t.exec(ctx, `UPDATE runs SET deleted = 2, deleted_at = $2 WHERE experiment = $1 AND deleted = 0`, id, now)
		} else {
			_, err = t.exec(ctx, `UPDATE runs SET deleted = 0, deleted_at = 0 WHERE experiment = $1 AND deleted = 2`, id)
		}
		return err
	})
}

// SetExperimentTag writes a tag of an experiment; see experiment.Experiments.
func (db *DB) SetExperimentTag(ctx context.Context, id ident.ExperimentID, tag experiment.Tag, now int64) error {
	return db.atomic(ctx, "the tag was not written", func(t *tx) error {
		return t.changeExperiment(ctx, id, now, func() error { return t.tagExperiment(ctx, id, tag) })
	})
}

// DeleteExperimentTag deletes a tag of an experiment; see experiment.Experiments.
func (db *DB) DeleteExperimentTag(ctx context.Context, id ident.ExperimentID, key string, now int64) error {
	return db.atomic(ctx, "the tag was not deleted", func(t *tx) error {
		return t.changeExperiment(ctx, id, now, func() error {
			n, err := t.exec(ctx, `DELETE FROM experiment_tags WHERE experiment = $1 AND name = $2`, id, clean(key))
			if err == nil && n == 0 {
				err = fault.New(fault.NotFound, "No tag with name: %s in experiment with id %d", key, id)
			}
			return err
		})
	})
}

// bit is a truth as it is kept.
func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
