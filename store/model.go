// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"flyball/event"
	"flyball/governance/audit"
	"flyball/model/registry"
)

const modelColumns = `name, generation, file, pipeline, data, applied_at, applied_by, about, created_at, updated_at, columns, code, from_commit`

func scanModel(s scanner) (registry.Model, error) {
	var m registry.Model
	err := s.Scan(&m.Name, &m.Generation, &m.File, &m.Pipeline, body{&m.Data}, moment{&m.AppliedAt}, &m.AppliedBy,
		&m.About, moment{&m.CreatedAt}, moment{&m.UpdatedAt}, body{&m.Columns}, body{&m.Code}, body{&m.Commit})
	if m.Generation == 0 {
		m.AppliedAt = time.Time{} // it never was
	}
	return m, err
}

// ApplyModel keeps m as applied, with rec and ev, and returns it with its new
// generation and true. When all that is applied is what it was, it writes
// nothing and returns the model as it was, and false. A model that a client registered
// under the name comes under Flyball's care with its versions, tags and aliases.
func (db *DB) ApplyModel(ctx context.Context, m registry.Model, rec audit.Record, ev event.Event) (registry.Model, bool, error) {
	kept, changed := registry.Model{}, false
	err := db.atomic(ctx, "the model was not applied", func(t *tx) (err error) {
		kept, changed, err = t.applyModel(ctx, m, rec, ev)
		return err
	})
	if err != nil {
		return registry.Model{}, false, err
	}
	return kept, changed, nil
}

// applyModel is ApplyModel within a transaction.
func (t *tx) applyModel(ctx context.Context, m registry.Model, rec audit.Record, ev event.Event) (registry.Model, bool, error) {
	var parts [4]string // data, columns, code, commit
	for i, v := range []any{m.Data, m.Columns, m.Code, m.Commit} {
		raw, err := json.Marshal(v)
		if err != nil {
			return registry.Model{}, false, fmt.Errorf("encode the files of model %s: %w", m.Name, err)
		}
		parts[i] = string(raw)
	}
	at := m.AppliedAt.UnixMicro()
	if _, err := t.addModel(ctx, registry.Model{Name: m.Name, CreatedAt: m.AppliedAt, UpdatedAt: m.AppliedAt}); err != nil {
		return registry.Model{}, false, err
	}
	old, err := scanModel(t.row(ctx, `SELECT `+modelColumns+` FROM models WHERE name = $1 {lock}`, m.Name))
	if err != nil {
		return registry.Model{}, false, err
	}
	if old.Generation > 0 && old.Same(m) {
		return old, false, nil
	}
	kept, err := scanModel(t.row(ctx, `UPDATE models SET generation = generation + 1, file = $2, pipeline = $3, data = $4,
		applied_at = $5, applied_by = $6, updated_at = $5, columns = $7, code = $8, from_commit = $9 WHERE name = $1 RETURNING `+modelColumns,
		m.Name, m.File, m.Pipeline, parts[0], at, m.AppliedBy, parts[1], parts[2], parts[3]))
	if err != nil {
		return registry.Model{}, false, err
	}
	if !old.Cared() { // from now on it is counted apart, and means another version
		move := registry.Move{Model: m.Name, Alias: registry.Baseline, At: m.AppliedAt, By: m.AppliedBy}
		if _, err := t.moveAlias(ctx, move); err != nil {
			return registry.Model{}, false, err
		}
	}
	raw, err := json.Marshal(kept)
	if err != nil {
		return registry.Model{}, false, fmt.Errorf("encode model %s: %w", m.Name, err)
	}
	if err := t.remember(ctx, pastModel, m.Name, "", text(raw)); err != nil {
		return registry.Model{}, false, err
	}
	return kept, true, t.keep(ctx, &rec, []event.Event{ev})
}

// Model is a model as applied last or as registered, without its tags; a NotFound
// fault when there is none.
func (db *DB) Model(ctx context.Context, name string) (registry.Model, error) {
	if _, at := then(ctx); at != present {
		ms, err := db.earlierModels(ctx, name)
		if err == nil && len(ms) == 0 {
			err = sql.ErrNoRows
		}
		if err != nil {
			return registry.Model{}, found(err, "the model cannot be read", "there is no model %s", name)
		}
		return ms[0], nil
	}
	m, err := scanModel(db.row(ctx, `SELECT `+modelColumns+` FROM models WHERE name = $1`, name))
	return m, found(err, "the model cannot be read", "there is no model %s", name)
}

// Models are the models that have a model file, in the order of their names.
func (db *DB) Models(ctx context.Context) ([]registry.Model, error) {
	if _, at := then(ctx); at != present {
		ms, err := db.earlierModels(ctx, "")
		return only(ms, registry.Model.Cared), err
	}
	return all(ctx, db, "the models cannot be read", scanModel, `SELECT `+modelColumns+` FROM models WHERE file <> '' ORDER BY name`)
}
