// SPDX-License-Identifier: Apache-2.0

package stat

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"
)

// Wilson is Wilson's score interval of k successes in n at critical value z (1.96
// for 95 %). No rows give 0…1.
func Wilson(k, n int, z float64) (low, high float64) {
	if n <= 0 {
		return 0, 1
	}
	m, p := float64(n), float64(k)/float64(n)
	mid := p + z*z/(2*m)
	h := z * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return max(0, (mid-h)/(1+z*z/m)), min(1, (mid+h)/(1+z*z/m))
}

// ClopperPearson is the exact two-sided interval of a rate after k hits in n, at the
// given level such as 0.95: its coverage is never below the level. No rows, or k out
// of range, give 0…1.
func ClopperPearson(k, n int, level float64) (low, high float64) {
	if n <= 0 || k < 0 || k > n {
		return 0, 1
	}
	tail := (1 - level) / 2
	low, high = 0, 1
	if k > 0 {
		low = mathext.InvRegIncBeta(float64(k), float64(n-k+1), tail)
	}
	if k < n {
		high = mathext.InvRegIncBeta(float64(k+1), float64(n-k), 1-tail)
	}
	return low, high
}

// McNemarMidP is the two-sided mid-p value of McNemar's test for b rows that only one
// version decides rightly and c that only the other does (Fagerland, Lydersen and
// Laake 2013). No such rows give 1.
func McNemarMidP(b, c int) float64 {
	n, low := b+c, min(b, c)
	if low < 0 || b == c {
		return 1
	}
	lg := func(k int) float64 {
		v, _ := math.Lgamma(float64(k + 1))
		return v
	}
	exactly := math.Exp(lg(n) - lg(low) - lg(n-low) - float64(n)*math.Ln2)
	return min(1, max(0, 2*BinomialTail(n-low, n, 0.5)-exactly))
}

// Newcombe is the interval of k1/n1 − k2/n2 (Newcombe 1998, method 10). An empty
// group gives −1…1.
func Newcombe(k1, n1, k2, n2 int, z float64) (low, high float64) {
	if n1 <= 0 || n2 <= 0 {
		return -1, 1
	}
	p1, p2 := float64(k1)/float64(n1), float64(k2)/float64(n2)
	l1, u1 := Wilson(k1, n1, z)
	l2, u2 := Wilson(k2, n2, z)
	return p1 - p2 - math.Hypot(p1-l1, u2-p2), p1 - p2 + math.Hypot(u1-p1, p2-l2)
}

// Holm adjusts p-values for the number of them (Holm 1979), in the order given.
func Holm(p []float64) []float64 {
	order := ascending(p)
	out, running := make([]float64, len(p)), 0.0
	for rank, i := range order {
		running = max(running, min(1, p[i]*float64(len(p)-rank)))
		out[i] = running
	}
	return out
}

// BH adjusts p-values for the false discovery rate (Benjamini and Hochberg 1995),
// in the order given.
func BH(p []float64) []float64 {
	order := ascending(p)
	out, running := make([]float64, len(p)), 1.0
	for rank, i := range slices.Backward(order) {
		running = min(running, p[i]*float64(len(p))/float64(rank+1))
		out[i] = running
	}
	return out
}

func ascending(p []float64) []int {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p[a], p[b]) })
	return order
}
