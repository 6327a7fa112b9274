// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"flyball/event"
	"flyball/governance/maturity"
	"flyball/notify"
)

// toldHead is the counter of the newest event that was put into the outbox.
const toldHead = "event/told"

// mostTold bounds the events that go into the outbox at once.
const mostTold = 500

// TellEvents puts what happened since it was called last into the outbox, as make has it;
// an event of which make makes nothing is passed over. The first call puts in none: who
// subscribes is told of what comes. Nothing is told twice, whoever dies meanwhile.
func (db *DB) TellEvents(ctx context.Context, make func(event.Event) (notify.Message, bool, error)) error {
	var waiting bool
	if err := db.row(ctx, `SELECT COALESCE((SELECT seq FROM heads WHERE name = 'event'), 0) <> COALESCE((SELECT seq FROM heads WHERE name = $1), -1)`, toldHead).
		Scan(&waiting); err != nil || !waiting {
		return problem(err, "the events cannot be read")
	}
	return db.atomic(ctx, "the events were not put into the outbox", func(t *tx) error {
		told, err := t.toldTo(ctx)
		if err != nil {
			return err
		}
		var evs []event.Event
		if err := t.each(ctx, func(s scanner) error {
			e, err := scanEvent(s)
			evs = append(evs, e)
			return err
		}, `SELECT `+eventColumns+` FROM events WHERE seq > $1 ORDER BY seq LIMIT $2`, told, mostTold); err != nil {
			return err
		}
		for _, e := range evs {
			m, wanted, err := make(e)
			if err != nil {
				return err
			}
			if wanted {
				if err := t.send(ctx, []notify.Message{m}); err != nil {
					return err
				}
			}
			told = e.Seq
		}
		_, err = t.exec(ctx, `UPDATE heads SET seq = $2 WHERE name = $1`, toldHead, told)
		return err
	})
}

// toldTo is the number of the newest event that was put into the outbox; at first that of
// the newest there is. The row stays with the transaction.
func (t *tx) toldTo(ctx context.Context) (seq int64, err error) {
	if _, err = t.exec(ctx, `INSERT INTO heads (name, seq) VALUES ($1, COALESCE((SELECT seq FROM heads WHERE name = 'event'), 0))
		ON CONFLICT (name) DO UPDATE SET seq = heads.seq`, toldHead); err != nil {
		return 0, err
	}
	err = t.row(ctx, `SELECT seq FROM heads WHERE name = $1`, toldHead).Scan(&seq)
	return seq, err
}

// delivered notes that a subscriber took what a message tells, and forgets what was taken
// more than maturity.Long before.
func (t *tx) delivered(ctx context.Context, id string, at time.Time) error {
	var m notify.Message
	err := t.row(ctx, `SELECT body FROM outbox WHERE id = $1 AND way = $2`, id, notify.Events).Scan(body{&m})
	e, tells := m.Tells()
	switch {
	case errors.Is(err, sql.ErrNoRows) || err == nil && !tells:
		return nil
	case err != nil:
		return err
	}
	if _, err := t.exec(ctx, `INSERT INTO deliveries (id, model, kind, at) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING`, id, e.Model, e.Kind, at.UnixMicro()); err != nil {
		return err
	}
	_, err = t.exec(ctx, `DELETE FROM deliveries WHERE model = $1 AND at < $2`, e.Model, at.Add(-maturity.Long).UnixMicro())
	return err
}

// Delivered are the events of a model that a subscriber took since a moment, the newest
// first, at most 10,000.
func (db *DB) Delivered(ctx context.Context, model string, since time.Time) ([]maturity.Delivery, error) {
	ctx, at := then(ctx)
	return all(ctx, db, "what subscribers took cannot be read", func(s scanner) (d maturity.Delivery, err error) {
		err = s.Scan(&d.ID, &d.Kind, moment{&d.At})
		d.ID = "delivery " + d.ID
		return d, err
	}, `SELECT id, kind, at FROM deliveries WHERE model = $1 AND at >= $2 AND at <= $3 ORDER BY at DESC, id LIMIT 10000`, model, since.UnixMicro(), at)
}
