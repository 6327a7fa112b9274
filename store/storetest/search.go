// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"flyball/experiment"
	"flyball/ident"
	"flyball/search"
	"flyball/store"
)

// SearchRuns compares what the store finds with what a reader of all runs finds who
// takes his time: random runs, random filters and orders, page by page.
func SearchRuns(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := context.Background()
	draw := rand.New(rand.NewPCG(7, 11))
	const many = 300
	var ids []ident.ExperimentID
	for i := range 3 {
		e, err := db.CreateExperiment(ctx, experiment.Experiment{Name: "e" + strconv.Itoa(i)})
		check(t, err)
		ids = append(ids, e.ID)
	}
	runs := make([]experiment.Run, 0, many)
	for i := range many {
		r := randomRun(draw, ids, i)
		check(t, db.CreateRun(ctx, r))
		runs = append(runs, r)
	}
	for i := 0; i < many; i += 17 {
		check(t, db.SetRunDeleted(ctx, runs[i].ID, true, 1))
		runs[i].Deleted = true
	}
	const queries = 80
	for i := range queries {
		q := randomQuery(draw, ids)
		f, err := search.Runs(q.filter)
		if err != nil {
			t.Fatalf("%s: %v", q.filter, err)
		}
		o, err := search.RunsOrder(q.order)
		if err != nil {
			t.Fatalf("%s: %v", q.order, err)
		}
		asked := experiment.Query{Experiments: q.ids, Filter: f, Order: o, View: q.view, Page: experiment.Page{Limit: q.limit}}
		want := slowly(runs, asked)
		got := pages(t, db, asked)
		if !slices.Equal(got, want) {
			t.Fatalf("query %d: %q order %q of %v, view %d, pages of %d:\ngot  %s\nwant %s", i, q.filter, q.order, q.ids, q.view, q.limit, ends(got), ends(want))
		}
	}
}

func ends(ids []ident.RunID) string {
	if len(ids) > 12 {
		return fmt.Sprintf("%d: %v … %v", len(ids), ids[:8], ids[len(ids)-3:])
	}
	return fmt.Sprintf("%d: %v", len(ids), ids)
}

// pages asks for all pages.
func pages(t *testing.T, db *store.DB, q experiment.Query) []ident.RunID {
	t.Helper()
	var all []ident.RunID
	for n := 0; ; n++ {
		found, next, err := db.SearchRuns(context.Background(), q)
		check(t, err)
		for _, r := range found {
			all = append(all, r.ID)
		}
		if next == "" {
			return all
		}
		if len(found) != q.Limit {
			t.Fatalf("a page of %d has %d runs, and another follows", q.Limit, len(found))
		}
		if n > 10_000 {
			t.Fatal("the pages do not end")
		}
		q.Token = next
	}
}

// words has texts that SQL could trip over.
func words() []string {
	return []string{"rf", "xgb", "RF", "a%b", "a_b", "axb", "a*b", "[ab]", "it's", `say "x"`, `back\slash`, "ä", "Ä", "", "日本", strings.Repeat("long", 20) + "1", strings.Repeat("long", 20) + "2", strings.Repeat("long", 16)}
}

func randomRun(draw *rand.Rand, ids []ident.ExperimentID, i int) experiment.Run {
	pick := func(list []string) string { return list[draw.IntN(len(list))] }
	r := experiment.Run{
		ID: ident.RunID(fmt.Sprintf("%08x%024x", draw.Uint32(), i)), Experiment: ids[min(draw.IntN(6), 2)], Name: "run-" + strconv.Itoa(draw.IntN(40)), User: pick([]string{"ana", "bo", ""}),
		Status: experiment.Status(1 + draw.IntN(5)), Start: int64(1000 + draw.IntN(500)), Location: "mlflow-artifacts:/" + strconv.Itoa(i),
	}
	if draw.IntN(4) == 0 {
		r.Name = strings.Repeat("name", 16) + strconv.Itoa(draw.IntN(3)) // that an index does not hold whole
	}
	if draw.IntN(3) == 0 {
		r.Start = 1200 // so many began at once
	}
	if draw.IntN(3) > 0 {
		r.End = r.Start + int64(draw.IntN(100))
	}
	r.Tags = append(r.Tags, experiment.Tag{Key: "mlflow.runName", Value: r.Name})
	values := []float64{draw.NormFloat64(), math.Round(draw.NormFloat64()), 0, math.NaN(), math.Inf(1), math.Inf(-1), -0.5, 1e300}
	for _, m := range []struct {
		key   string
		often int
	}{{"loss", 9}, {"acc", 6}, {"rare", 1}, {"a b", 3}} {
		if draw.IntN(10) < m.often {
			r.Metrics = append(r.Metrics, experiment.Metric{Key: m.key, Value: values[min(draw.IntN(14), len(values)-1)%len(values)], Timestamp: 1})
		}
	}
	for _, p := range []struct {
		key   string
		often int
	}{{"model", 9}, {"depth", 5}, {"rare", 1}} {
		if draw.IntN(10) < p.often {
			r.Params = append(r.Params, experiment.Param{Key: p.key, Value: pick(words())})
		}
		if draw.IntN(10) < p.often {
			r.Tags = append(r.Tags, experiment.Tag{Key: p.key, Value: pick(words())})
		}
	}
	if draw.IntN(4) == 0 {
		r.Inputs = append(r.Inputs, experiment.Input{
			Dataset: experiment.Dataset{Name: pick([]string{"iris", "wine"}), Digest: pick([]string{"d1", "d2"}), SourceType: "x", Source: "{}"},
			Tags:    []experiment.Tag{{Key: "mlflow.data.context", Value: pick([]string{"train", "Eval"})}},
		})
	}
	return r
}

