// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"flyball/event"
	"flyball/fault"
	"flyball/governance/audit"
	"flyball/governance/incident"
	"flyball/model/registry"
	"flyball/serving/release"
)

func scanRelease(s scanner) (release.State, error) {
	var st release.State
	err := s.Scan(body{&st})
	return st, err
}

// Release is the newest state of a model's newest release; false when it never had one.
func (db *DB) Release(ctx context.Context, model string) (release.State, bool, error) {
	ctx, at := then(ctx)
	s, err := scanRelease(db.row(ctx, `SELECT body FROM release_history WHERE model = $1 AND kept_at <= $2 ORDER BY generation DESC LIMIT 1`, model, at))
	if errors.Is(err, sql.ErrNoRows) {
		return release.State{}, false, nil
	}
	return s, err == nil, problem(err, "the release cannot be read")
}

// Releases are the newest states of each of a model's releases, the newest first.
func (db *DB) Releases(ctx context.Context, model string) ([]release.State, error) {
	ctx, at := then(ctx)
	return all(ctx, db, "the releases cannot be read", scanRelease, `SELECT body FROM release_history WHERE model = $1
		AND generation IN (SELECT MAX(generation) FROM release_history WHERE model = $1 AND kept_at <= $2 GROUP BY id) ORDER BY generation DESC`, model, at)
}

// ReleaseHistory are all states that a model's releases ever had, in the order of
// their generations.
func (db *DB) ReleaseHistory(ctx context.Context, model string) ([]release.State, error) {
	ctx, at := then(ctx)
	return all(ctx, db, "the releases cannot be read", scanRelease,
		`SELECT body FROM release_history WHERE model = $1 AND kept_at <= $2 ORDER BY generation`, model, at)
}

// SaveRelease keeps s as the model's newest state, moves aliases (to a version; 0: to
// none), with their history, and writes rec (nil: none) and evs, all or nothing. A candidate
// that is taken back after it answered opens an incident. from is the generation on
// which the change was decided, 0 for a model that never had a release; when the
// model is not there any more, it is a Conflict fault and nothing is written.
func (db *DB) SaveRelease(ctx context.Context, from int64, s release.State, aliases map[string]int, rec *audit.Record, evs ...event.Event) error {
	if s.Model == "" || s.ID == "" || s.Generation <= from {
		return fault.New(fault.Invalid, "generation %d of release %q of model %q cannot follow generation %d", s.Generation, s.ID, s.Model, from)
	}
	state, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode release %s: %w", s.ID, err)
	}
	return db.atomic(ctx, "the release was not changed", func(t *tx) error {
		if err := t.swap(ctx, "releases", s.Model, from, s.Generation); err != nil {
			return err
		}
		_, err := t.exec(ctx, `INSERT INTO release_history (model, generation, id, phase, body, kept_at) VALUES ($1, $2, $3, $4, $5, $6)`,
			s.Model, s.Generation, s.ID, string(s.Phase), string(state), t.now().UnixMicro())
		if err != nil {
			return err
		}
		for _, alias := range slices.Sorted(maps.Keys(aliases)) {
			move := registry.Move{Model: s.Model, Alias: alias, At: s.EnteredAt, By: s.By, To: aliases[alias]}
			if rec != nil {
				move.At, move.By = rec.At, rec.Actor
			}
			if _, err := t.moveAlias(ctx, move); err != nil {
				return err
			}
		}
		if err := t.keep(ctx, rec, evs); err != nil {
			return err
		}
		if i, bad := incident.OfRelease(s); bad {
			return t.openIncident(ctx, i, s.Reason, nil)
		}
		return nil
	})
}

// swap sets the generation of a model's row if it is from (0: there is none), and is
// a Conflict fault otherwise. The row stays with this transaction. table is one of
// ours, never a caller's.
func (t *tx) swap(ctx context.Context, table, model string, from, to int64) error {
	var n int64
	var err error
	if from == 0 {
		n, err = t.exec(ctx, `INSERT INTO `+table+` (model, generation) VALUES ($1, $2) ON CONFLICT (model) DO NOTHING`, model, to)
	} else {
		n, err = t.exec(ctx, `UPDATE `+table+` SET generation = $3 WHERE model = $1 AND generation = $2`, model, from, to)
	}
	if err != nil {
		return err
	}
	if n == 0 {
		return fault.New(fault.Conflict, "%s changed meanwhile", model).Do("look again, and decide on what you see")
	}
	return nil
}
