// SPDX-License-Identifier: Apache-2.0

// Package dependence measures how the answers of a model follow each of its columns:
// the mean score over a sample of rows when one column has this value in all of them
// (partial dependence; Friedman 2001, "Greedy function approximation", §8.2), and how
// much single rows differ in that (the quantiles of individual conditional expectation
// curves; Goldstein et al. 2015). It is measured when a version is made, and kept with
// it. It says what moves the model, not the world; columns that go together are moved
// apart all the same, to rows that cannot be.
package dependence

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"slices"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/model"
	"flyball/stat"
)

// FileName is the file's name in a bundle; docs/formats/bundle.md describes it.
const FileName = "dependence.json"

// Format is the first key of the file.
const Format = "flyball.dependence/v1"

const (
	sampled = 128 // rows
	grid    = 20  // values of a column
	columns = 512 // at most, the first ones
)

// Model is what is measured. *model.Bundle is one.
type Model interface {
	// Predict scores rows that have the columns of Inputs.
	Predict(ctx context.Context, rows *frame.Frame) (model.Scores, error)
	Inputs() []frame.Field
}

// Table is how the scores follow each column.
type Table struct {
	Format  string  `json:"format"`
	Rows    int     `json:"rows"`    // over which each mean is taken
	Outputs int     `json:"outputs"` // scores a row
	Curves  []Curve `json:"curves"`  // the column that moves the scores most first
}

// Curve is one column.
type Curve struct {
	Column string     `json:"column"`
	Kind   frame.Kind `json:"kind"`
	Moves  float64    `json:"moves"`  // the highest mean less the lowest, of the output in which they are furthest apart
	Points []Point    `json:"points"` // numbers rising, texts the most frequent first; last that nothing stands there, where that occurs
}

// Point is the scores where the column has one value. The slices have an element for
// each output.
type Point struct {
	Value json.RawMessage `json:"value"` // as a request has it; null: missing
	Mean  []float64       `json:"mean"`
	Low   []float64       `json:"low"`  // a tenth of the rows score less
	High  []float64       `json:"high"` // a tenth score more
}

// Measure is the table of a model over the rows, at most 128 of them, taken evenly; the
// values of a column are its quantiles, or its 20 most frequent texts, among all rows.
// Times are left out. The same model and rows give the same table. It fails where the
// model does not score the rows.
func Measure(ctx context.Context, m Model, rows *frame.Frame) (Table, error) {
	out := Table{Format: Format, Curves: []Curve{}}
	inputs := m.Inputs()
	names := make([]string, len(inputs))
	for i, in := range inputs {
		names[i] = in.Name
	}
	all, err := rows.Select(names...)
	if err != nil {
		return out, err
	}
	some := thinned(all, sampled)
	if out.Rows = some.Rows(); out.Rows == 0 {
		return out, nil
	}
	for k := range some.Columns()[:min(len(names), columns)] {
		if some.Columns()[k].Kind == frame.Time {
			continue
		}
		c, outputs, err := curve(ctx, m, &all.Columns()[k], some, k)
		if err != nil {
			return out, err
		}
		out.Outputs = max(out.Outputs, outputs)
		out.Curves = append(out.Curves, c)
	}
	slices.SortStableFunc(out.Curves, func(a, b Curve) int { return cmp.Compare(b.Moves, a.Moves) })
	return out, nil
}

// thinned is at most n of the rows, taken evenly.
func thinned(f *frame.Frame, n int) *frame.Frame {
	if f.Rows() <= n {
		return f
	}
	at := make([]int, n)
	for i := range at {
		at[i] = i * f.Rows() / n
	}
	return f.Take(at)
}

// curve scores the rows with each of the values in column k.
func curve(ctx context.Context, m Model, whole *frame.Column, some *frame.Frame, k int) (Curve, int, error) {
	out := Curve{Column: whole.Name, Kind: whole.Kind}
	outputs := 0
	for _, at := range values(whole) {
		one := frame.WithRows(whole.Len(), *whole).Take(slices.Repeat([]int{at}, some.Rows())).Columns()[0]
		cols := slices.Clone(some.Columns())
		cols[k] = one
		got, err := m.Predict(ctx, frame.WithRows(some.Rows(), cols...))
		if err != nil {
			return out, 0, err
		}
		outputs = got.Outputs
		out.Points = append(out.Points, pointOf(&one, got))
	}
	for o := range outputs {
		low, high := math.Inf(1), math.Inf(-1)
		for _, p := range out.Points {
			low, high = min(low, p.Mean[o]), max(high, p.Mean[o])
		}
		out.Moves = max(out.Moves, high-low)
	}
	return out, outputs, nil
}

