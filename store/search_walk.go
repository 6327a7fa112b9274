// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"slices"
	"strings"
)

// How a search of runs goes about it is chosen here and not left to the engine's
// planner, which knows neither how many runs a filter lets through nor that a page is
// all that is wanted. There are three ways.
//
//   - List the runs that pass the narrowest test, from its index, and sort them.
//   - Walk along the index of the order, a stretch at a time, and try each run, until
//     the page is full.
//   - List the runs that pass each test, and sort those that are in all lists.
//
// The first is best when few runs pass one of the tests, the second when many pass all
// of them, the third when each test lets many through and few pass all. Which it is
// shows by doing: tests are counted only so far, and a walk that finds little is given
// up for the third way once that is likely to be cheaper.

// pace is how far a search goes at a time; 0: as far as is usual.
type pace struct {
	few    int // runs that are always listed and sorted
	sorted int // that are where there is no index to walk along
	first  int // runs of the first stretch
}

const (
	sortedRuns = 20_000  // at least, as for the next two
	firstRuns  = 400     // or twice the page
	mostFew    = 5_000   // and a fifth of it at least
	mostWalked = 500     // experiments of one walk
	mostListed = 400_000 // runs of a list
	listCost   = 16      // runs that are listed in the time in which one is tried
)

// steps are the pace of a search for need runs among all. To sort n runs takes their
// time, to walk until need of them were met all/n of need's: few is where both are equal.
func (p pace) steps(need, all int) (few, sorted, first int) {
	if p != (pace{}) {
		return p.few, p.sorted, p.first
	}
	few = int(math.Sqrt(float64(need) * float64(all)))
	few = max(mostFew/10, min(few, mostFew), 2*need)
	return few, max(sortedRuns, 2*need), max(firstRuns, 2*need)
}

// leg is a part of a search: the first need runs that pass the tests and come after a
// place. In the keys before depth they all have the values of fixed.
type leg struct {
	tests []*runTest
	fixed []spot
	place []spot // values of all keys; nil: from the beginning
	need  int
}

func (l leg) depth() int { return len(l.fixed) }

// find goes a leg.
func (s *runSearch) find(ctx context.Context, l leg) ([]hit, error) {
	few, sorted, first := s.db.pace.steps(l.need, s.all)
	narrow, err := s.narrowest(ctx, l.tests, few)
	if err != nil {
		return nil, err
	}
	key := s.keys[l.depth()]
	if narrow == nil && (key.index == nil || len(s.ids) > mostWalked) {
		if narrow, err = s.narrowest(ctx, l.tests, sorted); err != nil {
			return nil, err
		}
		if narrow == nil {
			return s.sort(ctx, l, nil, "", false)
		}
	}
	if narrow != nil {
		return s.listed(ctx, l, narrow)
	}
	w := walk{runSearch: s, leg: l, step: first}
	return w.run(ctx)
}

// listed goes a leg from the runs that a test lists.
func (s *runSearch) listed(ctx context.Context, l leg, narrow *runTest) ([]hit, error) {
	if narrow.count == 0 {
		return nil, nil
	}
	l.tests = slices.DeleteFunc(slices.Clone(l.tests), func(t *runTest) bool { return t == narrow && t.exact })
	a := &asking{dialect: s.db.dialect}
	return s.sort(ctx, l, a, narrow.source(a), false)
}

// narrowest is the test whose source lists the fewest runs; nil: none lists as few as
// limit.
func (s *runSearch) narrowest(ctx context.Context, tests []*runTest, limit int) (*runTest, error) {
	var best *runTest
	for _, t := range tests {
		if t.source == nil {
			continue
		}
		if err := s.count(ctx, t, limit); err != nil {
			return nil, err
		}
		if t.count >= 0 && t.count <= limit && (best == nil || t.count < best.count) {
			best = t
		}
	}
	return best, nil
}

// count counts what a test's source lists, up to limit.
func (s *runSearch) count(ctx context.Context, t *runTest, limit int) error {
	if t.count >= 0 || t.more >= limit {
		return nil
	}
	a := &asking{dialect: s.db.dialect}
	text := "SELECT COUNT(*) FROM (SELECT run FROM (" + t.source(a) + ") AS listed LIMIT " + a.arg(limit+1) + ") AS few"
	var n int
	if err := s.db.row(ctx, text, a.args...).Scan(&n); err != nil {
		return err
	}
	if n > limit {
		t.more = limit
	} else {
		t.count = n
	}
	return nil
}

// sort tries the runs that source lists, or all, and returns the first of them in the
// order of the keys. a has the values that source names; valued: its column value is
// what the key at the leg's depth has.
func (s *runSearch) sort(ctx context.Context, l leg, a *asking, source string, valued bool) ([]hit, error) {
	if a == nil {
		a = &asking{dialect: s.db.dialect}
	}
	from := " FROM runs r"
	if source != "" {
		from = " FROM (" + source + ") AS listed" + a.lookup("CROSS", "runs", "r", "r.seq = listed.run")
	}
	keys := s.sortKeys()[l.depth():]
	columns, order := "r.seq", ""
	for i, k := range s.keys[l.depth():] {
		if i == 0 && valued {
			keys[0].class, keys[0].value, k.table = "", "listed.value", ""
		}
		columns += ", " + keys[i].columns()
		order += ", " + keys[i].order()
		if k.table != "" {
			from += a.lookup("LEFT", k.table, k.alias, k.alias+".run = r.seq AND "+k.alias+".key = "+a.arg(k.key))
		}
	}
	where := []string{s.seen(a)}
	for _, t := range l.tests {
		where = append(where, t.test(a))
	}
	if l.place != nil {
		where = append(where, a.after(keys, l.place[l.depth():]))
	}
	text := "SELECT " + columns + from + " WHERE " + strings.Join(where, " AND ") + " ORDER BY " + order[2:] + " LIMIT " + a.arg(l.need)
	var hits []hit
	err := s.db.each(ctx, func(row scanner) error {
		h := hit{at: make([]spot, len(s.keys))}
		copy(h.at, l.fixed)
		err := reading{row, into(h.at[l.depth():], keys)}.Scan(&h.seq)
		hits = append(hits, h)
		return err
	}, text, a.args...)
	return hits, err
}

