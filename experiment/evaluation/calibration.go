// SPDX-License-Identifier: Apache-2.0

package evaluation

import (
	"cmp"
	"math"
	"slices"

	"flyball/data/dataset"
	"flyball/stat"
)

// Tenths numbers rows by their score, the lowest tenth 0, the highest 9. Rows with the
// same score stand in the same tenth, so that a tenth may be empty.
func Tenths(score []float64) []int {
	order, tenth := make([]int, len(score)), make([]int, len(score))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(score[a], score[b]) })
	for k, i := range order {
		tenth[i] = 10 * k / len(score)
		if k > 0 && score[i] == score[order[k-1]] {
			tenth[i] = tenth[order[k-1]]
		}
	}
	return tenth
}

// claims are what a role's scores claim of the rows, and whether it is so: the chance of a
// yes, or, of several classes, that the one with the highest score is the true one.
func (s Sample) claims(role string) (score, truth []float64) {
	if s.Kind != dataset.Multiclass {
		return s.Scores[role], s.Truth
	}
	k := s.width()
	score, truth = make([]float64, len(s.Truth)), make([]float64, len(s.Truth))
	for i, y := range s.Truth {
		row := s.Scores[role][i*k : (i+1)*k]
		best := 0
		for c, p := range row {
			if p > row[best] {
				best = c
			}
		}
		if score[i] = row[best]; float64(best) == y {
			truth[i] = 1
		}
	}
	return score, truth
}

// calibration is the expected calibration error: how far the mean score lies from the
// share of what is so, in the mean over the tenths of the scores.
func (s Sample) calibration(role string, d stat.Draws) statistic {
	score, truth := s.claims(role)
	tenth, off := Tenths(score), make([]float64, len(score))
	for i, v := range score {
		off[i] = s.weight(i) * (v - truth[i])
	}
	return statistic{of: func(times []float64) float64 {
		var sum [10]float64
		n := 0.0
		for i, g := range d.Of {
			t := times[g]
			sum[tenth[i]] += t * off[i]
			n += t * s.weight(i)
		}
		total := 0.0
		for _, v := range sum {
			total += math.Abs(v)
		}
		return total / n
	}}
}

// luck is what chance adds to the expected calibration error: the distance of a tenth from
// what is so is never below zero, so that even a score without fault has some, and the more
// the fewer rows there are. How much depends on the true distance, which is not known; so
// it is a least and a most.
type luck struct{ least, most float64 }

// luck takes each tenth's sum for normal. Its distance is on average that of the folded
// normal distribution: the least luck is at the distance that was seen, the most at one
// standard error less.
func (s Sample) luck(role string, d stat.Draws) luck {
	score, truth := s.claims(role)
	tenth := Tenths(score)
	var sums, weights [10]float64
	n := 0.0
	for i, v := range score {
		w := s.weight(i)
		sums[tenth[i]] += w * (v - truth[i])
		weights[tenth[i]] += w
		n += w
	}
	rest := make([][10]float64, d.Count) // the draws' residuals
	for i, v := range score {
		k := tenth[i]
		rest[d.Of[i]][k] += s.weight(i) * (v - truth[i] - sums[k]/weights[k])
	}
	var out luck
	for k, sum := range sums {
		square := 0.0
		for _, r := range rest {
			square += r[k] * r[k]
		}
		sd, seen := math.Sqrt(square)/n, math.Abs(sum)/n
		out.least += folded(seen, sd)
		out.most += folded(max(0, seen-sd), sd)
	}
	return out
}

// folded is by how much the mean distance from zero of a normal variable exceeds the
// distance of its mean.
func folded(mean, sd float64) float64 {
	if sd == 0 {
		return 0
	}
	z := mean / sd
	return sd*math.Sqrt(2/math.Pi)*math.Exp(-z*z/2) + mean*(math.Erf(z/math.Sqrt2)-1)
}
