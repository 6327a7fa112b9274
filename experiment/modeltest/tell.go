// SPDX-License-Identifier: Apache-2.0

package modeltest

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/fault"
	"flyball/unit"
)

// tiny is what rounding alone may move.
const tiny = 1e-9

// with is what the model scores where the column is another one.
func (r *run) with(ctx context.Context, other frame.Column) ([]float64, error) {
	cols := slices.Clone(r.few.Columns())
	for k := range cols {
		if cols[k].Name == other.Name {
			cols[k] = other
		}
	}
	got, err := r.Model.Predict(ctx, frame.WithRows(r.few.Rows(), cols...))
	return got.Values, err
}

// count judges how many rows hold, and says the first that does not.
func (r *run) count(res *Result, share *dataset.AtLeast, holds func(i int) bool, passed string, failed func(i int) string) {
	first := -1
	res.Rows = r.few.Rows()
	for i := range res.Rows {
		if holds(i) {
			continue
		}
		if res.Failed++; first < 0 {
			first = i
		}
	}
	may := 0.0
	if share != nil {
		may = 1 - float64(share.AtLeast)
	}
	res.Passed = float64(res.Failed) <= may*float64(res.Rows)+tiny
	res.Text = fmt.Sprintf("%s, on %d rows", passed, res.Rows)
	if res.Failed > 0 {
		res.Text = fmt.Sprintf("in %d of %d rows; the first: %s", res.Failed, res.Rows, failed(first))
	}
}

// filled is the column with one value in all rows.
func filled(c frame.Column, text string) (frame.Column, error) {
	n := c.Len()
	switch c.Kind {
	case frame.Number:
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return c, fault.New(fault.Invalid, "%s is a number, and %q is none", c.Name, text)
		}
		return frame.NumberColumn(c.Name, slices.Repeat([]float64{v}, n)), nil
	case frame.Text:
		return frame.TextColumn(c.Name, slices.Repeat([]string{text}, n), nil), nil
	}
	at, err := frame.ParseTime(text)
	if err != nil {
		return c, err
	}
	return frame.TimeColumn(c.Name, slices.Repeat([]int64{at}, n)), nil
}

// emptied is the column with nothing in all rows.
func emptied(c frame.Column) frame.Column {
	n := c.Len()
	switch c.Kind {
	case frame.Number:
		return frame.NumberColumn(c.Name, slices.Repeat([]float64{math.NaN()}, n))
	case frame.Text:
		return frame.TextColumn(c.Name, make([]string, n), slices.Repeat([]bool{true}, n))
	}
	return frame.TimeColumn(c.Name, slices.Repeat([]int64{frame.NoTime}, n))
}

// turned is the column with each row's value taken from the row half of them further
// on: the values of other rows, the same ones each time.
func turned(c frame.Column) frame.Column {
	n := c.Len()
	at := make([]int, n)
	for i := range at {
		at[i] = (i + n/2) % n
	}
	return frame.WithRows(n, c).Take(at).Columns()[0]
}

// between says a value and, where it lies outside the limits, which it passes.
func between(v float64, least, most *Limit) (text string, ok bool) {
	text = number(v)
	switch {
	case math.IsNaN(v):
		return "nothing", false
	case least != nil && v < float64(*least)-tiny:
		return text + ", at least " + number(float64(*least)) + " asked for", false
	case most != nil && v > float64(*most)+tiny:
		return text + ", at most " + number(float64(*most)) + " asked for", false
	}
	return text, true
}

func number(v float64) string { return unit.Fixed(v, unit.Digits(v)) }

func largest(v []float64) float64 {
	out := 0.0
	for _, x := range v {
		out = max(out, x)
	}
	return out
}

// shown is a value in a sentence.
func shown(c *frame.Column, i int) string {
	if c.Missing(i) {
		return "nothing"
	}
	return c.Format(i)
}
