// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"encoding/json"
	"fmt"

	"flyball/event"
	"flyball/governance/audit"
	"flyball/governance/duty"
)

// Absences are all that were said, one for each person, over or not, by name.
func (db *DB) Absences(ctx context.Context) ([]duty.Absence, error) {
	ctx, at := then(ctx)
	if at != present {
		return earlier[duty.Absence](ctx, db, "who was away cannot be read", pastAbsence, "", at)
	}
	return all(ctx, db, "who is away cannot be read", func(s scanner) (out duty.Absence, err error) {
		err = s.Scan(body{&out})
		return out, err
	}, `SELECT body FROM absences ORDER BY person`)
}

// KeepAbsence keeps an absence in the place of the person's one before, with its record.
func (db *DB) KeepAbsence(ctx context.Context, a duty.Absence, rec audit.Record, ev event.Event) error {
	raw, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encode the absence of %s: %w", a.Person, err)
	}
	return db.atomic(ctx, "the absence was not kept", func(t *tx) error {
		_, err := t.exec(ctx, `INSERT INTO absences (person, to_at, body) VALUES ($1, $2, $3)
			ON CONFLICT (person) DO UPDATE SET to_at = excluded.to_at, body = excluded.body`, a.Person, a.To.UnixMicro(), text(raw))
		if err != nil {
			return err
		}
		if err := t.remember(ctx, pastAbsence, "", a.Person, text(raw)); err != nil {
			return err
		}
		return t.keep(ctx, &rec, []event.Event{ev})
	})
}

// Turns are who has the duties that go by turns, by model and duty.
func (db *DB) Turns(ctx context.Context) ([]duty.Turn, error) {
	return all(ctx, db, "whose turn it is cannot be read", func(s scanner) (out duty.Turn, err error) {
		err = s.Scan(&out.Model, &out.Duty, &out.Who, moment{&out.Since})
		return out, err
	}, `SELECT model, duty, who, since FROM turns ORDER BY model, duty`)
}

// TakeTurn notes who has a duty now, and tells it, where it was noted of whom t says had it
// before; else somebody noted it meanwhile, and nothing is told twice.
func (db *DB) TakeTurn(ctx context.Context, next duty.Turn, ev event.Event) error {
	return db.atomic(ctx, "the hand-over was not kept", func(t *tx) error {
		args := []any{next.Model, next.Duty, next.Who, next.Since.UnixMicro()}
		statement := `INSERT INTO turns (model, duty, who, since) VALUES ($1, $2, $3, $4) ON CONFLICT (model, duty) DO NOTHING`
		if next.Before != "" {
			statement = `UPDATE turns SET who = $3, since = $4 WHERE model = $1 AND duty = $2 AND who = $5`
			args = append(args, next.Before)
		}
		n, err := t.exec(ctx, statement, args...)
		if err != nil || n == 0 {
			return err
		}
		return t.keep(ctx, nil, []event.Event{ev})
	})
}
