// SPDX-License-Identifier: Apache-2.0

package stat

import (
	"math"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
)

// McNemarExact is the two-sided exact p-value of McNemar's test for b rows that only one
// version decides rightly and c that only the other does. No such rows give 1.
func McNemarExact(b, c int) float64 {
	if b < 0 || c < 0 {
		return 1
	}
	return min(1, 2*BinomialTail(max(b, c), b+c, 0.5))
}

// McNemarChi is the chi-square statistic of McNemar's test with its p-value, with Edwards'
// correction for continuity where corrected is set. No rows that differ give 0 and 1.
func McNemarChi(b, c int, corrected bool) (x, p float64) {
	if b < 0 || c < 0 || b+c == 0 {
		return 0, 1
	}
	d := math.Abs(float64(b - c))
	if corrected {
		d = max(0, d-1)
	}
	x = d * d / float64(b+c)
	return x, ChiTail(x, 1)
}

// ChiTail is the probability that a chi-square with df degrees of freedom exceeds x. With
// no degree of freedom, which cannot tell, it is 1.
func ChiTail(x, df float64) float64 {
	if !(df > 0) || !(x > 0) {
		return 1
	}
	return mathext.GammaIncRegComp(df/2, x/2)
}

// FTail is the probability that an F with df1 and df2 degrees of freedom exceeds f. With
// no degree of freedom, which cannot tell, it is 1.
func FTail(f, df1, df2 float64) float64 {
	if !(df1 > 0 && df2 > 0) || !(f > 0) {
		return 1
	}
	return mathext.RegIncBeta(df2/2, df1/2, df2/(df2+df1*f))
}

// FiveByTwo is the F test of five repetitions of two-fold cross-validation (Alpaydin
// 1999) for the differences d between two training procedures, those of a repetition
// beside each other: ten in all. Any other number, or differences that are all zero,
// give 0 and 1, which cannot tell.
func FiveByTwo(d []float64) (f, p float64) {
	if len(d) != 10 {
		return 0, 1
	}
	above, below := 0.0, 0.0
	for i := 0; i < 10; i += 2 {
		mean := (d[i] + d[i+1]) / 2
		above += d[i]*d[i] + d[i+1]*d[i+1]
		below += (d[i]-mean)*(d[i]-mean) + (d[i+1]-mean)*(d[i+1]-mean)
	}
	switch {
	case above == 0:
		return 0, 1
	case below == 0:
		return math.Inf(1), 0
	}
	f = above / (2 * below)
	return f, FTail(f, 10, 5)
}

// Wilcoxon is the signed-rank statistic of the differences d, the sum of the ranks of
// those above zero, with its two-sided p-value by the normal approximation, corrected
// for continuity and ties. Differences of zero are left out; none give 0 and 1.
func Wilcoxon(d []float64) (v, p float64) {
	var size []float64
	var above []bool
	for _, x := range d {
		if x != 0 {
			size, above = append(size, math.Abs(x)), append(above, x > 0)
		}
	}
	n := float64(len(size))
	if n == 0 {
		return 0, 1
	}
	tied := map[float64]float64{}
	for i, r := range midranks(size) {
		if tied[size[i]]++; above[i] {
			v += r
		}
	}
	variance := n * (n + 1) * (2*n + 1) / 24
	for _, t := range tied {
		variance -= (t*t*t - t) / 48
	}
	z := math.Abs(v - n*(n+1)/4)
	return v, min(1, 2*distuv.UnitNormal.Survival((z-0.5)/math.Sqrt(variance)))
}

// CUPED is the mean of y with what a covariate x known before tells of it taken out
// (Deng, Xu, Kohavi and Walker 2013): the variance falls by the square of their
// correlation. Where the lengths differ or x does not vary it is the mean of y.
func CUPED(y, x []float64) Mean {
	if len(x) != len(y) || len(y) < 3 {
		return MeanOf(y)
	}
	square := covariance(x, x)
	if !(square > 0) {
		return MeanOf(y)
	}
	theta, mean := covariance(x, y)/square, MeanOf(x).Value
	rest := make([]float64, len(y))
	for i := range y {
		rest[i] = y[i] - theta*(x[i]-mean)
	}
	m := MeanOf(rest)
	m.SE *= math.Sqrt(m.DF / (m.DF - 1)) // the slope took one degree of freedom
	m.DF--
	return m
}
