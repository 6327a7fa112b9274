// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"flyball/event"
	"flyball/fault"
	"flyball/governance/alert"
	"flyball/governance/audit"
	"flyball/notify"
)

func scanAlert(s scanner) (alert.Alert, error) {
	var a alert.Alert
	err := s.Scan(body{&a})
	return a, err
}

// UnsettledAlerts are the alerts that are open, or over without all being told, by id.
func (db *DB) UnsettledAlerts(ctx context.Context) ([]alert.Alert, error) {
	return all(ctx, db, "the alerts cannot be read", scanAlert, `SELECT body FROM alerts WHERE settled = 0 ORDER BY id`)
}

// Alert is one alert; a NotFound fault when there is none.
func (db *DB) Alert(ctx context.Context, id string) (alert.Alert, error) {
	ctx, at := then(ctx)
	if at != present {
		as, err := earlier[alert.Alert](ctx, db, "the alert cannot be read", pastAlert, "", at)
		for _, a := range as {
			if a.ID == id {
				return a, nil
			}
		}
		if err == nil {
			err = sql.ErrNoRows
		}
		return alert.Alert{}, found(err, "the alert cannot be read", "there is no alert %s", id)
	}
	a, err := scanAlert(db.row(ctx, `SELECT body FROM alerts WHERE id = $1`, id))
	return a, found(err, "the alert cannot be read", "there is no alert %s", id)
}

// Alerts are a model's alerts (of all models when it is empty), the newest first, at most
// 10,000; only those that are open when openOnly is set.
func (db *DB) Alerts(ctx context.Context, model string, openOnly bool) ([]alert.Alert, error) {
	const what = "the alerts cannot be read"
	ctx, at := then(ctx)
	if at != present {
		as, err := earlier[alert.Alert](ctx, db, what, pastAlert, model, at)
		if openOnly {
			as = only(as, func(a alert.Alert) bool { return a.Closed.IsZero() })
		}
		slices.SortFunc(as, func(a, b alert.Alert) int { return cmp.Or(b.Opened.Compare(a.Opened), strings.Compare(a.ID, b.ID)) })
		return as[:min(len(as), 10_000)], err
	}
	return all(ctx, db, what, scanAlert, `SELECT body FROM alerts WHERE ($1 = '' OR model = $1) AND ($2 = 0 OR closed_at IS NULL)
		ORDER BY opened_at DESC, id LIMIT 10000`, model, oneIf(openOnly))
}

// SaveAlert keeps a as the newest state of its alert, the messages that it sends, rec
// (nil: none) and evs, all or nothing. Its generation is one above that of the state on
// which it was decided; when that is not the newest any more it is a Conflict fault. A
// message whose id there is already stays as it is.
func (db *DB) SaveAlert(ctx context.Context, a alert.Alert, messages []notify.Message, rec *audit.Record, evs ...event.Event) error {
	a.Silenced = time.Time{}
	raw, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encode alert %s: %w", a.ID, err)
	}
	return db.atomic(ctx, "the alert was not kept", func(t *tx) error {
		statement := `UPDATE alerts SET model = $2, generation = $3, opened_at = $4, closed_at = $5, settled = $6, body = $7
			WHERE id = $1 AND generation = $3 - 1`
		if a.Generation == 1 {
			statement = `INSERT INTO alerts (id, model, generation, opened_at, closed_at, settled, body) VALUES ($1, $2, $3, $4, $5, $6, $7)
				ON CONFLICT (id) DO NOTHING`
		}
		n, err := t.exec(ctx, statement, a.ID, a.Model, a.Generation, a.Opened.UnixMicro(), micros(a.Closed), oneIf(a.Settled), text(raw))
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.New(fault.Conflict, "the alert %s changed meanwhile", a.ID).Do("look again")
		}
		if err := t.remember(ctx, pastAlert, a.Model, a.ID, text(raw)); err != nil {
			return err
		}
		if err := t.send(ctx, messages); err != nil {
			return err
		}
		return t.keep(ctx, rec, evs)
	})
}

// Silences are all that were kept, one for each model, over or not.
func (db *DB) Silences(ctx context.Context) ([]alert.Silence, error) {
	ctx, at := then(ctx)
	if at != present {
		return earlier[alert.Silence](ctx, db, "the silences cannot be read", pastSilence, "", at)
	}
	return all(ctx, db, "the silences cannot be read", func(s scanner) (out alert.Silence, err error) {
		err = s.Scan(body{&out})
		return out, err
	}, `SELECT body FROM silences ORDER BY model`)
}

// KeepSilence keeps a silence in the place of the model's one before, with its record.
func (db *DB) KeepSilence(ctx context.Context, s alert.Silence, rec audit.Record, ev event.Event) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode the silence of %s: %w", s.Model, err)
	}
	return db.atomic(ctx, "the silence was not kept", func(t *tx) error {
		_, err := t.exec(ctx, `INSERT INTO silences (model, until_at, body) VALUES ($1, $2, $3)
			ON CONFLICT (model) DO UPDATE SET until_at = excluded.until_at, body = excluded.body`, s.Model, s.Until.UnixMicro(), text(raw))
		if err != nil {
			return err
		}
		if err := t.remember(ctx, pastSilence, s.Model, "", text(raw)); err != nil {
			return err
		}
		return t.keep(ctx, &rec, []event.Event{ev})
	})
}

