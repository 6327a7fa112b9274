// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"flyball/data/frame"
	"flyball/fault"
)

// other is the one_hot column of the categories without one of their own.
const other = "other"

// maxKept is how many columns one_hot makes of one at most: every row pays for them.
const maxKept = 1000

// chunkRows is how many values are added up before the sums are.
const chunkRows = 1 << 16

// epsilon is the distance from 1 to the next float64.
const epsilon = 0x1p-52

// fit learns a step from the training rows. A column is one piece of work and sees
// the rows in their order, so that the workers change nothing.
func (s *step) fit(ctx context.Context, b *batch, o Options) (state, error) {
	n := len(s.in)
	var st state
	var learn func(k int) error
	switch s.op {
	case opImpute:
		st.Fill, st.Words = make([]float64, n), make([]string, n)
		learn = func(k int) (err error) {
			if in := s.in[k]; in.Kind == frame.Text {
				st.Words[k], err = s.fitWord(in, b.words[in.slot])
			} else {
				st.Fill[k], err = s.fitFill(in.Name, b.nums[in.slot])
			}
			return err
		}
	case opScale:
		st.Center, st.Scale = make([]float64, n), make([]float64, n)
		learn = func(k int) error {
			st.Center[k], st.Scale[k] = fitScale(s.spec.Strategy, present(b.nums[s.in[k].slot]))
			return tooLarge(s.in[k].Name, st.Center[k], st.Scale[k])
		}
	case opOneHot, opOrdinal:
		st.Kept, st.Rare = make([][]string, n), make([][]string, n)
		learn = func(k int) error {
			in := s.in[k]
			st.Kept[k], st.Rare[k] = s.fitCategories(countWords(b.words[in.slot], in.fill))
			if c := len(st.Kept[k]); s.op == opOneHot && c > maxKept {
				return fault.New(fault.Invalid, "one_hot: column %q has %d categories, more than %d", in.Name, c, maxKept).
					Do("set at_least, or use ordinal")
			}
			return nil
		}
	case opBucketize:
		st.Edges = make([][]float64, n)
		learn = func(k int) error {
			if s.spec.Bins == 0 {
				st.Edges[k] = slices.Clone(s.spec.Edges)
				return nil
			}
			st.Edges[k] = fitEdges(s.spec.Strategy, s.spec.Bins, present(b.nums[s.in[k].slot]))
			return tooLarge(s.in[k].Name, st.Edges[k]...)
		}
	case opTargetEncode:
		t, err := s.targetOf(b, o)
		if err != nil {
			return st, err
		}
		st.Kept, st.Means = make([][]string, n), make([][][]float64, n)
		b.folded[s] = make([][]float64, n*len(t.of))
		learn = func(k int) error {
			in := s.in[k]
			var codes []int32
			st.Kept[k], codes = codesOf(b.words[in.slot], in.fill)
			for j := range t.of {
				means, folded := t.encode(j, codes, len(st.Kept[k]))
				st.Means[k] = append(st.Means[k], means)
				b.folded[s][k*len(t.of)+j] = folded
				if err := tooLarge("the target", means...); err != nil {
					return err
				}
			}
			return nil
		}
	case opText:
		st.Weights = make([][]float64, n)
		learn = func(k int) error {
			st.Weights[k] = s.fitWeights(b.words[s.in[k].slot], s.in[k].fill)
			return nil
		}
	default:
		return st, nil
	}
	return st, each(ctx, o.Workers, n, learn)
}

