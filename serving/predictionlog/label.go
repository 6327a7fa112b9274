// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"context"
	"database/sql"
	"strings"
	"time"
	"unicode/utf8"

	"flyball/fault"
	"flyball/ident"
	"flyball/serving/prediction"
)

// checkLabel says whether x can be kept, and fills in At where the caller does not
// know when the truth became known: it was received then.
func checkLabel(x *prediction.Label) error {
	if err := ident.CheckModel(x.Model); err != nil {
		return err
	}
	switch {
	case (x.ID == "") == (x.Key == ""):
		return fault.New(fault.Invalid, "a label names its prediction by id or by key, one of the two")
	case x.ID != "":
		if err := checkID(x.ID); err != nil {
			return err
		}
	case !utf8.ValidString(x.Key):
		return fault.New(fault.Invalid, "the key of a label is not UTF-8 text")
	}
	if x.Value == "" || !utf8.ValidString(x.Value) {
		return fault.New(fault.Invalid, "the label of %q has no value", string(x.ID)+x.Key)
	}
	if x.At.IsZero() {
		x.At = x.Received
	}
	for _, t := range []time.Time{x.At, x.Received} {
		if y := t.UTC().Year(); t.IsZero() || y < 1 || y > 9999 {
			return fault.New(fault.Invalid, "the label of %q has no time between the years 1 and 9999", string(x.ID)+x.Key)
		}
	}
	return nil
}

func nameOf(x *prediction.Label) string {
	if x.ID != "" {
		return idName(x.ID)
	}
	return keyName(x.Key)
}

// Unmatched is how many ids and keys of the model have a label but no prediction
// yet, and when the first label of the one that waits longest was received (zero:
// none waits).
func (l *Log) Unmatched(ctx context.Context, model string) (count int, oldest time.Time, err error) {
	var first sql.NullInt64
	if err := l.read.QueryRowContext(ctx, `SELECT count(*), min(received) FROM waiting WHERE model = ?`, model).Scan(&count, &first); err != nil {
		return 0, time.Time{}, broken(err, "read")
	}
	if first.Valid {
		oldest = moment(first.Int64)
	}
	return count, oldest, nil
}

// loadWaiting counts the names that wait.
func (l *Log) loadWaiting(ctx context.Context) error {
	clear(l.waiting)
	rows, err := l.write.QueryContext(ctx, `SELECT model, count(*) FROM waiting GROUP BY model`)
	if err != nil {
		return broken(err, "read")
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var model string
		var n int64
		if err := rows.Scan(&model, &n); err != nil {
			return broken(err, "read")
		}
		l.waiting[model] = n
	}
	return broken(rows.Err(), "read")
}

// labelsAtOnce bounds the parameters of one statement.
const labelsAtOnce = 500

// found is a label with its place in the order in which labels were received.
type found struct {
	label         prediction.Label
	received, seq int64
}

func (f *found) newer(g *found) bool {
	return g == nil || f.received > g.received || f.received == g.received && f.seq > g.seq
}

// newest are the labels of the records received by asOf (microseconds), the newest of
// each name.
func newest(ctx context.Context, tx *sql.Tx, model string, rs []prediction.Record, asOf int64) (map[string]*found, error) {
	names := make(map[string]bool, 2*len(rs))
	args := []any{model, asOf}
	for i := range rs {
		for _, name := range namesOf(&rs[i]) {
			if !names[name] {
				names[name] = true
				args = append(args, []byte(name))
			}
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	rows, err := tx.QueryContext(ctx, `SELECT seq, name, value, at, received FROM label WHERE model = ? AND received <= ? AND name IN (?`+
		strings.Repeat(`,?`, len(names)-1)+`)`, args...)
	if err != nil {
		return nil, broken(err, "read")
	}
	defer func() { _ = rows.Close() }()
	out := map[string]*found{}
	for rows.Next() {
		f := &found{label: prediction.Label{Model: model}}
		var name []byte
		var at int64
		if err := rows.Scan(&f.seq, &name, &f.label.Value, &at, &f.received); err != nil {
			return nil, broken(err, "read")
		}
		f.label.At, f.label.Received = moment(at), moment(f.received)
		if f.newer(out[string(name)]) {
			out[string(name)] = f
		}
	}
	return out, broken(rows.Err(), "read")
}

func namesOf(r *prediction.Record) []string {
	if r.Key == "" {
		return []string{idName(r.ID)}
	}
	return []string{idName(r.ID), keyName(r.Key)}
}

// join gives each record its newest label, by id or by key, whichever was received
// last.
func join(ctx context.Context, tx *sql.Tx, model string, rs []prediction.Record, asOf int64) ([]prediction.Joined, error) {
	labels, err := newest(ctx, tx, model, rs, asOf)
	if err != nil {
		return nil, err
	}
	out := make([]prediction.Joined, len(rs))
	for i := range rs {
		out[i].Record = rs[i]
		var best *found
		byKey := false
		for k, name := range namesOf(&rs[i]) {
			if f := labels[name]; f != nil && f.newer(best) {
				best, byKey = f, k == 1
			}
		}
		if best == nil {
			continue
		}
		x := best.label
		if byKey {
			x.Key = rs[i].Key
		} else {
			x.ID = rs[i].ID
		}
		out[i].Label = &x
	}
	return out, nil
}
