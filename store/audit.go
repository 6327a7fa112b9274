// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"iter"

	"flyball/event"
	"flyball/fault"
	"flyball/governance/audit"
)

// keep writes what tells of the change, as the last part of its transaction: audit
// before events, always, so that no two transactions wait for each other.
func (t *tx) keep(ctx context.Context, rec *audit.Record, evs []event.Event) error {
	if rec != nil {
		if _, err := t.chain(ctx, *rec); err != nil {
			return err
		}
	}
	return t.feed(ctx, evs)
}

// chain appends a record to the audit chain.
func (t *tx) chain(ctx context.Context, rec audit.Record) (audit.Record, error) {
	var prev string
	// This keeps the chain's end for this transaction: the next record waits for it.
	err := t.row(ctx, `UPDATE heads SET seq = seq + 1 WHERE name = 'audit' RETURNING seq, hash`).Scan(&rec.Seq, &prev)
	if err != nil {
		return rec, err
	}
	if rec, err = audit.Seal(prev, rec); err != nil {
		return rec, err
	}
	_, err = t.exec(ctx, `INSERT INTO audit (seq, at, actor, action, object, why, data, prev, hash)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		rec.Seq, rec.At.UnixMicro(), rec.Actor, rec.Action, rec.Object, rec.Why, string(rec.Data), rec.Prev, rec.Hash)
	if err != nil {
		return rec, err
	}
	_, err = t.exec(ctx, `UPDATE heads SET hash = $1 WHERE name = 'audit'`, rec.Hash)
	return rec, err
}

// AddAudit appends a record that tells of no change in this database, with its
// events, and returns it as it is kept.
func (db *DB) AddAudit(ctx context.Context, rec audit.Record, evs ...event.Event) (audit.Record, error) {
	err := db.atomic(ctx, "the audit record was not written", func(t *tx) error {
		var err error
		if rec, err = t.chain(ctx, rec); err != nil {
			return err
		}
		return t.feed(ctx, evs)
	})
	return rec, err
}

const auditColumns = `seq, at, actor, action, object, why, data, prev, hash`

func scanAudit(s scanner) (audit.Record, error) {
	var r audit.Record
	err := s.Scan(&r.Seq, moment{&r.At}, &r.Actor, &r.Action, &r.Object, &r.Why, document{&r.Data}, &r.Prev, &r.Hash)
	return r, err
}

// Audit are the records after a number, in order, at most limit (and 10,000).
func (db *DB) Audit(ctx context.Context, after int64, limit int) ([]audit.Record, error) {
	return all(ctx, db, "the audit records cannot be read", scanAudit,
		`SELECT `+auditColumns+` FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2`, after, clamp(limit))
}

// VerifyAudit reads the whole chain and returns the number of records that hold. The
// first record that was changed, removed or cut off is named by a Refused fault.
func (db *DB) VerifyAudit(ctx context.Context) (int64, error) {
	const what = "the audit records cannot be read"
	var head audit.End // read first: what is appended meanwhile lies behind it
	if err := db.row(ctx, `SELECT seq, hash FROM heads WHERE name = 'audit'`).Scan(&head.Seq, &head.Hash); err != nil {
		return 0, problem(err, what)
	}
	next, stop := iter.Pull2(rows(ctx, db, scanAudit, `SELECT `+auditColumns+` FROM audit WHERE seq <= $1 ORDER BY seq`, head.Seq))
	defer stop()
	end, err := audit.Verify(func() (audit.Record, bool, error) {
		r, err, more := next()
		return r, more, err
	})
	switch {
	case err != nil:
		return end.Seq, problem(err, what)
	case end.Seq != head.Seq:
		return end.Seq, fault.New(fault.Refused, "audit record %d is missing: the chain had %d", end.Seq+1, head.Seq).
			Do("compare with a backup: somebody wrote to the database past Flyball")
	case end.Hash != head.Hash:
		return end.Seq, fault.New(fault.Refused, "audit record %d is not the one that was written last", end.Seq).
			Do("compare with a backup: somebody wrote to the database past Flyball")
	}
	return end.Seq, nil
}
