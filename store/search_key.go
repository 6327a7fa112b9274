// SPDX-License-Identifier: Apache-2.0

package store

import (
	"flyball/search"
)

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