// keptMessages is how long a message is kept after it was sent: it names people.
const keptMessages = 30 * 24 * time.Hour

// send puts messages into the outbox. One whose id is there already stays as it is.
func (t *tx) send(ctx context.Context, messages []notify.Message) error {
	for _, m := range messages {
		raw, err := json.Marshal(m)
		if err != nil {
			return fmt.Errorf("encode message %s: %w", m.ID, err)
		}
		if _, err := t.exec(ctx, `INSERT INTO outbox (id, way, created_at, next_at, tries, why, body) VALUES ($1, $2, $3, $3, 0, '', $4)
			ON CONFLICT (id) DO NOTHING`, m.ID, m.Way, m.CreatedAt.UnixMicro(), text(raw)); err != nil {
			return err
		}
	}
	return nil
}

// AddMessages puts messages that tell of no other change into the outbox.
func (db *DB) AddMessages(ctx context.Context, messages ...notify.Message) error {
	return db.atomic(ctx, "the message was not kept", func(t *tx) error { return t.send(ctx, messages) })
}

// ClaimMessages gives what is due by now, the longest due first, at most limit (and
// 10,000), and puts each off until until, so that no other process sends it meanwhile.
// It forgets what was sent, or given up, more than 30 days ago.
func (db *DB) ClaimMessages(ctx context.Context, now, until time.Time, limit int) ([]notify.Message, error) {
	var waiting int64 // without a transaction that writes, every second
	if err := db.row(ctx, `SELECT COUNT(*) FROM outbox WHERE next_at <= $1`, now.UnixMicro()).Scan(&waiting); err != nil || waiting == 0 {
		return nil, problem(err, "the outbox cannot be read")
	}
	var out []notify.Message
	err := db.atomic(ctx, "the outbox cannot be read", func(t *tx) error {
		out = nil
		if err := t.each(ctx, func(s scanner) error {
			var m notify.Message
			var tries int
			err := s.Scan(&tries, body{&m})
			m.Tries = tries
			out = append(out, m)
			return err
		}, `SELECT tries, body FROM outbox WHERE next_at <= $1 ORDER BY next_at, id LIMIT $2 {skip}`, now.UnixMicro(), clamp(limit)); err != nil {
			return err
		}
		for _, m := range out {
			if _, err := t.exec(ctx, `UPDATE outbox SET next_at = $2, tries = tries + 1 WHERE id = $1`, m.ID, until.UnixMicro()); err != nil {
				return err
			}
		}
		_, err := t.exec(ctx, `DELETE FROM outbox WHERE next_at IS NULL AND created_at < $1`, now.Add(-keptMessages).UnixMicro())
		return err
	})
	return out, err
}

// EndMessage says that a message was sent at the moment at, or, when why is not empty,
// that it is given up.
func (db *DB) EndMessage(ctx context.Context, id string, at time.Time, why string) error {
	sent := any(at.UnixMicro())
	if why != "" {
		sent = nil
	}
	return db.atomic(ctx, "that a message was sent was not noted", func(t *tx) error {
		_, err := t.exec(ctx, `UPDATE outbox SET next_at = NULL, sent_at = $2, why = $3 WHERE id = $1`, id, sent, clean(why))
		if err != nil || why != "" {
			return err
		}
		return t.delivered(ctx, id, at)
	})
}

// PutOffMessage says why a try failed, and when the next is due.
func (db *DB) PutOffMessage(ctx context.Context, id string, next time.Time, why string) error {
	return db.atomic(ctx, "that a message was not sent was not noted", func(t *tx) error {
		_, err := t.exec(ctx, `UPDATE outbox SET next_at = $2, why = $3 WHERE id = $1 AND next_at IS NOT NULL`, id, next.UnixMicro(), clean(why))
		return err
	})
}

// ForgetMessages removes the messages that were for the key as an address, sent or not, and
// those that were sent, or given up, and name it as a word. It says how many.
func (db *DB) ForgetMessages(ctx context.Context, key string) (int, error) {
	if key == "" {
		return 0, nil
	}
	gone := 0
	err := db.atomic(ctx, "the messages were not removed", func(t *tx) error {
		var ids []string
		if err := t.each(ctx, func(s scanner) error {
			var m notify.Message
			var waits int
			if err := s.Scan(&waits, body{&m}); err != nil {
				return err
			}
			if m.To == key || waits == 0 && (names(m.Subject, key) || names(m.Text, key) || names(string(m.Body), key)) {
				ids = append(ids, m.ID)
			}
			return nil
		}, `SELECT CASE WHEN next_at IS NULL THEN 0 ELSE 1 END, body FROM outbox`); err != nil {
			return err
		}
		for _, id := range ids {
			if _, err := t.exec(ctx, `DELETE FROM outbox WHERE id = $1`, id); err != nil {
				return err
			}
		}
		gone = len(ids)
		return nil
	})
	return gone, err
}

// names reports whether the text has the key as a word of its own.
func names(text, key string) bool {
	inside := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' || r == '-' }
	for at := 0; ; {
		i := strings.Index(text[at:], key)
		if i < 0 {
			return false
		}
		i += at
		before, _ := utf8.DecodeLastRuneInString(text[:i])
		after, _ := utf8.DecodeRuneInString(text[i+len(key):])
		if !inside(before) && !inside(after) {
			return true
		}
		at = i + len(key)
	}
}
