// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"slices"

	"flyball/event"
)

// feed appends events. Their numbers become visible in order, so a reader that asks
// for what came after a number misses none.
func (t *tx) feed(ctx context.Context, evs []event.Event) error {
	if len(evs) == 0 {
		return nil
	}
	last, err := t.next(ctx, "event", len(evs))
	if err != nil {
		return err
	}
	for i, e := range evs {
		_, err := t.exec(ctx, `INSERT INTO events (seq, at, model, actor, mark, kind, line, command, data, kept_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			last-int64(len(evs)-1-i), e.At.UnixMicro(), e.Model, e.By, string(e.Mark), e.Kind, clean(e.Text), e.Command, text(e.Data), t.now().UnixMicro())
		if err != nil {
			return err
		}
	}
	t.told = true
	return nil
}

// AddEvents appends events that tell of no other change in this database.
func (db *DB) AddEvents(ctx context.Context, evs ...event.Event) error {
	if len(evs) == 0 {
		return nil
	}
	return db.atomic(ctx, "the events were not written", func(t *tx) error { return t.feed(ctx, evs) })
}

const eventColumns = `seq, at, model, actor, mark, kind, line, command, data`

func scanEvent(s scanner) (event.Event, error) {
	var e event.Event
	err := s.Scan(&e.Seq, moment{&e.At}, &e.Model, &e.By, &e.Mark, &e.Kind, &e.Text, &e.Command, document{&e.Data})
	return e, err
}

// Events are the events after a number, in order, at most limit (and 10,000); of all
// models when model is empty.
func (db *DB) Events(ctx context.Context, after int64, model string, limit int) ([]event.Event, error) {
	const what = "the events cannot be read"
	ctx, at := then(ctx)
	if model == "" {
		return all(ctx, db, what, scanEvent, `SELECT `+eventColumns+` FROM events WHERE seq > $1 AND kept_at <= $3 ORDER BY seq LIMIT $2`, after, clamp(limit), at)
	}
	return all(ctx, db, what, scanEvent,
		`SELECT `+eventColumns+` FROM events WHERE model = $1 AND seq > $2 AND kept_at <= $4 ORDER BY seq LIMIT $3`, model, after, clamp(limit), at)
}

// LastEvents are the newest n events (at most 10,000), the oldest of them first; of
// all models when model is empty.
func (db *DB) LastEvents(ctx context.Context, model string, n int) ([]event.Event, error) {
	const what = "the events cannot be read"
	var evs []event.Event
	var err error
	ctx, at := then(ctx)
	if model == "" {
		evs, err = all(ctx, db, what, scanEvent, `SELECT `+eventColumns+` FROM events WHERE kept_at <= $2 ORDER BY seq DESC LIMIT $1`, clamp(n), at)
	} else {
		evs, err = all(ctx, db, what, scanEvent, `SELECT `+eventColumns+` FROM events WHERE model = $1 AND kept_at <= $3 ORDER BY seq DESC LIMIT $2`, model, clamp(n), at)
	}
	slices.Reverse(evs)
	return evs, err
}