// each calls do for 0 to n-1, on as many goroutines as workers says, and returns the
// error of the lowest, or the cause of ctx's end.
func each(ctx context.Context, workers, n int, do func(k int) error) error {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	errs := make([]error, n)
	var next atomic.Int64
	work := func() {
		for k := int(next.Add(1)) - 1; k < n; k = int(next.Add(1)) - 1 {
			if ctx.Err() != nil {
				errs[k] = context.Cause(ctx)
			} else {
				errs[k] = do(k)
			}
		}
	}
	if workers == 1 || n < 2 {
		work()
	} else {
		var wg sync.WaitGroup
		for range min(workers, n) {
			wg.Go(work)
		}
		wg.Wait()
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// tooLarge refuses what was learned of values so large that it is not finite.
func tooLarge(column string, learned ...float64) error {
	for _, x := range learned {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return fault.New(fault.Invalid, "the values of column %q are too large to learn from", column).Do("clip them in a step before")
		}
	}
	return nil
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

func noValue(column string) error {
	return fault.New(fault.Invalid, "impute: column %q has no value at all in the training rows", column).
		Do("use strategy: constant, or leave the column out")
}

func (s *step) fitWord(in column, w words) (string, error) {
	if s.spec.Strategy == "constant" {
		word, _ := s.spec.Value.(string) // checkKind saw that it is one
		return word, nil
	}
	counts := countWords(w, in.fill)
	if len(counts) == 0 {
		return "", noValue(in.Name)
	}
	return counts[0].word, nil
}

func (s *step) fitFill(name string, v []float64) (float64, error) {
	if s.spec.Strategy == "constant" {
		x, _ := toNumber(s.spec.Value)
		return x, nil
	}
	have := present(v)
	if len(have) == 0 {
		return 0, noValue(name)
	}
	fill := 0.0
	switch s.spec.Strategy {
	case "median":
		fill = quantile(sorted(have), 0.5)
	case "most_frequent":
		fill = mostFrequent(sorted(have))
	default:
		fill = meanOf(have)
	}
	return fill, tooLarge(name, fill)
}

// mostFrequent is the value that stands most often in sorted values, the lowest of
// several.
func mostFrequent(v []float64) float64 {
	best, run, most := v[0], 0, 0
	for i, x := range v {
		if i > 0 && x != v[i-1] {
			run = 0
		}
		if run++; run > most {
			best, most = x, run
		}
	}
	return best
}

func sorted(v []float64) []float64 {
	slices.Sort(v)
	return v
}

// meanOf adds in chunks of 64k and then the chunks two by two, so that the error
// stays small and the order is always the same.
func meanOf(v []float64) float64 {
	var sums []float64
	for c := range slices.Chunk(v, chunkRows) {
		sum := 0.0
		for _, x := range c {
			sum += x
		}
		sums = append(sums, sum)
	}
	for len(sums) > 1 {
		half := sums[:0:0]
		for c := range slices.Chunk(sums, 2) {
			half = append(half, c[0]+sum(c[1:]))
		}
		sums = half
	}
	return sum(sums) / float64(len(v))
}

func sum(v []float64) float64 {
	t := 0.0
	for _, x := range v {
		t += x
	}
	return t
}

// quantile is numpy's linear interpolation over sorted values.
func quantile(v []float64, q float64) float64 {
	at := float64(q * float64(len(v)-1)) // rounded here, before k is taken off
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
		for i, x := range have {
			have[i] = (x - center) * (x - center)
		}
		variance, n := meanOf(have), float64(len(have))
		scale = math.Sqrt(variance)
		if lost := n * center * epsilon; variance <= float64(n*epsilon*variance)+float64(lost*lost) {
			scale = 0 // the values are equal but for what rounding leaves; scikit-learn's bound
		}
	}
	if scale == 0 {
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
	word string
	n    int
}

// countWords counts the words, the most frequent first, ties by word.
func countWords(w words, fill *string) []counted {
	counts := map[string]int{}
	for i := range w.text {
		if word, ok := w.at(i, fill); ok {
			counts[word]++
		}
	}
	for word, n := range counts {
		if v := valid(word); v != word {
			delete(counts, word)
			counts[v] += n // the order of the map does not matter: v is not visited as anything else
		}
	}
	out := make([]counted, 0, len(counts))
	for word, n := range counts {
		out = append(out, counted{strings.Clone(word), n}) // the text may be a part of a whole file
	}
	slices.SortFunc(out, func(a, b counted) int {
		if a.n != b.n {
			return b.n - a.n
		}
		return strings.Compare(a.word, b.word)
	})
	return out
}

// fitCategories are the categories with a place of their own, in their order, and
// the others that were met: those too rare for one and, since one_hot's last column
// has that name, the word "other".
func (s *step) fitCategories(counts []counted) (kept, rare []string) {
	kept, rare = []string{}, []string{}
	for _, c := range counts {
		if c.n >= s.spec.AtLeast && (s.op != opOneHot || c.word != other) {
			kept = append(kept, c.word)
		} else {
			rare = append(rare, c.word)
		}
	}
	if s.byValue() {
		slices.Sort(kept)
	}
	slices.Sort(rare)
	return kept, rare
}

// byValue reports whether the kept categories are in the order of their values.
func (s *step) byValue() bool { return s.op == opOneHot || s.spec.By != "frequency" }
