// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"flyball/event"
	"flyball/governance/audit"
)

// LoopState is where the loop of a model stands, as it was saved, and its generation;
// nil and 0 when it never was. As of a moment it has no generation.
func (db *DB) LoopState(ctx context.Context, model string) (json.RawMessage, int64, error) {
	ctx, at := then(ctx)
	if at != present {
		states, err := earlier[json.RawMessage](ctx, db, "the state of the loop cannot be read", pastLoop, model, at)
		if err != nil || len(states) == 0 {
			return nil, 0, err
		}
		return states[0], 0, nil
	}
	var state json.RawMessage
	var generation int64
	err := db.row(ctx, `SELECT body, generation FROM loop_state WHERE model = $1`, model).Scan(document{&state}, &generation)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, 0, nil
	}
	return state, generation, problem(err, "the state of the loop cannot be read")
}

// SaveLoop keeps where the loop of a model stands, under the generation after from,
// with rec (nil: none) and evs. from is the generation that LoopState gave; when the
// state is not of that generation any more, it is a Conflict fault and nothing is
// written.
func (db *DB) SaveLoop(ctx context.Context, model string, from int64, state json.RawMessage, rec *audit.Record, evs ...event.Event) error {
	return db.atomic(ctx, "the state of the loop was not changed", func(t *tx) error {
		if err := t.swap(ctx, "loop_state", model, from, from+1); err != nil {
			return err
		}
		if _, err := t.exec(ctx, `UPDATE loop_state SET body = $2 WHERE model = $1`, model, text(state)); err != nil {
			return err
		}
		if err := t.remember(ctx, pastLoop, model, "", text(state)); err != nil {
			return err
		}
		return t.keep(ctx, rec, evs)
	})
}