func pointOf(c *frame.Column, got model.Scores) Point {
	p := Point{Value: json.RawMessage("null")}
	if !c.Missing(0) {
		var v any = c.Format(0)
		if c.Kind == frame.Number {
			v = c.Num[0]
		}
		if b, err := json.Marshal(v); err == nil { // an infinity has no JSON
			p.Value = b
		}
	}
	n := len(got.Values) / got.Outputs
	for o := range got.Outputs {
		v, sum := make([]float64, n), 0.0
		for i := range v {
			v[i] = got.Values[i*got.Outputs+o]
			sum += v[i]
		}
		slices.Sort(v)
		p.Mean = append(p.Mean, sum/float64(n))
		p.Low, p.High = append(p.Low, stat.Quantile(v, 0.1)), append(p.High, stat.Quantile(v, 0.9))
	}
	return p
}

// values are rows that hold the values to be tried.
func values(c *frame.Column) []int {
	var known []int
	missing := -1
	for i := range c.Len() {
		switch {
		case c.Missing(i):
			missing = i
		case c.Kind == frame.Number && math.IsInf(c.Num[i], 0):
		default:
			known = append(known, i)
		}
	}
	var out []int
	if c.Kind == frame.Number {
		out = quantiles(c, known)
	} else {
		out = frequent(c, known)
	}
	if missing >= 0 {
		out = append(out, missing)
	}
	return out
}

// quantiles are rows with the column's quantiles, each value once, rising.
func quantiles(c *frame.Column, rows []int) []int {
	slices.SortStableFunc(rows, func(a, b int) int { return cmp.Compare(c.Num[a], c.Num[b]) })
	distinct := slices.CompactFunc(slices.Clone(rows), func(a, b int) bool { return c.Num[a] == c.Num[b] })
	if len(distinct) <= grid {
		return distinct
	}
	var out []int
	for q := range grid {
		out = append(out, rows[q*(len(rows)-1)/(grid-1)])
	}
	return slices.CompactFunc(out, func(a, b int) bool { return c.Num[a] == c.Num[b] })
}

// frequent are rows with the most frequent texts, in that order.
func frequent(c *frame.Column, rows []int) []int {
	count, first := map[string]int{}, map[string]int{}
	for _, i := range rows {
		if count[c.Text[i]]++; count[c.Text[i]] == 1 {
			first[c.Text[i]] = i
		}
	}
	words := make([]string, 0, len(count))
	for w := range count {
		words = append(words, w)
	}
	slices.SortFunc(words, func(a, b string) int { return cmp.Or(count[b]-count[a], cmp.Compare(a, b)) })
	var out []int
	for _, w := range words[:min(len(words), grid)] {
		out = append(out, first[w])
	}
	return out
}

// Describe is the table of a bundle over the rows, as a file of it, for model.Parts. A
// model that does not score the rows gets none.
func Describe(rows *frame.Frame) func(ctx context.Context, b *model.Bundle) ([]model.File, error) {
	return func(ctx context.Context, b *model.Bundle) ([]model.File, error) {
		t, err := Measure(ctx, b, rows)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			return nil, nil
		}
		raw, err := json.Marshal(t)
		if err != nil { // a score that is no number has no JSON
			return nil, nil
		}
		return []model.File{{Name: FileName, Bytes: append(raw, '\n')}}, nil
	}
}

// Decode reads the file. The error is an Invalid fault.
func Decode(raw []byte) (t Table, err error) {
	if err := json.Unmarshal(raw, &t); err != nil || t.Format != Format {
		return Table{}, fault.New(fault.Invalid, "%s is not one that this version reads", FileName)
	}
	for _, c := range t.Curves {
		for _, p := range c.Points {
			if len(p.Mean) != t.Outputs || len(p.Low) != t.Outputs || len(p.High) != t.Outputs {
				return Table{}, fault.New(fault.Invalid, "%s: %s has points of another number of outputs than %d", FileName, c.Column, t.Outputs)
			}
		}
	}
	return t, nil
}
