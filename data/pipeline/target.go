// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"math"
	"math/rand/v2"
	"slices"

	"flyball/fault"
)

// defaultFolds is scikit-learn's cv.
const defaultFolds = 5

// folds are what a step makes of the training rows out of fold: a list for each column
// that it makes.
type folds map[*step][][]float64

// target is what the rows are encoded by: one list of numbers, or one a class that
// says which rows are of it.
type target struct {
	of     [][]float64
	fold   []int // of each row
	folds  int
	smooth float64
}

// targetOf checks the target and deals the rows to folds, each class by itself.
func (s *step) targetOf(b *batch, o Options) (target, error) {
	t := target{folds: s.spec.Folds, smooth: s.spec.Smooth}
	if t.folds == 0 {
		t.folds = defaultFolds
	}
	switch {
	case o.Target == nil:
		return t, fault.New(fault.Invalid, "target_encode needs the target, and there is none here").Do("use ordinal or one_hot")
	case len(o.Target) != b.n:
		return t, fault.New(fault.Invalid, "target_encode has %d rows and %d values of the target", b.n, len(o.Target))
	case b.n < t.folds:
		return t, fault.New(fault.Invalid, "target_encode has %d rows, fewer than its %d folds", b.n, t.folds).Do("set folds, or use ordinal")
	case o.Classes > maxKept:
		return t, fault.New(fault.Invalid, "target_encode makes a column for each of %d classes, more than %d", o.Classes, maxKept).Do("use ordinal")
	}
	for i, y := range o.Target {
		if math.IsNaN(y) || math.IsInf(y, 0) || o.Classes > 0 && (y != math.Trunc(y) || y < 0 || y >= float64(o.Classes)) {
			return t, fault.New(fault.Invalid, "row %d: target_encode cannot read the target %g", i, y)
		}
	}
	t.of = [][]float64{o.Target}
	if o.Classes > 2 {
		t.of = make([][]float64, o.Classes)
		for c := range t.of {
			t.of[c] = make([]float64, b.n)
		}
		for i, y := range o.Target {
			t.of[int(y)][i] = 1
		}
	}
	t.deal(o)
	return t, nil
}

// deal shuffles the rows and deals those of each class to the folds in turn.
func (t *target) deal(o Options) {
	r := rand.New(rand.NewPCG(o.Seed, 0x7461726765740000))
	t.fold = make([]int, len(o.Target))
	next := make([]int, max(1, o.Classes))
	for _, row := range r.Perm(len(o.Target)) {
		class := 0
		if o.Classes > 0 {
			class = int(o.Target[row])
		}
		t.fold[row] = next[class] % t.folds
		next[class]++
	}
}

// codesOf are the categories, sorted, and the place of each row's; a missing one has the
// place after the last.
func codesOf(w words, fill *string) (kept []string, codes []int32) {
	kept = []string{}
	for _, c := range countWords(w, fill) {
		kept = append(kept, c.word)
	}
	slices.Sort(kept)
	places := make(map[string]int32, len(kept))
	for i, word := range kept {
		places[word] = int32(i)
	}
	codes = make([]int32, len(w.text))
	for i := range codes {
		codes[i] = int32(len(kept))
		if word, ok := w.at(i, fill); ok {
			at, known := places[word]
			if !known {
				at = places[valid(word)]
			}
			codes[i] = at
		}
	}
	return kept, codes
}

// encode gives the means of the j-th list by all rows (the kept, the unseen, the
// missing), and each row's by the rows of the other folds.
func (t *target) encode(j int, codes []int32, kept int) (means, folded []float64) {
	places, overall := t.means(j, codes, kept+1, -1)
	means = append(append(means, places[:kept]...), overall, places[kept])
	folded = make([]float64, len(codes))
	for f := range t.folds {
		places, _ := t.means(j, codes, kept+1, f)
		for i, code := range codes {
			if t.fold[i] == f {
				folded[i] = places[code]
			}
		}
	}
	return means, folded
}

// means are the encodings of scikit-learn's TargetEncoder (_target_encoder_fast.pyx), by
// all rows but those of the fold: the mean of a category's rows, drawn to the overall mean
// by smooth rows' worth of it or, with smooth "auto", by the ratio of the variances. What
// no row has is the overall mean.
func (t *target) means(j int, codes []int32, places, without int) (out []float64, overall float64) {
	var y []float64
	var at []int32
	for i, v := range t.of[j] {
		if t.fold[i] != without {
			y, at = append(y, v), append(at, codes[i])
		}
	}
	overall = meanOf(y)
	sums, counts, spread := make([]float64, places), make([]float64, places), make([]float64, places)
	for i, code := range at {
		sums[code] += y[i]
		counts[code]++
	}
	if t.smooth > 0 {
		for c := range sums {
			sums[c] = (float64(t.smooth*overall) + sums[c]) / (t.smooth + counts[c])
		}
		return sums, overall
	}
	for c := range sums {
		if counts[c] > 0 {
			sums[c] /= counts[c]
		}
	}
	for i, code := range at {
		d := y[i] - sums[code]
		spread[code] += float64(d * d)
	}
	for i, v := range y {
		y[i] = (v - overall) * (v - overall)
	}
	variance := meanOf(y)
	for c := range sums {
		between := variance * counts[c]
		share := between / (between + spread[c]/counts[c])
		if math.IsNaN(share) { // no rows, or all targets are equal
			sums[c] = overall
		} else {
			sums[c] = float64(share*sums[c]) + float64((1-share)*overall)
		}
	}
	return sums, overall
}

// targetEncode writes the means of each row's category. Rows that the step was fitted on
// have theirs out of fold already.
func (s *step) targetEncode(b *batch) {
	at := 0
	for k := range s.in {
		in := &s.in[k]
		n := len(s.state.Means[k])
		if made := b.folded[s]; made != nil {
			for j := range n {
				copy(b.nums[s.outs[at+j]][:b.n], made[at+j][b.first:])
			}
			at += n
			continue
		}
		words := b.words[in.slot]
		for row := range b.n {
			place := len(s.state.Kept[k]) + 1
			if word, ok := words.at(row, in.fill); ok {
				place = s.place(b, k, row, word)
			}
			for j := range n {
				b.nums[s.outs[at+j]][row] = s.state.Means[k][j][place]
			}
		}
		at += n
	}
}