// walk goes a leg along the index of its first key.
type walk struct {
	*runSearch
	leg
	step   int // runs of the next stretch
	walked int
	tried  bool // to list instead
	hits   []hit

	lo     *spot // where the next stretch begins; nil: at the beginning
	beyond bool  // behind lo, not with it
}

func (w *walk) key() runKey { return w.keys[w.depth()] }

func (w *walk) full() bool { return len(w.hits) >= w.need }

func (w *walk) run(ctx context.Context) ([]hit, error) {
	class := int64(0)
	if w.place != nil {
		lo := w.place[w.depth()]
		class = lo.Class
		if w.key().index.cut {
			lo.Text = head(lo.Text)
		}
		w.lo = &lo
	}
	if class == 0 {
		done, err := w.values(ctx)
		if err != nil || done {
			return w.hits, err
		}
	}
	for rest := max(class, 1); rest <= 2 && w.key().class != "" && !w.full(); rest++ { // not a number, then missing
		if rest == 1 && w.key().kind != numberKind {
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
	for !w.full() {
		hi, err := w.bound(ctx)
		if err != nil {
			return false, err
		}
		switch {
		case hi == nil:
			err := w.between(ctx, nil)
			return w.full(), err
		case w.lo != nil && !w.beyond && *hi == *w.lo: // so many runs have the same value
			if w.key().index.cut && isCut(hi.Text) {
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
		w.walked += w.step
		w.step *= 2
		if done, err = w.shortcut(ctx); err != nil || done {
			return done, err
		}
	}
	return true, nil
}

// shortcut finds the rest from lists when that is likely to be cheaper than to walk on.
func (w *walk) shortcut(ctx context.Context) (done bool, err error) {
	left := w.need - len(w.hits)
	ahead := 2 * left * w.walked / (2*len(w.hits) + 1) // runs to be tried, if it goes on like this
	if w.tried || left <= 0 || ahead <= 2*w.step {
		return false, nil
	}
	w.tried = ahead >= mostListed/listCost // else the estimate may yet rise
	few, covered, err := w.common(ctx, w.tests, min(listCost*ahead, mostListed))
	if err != nil || few == nil || few.count > ahead {
		return false, err
	}
	l := w.leg
	l.need = left
	l.tests = slices.DeleteFunc(slices.Clone(l.tests), func(t *runTest) bool { return t.exact && slices.Contains(covered, t) })
	if n := len(w.hits); n > 0 {
		l.place = w.hits[n-1].at
	}
	more, err := w.listed(ctx, l, few)
	w.hits = append(w.hits, more...)
	return true, err
}

// bound is the value that the last run of the next stretch has, the nearest of those
// in each experiment; nil: there are fewer runs in all.
func (w *walk) bound(ctx context.Context) (*spot, error) {
	key := w.key()
	order := key.index.value
	if key.desc {
		order += " DESC"
	}
	var nearest *spot
	for _, id := range w.ids {
		a := &asking{dialect: w.db.dialect}
		where := "experiment = " + a.arg(id) + key.index.where(a) + w.from(a)
		var v spot
		to := []any{&v.Whole, &v.Number, &v.Text}[key.kind]
		err := w.db.row(ctx, "SELECT "+key.index.value+" FROM "+key.index.table+" WHERE "+where+" ORDER BY "+order+" LIMIT 1 OFFSET "+a.arg(w.step-1), a.args...).Scan(to)
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
func (w *walk) from(a *asking) string {
	if w.lo == nil {
		return ""
	}
	op := " >"
	if w.key().desc {
		op = " <"
	}
	if !w.beyond {
		op += "="
	}
	return " AND " + w.key().index.value + op + " " + a.arg(w.key().of(*w.lo))
}

// between takes the stretch from lo to before hi; with hi when that is lo; nil: to the
// end.
func (w *walk) between(ctx context.Context, hi *spot) error {
	key := w.key()
	a := &asking{dialect: w.db.dialect}
	text := "SELECT " + key.index.run + " AS run, " + key.index.value + " AS value FROM " + key.index.table +
		" WHERE " + a.among("experiment", w.ids) + key.index.where(a) + w.from(a)
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
	l := w.leg
	l.need -= len(w.hits)
	if len(w.hits) > 0 {
		l.place = nil // the stretch is behind it
	}
	more, err := w.sort(ctx, l, a, text, !key.index.cut)
	w.hits = append(w.hits, more...)
	return err
}

// alike takes all runs whose key is v, by the keys after it.
func (w *walk) alike(ctx context.Context, v spot) error {
	l := leg{
		tests: append(slices.Clone(w.tests), w.key().is(v)),
		fixed: append(slices.Clone(w.fixed), v),
		need:  w.need - len(w.hits),
	}
	if w.place != nil && w.place[w.depth()] == v {
		l.place = w.place
	}
	more, err := w.find(ctx, l)
	w.hits = append(w.hits, more...)
	return err
}
