// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"flyball/event"
	"flyball/governance/audit"
	"flyball/governance/maturity"
)

// AddAttestation keeps what a person attests, with its record.
func (db *DB) AddAttestation(ctx context.Context, a maturity.Attestation, rec audit.Record, ev event.Event) error {
	return db.state(ctx, "attestation", a.ID, a.Model, a.At, a.Until, a, rec, ev)
}

// AddReport keeps what ran elsewhere, with its record.
func (db *DB) AddReport(ctx context.Context, r maturity.Report, rec audit.Record, ev event.Event) error {
	return db.state(ctx, "report", r.ID, r.Model, r.At, time.Time{}, r, rec, ev)
}

// AddDrill keeps what came of trying the way back, with its record.
func (db *DB) AddDrill(ctx context.Context, d maturity.Drill, rec audit.Record, ev event.Event) error {
	return db.state(ctx, "drill", d.ID, d.Model, d.At, time.Time{}, d, rec, ev)
}

func (db *DB) state(ctx context.Context, kind, id, model string, at, until time.Time, said any, rec audit.Record, ev event.Event) error {
	raw, err := json.Marshal(said)
	if err != nil {
		return fmt.Errorf("encode %s %s: %w", kind, id, err)
	}
	return db.atomic(ctx, "the "+kind+" was not kept", func(t *tx) error {
		if _, err := t.exec(ctx, `INSERT INTO statements (id, kind, model, at, until_at, body) VALUES ($1, $2, $3, $4, $5, $6)`,
			id, kind, model, at.UnixMicro(), micros(until), text(raw)); err != nil {
			return err
		}
		return t.keep(ctx, &rec, []event.Event{ev})
	})
}

// Attestations are those of all models that are good after a moment, the newest first, at
// most 10,000.
func (db *DB) Attestations(ctx context.Context, after time.Time) ([]maturity.Attestation, error) {
	ctx, at := then(ctx)
	return all(ctx, db, "the attestations cannot be read", func(s scanner) (a maturity.Attestation, err error) {
		err = s.Scan(body{&a})
		return a, err
	}, `SELECT body FROM statements WHERE kind = 'attestation' AND until_at > $1 AND at <= $2 ORDER BY at DESC, id LIMIT 10000`, after.UnixMicro(), at)
}

// Reports are what was reported of a model or of all since a moment, the newest first, at
// most 10,000.
func (db *DB) Reports(ctx context.Context, model string, since time.Time) ([]maturity.Report, error) {
	ctx, at := then(ctx)
	return all(ctx, db, "the reports cannot be read", func(s scanner) (r maturity.Report, err error) {
		err = s.Scan(body{&r})
		return r, err
	}, `SELECT body FROM statements WHERE kind = 'report' AND at >= $2 AND at <= $3 AND (model = '' OR model = $1) ORDER BY at DESC, id LIMIT 10000`, model, since.UnixMicro(), at)
}

// Drills are those of a model since a moment, the newest first, at most 10,000.
func (db *DB) Drills(ctx context.Context, model string, since time.Time) ([]maturity.Drill, error) {
	ctx, at := then(ctx)
	return all(ctx, db, "the drills cannot be read", func(s scanner) (d maturity.Drill, err error) {
		err = s.Scan(body{&d})
		return d, err
	}, `SELECT body FROM statements WHERE kind = 'drill' AND model = $1 AND at >= $2 AND at <= $3 ORDER BY at DESC, id LIMIT 10000`, model, since.UnixMicro(), at)
}

// Acts are the audit records of a model and its versions since a moment, in order, the
// newest 10,000.
func (db *DB) Acts(ctx context.Context, model string, since time.Time) ([]audit.Record, error) {
	ctx, at := then(ctx)
	return all(ctx, db, "the audit records cannot be read", scanAudit, `SELECT `+auditColumns+` FROM (SELECT `+auditColumns+` FROM audit
		WHERE at >= $2 AND at <= $4 AND (object = $1 OR substr(object, 1, $3) = $1 || '@') ORDER BY seq DESC LIMIT 10000) AS newest ORDER BY seq`,
		model, since.UnixMicro(), len([]rune(model))+1, at)
}
