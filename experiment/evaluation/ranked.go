// SPDX-License-Identifier: Apache-2.0

package evaluation

import "math"

// ranked are the rows of two classes in the order of their scores, the highest first.
type ranked struct {
	draw   []int32
	yes    []bool // of the positive class
	last   []bool // of the rows that tie
	weight []float64
}

// ties calls f for each score, from the highest: what the positive and the negative rows
// above it weigh, and those that have it.
func (c ranked) ties(times []float64, f func(pos, neg, p, q float64)) (pos, neg float64) {
	p, q := 0.0, 0.0
	for k, g := range c.draw {
		w := c.weight[k]
		if times != nil {
			w *= times[g]
		}
		if c.yes[k] {
			p += w
		} else {
			q += w
		}
		if c.last[k] {
			f(pos, neg, p, q)
			pos, neg, p, q = pos+p, neg+q, 0, 0
		}
	}
	return pos, neg
}

// area is the area under the curve of true against false positives.
func (c ranked) area(times []float64) float64 {
	area := 0.0
	pos, neg := c.ties(times, func(pos, _, p, q float64) { area += q * (pos + p/2) })
	if pos == 0 || neg == 0 {
		return math.NaN()
	}
	return area / (pos * neg)
}

// precision is the average precision.
func (c ranked) precision(times []float64) float64 {
	precise := 0.0
	pos, neg := c.ties(times, func(pos, neg, p, q float64) {
		if p > 0 {
			precise += p * (pos + p) / (pos + p + neg + q)
		}
	})
	if pos == 0 || neg == 0 {
		return math.NaN()
	}
	return precise / pos
}

// areaInfluence is that of each of n draws on the area: a row's placement, the share of
// the other class on its right side, less the area.
func (c ranked) areaInfluence(n int) []float64 {
	var below, above []float64 // for each score: negatives below it, positives above it; ties count half
	pos, neg := c.ties(nil, func(pos, neg, p, q float64) {
		below, above = append(below, -neg-q/2), append(above, pos+p/2)
	})
	area := c.area(nil)
	return c.spread(n, func(tie int, yes bool) float64 {
		if yes {
			return ((neg+below[tie])/neg - area) / pos
		}
		return (above[tie]/pos - area) / neg
	})
}

// precisionInfluence is that of each of n draws on the average precision: a positive row
// brings the precision at its score, and each row changes the precision at all scores
// that are not above its own.
func (c ranked) precisionInfluence(n int) []float64 {
	var at, up, down []float64 // for each score: precision, and its changes by a row of each class times its positives
	pos, _ := c.ties(nil, func(pos, neg, p, q float64) {
		pos, all := pos+p, pos+p+neg+q
		at, up, down = append(at, pos/all), append(up, p*(all-pos)/(all*all)), append(down, p*pos/(all*all))
	})
	for k := len(at) - 2; k >= 0; k-- {
		up[k] += up[k+1]
		down[k] += down[k+1]
	}
	precision := c.precision(nil)
	return c.spread(n, func(tie int, yes bool) float64 {
		if yes {
			return (at[tie] + up[tie] - precision) / pos
		}
		return -down[tie] / pos
	})
}

// spread adds up the influences of rows, told by their score and class, to those of n draws.
func (c ranked) spread(n int, of func(tie int, yes bool) float64) []float64 {
	out, tie := make([]float64, n), 0
	for k, g := range c.draw {
		out[g] += c.weight[k] * of(tie, c.yes[k])
		if c.last[k] {
			tie++
		}
	}
	return out
}
