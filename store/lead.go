// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"flyball/fault"
)

// lead is the name of the lease that whoever decides holds.
const lead = "control"

// Leader is who holds the lease.
type Leader struct {
	Holder  string
	Address string // where others reach it
	Fence   int64  // how often the lead changed hands
}

// Lead takes or renews the lead for a time, by the database's clock, and tells who leads
// then. Whoever was refused (ok is false) tries again later. A new leader's Fence is
// greater than any before; the transactions of the one before that are under way have
// ended when it is given.
func (db *DB) Lead(ctx context.Context, holder, address string, lease time.Duration) (l Leader, ok bool, err error) {
	err = db.atomicUnfenced(ctx, "nobody can lead", func(t *tx) error {
		l, ok = Leader{}, false
		if _, err := t.exec(ctx, `INSERT INTO fences (name, fence) VALUES ($1, 0) ON CONFLICT DO NOTHING`, lead); err != nil {
			return err
		}
		if _, err := t.exec(ctx, `INSERT INTO leases (name, holder, address, until_at) VALUES ($1, '', '', 0) ON CONFLICT DO NOTHING`, lead); err != nil {
			return err
		}
		var left int64
		if err := t.row(ctx, `SELECT holder, address, until_at - {now} FROM leases WHERE name = $1 {lock}`, lead).Scan(&l.Holder, &l.Address, &left); err != nil {
			return err
		}
		again := l.Holder == holder
		if ok = again || left <= 0; !ok {
			return t.row(ctx, `SELECT fence FROM fences WHERE name = $1`, lead).Scan(&l.Fence)
		}
		next := `SELECT fence FROM fences WHERE name = $1`
		if !again {
			next = `UPDATE fences SET fence = fence + 1 WHERE name = $1 RETURNING fence`
		}
		if err := t.row(ctx, next, lead).Scan(&l.Fence); err != nil {
			return err
		}
		l.Holder, l.Address = holder, address
		_, err := t.exec(ctx, `UPDATE leases SET holder = $2, address = $3, until_at = {now} + $4 WHERE name = $1`, lead, holder, address, lease.Microseconds())
		return err
	})
	return l, ok, err
}

// Resign gives the lead back at once, if the holder still has it.
func (db *DB) Resign(ctx context.Context, holder string) error {
	return db.atomicUnfenced(ctx, "the lead was not given back", func(t *tx) error {
		_, err := t.exec(ctx, `UPDATE leases SET until_at = 0 WHERE name = $1 AND holder = $2`, lead, holder)
		return err
	})
}

// Leader is who holds the lease now; false when nobody does.
func (db *DB) Leader(ctx context.Context) (l Leader, ok bool, err error) {
	err = db.row(ctx, `SELECT l.holder, l.address, f.fence FROM leases l JOIN fences f ON f.name = l.name WHERE l.name = $1 AND l.until_at > {now}`, lead).
		Scan(&l.Holder, &l.Address, &l.Fence)
	if errors.Is(err, sql.ErrNoRows) {
		return Leader{}, false, nil
	}
	return l, err == nil, problem(err, "it cannot be read who leads")
}

// Behind has every transaction that writes from now on hold only while the lead is the
// one of the fence: once another leads they are Unavailable faults and change nothing.
// Call it before anything else, once; 0, as it is at first, asks for no lead.
func (db *DB) Behind(fence int64) { db.fence = fence }

// behind keeps the lead from changing hands until the transaction ends.
func (t *tx) behind(ctx context.Context, fence int64) error {
	if fence == 0 {
		return nil
	}
	var now int64
	if err := t.row(ctx, `SELECT fence FROM fences WHERE name = $1 {share}`, lead).Scan(&now); err != nil {
		return err
	}
	if now != fence {
		return deposed
	}
	return nil
}

// deposed is the fault of a leader whom another has followed.
var deposed = fault.New(fault.Unavailable, "another process leads by now").Do("ask again: it is forwarded there")

// Deposed reports whether an error says that another process leads by now.
func Deposed(err error) bool { return errors.Is(err, deposed) }
