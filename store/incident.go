// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"flyball/event"
	"flyball/governance/audit"
	"flyball/governance/incident"
	"flyball/notify"
)

func scanIncident(s scanner) (incident.Incident, error) {
	var i incident.Incident
	err := s.Scan(body{&i})
	return i, err
}

// OpenIncident keeps an incident with the messages that tell of it, its record and its
// event, once: one that is there stays as it is, and nothing is told.
func (db *DB) OpenIncident(ctx context.Context, i incident.Incident, why string, messages ...notify.Message) error {
	return db.atomic(ctx, "the incident was not kept", func(t *tx) error {
		return t.openIncident(ctx, i, why, messages)
	})
}

func (t *tx) openIncident(ctx context.Context, i incident.Incident, why string, messages []notify.Message) error {
	raw, err := json.Marshal(i)
	if err != nil {
		return fmt.Errorf("encode incident %s: %w", i.ID, err)
	}
	n, err := t.exec(ctx, `INSERT INTO incidents (id, model, opened_at, closed, body) VALUES ($1, $2, $3, 0, $4) ON CONFLICT (id) DO NOTHING`,
		i.ID, i.Model, i.Opened.UnixMicro(), text(raw))
	if err != nil || n == 0 {
		return err
	}
	if err := t.remember(ctx, pastIncident, i.Model, i.ID, text(raw)); err != nil {
		return err
	}
	if err := t.send(ctx, messages); err != nil {
		return err
	}
	rec, ev := i.Told("open", i.By, why, i.Opened)
	return t.keep(ctx, &rec, []event.Event{ev})
}

// ChangeIncident gives an incident to decide and keeps what it returns, with its record
// and event, in one transaction. An error of decide changes nothing. A NotFound fault when
// there is none.
func (db *DB) ChangeIncident(ctx context.Context, id string, decide func(incident.Incident) (incident.Incident, audit.Record, event.Event, error)) error {
	return db.atomic(ctx, "the incident was not changed", func(t *tx) error {
		if _, err := t.exec(ctx, `UPDATE incidents SET closed = closed WHERE id = $1`, id); err != nil { // who else changes it waits here
			return err
		}
		i, err := scanIncident(t.row(ctx, `SELECT body FROM incidents WHERE id = $1`, id))
		if err != nil {
			return found(err, "the incident cannot be read", "there is no incident %s", id)
		}
		i, rec, ev, err := decide(i)
		if err != nil {
			return err
		}
		raw, err := json.Marshal(i)
		if err != nil {
			return fmt.Errorf("encode incident %s: %w", id, err)
		}
		if _, err := t.exec(ctx, `UPDATE incidents SET closed = $2, body = $3 WHERE id = $1`, id, oneIf(!i.Resolved.IsZero()), text(raw)); err != nil {
			return err
		}
		if err := t.remember(ctx, pastIncident, i.Model, id, text(raw)); err != nil {
			return err
		}
		return t.keep(ctx, &rec, []event.Event{ev})
	})
}

// Incidents are those of a model, or of all where model is empty, the newest first, at
// most 10,000; only those that are open when openOnly is set.
func (db *DB) Incidents(ctx context.Context, model string, openOnly bool) ([]incident.Incident, error) {
	ctx, at := then(ctx)
	if at != present {
		out, err := earlier[incident.Incident](ctx, db, "the incidents cannot be read", pastIncident, model, at)
		slices.SortStableFunc(out, func(a, b incident.Incident) int { return b.Opened.Compare(a.Opened) })
		return only(out, func(i incident.Incident) bool { return !openOnly || i.Resolved.IsZero() }), err
	}
	return all(ctx, db, "the incidents cannot be read", scanIncident, `SELECT body FROM incidents WHERE ($1 = '' OR model = $1) AND closed <= $2
		ORDER BY opened_at DESC, id LIMIT 10000`, model, oneIf(!openOnly))
}
