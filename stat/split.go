// SPDX-License-Identifier: Apache-2.0

package stat

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// sure is the weight of the planned shares in SplitSequential, in rows: how far from
// them a split that went wrong is thought to lie.
const sure = 10000

// SplitChi is the p-value of the chi-square test that traffic was split by the
// planned shares, for one look. Counts and shares of different lengths, fewer than
// two arms, no rows, or a share that is not above 0 give 1, which cannot tell.
func SplitChi(counts []int, shares []float64) float64 {
	n, ok := arms(counts, shares)
	if !ok {
		return 1
	}
	x := 0.0
	for i, c := range counts {
		e := n * shares[i]
		x += (float64(c) - e) * (float64(c) - e) / e
	}
	return mathext.GammaIncRegComp(float64(len(counts)-1)/2, x/2)
}

// SplitSequential is the p-value of the same claim that holds its level however often
// it is looked at: one over the Bayes factor of a Dirichlet mixture about the shares
// (Lindon and Malek 2022). It is 1 where SplitChi is for want of an answer.
func SplitSequential(counts []int, shares []float64) float64 {
	n, ok := arms(counts, shares)
	if !ok {
		return 1
	}
	lg := func(x float64) float64 {
		v, _ := math.Lgamma(x)
		return v
	}
	log := lg(sure) - lg(sure+n)
	for i, c := range counts {
		a := sure * shares[i]
		log += lg(a+float64(c)) - lg(a) - float64(c)*math.Log(shares[i])
	}
	return math.Exp(-max(0, log))
}

// arms is the rows in all, and whether counts and shares make sense together.
func arms(counts []int, shares []float64) (n float64, ok bool) {
	if len(counts) < 2 || len(counts) != len(shares) {
		return 0, false
	}
	for i, c := range counts {
		if c < 0 || !(shares[i] > 0 && shares[i] < 1) {
			return 0, false
		}
		n += float64(c)
	}
	return n, n > 0
}
