// SPDX-License-Identifier: Apache-2.0

package rehearse

import (
	"context"
	"slices"
	"sort"
	"sync"

	"flyball/ident"
	"flyball/serving/prediction"
)

var _ prediction.Log = (*log)(nil)

// log is a prediction log in memory. Rows of one moment stay in the order in which they
// were asked, for ids are drawn, and a rehearsal shall tell the same story every time.
type log struct {
	mu     sync.RWMutex
	rows   []prediction.Joined // in order of event time
	places map[ident.PredictionID]int
}

func newLog() *log { return &log{places: map[ident.PredictionID]int{}} }

// Append keeps records. Those of a batch carry the moment of the batch; a row that is
// asked one by one would be answered at its own.
func (l *log) Append(_ context.Context, _, _ bool, rs ...prediction.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	sorted := true
	for _, r := range rs {
		if r.Time.After(r.At) {
			r.At = r.Time
		}
		if n := len(l.rows); n > 0 && r.Time.Before(l.rows[n-1].Time) {
			sorted = false
		}
		l.places[r.ID] = len(l.rows)
		l.rows = append(l.rows, prediction.Joined{Record: r})
	}
	if !sorted {
		slices.SortStableFunc(l.rows, func(a, b prediction.Joined) int { return a.Time.Compare(b.Time) })
		for i := range l.rows {
			l.places[l.rows[i].ID] = i
		}
	}
	return nil
}

// AppendLabels joins labels, which name their predictions by id.
func (l *log) AppendLabels(_ context.Context, ls ...prediction.Label) (unmatched int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range ls {
		if at, ok := l.places[ls[i].ID]; ok {
			l.rows[at].Label = &ls[i]
		} else {
			unmatched++
		}
	}
	return unmatched, nil
}

// Scan calls visit for what q selects.
func (l *log) Scan(ctx context.Context, q prediction.Query, visit func(prediction.Joined) error) error {
	l.mu.RLock()
	rows := l.rows
	l.mu.RUnlock()
	if !q.From.IsZero() {
		rows = rows[sort.Search(len(rows), func(i int) bool { return !rows[i].Time.Before(q.From) }):]
	}
	if !q.To.IsZero() {
		rows = rows[:sort.Search(len(rows), func(i int) bool { return !rows[i].Time.Before(q.To) })]
	}
	var picked []prediction.Joined
	for i := range rows {
		if i%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		r := &rows[i]
		if r.Model != q.Model || !q.DueBy.IsZero() && r.Due.After(q.DueBy) || !q.AsOf.IsZero() && r.At.After(q.AsOf) ||
			!q.Since.IsZero() && r.At.Before(q.Since) || q.ID != "" && r.ID != q.ID || q.Key != "" && r.Key != q.Key || !q.Wants(&r.Record) {
			continue
		}
		j := *r
		if j.Label != nil && !q.AsOf.IsZero() && j.Label.Received.After(q.AsOf) {
			j.Label = nil
		}
		if q.Truth != "" && (q.Truth == "known") != (j.Label != nil) {
			continue
		}
		if q.Last > 0 {
			picked = append(picked, j)
			continue
		}
		if err := visit(j); err != nil {
			return err
		}
	}
	for _, j := range picked[max(0, len(picked)-q.Last):] {
		if err := visit(j); err != nil {
			return err
		}
	}
	return nil
}
