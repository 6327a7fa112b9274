// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/fault"
	"flyball/unit"
)

// fewest are the rows with a label from which a model file is suggested.
const fewest = 50

// Suggestion is a first model file for a table.
type Suggestion struct {
	File  string // YAML with comments; Parse reads it, Check finds only that duties are missing
	Model Model  // the same as settings, without defaults
	Left  []Left // the columns left out, in the order of the table
}

// Left is a column that the suggested model does not use, and why.
type Left struct{ Column, Reason string }

// Suggest writes a model file for the table that predicts the column predict. source
// is the name of the table's file; the model is named after it. What the columns hold
// decides, not what they are called. It looks at no more than 200,000 rows, spread
// evenly. A column that is absent, that does not vary or has fewer than 50 values is
// an Invalid fault.
func Suggest(source string, f *frame.Frame, predict string) (Suggestion, error) {
	g := &guess{source: source, all: f}
	if err := g.label(predict); err != nil {
		return Suggestion{}, err
	}
	g.roles()
	g.leaks()
	for i := range g.rows.Columns() {
		g.column(&g.rows.Columns()[i])
	}
	if len(g.inputs) == 0 {
		reasons := make([]string, len(g.left))
		for i, l := range g.left {
			reasons[i] = l.Column + " (" + l.Reason + ")"
		}
		return Suggestion{}, fault.New(fault.Invalid, "no column is left to learn from: %s", strings.Join(reasons, "; "))
	}
	text := g.write()
	parsed, err := Parse(source+".yaml", []byte(text))
	if err != nil {
		return Suggestion{}, fault.Wrap(err, fault.Internal, "the suggested file cannot be read back")
	}
	for _, p := range Check(parsed.Model.WithDefaults(), nil) {
		if !p.Warning {
			return Suggestion{}, fault.New(fault.Internal, "the suggested file does not hold: %s", p.Text)
		}
	}
	return Suggestion{File: text, Model: *parsed.Model, Left: g.left}, nil
}

// guess is what is known of a table while its file is made.
type guess struct {
	source string
	all    *frame.Frame
	rows   *frame.Frame // those with a label, thinned out
	target string
	kind   dataset.Kind
	why    string    // the kind
	y      []float64 // labels; of classes, their index
	n      int       // classes

	id, time       string
	later          []string // columns of times after the moment of asking
	dueAt, knownAt string
	ordered        bool          // the rows stand in the order of time
	span           time.Duration // of time
	clock          bool          // times have hours

	reasons map[string]string // why a column is left out
	left    []Left
	inputs  []frame.Field
	hot     []string // texts with few values
	ranked  []string // texts with many
	cuts    []string // columns to look at by slice
}

func (g *guess) label(predict string) error {
	c := g.all.Column(predict)
	if c == nil {
		var names []string
		for _, f := range g.all.Fields() {
			names = append(names, f.Name)
		}
		e := fault.New(fault.Invalid, "%s has no column %q", g.source, predict)
		if near := unit.Nearest(predict, names); near != "" {
			return e.Do("did you mean %q?", near)
		}
		return e.Do("it has %s", unit.List(names[:min(len(names), 40)]))
	}
	var have []int
	for i := range c.Len() {
		if !c.Missing(i) && !(c.Kind == frame.Number && math.IsInf(c.Num[i], 0)) {
			have = append(have, i)
		}
	}
	if len(have) < fewest {
		return fault.New(fault.Invalid, "column %q has %d values; a model needs at least %d, and a judgement some hundreds", predict, len(have), fewest)
	}
	if most := 200_000; len(have) > most {
		thin := make([]int, most)
		for i := range thin {
			thin[i] = have[i*len(have)/most]
		}
		have = thin
	}
	g.rows, g.target, g.reasons = g.all.Take(have), predict, map[string]string{}
	return g.kindOf(g.rows.Column(predict))
}

// kindOf says what kind of prediction the label asks for.
func (g *guess) kindOf(c *frame.Column) error {
	values := distinct(c)
	switch {
	case c.Kind == frame.Time:
		return fault.New(fault.Invalid, "column %q holds times, which no model here predicts", c.Name).Do("predict a number of days or hours instead")
	case len(values) < 2:
		return fault.New(fault.Invalid, "column %q always holds %q; there is nothing to predict", c.Name, c.Format(0))
	case c.Kind == frame.Text && len(values) > 100:
		return fault.New(fault.Invalid, "column %q is text with %d different values; that is not a set of classes", c.Name, len(values))
	}
	if c.Kind == frame.Number {
		whole := wholes(c.Num)
		lowest, highest := slices.Min(c.Num), slices.Max(c.Num)
		switch codes := whole && len(values) <= 10 && highest-lowest == float64(len(values)-1) && (lowest == 0 || lowest == 1); {
		case len(values) == 2 && lowest == 0 && highest == 1:
			g.kind, g.why, g.y = dataset.Binary, "the column holds 0 and 1", c.Num
			return nil
		case len(values) > 2 && !codes:
			g.kind, g.why, g.y = dataset.Regression, "the column holds numbers", c.Num
			return nil
		}
	}
	g.kind, g.why = dataset.Multiclass, "the column holds a few values, taken as names; for quantities write regression"
	if len(values) == 2 {
		g.why = "two values, taken as names; for binary write them as 0 and 1"
	}
	g.y, g.n = codes(c), len(values)
	return nil
}

// distinct are the different values of a column and how often each stands; missing
// ones are not among them.
func distinct(c *frame.Column) map[string]int {
	out := map[string]int{}
	for i := range c.Len() {
		if !c.Missing(i) {
			out[c.Format(i)]++
		}
	}
	return out
}

