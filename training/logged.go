// SPDX-License-Identifier: Apache-2.0

package training

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"flyball/data/frame"
	"flyball/serving/prediction"
)

// servedRows is how many served rows are turned into columns at once.
const servedRows = 8 << 10

// keySum stands for a key or an id: 128 bits of its SHA-256.
type keySum [16]byte

func sumOf(text string) keySum {
	sum := sha256.Sum256([]byte(text))
	return keySum(sum[:16])
}

// logged is what of the log belongs into a snapshot. The newest answer to a key stands for
// it. The log is read twice: first for which answer that is.
type logged struct {
	log     prediction.Log
	request Request
	fields  []frame.Field
	newest  map[keySum]keySum // by key, the id of its newest answer
}

// served is one row of the log with its truth, as far as it is known.
type served struct {
	key   string
	time  time.Time
	row   json.RawMessage
	label string
	known time.Time
}

// scan visits what was answered and is due, or is of the newest test window.
func (l *logged) scan(ctx context.Context, visit func(prediction.Joined) error) error {
	r := l.request
	recent := r.Now.Add(-r.Recipe.Data.Test.Window.D())
	return l.log.Scan(ctx, prediction.Query{Model: r.Recipe.Model, AsOf: r.Now}, func(j prediction.Joined) error {
		if j.Due.After(r.Now) && j.Time.Before(recent) {
			return nil
		}
		return visit(j)
	})
}

// answer names one answer to a key.
func answer(j *prediction.Joined) keySum {
	return sumOf(string(j.ID) + j.Time.UTC().Format(time.RFC3339Nano))
}

// find fills in newest.
func (l *logged) find(ctx context.Context) error {
	l.newest = map[keySum]keySum{}
	return l.scan(ctx, func(j prediction.Joined) error {
		if j.Key != "" {
			l.newest[sumOf(j.Key)] = answer(&j)
		}
		return nil
	})
}

var errEnough = errors.New("no more rows are asked for")

// rows are the served rows in the source's columns, in chunks. Rows of one moment are in
// the order of their keys: their ids are drawn, and the snapshot must not hang on that.
func (l *logged) rows(ctx context.Context) iter.Seq2[*frame.Frame, error] {
	return func(yield func(*frame.Frame, error) bool) {
		var wait []served // of whole moments, but for the last
		give := func() error {
			slices.SortStableFunc(wait, func(a, b served) int {
				return cmp.Or(a.time.Compare(b.time), strings.Compare(a.key, b.key))
			})
			for some := range slices.Chunk(wait, servedRows) {
				f, err := l.frame(some)
				if err != nil {
					return err
				}
				if !yield(f, nil) {
					return errEnough
				}
			}
			wait = wait[:0]
			return nil
		}
		err := l.scan(ctx, func(j prediction.Joined) error {
			if j.Key != "" && l.newest[sumOf(j.Key)] != answer(&j) {
				return nil
			}
			if n := len(wait); n >= servedRows && !j.Time.Equal(wait[n-1].time) {
				if err := give(); err != nil {
					return err
				}
			}
			s := served{key: j.Key, time: j.Time, row: j.Row}
			if j.Label != nil {
				s.label, s.known = j.Label.Value, j.Label.At
			}
			wait = append(wait, s)
			return nil
		})
		if err == nil {
			err = give()
		}
		if err != nil && !errors.Is(err, errEnough) {
			yield(nil, err)
		}
	}
}

// frame turns served rows into the source's columns: the request's own, and the label.
func (l *logged) frame(all []served) (*frame.Frame, error) {
	task := l.request.Recipe.Task
	rows, labels, known := make([]json.RawMessage, len(all)), make([]string, len(all)), make([]time.Time, len(all))
	for i, s := range all {
		rows[i], labels[i], known[i] = s.row, s.label, s.known
	}
	optional := slices.DeleteFunc(slices.Clone(l.fields), func(f frame.Field) bool {
		return f.Name == task.Column || f.Name == task.Truth.KnownAt
	})
	got, err := frame.DecodeRows(rows, frame.DecodeOptions{Optional: optional, Loose: true})
	if err != nil {
		return nil, err
	}
	cols := make([]frame.Column, len(l.fields))
	for i, f := range l.fields {
		switch f.Name {
		case task.Column:
			if cols[i], err = labelColumn(f, labels); err != nil {
				return nil, err
			}
		case task.Truth.KnownAt:
			cols[i] = knownColumn(f, known)
		default:
			cols[i] = *got.Column(f.Name)
		}
	}
	return frame.New(cols...), nil
}

// sourceThenLog is the source's rows without those of a key that was served, and then the served.
type sourceThenLog struct {
	source frame.Reader // nil after its end
	served map[keySum]keySum
	id     string // the column of the key; empty: rows have none
	log    func() (*frame.Frame, error, bool)
}

// Next gives the next rows.
func (j *sourceThenLog) Next() (*frame.Frame, error) {
	if j.source != nil {
		f, err := j.source.Next()
		if err == nil {
			return j.without(f), nil
		}
		if !errors.Is(err, io.EOF) {
			return nil, err
		}
		j.source = nil
	}
	f, err, more := j.log()
	if !more {
		return nil, io.EOF
	}
	return f, err
}

// without drops the rows of keys that were served.
func (j *sourceThenLog) without(f *frame.Frame) *frame.Frame {
	c := f.Column(j.id)
	if j.id == "" || c == nil || len(j.served) == 0 {
		return f
	}
	keep := make([]int, 0, f.Rows())
	for i := range f.Rows() {
		if _, ok := j.served[sumOf(c.Format(i))]; !ok {
			keep = append(keep, i)
		}
	}
	if len(keep) == f.Rows() {
		return f
	}
	return f.Take(keep)
}
