// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
)

// How a search of runs goes about it is chosen here and not left to the engine's
// planner, which knows neither how many runs a filter lets through nor that a page is
// all that is wanted. There are two ways: list the runs that pass the narrowest test,
// from its index, and sort them; or walk along the index of the order, a stretch at a
// time, and try each run, until the page is full. The first is cheap when few runs
// pass one of the tests, the second when many pass all of them. Which it is shows by
// doing: tests are counted only so far, and a walk that finds little has them counted
// further; so neither way ever costs much more than the other would have.

// pace is how far a search goes at a time; 0: as far as is usual.
type pace struct {
	few    int // runs that are always listed and sorted
	sorted int // that are where there is no index to walk along
	first  int // runs of the first stretch
}

// Each is at least twice the page.
const (
	fewRuns    = 500
	sortedRuns = 20_000
	firstRuns  = 400
	mostWalked = 64 // experiments of one walk
)

func (p pace) steps(need int) (few, sorted, first int) {
	if p != (pace{}) {
		return p.few, p.sorted, p.first
	}
	return max(fewRuns, 2*need), max(sortedRuns, 2*need), max(firstRuns, 2*need)
}

// find returns the first need runs that pass the tests and come after a place, by the
// keys from depth on: by those before it they are all alike. Nil: from the beginning.
func (s *runSearch) find(ctx context.Context, tests []*runTest, depth int, place []spot, need int) ([]hit, error) {
	few, sorted, _ := s.db.pace.steps(need)
	narrow, err := s.narrowest(ctx, tests, few)
	if err != nil {
		return nil, err
	}
	key := s.keys[depth]
	if narrow == nil && (key.index == nil || len(s.ids) > mostWalked) {
		if narrow, err = s.narrowest(ctx, tests, sorted); err != nil {
			return nil, err
		}
		if narrow == nil {
			return s.stretch(ctx, tests, depth, place, need, nil, "")
		}
	}
	if narrow != nil {
		return s.listed(ctx, tests, narrow, depth, place, need)
	}
	w := walk{runSearch: s, tests: tests, depth: depth, place: place, need: need, counted: few}
	return w.run(ctx)
}

// listed is the way from the narrowest test.
func (s *runSearch) listed(ctx context.Context, tests []*runTest, narrow *runTest, depth int, place []spot, need int) ([]hit, error) {
	if narrow.count == 0 {
		return nil, nil
	}
	a := &asking{dialect: s.db.dialect}
	return s.stretch(ctx, tests, depth, place, need, a, narrow.source(a))
}

// narrowest is the test whose source lists the fewest runs; nil: none lists as few as
// limit.
func (s *runSearch) narrowest(ctx context.Context, tests []*runTest, limit int) (*runTest, error) {
	var best *runTest
	for _, t := range tests {
		if t.source == nil {
			continue
		}
		if t.count < 0 && t.more < limit {
			a := &asking{dialect: s.db.dialect}
			text := "SELECT COUNT(*) FROM (SELECT run FROM (" + t.source(a) + ") AS listed LIMIT " + a.arg(limit+1) + ") AS few"
			var n int
			if err := s.db.row(ctx, text, a.args...).Scan(&n); err != nil {
				return nil, err
			}
			if n > limit {
				t.more = limit
			} else {
				t.count = n
			}
		}
		if t.count >= 0 && t.count <= limit && (best == nil || t.count < best.count) {
			best = t
		}
	}
	return best, nil
}

// stretch sorts the runs that source lists, or all, by the keys from depth on, and
// returns the first of them that pass. a has the values that source names.
func (s *runSearch) stretch(ctx context.Context, tests []*runTest, depth int, place []spot, need int, a *asking, source string) ([]hit, error) {
	if a == nil {
		a = &asking{dialect: s.db.dialect}
	}
	from := " FROM runs r"
	if source != "" { // CROSS JOIN has SQLite begin with it
		from = " FROM (" + source + ") AS listed CROSS JOIN runs r"
	}
	columns, order := "r.seq", ""
	for i, k := range s.keys {
		columns += ", " + k.columns()
		if k.join != "" {
			from += k.join + a.arg(s.names[clean(k.row.Key)])
		}
		if i >= depth {
			order += ", " + k.order()
		}
	}
	where := []string{s.seen(a)}
	if source != "" {
		where = append(where, "r.seq = listed.run")
	}
	for _, t := range tests {
		where = append(where, t.test(a))
	}
	if place != nil {
		where = append(where, a.after(s.sortKeys()[depth:], place[depth:]))
	}
	text := "SELECT " + columns + from + " WHERE " + strings.Join(where, " AND ") + " ORDER BY " + order[2:] + " LIMIT " + a.arg(need)
	keys := s.sortKeys()
	var hits []hit
	err := s.db.each(ctx, func(row scanner) error {
		h := hit{at: make([]spot, len(keys))}
		err := reading{row, into(h.at, keys)}.Scan(&h.seq)
		hits = append(hits, h)
		return err
	}, text, a.args...)
	return hits, err
}

// walk goes along the index of the key at depth.
type walk struct {
	*runSearch
	tests   []*runTest
	depth   int
	place   []spot
	need    int
	counted int // tests are known to let more than these through
	hits    []hit

	lo     *spot // where the next stretch begins; nil: at the beginning
	beyond bool  // behind lo, not with it
}