// codes numbers the values of a column in the order in which they first stand;
// a missing value is a value of its own.
func codes(c *frame.Column) []float64 {
	of, out := map[string]int{}, make([]float64, c.Len())
	for i := range out {
		key := c.Format(i)
		if c.Missing(i) {
			key = "\x00missing"
		}
		if _, ok := of[key]; !ok {
			of[key] = len(of)
		}
		out[i] = float64(of[key])
	}
	return out
}

func wholes(v []float64) bool {
	for _, x := range v {
		if x != math.Trunc(x) {
			return false
		}
	}
	return true
}

// roles finds the key of a row and the times.
func (g *guess) roles() {
	var times []*frame.Column
	for i := range g.rows.Columns() {
		c := &g.rows.Columns()[i]
		if c.Kind == frame.Time && c.Name != g.target && complete(g.all.Column(c.Name)) {
			times = append(times, c)
		}
	}
	g.asked(times)
	for i := range g.rows.Columns() {
		if c := &g.rows.Columns()[i]; c.Name != g.target && g.key(g.all.Column(c.Name)) {
			g.id = c.Name
			if c.Kind != frame.Time {
				break // a key proper is better than a time that does not repeat
			}
		}
	}
}

func complete(c *frame.Column) bool {
	for i := range c.Len() {
		if c.Missing(i) {
			return false
		}
	}
	return true
}

// key reports whether a column names rows: a text or the event time without
// repetition, or whole numbers that count.
func (g *guess) key(c *frame.Column) bool {
	n := c.Len()
	if !complete(c) || len(distinct(c)) != n {
		return false
	}
	switch c.Kind {
	case frame.Time:
		return c.Name == g.time
	case frame.Number:
		return wholes(c.Num) && slices.Max(c.Num)-slices.Min(c.Num) == float64(n-1)
	}
	return true
}

// asked chooses the time at which the prediction is asked: the column that is never
// after another, or else the first by which the rows are ordered, or else the first.
func (g *guess) asked(times []*frame.Column) {
	if len(times) == 0 {
		return
	}
	slices.SortStableFunc(times, func(a, b *frame.Column) int { return -cmp.Compare(rank(a, times), rank(b, times)) })
	t := times[0]
	g.time, g.ordered = t.Name, slices.IsSorted(t.Time)
	g.span = time.Duration(slices.Max(t.Time)-slices.Min(t.Time)) * time.Microsecond
	for _, at := range t.Time {
		g.clock = g.clock || at%(24*time.Hour).Microseconds() != 0
	}
	var after []*frame.Column
	for _, o := range times[1:] {
		if never(t, o) && !slices.Equal(t.Time, o.Time) {
			after = append(after, o)
			g.later = append(g.later, o.Name)
		}
	}
	if len(after) == 2 { // one bounds the other: what is due bounds what is known
		a, b := after[0], after[1]
		switch {
		case slices.Equal(a.Time, b.Time):
		case never(a, b):
			g.knownAt, g.dueAt = a.Name, b.Name
		case never(b, a):
			g.knownAt, g.dueAt = b.Name, a.Name
		}
	}
}

// never reports whether a is never after b.
func never(a, b *frame.Column) bool {
	for i := range a.Time {
		if a.Time[i] > b.Time[i] {
			return false
		}
	}
	return true
}

func rank(c *frame.Column, times []*frame.Column) int {
	points := 0
	for _, o := range times {
		if o != c && never(c, o) {
			points += 2
		}
	}
	if slices.IsSorted(c.Time) {
		points++
	}
	return points
}

// column decides what becomes of a column.
func (g *guess) column(c *frame.Column) {
	reason := g.reasons[c.Name]
	switch {
	case c.Name == g.target:
		return
	case c.Name == "":
		reason = "it has no name"
	case c.Name == g.id && c.Name == g.time:
		reason = "key and time of a row"
	case c.Name == g.id:
		reason = "key of a row"
	case c.Name == g.dueAt, c.Name == g.knownAt:
		reason = "time of the truth"
	case c.Name == g.time && g.ordered && reason == "":
		g.inputs = append(g.inputs, c.Field)
		return
	case c.Name == g.time:
		reason = cmp.Or(reason, "time of a row")
	case c.Kind == frame.Time:
		reason = cmp.Or(reason, "a moment does not come again; take parts of it with a datetime step if it is known when asked")
	}
	if reason == "" {
		reason = g.use(c)
	}
	if reason != "" {
		g.left = append(g.left, Left{c.Name, reason})
		return
	}
	g.inputs = append(g.inputs, c.Field)
}

// use takes a column as an input, or says why not.
func (g *guess) use(c *frame.Column) string {
	values, n := distinct(c), c.Len()
	have := 0
	least := n
	for _, count := range values {
		have += count
		least = min(least, count)
	}
	switch {
	case have == 0:
		return "no value"
	case len(values) == 1 && have == n:
		return "always the same"
	case c.Kind == frame.Number:
		if len(values) == have && have == n && wholes(c.Num) && slices.Max(c.Num)-slices.Min(c.Num) == float64(n-1) {
			return "counts the rows"
		}
		return ""
	case len(values) <= 20:
		g.hot = append(g.hot, c.Name)
		if len(values) <= 8 && least >= 100 && have == n && len(g.cuts) < 3 {
			g.cuts = append(g.cuts, c.Name)
		}
	case len(values) <= have/10:
		g.ranked = append(g.ranked, c.Name)
	default:
		return "text with " + grouped(len(values)) + " different values in " + grouped(have) + " rows; too few rows of each to learn from"
	}
	return ""
}
