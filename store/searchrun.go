// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"slices"
	"strings"

	"flyball/experiment"
	"flyball/experiment/search"
)

// runTest is a condition on runs, which a statement calls r.
type runTest struct {
	test func(a *asking) string // looks a run up by its number
	// source is a statement that lists, in column run, the numbers of the runs that may
	// pass: each once, none missing, from an index. Nil: there is none.
	source func(a *asking) string
	exact  bool // all that the source lists pass

	// How many runs the source lists, as far as was looked.
	more  int // certainly more than these
	count int // exactly; -1: not known
}

// runKey is a key to sort runs by.
type runKey struct {
	sortKey
	index *runIndex
	is    func(s spot) *runTest // that the key of a run is this
	key   int64                 // its number in table keys

	table, alias string // that it is looked up in; empty: it is in runs
}

// runIndex lists numbers of runs in the order of a key, within one experiment; numbers
// and texts only, not what is no number or missing.
type runIndex struct {
	table, run, value string
	where             func(a *asking) string // besides the experiment
	cut               bool                   // values are only the first 64 characters
}

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

// within is the condition on rows of a table of runs' values that an index serves.
func (s *runSearch) within(a *asking, key int64) string {
	return a.among("experiment", s.ids) + " AND key = " + a.arg(key)
}

// newTest makes a test of comparisons of the same thing; nil: all runs pass.
func (s *runSearch) newTest(group []search.Comparison) *runTest {
	c := group[0]
	switch c.Entity {
	case search.Attribute:
		return s.attribute(group)
	case search.Dataset:
		return s.dataset(c)
	}
	key := s.names[clean(c.Key)]
	switch {
	case key != 0:
	case c.Op == search.IsNull:
		return nil
	default:
		s.none = true
		return nil
	}
	if c.Entity == search.Metric {
		return s.metric(key, group)
	}
	return s.label(table(c.Entity), key, c)
}

func table(e search.Entity) string {
	switch e {
	case search.Metric:
		return "latest_metrics"
	case search.Param:
		return "params"
	}
	return "tags"
}

func newRunTest(test, source func(a *asking) string) *runTest {
	return &runTest{test: test, source: source, count: -1}
}

func exactTest(test, source func(a *asking) string) *runTest {
	return &runTest{test: test, source: source, exact: true, count: -1}
}

// together puts comparisons of one number beside each other: two of them are often the
// ends of a range, which is narrower than either.
func together(f search.Filter) [][]search.Comparison {
	var groups [][]search.Comparison
	for _, c := range f {
		i := slices.IndexFunc(groups, func(g []search.Comparison) bool {
			return c.IsNum && g[0].IsNum && g[0].Entity == c.Entity && g[0].Key == c.Key && c.Op != search.NotEqual && g[0].Op != search.NotEqual
		})
		if i < 0 {
			groups = append(groups, []search.Comparison{c})
		} else {
			groups[i] = append(groups[i], c)
		}
	}
	return groups
}

// metric compares the latest value. One that is not a number is unlike every number,
// and neither more nor less.
func (s *runSearch) metric(key int64, group []search.Comparison) *runTest {
	compare := func(a *asking) string {
		if group[0].Op == search.NotEqual {
			return "(nan = 1 OR " + a.number("value", group[0]) + ")"
		}
		all := []string{"nan = 0"}
		for _, c := range group {
			all = append(all, a.number("value", c))
		}
		return strings.Join(all, " AND ")
	}
	return exactTest(func(a *asking) string {
		return "(SELECT 1 FROM latest_metrics WHERE run = r.seq AND key = " + a.arg(key) + " AND " + compare(a) + ") = 1"
	}, func(a *asking) string {
		from := "SELECT run FROM latest_metrics WHERE " + s.within(a, key)
		if group[0].Op != search.NotEqual {
			return from + " AND " + compare(a)
		}
		v := a.arg(finite(group[0].Number))
		return from + " AND nan = 1 UNION ALL " + from + " AND nan = 0 AND value < " + v + " UNION ALL " + from + " AND nan = 0 AND value > " + v
	})
}

