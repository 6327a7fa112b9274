// SPDX-License-Identifier: Apache-2.0

package stat

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// PSI is the population stability index Σ(p−q)·ln(p/q) of two histograms on the
// same bins, each smoothed by half a count a bin so that an empty bin is a finite
// distance. Under equal distributions it is about χ² with (bins−1) degrees of
// freedom times (1/n+1/m). Histograms of different lengths, or an empty one, give 0.
func PSI(a, b []int) float64 {
	n, m := total(a), total(b)
	if len(a) != len(b) || n == 0 || m == 0 {
		return 0
	}
	half := 0.5 * float64(len(a))
	d := 0.0
	for i := range a {
		p, q := (float64(a[i])+0.5)/(n+half), (float64(b[i])+0.5)/(m+half)
		d += (p - q) * math.Log(p/q)
	}
	return d
}

// PSITail is the probability of a PSI at least d between two samples of n and m
// rows that are draws of one distribution on the given number of bins.
func PSITail(d float64, bins, n, m int) float64 {
	if bins < 2 || n <= 0 || m <= 0 || !(d > 0) {
		return 1
	}
	scale := 1/float64(n) + 1/float64(m)
	return mathext.GammaIncRegComp(float64(bins-1)/2, d/scale/2)
}

// JensenShannon is the Jensen–Shannon distance of two histograms on the same bins:
// the square root of the divergence in nats, 0 to 0.8326. Histograms of different
// lengths, or an empty one, give 0.
func JensenShannon(a, b []int) float64 {
	n, m := total(a), total(b)
	if len(a) != len(b) || n == 0 || m == 0 {
		return 0
	}
	d := 0.0
	for i := range a {
		p, q := float64(a[i])/n, float64(b[i])/m
		mid := (p + q) / 2
		if p > 0 {
			d += p * math.Log(p/mid) / 2
		}
		if q > 0 {
			d += q * math.Log(q/mid) / 2
		}
	}
	return math.Sqrt(max(0, d))
}

// KSBins is the Kolmogorov–Smirnov distance of two histograms on the same ordered
// bins: the largest difference of the distribution functions at the edges, a lower
// bound of the distance of the values. Histograms of different lengths, or an empty
// one, give 0.
func KSBins(a, b []int) float64 {
	n, m := total(a), total(b)
	if len(a) != len(b) || n == 0 || m == 0 {
		return 0
	}
	f, d := 0.0, 0.0
	for i := range a {
		f += float64(a[i])/n - float64(b[i])/m
		d = max(d, math.Abs(f))
	}
	return d
}

// W1Bins is the Wasserstein distance of two histograms whose bins stand at the
// rising places at, in the unit of at. Lengths that differ, or an empty histogram,
// give 0.
func W1Bins(at []float64, a, b []int) float64 {
	n, m := total(a), total(b)
	if len(a) != len(b) || len(at) != len(a) || n == 0 || m == 0 {
		return 0
	}
	f, d := 0.0, 0.0
	for i := range len(a) - 1 {
		f += float64(a[i])/n - float64(b[i])/m
		d += math.Abs(f) * (at[i+1] - at[i])
	}
	return d
}

func total(counts []int) float64 {
	n := 0
	for _, c := range counts {
		n += c
	}
	return float64(n)
}
