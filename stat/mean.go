// SPDX-License-Identifier: Apache-2.0

package stat

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Mean is a mean with its standard error. DF is the t distribution's degrees of
// freedom, at most the number of independent draws less one; infinite: the normal one's.
type Mean struct {
	Value, SE float64
	DF        float64
}

// Interval is the two-sided interval of the given level, such as 0.95. With no
// degree of freedom it is the whole line.
func (m Mean) Interval(level float64) (low, high float64) {
	if m.DF < 1 {
		return math.Inf(-1), math.Inf(1)
	}
	h := m.SE * tQuantile(0.5+level/2, m.DF)
	return m.Value - h, m.Value + h
}

// Below is the one-sided p-value for "the mean is below zero": the probability of
// a t no greater than this one if the mean were zero. With no degree of freedom,
// which cannot tell, it is 1.
func (m Mean) Below() float64 {
	switch {
	case m.DF < 1:
		return 1
	case m.SE == 0 && m.Value < 0:
		return 0
	case m.SE == 0 && m.Value > 0:
		return 1
	case m.SE == 0:
		return 0.5
	}
	if math.IsInf(m.DF, 1) {
		return distuv.UnitNormal.CDF(m.Value / m.SE)
	}
	return distuv.StudentsT{Sigma: 1, Nu: m.DF}.CDF(m.Value / m.SE)
}

func tQuantile(p, df float64) float64 {
	if math.IsInf(df, 1) {
		return distuv.UnitNormal.Quantile(p)
	}
	return distuv.StudentsT{Sigma: 1, Nu: df}.Quantile(p)
}

// MeanOf is the mean of x with its standard error, for the paired t test when x
// holds differences. Empty x gives the zero Mean.
func MeanOf(x []float64) Mean {
	n := float64(len(x))
	if n == 0 {
		return Mean{}
	}
	sum, ss := 0.0, 0.0
	for _, v := range x {
		sum += v
	}
	mean := sum / n
	for _, v := range x {
		ss += (v - mean) * (v - mean)
	}
	if n < 2 {
		return Mean{Value: mean}
	}
	return Mean{Value: mean, SE: math.Sqrt(ss / (n - 1) / n), DF: n - 1}
}

// ClusterMean is the mean of x over rows whose draws are the blocks: the ratio
// ΣS_b/Σn_b with its linearised variance G/(G−1)·Σ(S_b−Δn_b)²/n², and G−1 degrees
// of freedom for G blocks. A nil block, or one of another length than x, makes
// each row its own draw.
func ClusterMean(x []float64, block []uint64) Mean {
	if len(block) != len(x) {
		return MeanOf(x)
	}
	return WeightedMean(x, nil, block)
}

// WeightedMean is ClusterMean where a row counts as its weight says: n_b and n are
// sums of weights. A nil weight counts each row once.
func WeightedMean(x, weight []float64, block []uint64) Mean {
	return DrawsOf(len(x), block).Mean(x, weight)
}

// Mean is the mean of x over the rows, as they weigh (nil: the same), with the variance of
// the draws: of G that are independent G/(G−1)·Σr²/n² of their residuals r, of those in
// runs longRun's, with as many degrees of freedom as there are whole runs less one.
func (d Draws) Mean(x, weight []float64) Mean {
	if d.Count == 0 {
		return Mean{}
	}
	sums, sizes := make([]float64, d.Count), make([]float64, d.Count)
	n, total, w := 0.0, 0.0, 1.0
	for i, v := range x {
		if weight != nil {
			w = weight[i]
		}
		sums[d.Of[i]] += w * v
		sizes[d.Of[i]] += w
		n += w
		total += w * v
	}
	mean := total / n
	for k := range sums {
		sums[k] = (sums[k] - mean*sizes[k]) / n
	}
	return d.about(mean, sums)
}

// about is a value with the variance of the sum of the draws' parts in it, which add up to 0.
func (d Draws) about(value float64, parts []float64) Mean {
	run := max(1, d.Run)
	g := float64(d.Count) / float64(run)
	if g < 2 {
		return Mean{Value: value}
	}
	return Mean{Value: value, SE: math.Sqrt(longRun(parts, run)), DF: g - 1}
}

// Linear is a statistic that is no mean with the standard error that follows from its
// influence: by how much each draw, taken once more, would change it (the infinitesimal
// jackknife, Efron 1982). It has no more degrees of freedom than the sum of the squares.
func (d Draws) Linear(value float64, influence []float64) Mean {
	m := d.about(value, influence)
	m.DF = min(m.DF, freedom(influence))
	return m
}

// freedom is how many degrees of freedom the sum of the squares of n draws x has: as many
// as a chi-square whose spread beside its mean is the same, 2(Σx²)²/(Σx⁴ − (Σx²)²/n), by
// matching moments as Satterthwaite (1946) does. Where few draws make the variance, such
// as the rows of a rare class, it is as unsure as if there were no others. Draws that are
// all alike give infinity.
func freedom(x []float64) float64 {
	squares, fourth := 0.0, 0.0
	for _, v := range x {
		squares += v * v
		fourth += v * v * v * v
	}
	square := squares * squares
	spread := fourth - square/float64(len(x))
	if !(spread > 1e-12*square) {
		return math.Inf(1)
	}
	return 2 * square / spread
}

// longRun is the variance of the sum of x, whose neighbours depend on each other for about
// run of them. Sums over that many in a row show it but for what reaches from one run into
// the next, of which they see less the shorter they are; so what they show more than sums
// half as long is added, and half of that again, for it is itself uncertain (the
// over-lugsail window of Vats and Flegal 2022 with r = 2 and c = 0.6). It never takes
// anything off.
func longRun(x []float64, run int) float64 {
	v := runs(x, run)
	if run == 1 {
		return v
	}
	half := (run + 1) / 2
	return v + 1.5*max(0, v-runs(x, half))*float64(half)/float64(run-half)
}

// runs is the variance of the sum of x by the sums over all runs of neighbours, the last
// followed by the first.
func runs(x []float64, run int) float64 {
	ss, sum, g := 0.0, 0.0, float64(len(x))/float64(run)
	for k := range run - 1 {
		sum += x[k]
	}
	for k := range x {
		sum += x[(k+run-1)%len(x)]
		ss += sum * sum
		sum -= x[k]
	}
	return g / (g - 1) * ss / float64(run)
}

// NadeauBengio is the mean of the differences d between two training procedures over
// resamplings of one data set, whose rows are shared: the variance is raised by the
// ratio of test to training rows (Nadeau and Bengio 2003). Fewer than two give no
// degree of freedom.
func NadeauBengio(d []float64, testToTrain float64) Mean {
	m := MeanOf(d)
	if m.DF >= 1 {
		j := float64(len(d))
		m.SE *= math.Sqrt(1 + j*max(0, testToTrain))
	}
	return m
}
