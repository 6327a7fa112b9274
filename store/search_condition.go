// SPDX-License-Identifier: Apache-2.0

package store

import (
	"slices"
	"strings"

	"flyball/search"
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

// deleted is the test that a run is deleted, which few are.
func (s *runSearch) deleted() *runTest {
	return exactTest(func(*asking) string { return "r.deleted <> 0" }, func(a *asking) string {
		return "SELECT seq AS run FROM runs WHERE " + a.among("experiment", s.ids) + " AND deleted <> 0"
	})
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
		t := newRunTest(test, func(a *asking) string { return from(a) + " AND " + a.likeHead(c) })
		begin := begins(c)
		t.exact = begin != "" && clean(c.Text) == begin+"%" && !isCut(begin)
		return t
	}
	return newRunTest(test, nil)
}

// isCut says whether a head may be the beginning of a longer value.
func isCut(head string) bool { return len(head) >= 64 && len([]rune(head)) >= 64 }

// likeHead is a condition on column head that no value which is like the pattern
// fails. What a pattern begins with is a range.
func (a *asking) likeHead(c search.Comparison) string {
	text := "(" + a.like("head", c) + " OR LENGTH(head) >= 64)"
	if begin := head(begins(c)); begin != "" {
		text += " AND head >= " + a.arg(begin) + " AND head <= " + a.arg(begin+"\U0010FFFF\U0010FFFF")
	}
	return text
}

// begins is what texts that are like a pattern begin with, in this case.
func begins(c search.Comparison) string {
	if c.Op != search.Like {
		return ""
	}
	begin, _, _ := strings.Cut(clean(c.Text), "%")
	begin, _, _ = strings.Cut(begin, "_")
	return begin
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
