// SPDX-License-Identifier: Apache-2.0

package evaluation

import (
	"cmp"
	"math"
	"slices"

	"flyball/stat"
)

// highest is the precision or the recall among the k rows with the highest scores, as
// they count. Of rows that tie at the border each is taken in part, which is the mean
// over all ways to break the tie; so is a row that a share of the rows cuts. More than
// there are cannot be told.
func (s Sample) highest(t term, score []float64, d stat.Draws) statistic {
	n := len(s.Truth)
	order, whole := make([]int, n), 0.0
	for i := range order {
		order[i] = i
		whole += s.weight(i)
	}
	share := t.at
	if !t.share {
		share /= whole
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(score[b], score[a]) })
	sizes, positives := make([]float64, d.Count), make([]float64, d.Count) // of the draws
	for i, g := range d.Of {
		sizes[g] += s.weight(i)
		if s.Truth[i] > 0.5 {
			positives[g] += s.weight(i)
		}
	}
	return statistic{of: func(times []float64) float64 {
		if share > 1+1e-12 {
			return math.NaN()
		}
		rows, positive := 0.0, 0.0
		for g, c := range times {
			rows += c * sizes[g]
			positive += c * positives[g]
		}
		k := share * rows
		hits := s.hits(order, score, d, times, k)
		if t.name == "precision_at_k" {
			return hits / k
		}
		return hits / positive
	}}
}

// hits is how many positives lie among the first k rows of the order.
func (s Sample) hits(order []int, score []float64, d stat.Draws, times []float64, k float64) float64 {
	before, hits := 0.0, 0.0
	for at := 0; at < len(order) && before < k; {
		in, yes, tie := 0.0, 0.0, score[order[at]]
		for ; at < len(order) && score[order[at]] == tie; at++ {
			c := times[d.Of[order[at]]] * s.weight(order[at])
			in += c
			if s.Truth[order[at]] > 0.5 {
				yes += c
			}
		}
		if in > 0 {
			hits += yes * min(1, (k-before)/in)
		}
		before += in
	}
	return hits
}
