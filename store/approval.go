// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"flyball/event"
	"flyball/fault"
	"flyball/governance/approval"
	"flyball/governance/audit"
	"flyball/ident"
)

func scanApproval(s scanner) (approval.Request, error) {
	var r approval.Request
	err := s.Scan(body{&r})
	return r, err
}

// AskApproval keeps a request with its record and events. One whose ID its model has is
// left as it is, and nothing is told twice.
func (db *DB) AskApproval(ctx context.Context, r approval.Request, rec audit.Record, evs ...event.Event) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "the request for leave cannot be kept")
	}
	return db.atomic(ctx, "the request for leave was not kept", func(t *tx) error {
		n, err := t.exec(ctx, `INSERT INTO approvals (model, id, asked_at, ended, body) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (model, id) DO NOTHING`,
			r.Model, r.ID, r.AskedAt.UnixMicro(), oneIf(r.Ended != nil), text(raw))
		if err != nil || n == 0 {
			return err
		}
		if err := t.remember(ctx, pastApproval, r.Model, r.ID, text(raw)); err != nil {
			return err
		}
		return t.keep(ctx, &rec, evs)
	})
}

// Approval is one request of a model; a NotFound fault where there is none.
func (db *DB) Approval(ctx context.Context, model, id string) (approval.Request, error) {
	if _, at := then(ctx); at != present {
		rs, err := db.Approvals(ctx, model, false)
		for _, r := range rs {
			if r.ID == id {
				return r, nil
			}
		}
		if err == nil {
			err = fault.New(fault.NotFound, "there is no request %s of %s", id, model)
		}
		return approval.Request{}, err
	}
	r, err := scanApproval(db.row(ctx, `SELECT body FROM approvals WHERE model = $1 AND id = $2`, model, id))
	return r, found(err, "the request for leave cannot be read", "there is no request %s of %s", id, model)
}

// Approvals are the requests of a model, or of all where model is empty, the newest
// first, and of one moment the one that waits; waiting: those alone that have not ended.
func (db *DB) Approvals(ctx context.Context, model string, waiting bool) ([]approval.Request, error) {
	const what = "the requests for leave cannot be read"
	ctx, at := then(ctx)
	if at != present {
		rs, err := earlier[approval.Request](ctx, db, what, pastApproval, model, at)
		if waiting {
			rs = only(rs, func(r approval.Request) bool { return r.Ended == nil })
		}
		slices.SortFunc(rs, func(a, b approval.Request) int {
			return cmp.Or(b.AskedAt.Compare(a.AskedAt), int(oneIf(a.Ended != nil)-oneIf(b.Ended != nil)), strings.Compare(a.Model, b.Model), strings.Compare(b.ID, a.ID))
		})
		return rs, err
	}
	return all(ctx, db, what, scanApproval, `SELECT body FROM approvals
		WHERE ($1 = '' OR model = $1) AND ended <= $2 ORDER BY asked_at DESC, ended, model, id DESC`, model, oneIf(!waiting))
}

// ChangeApproval gives a request to decide and keeps what it returns, with its record
// and events, in one transaction. An error of decide changes nothing. A nil record keeps
// nothing and tells nothing.
func (db *DB) ChangeApproval(ctx context.Context, model, id string, decide func(approval.Request) (approval.Request, *audit.Record, []event.Event, error)) error {
	return db.atomic(ctx, "the request for leave was not changed", func(t *tx) error {
		if _, err := t.exec(ctx, `UPDATE approvals SET ended = ended WHERE model = $1 AND id = $2`, model, id); err != nil { // who else changes it waits here
			return err
		}
		r, err := scanApproval(t.row(ctx, `SELECT body FROM approvals WHERE model = $1 AND id = $2`, model, id))
		if err != nil {
			return found(err, "the request for leave cannot be read", "there is no request %s of %s", id, model)
		}
		r, rec, evs, err := decide(r)
		if err != nil || rec == nil {
			return err
		}
		raw, err := json.Marshal(r)
		if err != nil {
			return err
		}
		if _, err := t.exec(ctx, `UPDATE approvals SET ended = $3, body = $4 WHERE model = $1 AND id = $2`, model, id, oneIf(r.Ended != nil), text(raw)); err != nil {
			return err
		}
		if err := t.remember(ctx, pastApproval, model, id, text(raw)); err != nil {
			return err
		}
		return t.keep(ctx, rec, evs)
	})
}

// Authors are those who had a hand in a version, by name: who trained, registered
// or imported it, whom its run names, and who applied the model file that it was made by, or one since.
func (db *DB) Authors(ctx context.Context, ref ident.Ref) ([]string, error) {
	scan := func(s scanner) (name string, err error) {
		err = s.Scan(&name)
		return name, err
	}
	ctx, at := then(ctx)
	return all(ctx, db, "who made the version cannot be read", scan, `SELECT created_by FROM versions WHERE model = $1 AND version = $2 AND created_by NOT IN ('', 'flyball')
		UNION SELECT r.user_id FROM runs r JOIN versions v ON r.run_id = v.run_id WHERE v.model = $1 AND v.version = $2 AND r.user_id NOT IN ('', 'flyball')
		UNION SELECT a.actor FROM audit a WHERE a.object = $3 AND a.action = 'import' AND a.at <= $4
		UNION SELECT a.actor FROM audit a WHERE a.object = $1 AND a.action = 'apply' AND a.at <= $4 AND a.actor NOT IN ('', 'flyball') AND a.seq >= coalesce((SELECT max(b.seq) FROM audit b
			JOIN versions v ON b.at < v.created_at WHERE v.model = $1 AND v.version = $2 AND b.object = $1 AND b.action = 'apply'), 0)
		ORDER BY 1`, ref.Model, ref.Version, ref.String(), at)
}
