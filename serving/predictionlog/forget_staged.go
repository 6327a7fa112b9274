// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"context"
	"database/sql"
	"slices"

	"flyball/fault"
	"flyball/ident"
	"flyball/serving/prediction"
)

// forgetStaged takes a key out of the staged rows of a day.
func forgetStaged(ctx context.Context, tx *sql.Tx, p lying, key string, note func(*prediction.Record)) error {
	return eachBody(ctx, tx, "chunk", p, func(seq int64, body []byte) error {
		rs, err := decodeBody(p.model, body)
		if err != nil {
			return err
		}
		n := len(rs)
		rs = slices.DeleteFunc(rs, func(r prediction.Record) bool {
			if r.Key == key {
				note(&r)
			}
			return r.Key == key
		})
		switch len(rs) {
		case n:
			return nil
		case 0:
			_, err = tx.ExecContext(ctx, `DELETE FROM chunk WHERE seq = ?`, seq)
			return broken(err, "written")
		}
		body = []byte{bodyVersion}
		var b bounds
		for i := range rs {
			body = appendRecord(body, &rs[i])
			b = b.with(i == 0, rs[i].Time.UnixMicro(), rs[i].Due.UnixMicro(), rs[i].At.UnixMicro())
		}
		_, err = tx.ExecContext(ctx, `UPDATE chunk SET rows = ?, body = ?, min_time = ?, max_time = ?, min_due = ?, max_due = ?, min_at = ?, max_at = ? WHERE seq = ?`,
			len(rs), body, b.minTime, b.maxTime, b.minDue, b.maxDue, b.minAt, b.maxAt, seq)
		return broken(err, "written")
	})
}

// forgetRest takes out of a day what stands beside its rows: reasons, groups, labels by
// id, and where the names lie.
func (l *Log) forgetRest(ctx context.Context, tx *sql.Tx, p lying, key string, ids map[ident.PredictionID]bool) (labels int, err error) {
	for _, t := range []struct {
		table   string
		without func([]byte, map[ident.PredictionID]bool) ([]byte, bool, error)
	}{{"why", whyWithout}, {"audit", auditWithout}} {
		if err := eachBody(ctx, tx, t.table, p, func(seq int64, body []byte) error {
			left, changed, err := t.without(body, ids)
			if err != nil || !changed {
				return err
			}
			if len(left) == 1 { // its version alone
				_, err = tx.ExecContext(ctx, `DELETE FROM `+t.table+` WHERE seq = ?`, seq)
			} else {
				_, err = tx.ExecContext(ctx, `UPDATE `+t.table+` SET body = ? WHERE seq = ?`, left, seq)
			}
			return err
		}); err != nil {
			return 0, err
		}
	}
	hashes := []int64{hashOf(keyName(key))}
	for id := range ids {
		name := idName(id)
		hashes = append(hashes, hashOf(name))
		n, err := changes(tx.ExecContext(ctx, `DELETE FROM label WHERE model = ? AND name = ?`, p.model, []byte(name)))
		if err != nil {
			return 0, err
		}
		labels += n
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM place WHERE part = ? AND hash IN (SELECT value FROM json_each(?))`, p.id, jsonList(hashes))
	return labels, err
}

// forgetNames removes the labels of a name, and that it waits for a prediction.
func (l *Log) forgetNames(ctx context.Context, model, name string, so int) (int, error) {
	tx, err := l.write.BeginTx(ctx, nil)
	if err != nil {
		return so, broken(err, "written")
	}
	defer func() { _ = tx.Rollback() }()
	n, err := changes(tx.ExecContext(ctx, `DELETE FROM label WHERE (?1 = '' OR model = ?1) AND name = ?2`, model, []byte(name)))
	if err != nil {
		return so, broken(err, "written")
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM waiting WHERE (?1 = '' OR model = ?1) AND hash = ?2`, model, hashOf(name)); err != nil {
		return so, broken(err, "written")
	}
	if err := tx.Commit(); err != nil {
		return so, broken(err, "written")
	}
	return so + n, nil
}

func changes(res sql.Result, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	return int(n), err
}

// eachBody gives each body that a table holds for the hours of a day. All are read first:
// do may write to the table.
func eachBody(ctx context.Context, tx *sql.Tx, table string, p lying, do func(seq int64, body []byte) error) error {
	for _, hour := range p.hours {
		seqs, bodies, err := bodiesOf(ctx, tx, table, p.id, hour)
		if err != nil {
			return broken(err, "read")
		}
		for i := range seqs {
			if err := do(seqs[i], bodies[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func bodiesOf(ctx context.Context, tx *sql.Tx, table string, part int64, hour int) (seqs []int64, bodies [][]byte, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT seq, body FROM `+table+` WHERE part = ? AND hour = ? ORDER BY seq`, part, hour)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var seq int64
		var body []byte
		if err := rows.Scan(&seq, &body); err != nil {
			return nil, nil, err
		}
		seqs, bodies = append(seqs, seq), append(bodies, body)
	}
	return seqs, bodies, rows.Err()
}

// whyWithout is a body of reasons without those of some predictions.
func whyWithout(body []byte, ids map[ident.PredictionID]bool) ([]byte, bool, error) {
	return without(body, whyVersion, ids, func(d *decoder) { d.skip() })
}

// auditWithout is a body of groups without those of some predictions.
func auditWithout(body []byte, ids map[ident.PredictionID]bool) ([]byte, bool, error) {
	return without(body, auditVersion, ids, func(d *decoder) {
		for range 2 * d.length(2) {
			d.skip()
		}
	})
}

// without copies a body but for the entries of some predictions: an id, and what rest
// skips. false: there were none. What is damaged is an Invalid fault.
func without(body []byte, version byte, ids map[ident.PredictionID]bool, rest func(*decoder)) ([]byte, bool, error) {
	if len(body) == 0 || body[0] != version {
		return nil, false, fault.New(fault.Invalid, "what stands beside the predictions is of an unknown format")
	}
	d := decoder{rest: body[1:]}
	out := make([]byte, 0, len(body))
	out = append(out, version)
	for len(d.rest) > 0 && !d.bad {
		from := d.rest
		id := ident.PredictionID(d.text())
		rest(&d)
		if !d.bad && !ids[id] {
			out = append(out, from[:len(from)-len(d.rest)]...)
		}
	}
	if d.bad {
		return nil, false, fault.New(fault.Invalid, "what stands beside the predictions is damaged").Do("restore staged.db from a backup")
	}
	return out, len(out) != len(body), nil
}
