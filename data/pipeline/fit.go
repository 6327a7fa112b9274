// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"math"
	"slices"
	"sort"
	"strings"

	"flyball/data/frame"
	"flyball/fault"
)

// fit learns a step from the training rows, in the order of the rows.
func (s *step) fit(b *batch) (state, error) {
	var st state
	for k, in := range s.in {
		v := b.slots[in.slot]
		switch s.spec.Op {
		case "impute":
			if err := s.fitImpute(&st, k, v); err != nil {
				return st, err
			}
		case "scale":
			center, scale := fitScale(s.spec.Strategy, present(v.num))
			st.Center, st.Scale = append(st.Center, center), append(st.Scale, scale)
		case "one_hot", "ordinal":
			kept, rare := s.fitCategories(v.text)
			st.Kept, st.Rare = append(st.Kept, kept), append(st.Rare, rare)
		case "bucketize":
			edges := slices.Clone(s.spec.Edges)
			if s.spec.Bins > 0 {
				edges = fitEdges(s.spec.Strategy, s.spec.Bins, present(v.num))
			}
			st.Edges = append(st.Edges, edges)
		}
	}
	return st, nil
}

// present are the values that are there, in order.
func present(v []float64) []float64 {
	out := make([]float64, 0, len(v))
	for _, x := range v {
		if !math.IsNaN(x) {
			out = append(out, x)
		}
	}
	return out
}

// fitImpute learns the value that stands for a missing one; the state's Fill and
// Words both get a place for every column, so that positions agree.
func (s *step) fitImpute(st *state, k int, v values) error {
	name := s.in[k].Name
	fill, word := 0.0, ""
	switch {
	case s.in[k].Kind == frame.Text:
		switch s.spec.Strategy {
		case "constant":
			w, ok := s.spec.Value.(string)
			if !ok {
				return fault.New(fault.Invalid, "impute: the value for the text column %q is not a text", name)
			}
			word = w
		case "most_frequent":
			counts := countText(v.text)
			if len(counts) == 0 {
				return fault.New(fault.Invalid, "impute: column %q has no value at all", name)
			}
			word = counts[0].value
		default:
			return fault.New(fault.Invalid, "impute: %q is text and has no mean or median", name).Do("use strategy: most_frequent or constant")
		}
	case s.spec.Strategy == "constant":
		x, ok := toNumber(s.spec.Value)
		if !ok {
			return fault.New(fault.Invalid, "impute: the value for the number column %q is not a number", name)
		}
		fill = x
	default:
		have := present(v.num)
		if len(have) == 0 {
			return fault.New(fault.Invalid, "impute: column %q has no value at all", name)
		}
		fill = fitFill(s.spec.Strategy, have)
	}
	st.Fill, st.Words = append(st.Fill, fill), append(st.Words, word)
	return nil
}

func toNumber(v any) (float64, bool) {
	switch x := v.(type) {
	case float64:
		return x, !math.IsNaN(x) && !math.IsInf(x, 0)
	case int:
		return float64(x), true
	case int64:
		return float64(x), true
	case uint64:
		return float64(x), true
	}
	return 0, false
}

func fitFill(strategy string, have []float64) float64 {
	switch strategy {
	case "median":
		return quantile(sorted(have), 0.5)
	case "most_frequent":
		v := sorted(have)
		best, run, most := v[0], 0, 0
		for i, x := range v {
			if i > 0 && x == v[i-1] {
				run++
			} else {
				run = 1
			}
			if run > most {
				best, most = x, run
			}
		}
		return best
	}
	return meanOf(have)
}

func sorted(v []float64) []float64 {
	out := slices.Clone(v)
	sort.Float64s(out)
	return out
}

// meanOf adds in chunks of 64k and then the chunks, so that the error stays small.
func meanOf(v []float64) float64 {
	total := 0.0
	for c := range slices.Chunk(v, 1<<16) {
		sum := 0.0
		for _, x := range c {
			sum += x
		}
		total += sum
	}
	return total / float64(len(v))
}

// quantile is numpy's linear interpolation over sorted values.
func quantile(v []float64, q float64) float64 {
	at := q * float64(len(v)-1)
	k := int(at)
	if k+1 >= len(v) {
		return v[len(v)-1]
	}
	return v[k] + float64((at-float64(k))*(v[k+1]-v[k]))
}

