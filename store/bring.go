// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"

	"flyball/event"
	"flyball/fault"
	"flyball/governance/audit"
	"flyball/ident"
	"flyball/model/registry"
)

// BringVersion keeps a version that was made on another server, and its baseline's (with
// no bundle: it has none), with what tell says of it. It keeps its number where that is
// free; else it gets the next one. A version of the model with the same bundle and record
// is returned as it is, added is false, and nothing is written. A model that is not here
// is registered, as one without a file.
func (db *DB) BringVersion(ctx context.Context, v, floor registry.Version, tell func(kept ident.Ref) (audit.Record, event.Event)) (kept registry.Version, added bool, err error) {
	err = db.atomic(ctx, "the version was not brought in", func(t *tx) (err error) {
		added = false
		if _, err = t.next(ctx, "version/"+v.Model, 0); err != nil { // has the model's other registrations wait
			return err
		}
		kept, err = scanVersion(t.row(ctx, selectVersion+` WHERE model = $1 AND bundle = $2 AND record = $3 ORDER BY version LIMIT 1`,
			v.Model, string(v.Bundle), string(v.Record)))
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if err = t.modelFor(ctx, v); err != nil {
			return err
		}
		if kept, err = t.bring(ctx, v); err != nil {
			return err
		}
		floor.Model = registry.BaselineOf(v.Model)
		if err = t.bringFloor(ctx, floor); err != nil {
			return err
		}
		added = true
		rec, ev := tell(kept.Ref)
		return t.keep(ctx, &rec, []event.Event{ev})
	})
	if err != nil {
		return registry.Version{}, false, err
	}
	return kept, added, nil
}

// bringFloor adds the version of a baseline, unless there is none or it is here: it stays
// when the version that it came with is deleted.
func (t *tx) bringFloor(ctx context.Context, v registry.Version) error {
	if v.Bundle == "" {
		return nil
	}
	n, err := t.next(ctx, "version/"+v.Model, 1)
	if err != nil {
		return err
	}
	var there int
	err = t.row(ctx, `SELECT 1 FROM versions WHERE model = $1 AND job_key = $2`, v.Model, v.Key).Scan(&there)
	if errors.Is(err, sql.ErrNoRows) {
		_, err = t.addVersion(ctx, v, n)
	}
	return err
}

// modelFor registers the model of a version unless it is here.
func (t *tx) modelFor(ctx context.Context, v registry.Version) error {
	if _, err := t.addModel(ctx, registry.Model{Name: v.Model, CreatedAt: v.UpdatedAt, UpdatedAt: v.UpdatedAt}); err != nil {
		return err
	}
	return t.touch(ctx, v.Model, v.UpdatedAt)
}

// bring adds a version under its own number, or the next where that is taken.
func (t *tx) bring(ctx context.Context, v registry.Version) (registry.Version, error) {
	n := int64(v.Version)
	switch err := t.there(ctx, v.Ref); {
	case err == nil:
		if n, err = t.next(ctx, "version/"+v.Model, 1); err != nil {
			return registry.Version{}, err
		}
	case !fault.Is(err, fault.NotFound):
		return registry.Version{}, err
	default:
		if err := t.atLeast(ctx, "version/"+v.Model, n); err != nil {
			return registry.Version{}, err
		}
	}
	return t.addVersion(ctx, v, n)
}

// atLeast has a counter go on after n.
func (t *tx) atLeast(ctx context.Context, name string, n int64) error {
	_, err := t.exec(ctx, `INSERT INTO heads (name, seq) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET
		seq = CASE WHEN heads.seq > excluded.seq THEN heads.seq ELSE excluded.seq END`, name, n)
	return err
}
