// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"math"
	"time"

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
	ctx, at := then(ctx)
	return all(ctx, db, "the audit records cannot be read", scanAudit,
		`SELECT `+auditColumns+` FROM audit WHERE seq > $1 AND at <= $3 ORDER BY seq LIMIT $2`, after, clamp(limit), at)
}

// FindAudit are the selected records in order, at most limit (and 10,000).
func (db *DB) FindAudit(ctx context.Context, q audit.Query, limit int) ([]audit.Record, error) {
	since := int64(math.MinInt64)
	if !q.Since.IsZero() {
		since = q.Since.UnixMicro()
	}
	before := int64(math.MaxInt64)
	if q.Before != 0 {
		before = q.Before
	}
	order := "seq"
	if q.Newest {
		order = "seq DESC"
	}
	ctx, at := then(ctx)
	// All that begins with the object and an @ lies between these two.
	return all(ctx, db, "the audit records cannot be read", scanAudit, `SELECT `+auditColumns+` FROM audit
		WHERE seq > $1 AND seq < $8 AND at >= $2 AND ($3 = '' OR actor = $3) AND ($4 = '' OR object = $4 OR object >= $5 AND object < $6) AND ($9 = '' OR action = $9) AND at <= $10 ORDER BY `+order+` LIMIT $7`,
		q.After, since, q.Actor, q.Object, q.Object+"@", q.Object+"A", clamp(limit), before, q.Action, at)
}

// AuditSpan are the first and the last record of a time, from (zero: the first of all)
// to before to (zero: the last of all); 0, 0: there is none.
func (db *DB) AuditSpan(ctx context.Context, from, to time.Time) (first, last int64, err error) {
	low, high := int64(math.MinInt64), int64(math.MaxInt64)
	if !from.IsZero() {
		low = from.UnixMicro()
	}
	if !to.IsZero() {
		high = to.UnixMicro()
	}
	err = db.row(ctx, `SELECT coalesce(min(seq), 0), coalesce(max(seq), 0) FROM audit WHERE at >= $1 AND at < $2`, low, high).Scan(&first, &last)
	return first, last, problem(err, "the audit records cannot be read")
}

// AuditEnd is where the chain ends now, or ended at the moment of which ctx asks.
func (db *DB) AuditEnd(ctx context.Context) (end audit.End, err error) {
	ctx, at := then(ctx)
	if at != present {
		err = db.row(ctx, `SELECT seq, hash FROM audit WHERE at <= $1 ORDER BY seq DESC LIMIT 1`, at).Scan(&end.Seq, &end.Hash)
		return end, problem(ignore(err, sql.ErrNoRows), "the audit records cannot be read")
	}
	err = db.row(ctx, `SELECT seq, hash FROM heads WHERE name = 'audit'`).Scan(&end.Seq, &end.Hash)
	return end, problem(err, "the audit records cannot be read")
}

// WalkAudit gives every record after a number in order, and returns where the chain ends
// by what is remembered apart from the records. What is appended meanwhile is left out.
// Records past the end, which nothing that Flyball does makes, are a Refused fault, and
// an error of visit is returned as it is.
func (db *DB) WalkAudit(ctx context.Context, after int64, visit func(audit.Record) error) (audit.End, error) {
	const what = "the audit records cannot be read"
	var end audit.End
	var last int64
	if err := db.row(ctx, `SELECT seq, hash, (SELECT coalesce(max(seq), 0) FROM audit) FROM heads WHERE name = 'audit'`).Scan(&end.Seq, &end.Hash, &last); err != nil {
		return end, problem(err, what)
	}
	if after == 0 {
		after = math.MinInt64 // nothing that Flyball makes is before the first: whoever added it is found
	}
	for r, err := range rows(ctx, db, scanAudit, `SELECT `+auditColumns+` FROM audit WHERE seq > $1 AND seq <= $2 ORDER BY seq`, after, end.Seq) {
		if err != nil {
			return end, problem(err, what)
		}
		if err := visit(r); err != nil {
			return end, err
		}
	}
	if last > end.Seq {
		return end, fault.New(fault.Refused, "audit record %d was added: the chain has %d", last, end.Seq).
			Do("compare with a backup: somebody wrote to the database past Flyball")
	}
	return end, nil
}

// VerifyAudit reads the whole chain and returns the number of records that hold. The
// first record that was changed, removed, added or cut off is named by a Refused fault.
func (db *DB) VerifyAudit(ctx context.Context) (int64, error) {
	v, err := (&audit.Auditor{Store: db}).Verify(ctx, nil, false, func(audit.Step) {})
	return v.Records, err
}
