// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"slices"

	"flyball/experiment"
	"flyball/search"
)

// runSearch is a search of runs under way.
type runSearch struct {
	db     *DB
	ids    []int64 // of experiments
	view   experiment.View
	keys   []runKey
	filter []*runTest
	names  map[string]int64 // numbers of the keys that are named; 0: nothing has such a key
	none   bool             // a test that nothing passes
	all    int              // runs in the database, about
}

// SearchRuns finds runs; see experiment.Runs.
func (db *DB) SearchRuns(ctx context.Context, q experiment.Query) ([]experiment.Run, string, error) {
	const what = "the runs cannot be read"
	if len(q.Experiments) == 0 {
		return nil, "", nil
	}
	s, err := db.newRunSearch(ctx, q)
	if err != nil {
		return nil, "", problem(err, what)
	}
	asked := digest("runs", s.ids, q.Filter, q.Order, s.view)
	place, err := parseToken(q.Token, asked, s.sortKeys())
	if err != nil || s.none {
		return nil, "", err
	}
	limit := clampPage(q.Limit)
	hits, err := s.find(ctx, leg{tests: s.filter, place: place, need: limit + 1})
	if err != nil {
		return nil, "", problem(err, what)
	}
	next := ""
	if len(hits) > limit {
		hits = hits[:limit]
		next = token{asked, hits[limit-1].at}.String()
	}
	runs, err := db.runsOf(ctx, hits)
	return runs, next, err
}

// mostFound is how many things a page has at most, whatever is asked for.
const mostFound = 50_000

func clampPage(limit int) int { return min(max(limit, 1), mostFound) }

// hit is a run that was found: its number and its values of the keys.
type hit struct {
	seq int64
	at  []spot
}

// runsOf reads the runs that were found, in their order.
func (db *DB) runsOf(ctx context.Context, hits []hit) ([]experiment.Run, error) {
	if len(hits) == 0 {
		return nil, nil
	}
	all := make([]int64, len(hits))
	for i, h := range hits {
		all[i] = h.seq
	}
	rows := make(map[int64]experiment.Run, len(hits))
	err := db.each(ctx, func(s scanner) error {
		r, err := scanRun(s)
		rows[r.seq] = r.Run
		return err
	}, `SELECT `+runColumns+` FROM runs r WHERE r.seq {among}`, set(all))
	if err != nil {
		return nil, problem(err, "the runs cannot be read")
	}
	runs, seqs := make([]experiment.Run, 0, len(hits)), make([]int64, 0, len(hits))
	for _, h := range hits {
		if r, there := rows[h.seq]; there { // else it was removed meanwhile
			delete(rows, h.seq)
			runs, seqs = append(runs, r), append(seqs, h.seq)
		}
	}
	return runs, db.fillRuns(ctx, runs, seqs)
}

func (db *DB) newRunSearch(ctx context.Context, q experiment.Query) (*runSearch, error) {
	if err := bounds(q.Filter, q.Order); err != nil {
		return nil, err
	}
	s := &runSearch{db: db, view: q.View, names: map[string]int64{}}
	for _, id := range q.Experiments {
		s.ids = append(s.ids, int64(id))
	}
	slices.Sort(s.ids)
	s.ids = slices.Compact(s.ids)
	for _, c := range q.Filter {
		if named(c.Entity) {
			s.names[clean(c.Key)] = 0
		}
	}
	for _, o := range q.Order {
		if named(o.Entity) {
			s.names[clean(o.Key)] = 0
		}
	}
	if err := db.numbers(ctx, s.names); err != nil {
		return nil, err
	}
	for _, group := range together(q.Filter) {
		if t := s.newTest(group); t != nil {
			s.filter = append(s.filter, t)
		}
	}
	if q.View == experiment.DeletedOnly {
		s.filter = append(s.filter, s.deleted())
	}
	if err := db.row(ctx, `SELECT COALESCE(MAX(seq), 0) FROM runs`).Scan(&s.all); err != nil {
		return nil, err
	}
	started := false
	for _, o := range q.Order {
		s.keys = append(s.keys, s.newKey(o))
		started = started || o.Entity == search.Attribute && o.Key == "start_time"
	}
	if !started {
		s.keys = append(s.keys, s.newKey(search.Order{Key: "start_time", Desc: true}))
	}
	s.keys = append(s.keys, s.newKey(search.Order{Key: "run_id"}))
	return s, nil
}

// named says whether keys of an entity have numbers in table keys.
func named(e search.Entity) bool {
	return e == search.Metric || e == search.Param || e == search.Tag
}

// numbers fills in the numbers of the names that are the keys of ids; 0 stays where
// there is none.
func (db *DB) numbers(ctx context.Context, ids map[string]int64) error {
	unknown := db.keys.known(ids)
	if len(unknown) == 0 {
		return nil
	}
	learned := map[string]int64{}
	err := db.each(ctx, func(s scanner) error {
		var name string
		var id int64
		if err := s.Scan(&name, &id); err != nil {
			return err
		}
		ids[name], learned[name] = id, id
		return nil
	}, `SELECT name, id FROM keys WHERE name IN (SELECT value FROM {texts})`, set(unknown))
	if err == nil {
		db.keys.learn(learned)
	}
	return err
}

func (s *runSearch) sortKeys() []sortKey {
	keys := make([]sortKey, len(s.keys))
	for i, k := range s.keys {
		keys[i] = k.sortKey
	}
	return keys
}

// seen is the condition that a run is one of those asked for at all.
func (s *runSearch) seen(a *asking) string {
	return a.among("r.experiment", s.ids) + lives("r", s.view)
}

// lives is what a view adds to a condition.
func lives(table string, v experiment.View) string {
	switch v {
	case experiment.All:
		return ""
	case experiment.DeletedOnly:
		return " AND " + table + ".deleted <> 0"
	}
	return " AND " + table + ".deleted = 0"
}