// fitScale is scikit-learn's StandardScaler (ddof 0), MinMaxScaler and
// RobustScaler; a scale of zero is one. Without values nothing is scaled.
func fitScale(strategy string, have []float64) (center, scale float64) {
	if len(have) == 0 {
		return 0, 1
	}
	switch strategy {
	case "minmax":
		center = slices.Min(have)
		scale = slices.Max(have) - center
	case "robust":
		v := sorted(have)
		center = quantile(v, 0.5)
		scale = quantile(v, 0.75) - quantile(v, 0.25)
	default:
		center = meanOf(have)
		squares := make([]float64, len(have))
		for i, x := range have {
			squares[i] = float64((x - center) * (x - center))
		}
		scale = math.Sqrt(meanOf(squares))
	}
	if scale == 0 || math.IsInf(scale, 0) || math.IsNaN(scale) {
		scale = 1
	}
	return center, scale
}

// fitEdges are the inner edges of bins by quantile (repeated edges once) or of equal
// width.
func fitEdges(strategy string, bins int, have []float64) []float64 {
	if len(have) == 0 {
		return []float64{}
	}
	v := sorted(have)
	edges := make([]float64, 0, bins-1)
	for k := 1; k < bins; k++ {
		share := float64(k) / float64(bins)
		e := quantile(v, share)
		if strategy == "uniform" {
			e = v[0] + float64(share*(v[len(v)-1]-v[0]))
		}
		if e > v[0] && (len(edges) == 0 || e > edges[len(edges)-1]) {
			edges = append(edges, e)
		}
	}
	return edges
}

type counted struct {
	value string
	n     int
}

// countText counts the values, the most frequent first, ties by value.
func countText(c *frame.Column) []counted {
	counts := map[string]int{}
	for i, s := range c.Text {
		if !c.Missing(i) {
			counts[s]++
		}
	}
	out := make([]counted, 0, len(counts))
	for v, n := range counts {
		out = append(out, counted{v, n})
	}
	slices.SortFunc(out, func(a, b counted) int {
		if a.n != b.n {
			return b.n - a.n
		}
		return strings.Compare(a.value, b.value)
	})
	return out
}

// fitCategories are the categories with a place of their own, in their order, and
// those too rare for one.
func (s *step) fitCategories(c *frame.Column) (kept, rare []string) {
	kept, rare = []string{}, []string{}
	for _, v := range countText(c) {
		if v.n >= s.spec.AtLeast {
			kept = append(kept, v.value)
		} else {
			rare = append(rare, v.value)
		}
	}
	if s.spec.Op == "one_hot" || s.spec.By != "frequency" {
		slices.Sort(kept)
	}
	slices.Sort(rare)
	return kept, rare
}

// learn takes over what was learned, whether just now or from a file, and checks
// that it fits the step.
func (s *step) learn(st state) error {
	s.state = st
	n := len(s.in)
	want := func(have int, what string) error {
		if have != n {
			return fault.New(fault.Invalid, "it learned %d %s for %d columns", have, what, n)
		}
		return nil
	}
	switch s.spec.Op {
	case "impute":
		if st.Fill == nil && st.Words == nil && st.Kept != nil { // a plan without a fit
			return nil
		}
		if err := want(len(st.Fill), "values"); err != nil {
			return err
		}
		return want(len(st.Words), "words")
	case "scale":
		if st.Center == nil && st.Kept != nil {
			return nil
		}
		if err := want(len(st.Center), "centers"); err != nil {
			return err
		}
		return want(len(st.Scale), "scales")
	case "bucketize":
		if st.Edges == nil && st.Kept != nil {
			return nil
		}
		return want(len(st.Edges), "lists of edges")
	case "one_hot", "ordinal":
		if err := want(len(st.Kept), "lists of categories"); err != nil {
			return err
		}
		if err := want(len(st.Rare), "lists of rare categories"); err != nil {
			return err
		}
		return s.index()
	}
	return nil
}

// index makes the maps from a category to its place; the rare share the last.
func (s *step) index() error {
	s.maps = make([]map[string]int, len(s.in))
	for k := range s.in {
		m := make(map[string]int, len(s.state.Kept[k])+len(s.state.Rare[k]))
		for i, c := range s.state.Kept[k] {
			m[c] = i
		}
		for _, c := range s.state.Rare[k] {
			m[c] = len(s.state.Kept[k])
		}
		if len(m) != len(s.state.Kept[k])+len(s.state.Rare[k]) {
			return fault.New(fault.Invalid, "a category of %q stands twice", s.in[k].Name)
		}
		s.maps[k] = m
	}
	return nil
}
