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
