// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"math"
	"time"

	"flyball/asof"
	"flyball/fault"
)

// present is after every moment that is kept.
const present = math.MaxInt64

// The kinds of things of which the table past keeps what they were.
const (
	pastModel    = "model"    // a registry.Model as applied
	pastVersion  = "version"  // that it came; judged: that its verdict did
	pastLoop     = "loop"     // a loop.State
	pastWatch    = "watch"    // what of the watch's state is shown
	pastFinding  = "finding"  // a monitoring.Finding
	pastAlert    = "alert"    // an alert.Alert
	pastSilence  = "silence"  // an alert.Silence
	pastApproval = "approval" // an approval.Request
	pastSnapshot = "snapshot" // a dataset.Made
	pastAbsence  = "absence"  // a duty.Absence
	pastIncident = "incident" // an incident.Incident
)

// judged is the body of a version that has its verdict.
const judged = "judged"

// KeepTime has what is written bear the time of a clock, such as one that moves by
// request; else it is the machine's. It is called before anything else.
func (db *DB) KeepTime(now func() time.Time) { db.now = now }

// then is the moment of which ctx asks, in microseconds, or present; and ctx for a
// reading that honours it. Any other reading of ctx is refused (see refusesPast), so
// nothing of today is told as of then.
func then(ctx context.Context) (context.Context, int64) {
	t, past := asof.At(ctx)
	if !past {
		return ctx, present
	}
	return asof.Present(ctx), t.UnixMicro()
}

// refusesPast is a fault when ctx asks of a moment: whoever reads does not know of it.
func refusesPast(ctx context.Context) error {
	if _, past := asof.At(ctx); past {
		return asof.NotKept("part of this is kept only as it is now")
	}
	return nil
}

// remember keeps what a thing is from now on. Rows are only added.
func (t *tx) remember(ctx context.Context, kind, model, id, body string) error {
	_, err := t.exec(ctx, `INSERT INTO past (kind, model, id, at, body) VALUES ($1, $2, $3, $4, $5)`, kind, model, id, t.now().UnixMicro(), body)
	return err
}

// earlier are the bodies of things of a kind, of one model (empty: of all), as they were
// at a moment. A moment before anything of the kind was kept is a Refused fault.
func earlier[T any](ctx context.Context, db *DB, what, kind, model string, at int64) ([]T, error) {
	var since time.Time
	if err := db.row(ctx, `SELECT seq FROM heads WHERE name = 'past'`).Scan(moment{&since}); err != nil {
		return nil, problem(err, what)
	}
	if at < since.UnixMicro() {
		return nil, fault.New(fault.Refused, "how this stood is kept since %s, when this server was upgraded", since.Format(time.RFC3339)).
			Do("ask for a moment after that; flyball events and flyball audit list have what happened before")
	}
	return all(ctx, db, what, func(s scanner) (out T, err error) {
		err = s.Scan(body{&out})
		return out, err
	}, `SELECT p.body FROM past p WHERE p.kind = $1 AND ($2 = '' OR p.model = $2) AND p.at <= $3
		AND NOT EXISTS (SELECT 1 FROM past n WHERE n.kind = p.kind AND n.model = p.model AND n.id = p.id AND n.at <= $3 AND n.seq > p.seq)
		ORDER BY p.model, p.id`, kind, model, at)
}

// FirstKept is when the first thing was kept; zero: nothing is.
func (db *DB) FirstKept(ctx context.Context) (t time.Time, err error) {
	err = db.row(ctx, `SELECT min(at) FROM (SELECT min(at) AS at FROM audit WHERE seq = 1 UNION ALL SELECT min(kept_at) FROM events WHERE seq = 1
		UNION ALL SELECT min(created_at) FROM models UNION ALL SELECT started * 1000 FROM runs WHERE seq = (SELECT min(seq) FROM runs)) AS firsts`).Scan(moment{&t})
	return t, problem(err, "the first record cannot be read")
}

// only are those of a list that are kept; nil when none is, as a query gives.
func only[T any](all []T, keep func(T) bool) []T {
	var out []T
	for _, v := range all {
		if keep(v) {
			out = append(out, v)
		}
	}
	return out
}

// row is one row of a query; err: it was not asked.
type row struct {
	*sql.Row
	err error
}

// Scan reads the row.
func (r row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	return r.Row.Scan(dest...)
}
