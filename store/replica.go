// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"flyball/serving/replica"
)

// replicaKept is how long a replica that reports no more is remembered.
const replicaKept = 7 * 24 * time.Hour

// KeepReplica keeps what a replica reported, and gives it a lease by the database's clock.
// What it counted is kept in the same transaction (KeepHours).
func (db *DB) KeepReplica(ctx context.Context, r replica.Report, lease time.Duration) (replica.Grant, error) {
	g := replica.Grant{Lease: lease}
	hours := r.Hours
	r.Hours = nil // they are rows of their own
	raw, err := json.Marshal(r)
	if err != nil {
		return g, fmt.Errorf("encode what a replica reported: %w", err)
	}
	return g, db.atomic(ctx, "what a replica reported was not kept", func(t *tx) error {
		if err := t.row(ctx, `INSERT INTO replicas (name, process, until_at, seen_at, body) VALUES ($1, $2, {now} + $3, {now}, $4)
			ON CONFLICT (name) DO UPDATE SET process = excluded.process, until_at = excluded.until_at, seen_at = excluded.seen_at, body = excluded.body
			RETURNING seen_at`, r.Name, r.Process, lease.Microseconds(), string(raw)).Scan(moment{&g.Now}); err != nil {
			return err
		}
		if _, err := t.exec(ctx, `DELETE FROM replicas WHERE seen_at < {now} - $1`, replicaKept.Microseconds()); err != nil {
			return err
		}
		if err := t.row(ctx, `SELECT COALESCE((SELECT version FROM desired WHERE name = $1), 0)`, lead).Scan(&g.Version); err != nil {
			return err
		}
		return t.keepHours(ctx, r.Process, hours)
	})
}

// ForgetReplica ends the lease of a replica that says that it leaves.
func (db *DB) ForgetReplica(ctx context.Context, name, process string) error {
	return db.atomic(ctx, "the replica was not let go", func(t *tx) error {
		_, err := t.exec(ctx, `UPDATE replicas SET until_at = 0 WHERE name = $1 AND process = $2`, name, process)
		return err
	})
}

// Replicas are all replicas that reported in the last week, by name.
func (db *DB) Replicas(ctx context.Context) ([]replica.State, error) {
	return all(ctx, db, "the replicas cannot be read", func(s scanner) (replica.State, error) {
		var r replica.State
		var left int64
		err := s.Scan(&left, moment{&r.Seen}, body{&r.Report})
		r.Leased = left > 0
		return r, err
	}, `SELECT until_at - {now}, seen_at, body FROM replicas ORDER BY name LIMIT 10000`)
}

// SaveDesired keeps what replicas are to serve, unless it is what is kept already but for
// its version and fence, and gives it as it is kept.
func (db *DB) SaveDesired(ctx context.Context, d replica.Desired) (replica.Desired, error) {
	kept, err := db.Desired(ctx)
	if err != nil {
		return d, err
	}
	d.Version, d.Fence = kept.Version, kept.Fence
	same, err := json.Marshal(d)
	if err != nil {
		return d, fmt.Errorf("encode what replicas are to serve: %w", err)
	}
	if was, err := json.Marshal(kept); err == nil && kept.Version > 0 && string(was) == string(same) && kept.Fence == db.fence {
		return kept, nil
	}
	d.Fence = db.fence
	return d, db.atomic(ctx, "what replicas are to serve was not kept", func(t *tx) error {
		if err := t.row(ctx, `INSERT INTO desired (name, version, body) VALUES ($1, 1, '') ON CONFLICT (name) DO UPDATE SET version = desired.version + 1 RETURNING version`, lead).
			Scan(&d.Version); err != nil {
			return err
		}
		raw, err := json.Marshal(d)
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, `UPDATE desired SET body = $2 WHERE name = $1`, lead, string(raw))
		return err
	})
}

// Desired is what replicas are to serve; the zero value when nothing was said yet.
func (db *DB) Desired(ctx context.Context) (d replica.Desired, err error) {
	err = db.row(ctx, `SELECT body FROM desired WHERE name = $1`, lead).Scan(body{&d})
	if errors.Is(err, sql.ErrNoRows) {
		return d, nil
	}
	return d, problem(err, "what replicas are to serve cannot be read")
}