// label compares a param or tag.
func (s *runSearch) label(table string, key int64, c search.Comparison) *runTest {
	from := func(a *asking) string { return "SELECT run FROM " + table + " WHERE " + s.within(a, key) }
	one := func(a *asking) string {
		return "(SELECT value FROM " + table + " WHERE run = r.seq AND key = " + a.arg(key) + ")"
	}
	test := func(a *asking) string { return a.text(one(a), c) }
	cut := head(clean(c.Text))
	switch c.Op {
	case search.IsNull, search.IsNotNull:
		test = func(a *asking) string { return one(a) + " " + c.Op.String() }
		if c.Op == search.IsNull {
			return newRunTest(test, nil)
		}
		return exactTest(test, from)
	case search.Equal:
		t := newRunTest(test, func(a *asking) string { return from(a) + " AND head = " + a.arg(cut) })
		t.exact = !isCut(cut)
		return t
	case search.NotEqual:
		return newRunTest(test, func(a *asking) string {
			from := from(a)
			text := from + " AND head < " + a.arg(cut) + " UNION ALL " + from + " AND head > " + a.arg(cut)
			if isCut(cut) { // longer values may differ behind it
				text += " UNION ALL " + from + " AND head = " + a.arg(cut)
			}
			return text
		})
	case search.Like, search.ILike:
		return newRunTest(test, func(a *asking) string { return from(a) + " AND " + a.likeHead(c) })
	}
	return newRunTest(test, nil)
}

// isCut says whether a head may be the beginning of a longer value.
func isCut(head string) bool { return len(head) >= 64 && len([]rune(head)) >= 64 }

// likeHead is a condition on column head that no value which is like the pattern
// fails. Before its first wildcard a pattern is a range.
func (a *asking) likeHead(c search.Comparison) string {
	pattern := clean(c.Text)
	text := "(" + a.like("head", search.Comparison{Op: c.Op, Text: pattern}) + " OR LENGTH(head) >= 64)"
	begin, _, _ := strings.Cut(pattern, "%")
	begin, _, _ = strings.Cut(begin, "_")
	if c.Op == search.Like && begin != "" {
		begin = head(begin)
		text += " AND head >= " + a.arg(begin) + " AND head <= " + a.arg(begin+"\U0010FFFF\U0010FFFF")
	}
	return text
}

// attribute compares what a run is.
func (s *runSearch) attribute(group []search.Comparison) *runTest {
	c := group[0]
	column := runColumn(c.Key)
	compare := func(a *asking, column string) string {
		switch c.Key {
		case "start_time", "end_time":
			var all []string
			for _, c := range group {
				all = append(all, a.whole(column, c))
			}
			return strings.Join(all, " AND ")
		case "status":
			return inWords(column, c, runStatuses)
		}
		return a.text(column, c)
	}
	test := func(a *asking) string { return compare(a, "r."+column) }
	listed := func(a *asking) string {
		return "SELECT seq AS run FROM runs WHERE " + a.among("experiment", s.ids) + " AND " + compare(a, column)
	}
	switch {
	case c.Key == "run_id" && (c.Op == search.Equal || c.Op == search.In): // each is one of a kind
		return exactTest(test, func(a *asking) string { return "SELECT seq AS run FROM runs WHERE " + compare(a, column) })
	case c.Key == "start_time", c.Key == "end_time", c.Key == "status":
		return exactTest(test, listed)
	case c.Key == "run_name" && c.Op == search.Equal:
		t := newRunTest(test, func(a *asking) string {
			return "SELECT seq AS run FROM runs WHERE " + a.among("experiment", s.ids) + " AND " + nameHead + " = " + a.arg(head(clean(c.Text)))
		})
		t.exact = !isCut(head(clean(c.Text)))
		return t
	}
	return newRunTest(test, nil)
}

// nameHead is what index runs_by_name has of a name.
const nameHead = "substr(name, 1, 64)"

// runColumn is the column of table runs that an attribute is.
func runColumn(attribute string) string {
	switch attribute {
	case "start_time":
		return "started"
	case "end_time":
		return "ended"
	case "run_name":
		return "name"
	case "artifact_uri":
		return "location"
	}
	return attribute // status, user_id, run_id
}

// dataset compares datasets that a run read; one of them has to pass.
func (s *runSearch) dataset(c search.Comparison) *runTest {
	if c.Key == "context" { // an empty one is none
		return newRunTest(func(a *asking) string {
			return "(SELECT COUNT(*) FROM inputs i WHERE i.run = r.seq AND i.context <> '' AND " + a.text("i.context", c) + ") > 0"
		}, nil)
	}
	column := "d.name"
	if c.Key == "digest" {
		column = "d.digest"
	}
	return exactTest(func(a *asking) string {
		return "(SELECT COUNT(*) FROM inputs i JOIN datasets d ON d.id = i.dataset WHERE i.run = r.seq AND " + a.text(column, c) + ") > 0"
	}, func(a *asking) string {
		return "SELECT DISTINCT i.run FROM datasets d JOIN inputs i ON i.dataset = d.id WHERE " + a.among("d.experiment", s.ids) + " AND " + a.text(column, c)
	})
}

// runStatuses are MLflow's words for the states of a run, by number.
func runStatuses() []string {
	return []string{"", "RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"}
}