type randomly struct {
	filter string
	order  []string
	ids    []ident.ExperimentID
	view   experiment.View
	limit  int
}

func randomQuery(draw *rand.Rand, ids []ident.ExperimentID) randomly {
	pick := func(list ...string) string { return list[draw.IntN(len(list))] }
	text := func() string { return "'" + strings.ReplaceAll(pick(words()...), "'", "''") + "'" }
	pattern := func() string {
		return "'" + strings.ReplaceAll(pick("%r%", "R_", "%o%", "long%", "a%", "[%", "Ä%", "a%b", "a_b", "%\\%", "[%", "%*%", "long%2", "%", "", "Ä", "%本", "run-1%", "longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong%"), "'", "''") + "'"
	}
	comparison := func() string {
		switch draw.IntN(12) {
		case 0, 1, 2:
			return "metrics." + pick("loss", "acc", "rare", "`a b`", "none") + " " + pick("=", "!=", "<", "<=", ">", ">=") + " " + pick("0", "-0.5", "0.3", "1", "-1e300", "1e999", "-1e999", "2.5")
		case 3, 4:
			return pick("params.", "tags.") + pick("model", "depth", "rare", "none") + " " + pick("=", "!=") + " " + text()
		case 5:
			return pick("params.", "tags.") + pick("model", "depth", "rare") + " " + pick("LIKE", "ILIKE") + " " + pattern()
		case 6:
			return pick("params.", "tags.") + pick("model", "depth", "rare", "none") + " " + pick("IS NULL", "IS NOT NULL")
		case 7:
			return pick("start_time", "end_time") + " " + pick("=", "!=", "<", "<=", ">", ">=") + " " + pick("1200", "1200.5", "1250", "0", "1e30", "-1e30", "1499")
		case 8:
			return "status " + pick("= 'FINISHED'", "!= 'RUNNING'", "LIKE 'F%'", "ILIKE '%ed'", "= 'x'", "LIKE '%I_E%'")
		case 9:
			return pick("run_name", "user_id", "artifact_uri", "run_id") + " " + pick("= 'ana'", "!= 'ana'", "LIKE '%1_'", "ILIKE 'RUN-%'", "= 'run-7'", "= 'namenamenamenamenamenamenamenamenamenamenamenamenamenamenamename1'")
		case 10:
			return "datasets." + pick("name", "digest", "context") + " " + pick("= 'iris'", "!= 'd1'", "LIKE '%ai%'", "IN ('train', 'd2', 'wine')", "NOT IN ('iris', 'd1', 'Eval')")
		}
		return "run_id " + pick("NOT IN", "IN") + " ('x', 'y')"
	}
	var q randomly
	var all []string
	for range draw.IntN(4) {
		all = append(all, comparison())
	}
	q.filter = strings.Join(all, " AND ")
	taken := map[string]bool{}
	for range draw.IntN(4) {
		key := pick("start_time", "metrics.loss", "metrics.acc", "metrics.rare", "params.model", "params.depth", "tags.model", "end_time", "status", "run_name", "user_id", "run_id", "artifact_uri", "metrics.none", "tags.rare", "metrics.`a b`")
		if !taken[key] {
			taken[key] = true
			q.order = append(q.order, key+pick("", " DESC", " ASC"))
		}
	}
	q.ids = [][]ident.ExperimentID{ids[2:], ids, ids[:2], ids[2:]}[draw.IntN(4)]
	q.view = []experiment.View{0, experiment.ActiveOnly, experiment.DeletedOnly, experiment.All}[draw.IntN(4)]
	q.limit = []int{100, 25, 450, 2000}[draw.IntN(4)]
	return q
}

// slowly finds runs by looking at each.
func slowly(runs []experiment.Run, q experiment.Query) []ident.RunID {
	var found []experiment.Run
	for _, r := range runs {
		if slices.Contains(q.Experiments, r.Experiment) && (q.View == experiment.All || r.Deleted == (q.View == experiment.DeletedOnly)) && passes(r, q.Filter) {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b experiment.Run) int {
		for _, o := range q.Order {
			if n := compareBy(a, b, o); n != 0 {
				return n
			}
		}
		return cmp.Or(cmp.Compare(b.Start, a.Start), cmp.Compare(a.ID, b.ID))
	})
	var ids []ident.RunID
	for _, r := range found {
		ids = append(ids, r.ID)
	}
	return ids
}