func (w *walk) run(ctx context.Context) ([]hit, error) {
	class := int64(0)
	if w.place != nil {
		lo := w.place[w.depth]
		class = lo.Class
		if w.keys[w.depth].kind == textKind {
			lo.Text = head(lo.Text) // what an index has of it
		}
		w.lo = &lo
	}
	if class == 0 {
		done, err := w.values(ctx)
		if err != nil || done {
			return w.hits, err
		}
	}
	key := w.keys[w.depth]
	for rest := max(class, 1); rest <= 2 && key.class != "" && len(w.hits) < w.need; rest++ { // not a number, then missing
		if rest == 1 && key.kind != numberKind {
			continue
		}
		if err := w.alike(ctx, spot{Class: rest}); err != nil {
			return nil, err
		}
	}
	return w.hits, nil
}

// values walks along the values of the key. done: nothing else is to be looked at.
func (w *walk) values(ctx context.Context) (done bool, err error) {
	key := w.keys[w.depth]
	_, _, step := w.db.pace.steps(w.need)
	walked := 0
	for len(w.hits) < w.need {
		hi, err := w.bound(ctx, step)
		if err != nil {
			return false, err
		}
		switch {
		case hi == nil:
			err := w.between(ctx, nil)
			return len(w.hits) >= w.need, err
		case w.lo != nil && !w.beyond && *hi == *w.lo: // so many runs have the same value
			if key.index.cut && isCut(hi.Text) {
				err = w.between(ctx, hi)
			} else {
				err = w.alike(ctx, *hi)
			}
			w.beyond = true
		default:
			err = w.between(ctx, hi)
			w.lo, w.beyond = hi, false
		}
		if err != nil {
			return false, err
		}
		walked += step
		if len(w.hits) < w.need && walked > w.counted {
			w.counted = 4 * walked
			narrow, err := w.narrowest(ctx, w.tests, w.counted)
			if err != nil {
				return false, err
			}
			if narrow != nil {
				more, err := w.listed(ctx, w.tests, narrow, w.depth, w.last(), w.need-len(w.hits))
				w.hits = append(w.hits, more...)
				return true, err
			}
		}
		step *= 2
	}
	return true, nil
}

// last is the place that the walk has reached, as far as it can be told.
func (w *walk) last() []spot {
	if n := len(w.hits); n > 0 {
		return w.hits[n-1].at
	}
	return w.place
}

// bound is the value that the step-th run from lo on has, the nearest of those in
// each experiment; nil: there are fewer in all.
func (w *walk) bound(ctx context.Context, step int) (*spot, error) {
	key := w.keys[w.depth]
	var nearest *spot
	for _, id := range w.ids {
		a := &asking{dialect: w.db.dialect}
		where := "experiment = " + a.arg(id) + key.index.where(a) + w.from(a, key)
		order := key.index.value
		if key.desc {
			order += " DESC"
		}
		var v spot
		to := []any{&v.Whole, &v.Number, &v.Text}[key.kind]
		err := w.db.row(ctx, "SELECT "+key.index.value+" FROM "+key.index.table+" WHERE "+where+" ORDER BY "+order+" LIMIT 1 OFFSET "+a.arg(step-1), a.args...).Scan(to)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if nearest == nil || key.before(v, *nearest) {
			nearest = &v
		}
	}
	return nearest, nil
}

// before compares values of a key by its order.
func (k sortKey) before(a, b spot) bool {
	if k.desc {
		a, b = b, a
	}
	switch k.kind {
	case wholeKind:
		return a.Whole < b.Whole
	case numberKind:
		return a.Number < b.Number
	}
	return a.Text < b.Text
}

// from is the condition that an index entry is not before the stretch.
func (w *walk) from(a *asking, key runKey) string {
	if w.lo == nil {
		return ""
	}
	op := " >"
	if key.desc {
		op = " <"
	}
	if !w.beyond {
		op += "="
	}
	return " AND " + key.index.value + op + " " + a.arg(key.of(*w.lo))
}

// between takes the stretch from lo to before hi; with hi when that is lo; nil: to the
// end.
func (w *walk) between(ctx context.Context, hi *spot) error {
	key := w.keys[w.depth]
	a := &asking{dialect: w.db.dialect}
	text := "SELECT " + key.index.run + " AS run FROM " + key.index.table + " WHERE " + a.among("experiment", w.ids) + key.index.where(a) + w.from(a, key)
	if hi != nil {
		op := " < "
		switch {
		case w.lo != nil && *w.lo == *hi:
			op = " = "
		case key.desc:
			op = " > "
		}
		text += " AND " + key.index.value + op + a.arg(key.of(*hi))
	}
	more, err := w.stretch(ctx, w.tests, w.depth, w.placeFrom(), w.need-len(w.hits), a, text)
	w.hits = append(w.hits, more...)
	return err
}

// placeFrom is the place as long as nothing was found after it.
func (w *walk) placeFrom() []spot {
	if len(w.hits) > 0 {
		return nil
	}
	return w.place
}

// alike takes all runs whose key is v, by the keys after it.
func (w *walk) alike(ctx context.Context, v spot) error {
	var place []spot
	if w.place != nil && w.place[w.depth] == v {
		place = w.place
	}
	tests := append([]*runTest{}, w.tests...)
	more, err := w.find(ctx, append(tests, w.keys[w.depth].is(v)), w.depth+1, place, w.need-len(w.hits))
	w.hits = append(w.hits, more...)
	return err
}
