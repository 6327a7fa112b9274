// SPDX-License-Identifier: Apache-2.0

package unusual

import (
	"math"
	"slices"
	"sort"
)

// Confidence tells which answers are not sure, by split-conformal prediction on rows
// that the model had not seen.
//
// For classes: those whose probability is at least 1 − Limit hold the truth in Coverage
// of all rows. An answer is unsure when they are not exactly one. Coverage is 90 %, or as
// much less as it takes that at most one answer in ten is unsure: what is said of every
// second row says nothing.
//
// For numbers: score ± width holds the truth in Coverage of all rows, with a width for
// each bin of scores. An answer is unsure where the width is more than twice that of
// all rows.
type Confidence struct {
	Coverage float64 `json:"coverage"`
	Share    float64 `json:"share"` // of held-out rows that are unsure
	Limit    float64 `json:"limit"` // classes; 0: it is numbers

	Width  float64   `json:"width"`            // numbers: of all rows
	Edges  []float64 `json:"edges,omitempty"`  // numbers: inner edges of the bins, rising; a score that is one is above it
	Widths []float64 `json:"widths,omitempty"` // numbers: of the bins
}

const (
	coverage   = 0.9
	unsureMost = 0.1
	leastHeld  = 100    // rows, for anything to be said
	mostHeld   = 10_000 // rows that are looked at, spread evenly
	leastInBin = 50
)

// Held is how a model did on rows that it had not seen.
type Held struct {
	Classes int       // 0: numbers; 2 with one score a row: binary
	Outputs int       // scores a row
	Scores  []float64 // a row's one after the other
	Truth   []float64 // a row's class from 0, or its number
}

// newConfidence is nil where too little is known, or where no coverage leaves few
// enough answers unsure.
func newConfidence(h Held) *Confidence {
	n := len(h.Truth)
	if n == 0 || h.Outputs <= 0 || len(h.Scores) != n*h.Outputs {
		return nil
	}
	var scores [][]float64
	var truth []float64
	for i := 0; i < n; i += 1 + (n-1)/mostHeld {
		s := h.Scores[i*h.Outputs : (i+1)*h.Outputs]
		if finite(s...) && finite(h.Truth[i]) {
			scores, truth = append(scores, s), append(truth, h.Truth[i])
		}
	}
	if len(truth) < leastHeld {
		return nil
	}
	if h.Classes == 0 {
		return ofNumbers(scores, truth)
	}
	return ofClasses(scores, truth)
}

func ofClasses(scores [][]float64, truth []float64) *Confidence {
	n := len(truth)
	missed := make([]float64, n) // what the truth's probability lacks
	for i, s := range scores {
		p := s[0]
		switch k := int(truth[i]); {
		case len(s) > 1 && k >= 0 && k < len(s):
			p = s[k]
		case len(s) == 1 && truth[i] == 0:
			p = 1 - s[0]
		}
		missed[i] = 1 - p
	}
	slices.Sort(missed)
	most := int(math.Ceil(coverage * float64(n+1)))
	for k := most; k > n/2; k -= max(1, n/256) {
		c := &Confidence{Coverage: round(float64(k) / float64(n+1)), Limit: min(1, max(1e-6, roundUp(missed[k-1])))}
		unsure := 0
		for _, s := range scores {
			if c.Unsure(s) {
				unsure++
			}
		}
		if c.Share = round(float64(unsure) / float64(n)); c.Share <= unsureMost {
			return c
		}
	}
	return nil
}

func ofNumbers(scores [][]float64, truth []float64) *Confidence {
	n := len(truth)
	order := make([]int, n)
	off := make([]float64, n)
	for i, s := range scores {
		order[i], off[i] = i, math.Abs(truth[i]-s[0])
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case scores[a][0] < scores[b][0]:
			return -1
		case scores[a][0] > scores[b][0]:
			return 1
		}
		return 0
	})
	c := &Confidence{Coverage: coverage, Width: width(off)}
	bins := min(maxBins, n/leastInBin)
	for b, from := 0, 0; b < bins; b++ {
		to := (b + 1) * n / bins
		for to < n && scores[order[to]][0] == scores[order[to-1]][0] { // equal scores share a bin
			to++
		}
		if to <= from {
			continue
		}
		in := make([]float64, 0, to-from)
		for _, i := range order[from:to] {
			in = append(in, off[i])
		}
		if from > 0 {
			c.Edges = append(c.Edges, scores[order[from]][0])
		}
		c.Widths = append(c.Widths, width(in))
		if c.Widths[len(c.Widths)-1] > 2*c.Width {
			c.Share += float64(to-from) / float64(n)
		}
		from = to
	}
	c.Share = round(c.Share)
	if !finite(c.Width) || !finite(c.Widths...) {
		return nil
	}
	return c
}

// width is the half-width that holds 90 % of such errors.
func width(off []float64) float64 {
	sorted := slices.Sorted(slices.Values(off))
	k := int(math.Ceil(coverage * float64(len(off)+1)))
	return roundUp(sorted[min(k, len(off))-1])
}

// Unsure reports whether an answer with these scores is not sure.
func (c *Confidence) Unsure(scores []float64) bool {
	if c == nil || len(scores) == 0 {
		return false
	}
	if c.Limit == 0 {
		b := sort.Search(len(c.Edges), func(i int) bool { return c.Edges[i] > scores[0] })
		return b < len(c.Widths) && c.Widths[b] > 2*c.Width
	}
	in := 0
	for _, p := range scores {
		if 1-p <= c.Limit {
			in++
		}
	}
	if len(scores) == 1 && scores[0] <= c.Limit {
		in++
	}
	return in != 1
}

// Apart reports whether two versions' scores of one row lie further apart than the
// truth usually lies from a score, where the scores are numbers; for probabilities of
// one class, on either side of one half.
func (c *Confidence) Apart(a, b float64) bool {
	if c == nil {
		return false
	}
	if c.Limit == 0 {
		return math.Abs(a-b) > c.Width
	}
	return (a > 0.5) != (b > 0.5)
}

func (c *Confidence) holds() bool {
	ok := finite(c.Coverage, c.Share, c.Limit, c.Width) && finite(c.Edges...) && finite(c.Widths...) && slices.IsSorted(c.Edges) &&
		c.Limit >= 0 && c.Limit <= 1 && c.Width >= 0 && len(c.Widths) <= maxBins
	if c.Limit > 0 {
		return ok && len(c.Widths)+len(c.Edges) == 0
	}
	return ok && len(c.Widths) == len(c.Edges)+1
}