func compareBy(a, b experiment.Run, o search.Order) int {
	x, y := keyOf(a, o), keyOf(b, o)
	if n := cmp.Compare(x.class, y.class); n != 0 {
		return n
	}
	n := cmp.Or(cmp.Compare(x.number, y.number), strings.Compare(x.text, y.text))
	if o.Desc {
		return -n
	}
	return n
}

type keyValue struct {
	class  int // 1: not a number, 2: missing
	number float64
	text   string
}

func keyOf(r experiment.Run, o search.Order) keyValue {
	switch o.Entity {
	case search.Metric:
		v, ok := metricOf(r, o.Key)
		switch {
		case !ok:
			return keyValue{class: 2}
		case math.IsNaN(v):
			return keyValue{class: 1}
		}
		return keyValue{number: v}
	case search.Param, search.Tag:
		v, ok := labelOf(r, o.Entity, o.Key)
		if !ok {
			return keyValue{class: 2}
		}
		return keyValue{text: v}
	}
	switch o.Key {
	case "start_time":
		return keyValue{number: float64(r.Start)}
	case "end_time":
		if r.End == 0 {
			return keyValue{class: 2}
		}
		return keyValue{number: float64(r.End)}
	case "status":
		return keyValue{text: statusOf(r)}
	}
	return keyValue{text: textOf(r, o.Key)}
}

func metricOf(r experiment.Run, key string) (float64, bool) {
	for _, m := range r.Metrics {
		if m.Key == key {
			return max(-math.MaxFloat64, min(m.Value, math.MaxFloat64)), true
		}
	}
	return 0, false
}

func labelOf(r experiment.Run, e search.Entity, key string) (string, bool) {
	if e == search.Param {
		for _, p := range r.Params {
			if p.Key == key {
				return p.Value, true
			}
		}
		return "", false
	}
	for _, t := range r.Tags {
		if t.Key == key {
			return t.Value, true
		}
	}
	return "", false
}

func statusOf(r experiment.Run) string {
	return []string{"", "RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"}[r.Status]
}

func textOf(r experiment.Run, attribute string) string {
	switch attribute {
	case "run_name":
		return r.Name
	case "user_id":
		return r.User
	case "artifact_uri":
		return r.Location
	case "status":
		return statusOf(r)
	}
	return string(r.ID)
}

func passes(r experiment.Run, f search.Filter) bool {
	for _, c := range f {
		if !passesOne(r, c) {
			return false
		}
	}
	return true
}

func passesOne(r experiment.Run, c search.Comparison) bool {
	switch c.Entity {
	case search.Metric:
		v, ok := metricOf(r, c.Key)
		return ok && numberPasses(v, c)
	case search.Param, search.Tag:
		v, ok := labelOf(r, c.Entity, c.Key)
		switch c.Op {
		case search.IsNull:
			return !ok
		case search.IsNotNull:
			return ok
		}
		return ok && textPasses(v, c)
	case search.Dataset:
		for _, in := range r.Inputs {
			v := map[string]string{"name": in.Dataset.Name, "digest": in.Dataset.Digest, "context": in.Tags[0].Value}[c.Key]
			if textPasses(v, c) {
				return true
			}
		}
		return false
	}
	switch c.Key {
	case "start_time":
		return numberPasses(float64(r.Start), c)
	case "end_time":
		return r.End != 0 && numberPasses(float64(r.End), c)
	}
	return textPasses(textOf(r, c.Key), c)
}

func numberPasses(v float64, c search.Comparison) bool {
	n := max(-math.MaxFloat64, min(c.Number, math.MaxFloat64))
	switch c.Op {
	case search.NotEqual:
		return v != n
	case search.Less:
		return v < n
	case search.LessEqual:
		return v <= n
	case search.Greater:
		return v > n
	case search.GreaterEqual:
		return v >= n
	}
	return v == n
}

func textPasses(v string, c search.Comparison) bool {
	switch c.Op {
	case search.NotEqual:
		return v != c.Text
	case search.In:
		return slices.Contains(c.List, v)
	case search.NotIn:
		return !slices.Contains(c.List, v)
	case search.Like:
		return alike([]rune(v), []rune(c.Text))
	case search.ILike:
		return alike([]rune(lower(v)), []rune(lower(c.Text)))
	}
	return v == c.Text
}

// lower takes the case from ASCII alone, as both engines do.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

func alike(v, pattern []rune) bool {
	if len(pattern) == 0 {
		return len(v) == 0
	}
	if pattern[0] == '%' {
		return alike(v, pattern[1:]) || len(v) > 0 && alike(v[1:], pattern)
	}
	return len(v) > 0 && (pattern[0] == '_' || pattern[0] == v[0]) && alike(v[1:], pattern[1:])
}