// inWords compares a column of numbers as the words that they stand for.
func inWords(column string, c search.Comparison, words func() []string) string {
	var those []string
	for i, word := range words() {
		if word != "" && matches(word, c) {
			those = append(those, string(rune('0'+i)))
		}
	}
	if those == nil {
		return "1 = 0"
	}
	return column + " IN (" + strings.Join(those, ", ") + ")"
}

// matches compares a word of ASCII as SQL would.
func matches(word string, c search.Comparison) bool {
	switch c.Op {
	case search.NotEqual:
		return word != c.Text
	case search.In:
		return slices.Contains(c.List, word)
	case search.NotIn:
		return !slices.Contains(c.List, word)
	case search.Like:
		return like(word, c.Text)
	case search.ILike:
		return like(strings.ToUpper(word), strings.ToUpper(c.Text))
	}
	return word == c.Text
}

// like is LIKE for a short word.
func like(word, pattern string) bool {
	fits := make([]bool, len(word)+1) // fits[i]: what was read of the pattern may end before word[i]
	fits[0] = true
	for _, r := range pattern {
		next := make([]bool, len(word)+1)
		if r == '%' {
			for i, seen := 0, false; i <= len(word); i++ {
				seen = seen || fits[i]
				next[i] = seen
			}
		} else {
			for i := range len(word) {
				next[i+1] = fits[i] && (r == '_' || r == rune(word[i]))
			}
		}
		fits = next
	}
	return fits[len(word)]
}

// newKey makes a key to sort by.
func (s *runSearch) newKey(o search.Order) runKey {
	k := runKey{sortKey: sortKey{desc: o.Desc, kind: textKind}}
	if named(o.Entity) {
		return s.namedKey(k, o)
	}
	column := runColumn(o.Key)
	k.value = "r." + column
	index := &runIndex{table: "runs", run: "seq", value: column, where: func(*asking) string { return "" }}
	switch o.Key {
	case "start_time":
		k.kind, k.index = wholeKind, index
	case "end_time":
		k.kind, k.index, k.class = wholeKind, index, "CASE WHEN r.ended IS NULL THEN 2 ELSE 0 END"
		index.where = func(*asking) string { return " AND ended IS NOT NULL" }
	case "status": // as MLflow's words are sorted
		k.value, k.kind = "CASE r.status WHEN 4 THEN 1 WHEN 3 THEN 2 WHEN 5 THEN 3 WHEN 1 THEN 4 ELSE 5 END", wholeKind
	case "run_name":
		k.index, index.value, index.cut = index, nameHead, true
	}
	k.is = func(v spot) *runTest {
		if v.Class != 0 {
			return newRunTest(func(*asking) string { return "r." + column + " IS NULL" }, nil)
		}
		return newRunTest(func(a *asking) string { return "r." + column + " = " + a.arg(k.of(v)) }, nil)
	}
	return k
}

// namedKey is a key that is a metric, param or tag. A statement may look at several,
// so that each has its table under a name of its own.
func (s *runSearch) namedKey(k runKey, o search.Order) runKey {
	key := s.names[clean(o.Key)]
	k.key = key
	alias := "k" + string(rune('a'+len(s.keys)))
	k.table, k.alias = table(o.Entity), alias
	where := func(a *asking) string { return " AND key = " + a.arg(key) }
	k.value = alias + ".value"
	k.class = "CASE WHEN " + alias + ".run IS NULL THEN 2 ELSE 0 END"
	k.index = &runIndex{table: table(o.Entity), run: "run", value: "head", where: where, cut: true}
	if o.Entity == search.Metric {
		k.kind = numberKind
		k.class = "CASE WHEN " + alias + ".run IS NULL THEN 2 ELSE " + alias + ".nan END"
		k.index = &runIndex{table: table(o.Entity), run: "run", value: "value", where: func(a *asking) string { return where(a) + " AND nan = 0" }}
	}
	k.is = func(v spot) *runTest { return s.keyIs(o.Entity, key, v) }
	return k
}

// keyIs is the test that a metric, param or tag of a run is exactly this.
func (s *runSearch) keyIs(e search.Entity, key int64, v spot) *runTest {
	one := func(a *asking, column string) string {
		return "(SELECT " + column + " FROM " + table(e) + " WHERE run = r.seq AND key = " + a.arg(key) + ")"
	}
	switch {
	case v.Class == 2:
		return newRunTest(func(a *asking) string { return one(a, "key") + " IS NULL" }, nil)
	case v.Class == 1:
		return exactTest(func(a *asking) string { return one(a, "nan") + " = 1" }, func(a *asking) string {
			return "SELECT run FROM latest_metrics WHERE " + s.within(a, key) + " AND nan = 1"
		})
	case e == search.Metric:
		return s.metric(key, []search.Comparison{{Op: search.Equal, Number: v.Number}})
	}
	return s.label(table(e), key, search.Comparison{Op: search.Equal, Text: v.Text})
}
