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

var _ experiment.Runs = (*DB)(nil)

// CreateRun keeps r with all that is in it; see experiment.Runs.
func (db *DB) CreateRun(ctx context.Context, r experiment.Run) error {
	return db.atomic(ctx, "the run was not made", func(t *tx) error {
		if err := t.alive(ctx, r.Experiment); err != nil {
			return err
		}
		return t.addRuns(ctx, []newRun{{ImportedRun: experiment.ImportedRun{Run: r}, deleted: bit(r.Deleted)}})
	})
}

// newRun is a run to be added; deleted is as in table runs.
type newRun struct {
	experiment.ImportedRun
	deleted int
}

// addRuns adds runs with all that is in them, those of all in as few statements as
// can be.
func (t *tx) addRuns(ctx context.Context, runs []newRun) error {
	s := newSheet()
	for _, r := range runs {
		s.name(experiment.Batch{Metrics: r.Metrics, Params: r.Params, Tags: r.Tags})
		s.name(experiment.Batch{Metrics: r.History})
	}
	if err := t.number(ctx, s.ids); err != nil {
		return err
	}
	for _, r := range runs {
		to, err := t.addRun(ctx, r)
		if err != nil {
			return err
		}
		if err := s.add(to, experiment.Batch{Metrics: r.Metrics, Params: r.Params, Tags: r.Tags}, false); err != nil {
			return err
		}
		for _, m := range r.History {
			s.metric(to, m)
		}
		if err := t.addInputs(ctx, to, r.Inputs, r.Models); err != nil {
			return err
		}
		if err := t.addOutputs(ctx, to, r.Outputs); err != nil {
			return err
		}
	}
	clear(s.names) // a name is in the run's row already
	return t.write(ctx, s)
}

// addRun adds the row of a run. One of the same id is a Conflict fault.
func (t *tx) addRun(ctx context.Context, r newRun) (target, error) {
	to := target{experiment: int64(r.Experiment), id: r.ID}
	err := t.row(ctx, `INSERT INTO runs (run_id, experiment, name, user_id, status, started, ended, location, deleted, deleted_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, CASE WHEN CAST($9 AS BIGINT) = 0 THEN 0 ELSE {now} / 1000 END) ON CONFLICT (run_id) DO NOTHING RETURNING seq`,
		r.ID, r.Experiment, clean(r.Name), clean(r.User), r.Status, r.Start, orNull(r.End), r.Location, r.deleted).Scan(&to.seq)
	if none(err) {
		err = fault.New(fault.Conflict, "Run with id=%s already exists.", r.ID)
	}
	return to, err
}

// Run is a run with everything; see experiment.Runs.
func (db *DB) Run(ctx context.Context, id ident.RunID) (experiment.Run, error) {
	ctx, at := then(db.short(ctx))
	r, err := scanRun(db.row(ctx, `SELECT `+runColumns+` FROM runs r WHERE r.run_id = $1`, id))
	if err != nil {
		return experiment.Run{}, found(err, "the run cannot be read", "Run with id=%s not found", id)
	}
	if r.Start > at/1000 {
		return experiment.Run{}, fault.New(fault.NotFound, "Run with id=%s not found", id)
	}
	one := []experiment.Run{r.Run}
	err = db.fillRuns(ctx, one, []int64{r.seq})
	if err == nil && at != present {
		err = db.earlierRun(ctx, &one[0], at)
	}
	return one[0], err
}

// UpdateRun changes a run; see experiment.Runs.
func (db *DB) UpdateRun(ctx context.Context, id ident.RunID, c experiment.RunChange) (experiment.Run, error) {
	var kept runRow
	err := db.atomic(ctx, "the run was not changed", func(t *tx) error {
		var err error
		if kept, err = t.activeRun(ctx, id); err != nil {
			return err
		}
		if c.Status != nil {
			kept.Status = *c.Status
		}
		if c.End != nil {
			kept.End = *c.End
		}
		if c.Name != nil {
			kept.Name = clean(*c.Name)
			if err := t.tagRun(ctx, kept, experiment.Tag{Key: nameTag, Value: kept.Name}); err != nil {
				return err
			}
		}
		_, err = t.exec(ctx, `UPDATE runs SET name = $2, status = $3, ended = $4 WHERE seq = $1`, kept.seq, kept.Name, kept.Status, orNull(kept.End))
		return err
	})
	if err != nil {
		return experiment.Run{}, err
	}
	return kept.Run, nil
}

// activeRun keeps a run's row for this transaction and returns it. One that is not
// there is a NotFound fault, a deleted one an Invalid fault.
func (t *tx) activeRun(ctx context.Context, id ident.RunID) (runRow, error) {
	r, err := scanRun(t.row(ctx, `SELECT `+runColumns+` FROM runs r WHERE r.run_id = $1 {lock}`, id))
	if none(err) {
		return r, noRun(id)
	}
	if err == nil && r.Deleted {
		err = deletedRun(id)
	}
	return r, err
}

func (t *tx) tagRun(ctx context.Context, r runRow, tag experiment.Tag) error {
	s := newSheet()
	batch := experiment.Batch{Tags: []experiment.Tag{tag}}
	s.name(batch)
	if err := t.number(ctx, s.ids); err != nil {
		return err
	}
	if err := s.add(target{r.seq, int64(r.Experiment), r.ID}, batch, false); err != nil {
		return err
	}
	return t.write(ctx, s)
}

// SetRunDeleted deletes or restores a run; see experiment.Runs.
func (db *DB) SetRunDeleted(ctx context.Context, id ident.RunID, deleted bool, now int64) error {
	at := int64(0)
	if deleted {
		at = now
	}
	return db.atomic(ctx, "the run was not changed", func(t *tx) error {
		n, err := t.exec(ctx, `UPDATE runs SET deleted_at = CASE WHEN deleted = 0 OR CAST($2 AS BIGINT) = 0 THEN CAST($3 AS BIGINT) ELSE deleted_at END, deleted = CAST($2 AS BIGINT) WHERE run_id = $1`,
			id, bit(deleted), at)
		if err == nil && n == 0 {
			err = noRun(id)
		}
		return err
	})
}

// DeleteRunTag deletes a tag; see experiment.Runs.
func (db *DB) DeleteRunTag(ctx context.Context, id ident.RunID, key string) error {
	return db.atomic(ctx, "the tag was not deleted", func(t *tx) error {
		r, err := t.activeRun(ctx, id)
		if err != nil {
			return err
		}
		n, err := t.exec(ctx, `DELETE FROM tags WHERE run = $1 AND key = (SELECT id FROM keys WHERE name = $2)`, r.seq, clean(key))
		if err == nil && n == 0 {
			err = fault.New(fault.NotFound, "No tag with name: %s in run with id %s", key, id)
		}
		return err
	})
}

// orNull is a moment as it is kept: NULL when there is none.
func orNull(ms int64) any {
	if ms == 0 {
		return nil
	}
	return ms
}

// none reports whether a query found no row.
func none(err error) bool { return errors.Is(err, sql.ErrNoRows) }
