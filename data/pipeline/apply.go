// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"math"
	"sort"
	"time"

	"flyball/data/frame"
	"flyball/fault"
)

// apply runs the step over a batch, of one row or of many: there is no other code.
func (s *step) apply(b *batch) error {
	switch s.spec.Op {
	case "select":
		return nil
	case "expr":
		out, err := s.code.run(b)
		b.slots[s.outs[0]].num = out
		return err
	}
	at := 0
	for k, in := range s.in {
		v := b.slots[in.slot]
		switch s.spec.Op {
		case "one_hot":
			at += s.oneHot(b, k, v.text, s.outs[at:])
			continue
		case "datetime":
			at += s.dateParts(b, v.time, s.outs[at:])
			continue
		case "ordinal":
			b.slots[s.outs[at]].num = s.ordinal(b, k, v.text)
		case "impute":
			b.slots[s.outs[at]] = s.impute(k, v)
		case "scale":
			b.slots[s.outs[at]].num = each(v.num, func(x float64) float64 { return (x - s.state.Center[k]) / s.state.Scale[k] })
		case "clip":
			b.slots[s.outs[at]].num = each(v.num, s.clip)
		case "bucketize":
			b.slots[s.outs[at]].num = each(v.num, func(x float64) float64 { return bucket(s.state.Edges[k], x) })
		default:
			return fault.New(fault.Internal, "the operation %q has no kernel", s.spec.Op)
		}
		at++
	}
	return nil
}

func each(v []float64, f func(float64) float64) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = f(x)
	}
	return out
}

func (s *step) impute(k int, v values) values {
	if v.text == nil {
		return values{num: each(v.num, func(x float64) float64 {
			if math.IsNaN(x) {
				return s.state.Fill[k]
			}
			return x
		})}
	}
	c := frame.TextColumn(v.text.Name, make([]string, v.text.Len()), nil)
	for i := range c.Text {
		if c.Text[i] = v.text.Text[i]; v.text.Missing(i) {
			c.Text[i] = s.state.Words[k]
		}
	}
	return values{text: &c}
}

func (s *step) clip(x float64) float64 {
	if s.spec.Min != nil && x < *s.spec.Min {
		return *s.spec.Min
	}
	if s.spec.Max != nil && x > *s.spec.Max {
		return *s.spec.Max
	}
	return x
}

// bucket is how many edges lie at or below x.
func bucket(edges []float64, x float64) float64 {
	if math.IsNaN(x) {
		return x
	}
	return float64(sort.Search(len(edges), func(i int) bool { return edges[i] > x }))
}

// place is the category's place: the last for the rare and the unseen, which are
// told; false where it is missing.
func (s *step) place(b *batch, k, row int, c *frame.Column) (int, bool) {
	if c.Missing(row) {
		return 0, false
	}
	at, ok := s.maps[k][c.Text[row]]
	if !ok {
		b.unseen = append(b.unseen, Unseen{Row: row, Column: s.in[k].Name})
		at = len(s.state.Kept[k])
	}
	return at, true
}

// oneHot writes a column for each kept category and one for all others; a missing
// value is zero in all. It returns how many columns it wrote.
func (s *step) oneHot(b *batch, k int, c *frame.Column, outs []int) int {
	n := len(s.state.Kept[k]) + 1
	all := make([]float64, n*b.n)
	for i := range n {
		b.slots[outs[i]].num = all[i*b.n : (i+1)*b.n]
	}
	for row := range b.n {
		if at, ok := s.place(b, k, row, c); ok {
			all[at*b.n+row] = 1
		}
	}
	return n
}

func (s *step) ordinal(b *batch, k int, c *frame.Column) []float64 {
	out := make([]float64, b.n)
	for row := range out {
		out[row] = nan
		if at, ok := s.place(b, k, row, c); ok {
			out[row] = float64(at)
		}
	}
	return out
}

// dateParts writes the parts of the times, in UTC.
func (s *step) dateParts(b *batch, at []int64, outs []int) int {
	for k, part := range s.spec.Parts {
		out := make([]float64, len(at))
		for i, us := range at {
			if out[i] = nan; us != frame.NoTime {
				out[i] = datePart(time.UnixMicro(us).UTC(), part)
			}
		}
		b.slots[outs[k]].num = out
	}
	return len(s.spec.Parts)
}

func datePart(t time.Time, part string) float64 {
	switch part {
	case "year":
		return float64(t.Year())
	case "month":
		return float64(t.Month())
	case "day":
		return float64(t.Day())
	case "weekday":
		return float64((int(t.Weekday()) + 6) % 7)
	case "hour":
		return float64(t.Hour())
	case "minute":
		return float64(t.Minute())
	}
	return float64(t.YearDay())
}
