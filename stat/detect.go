// SPDX-License-Identifier: Apache-2.0

package stat

import (
	"math"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
)

// BinomialTail is the exact probability of k or more hits in n draws at rate p. It
// is 1 for k ≤ 0 and 0 for k > n; a rate outside 0…1 is taken as the nearer end.
func BinomialTail(k, n int, p float64) float64 {
	switch {
	case k <= 0:
		return 1
	case k > n, !(p > 0):
		return 0
	case p >= 1:
		return 1
	}
	return mathext.RegIncBeta(float64(k), float64(n-k+1), p)
}

// TTail is the probability that a t with df degrees of freedom exceeds t. With no
// degree of freedom, which cannot tell, it is 1.
func TTail(t, df float64) float64 {
	if !(df >= 1) || math.IsNaN(t) {
		return 1
	}
	return distuv.StudentsT{Sigma: 1, Nu: df}.Survival(t)
}

// EValue turns a p-value into evidence: (1−p+p·ln p)/(p·ln²p), the mean of the
// calibrators κ·p^(κ−1) over κ in 0…1 (Vovk and Wang 2021). Its mean is at most 1
// when p is valid; it is ½ at p = 1 and grows as p falls. A p below 1e-300 counts
// as that.
func EValue(p float64) float64 {
	if !(p < 1) {
		return 0.5
	}
	p = max(p, 1e-300)
	l := math.Log(p)
	if l > -1e-4 { // the two differences cancel: a series about ln p = 0
		return 0.5 - l/6
	}
	return (1 - p + p*l) / (p * l * l)
}

// ShiryaevRoberts is the next state of the Shiryaev–Roberts e-detector: (1+m)·e(p).
// An alarm at m ≥ c comes on average no sooner than after c windows when nothing
// has changed and the p-values are valid (Shin, Ramdas and Rinaldo 2024). It starts
// at 0 and stays finite.
func ShiryaevRoberts(m, p float64) float64 {
	return min((1+max(m, 0))*EValue(p), 1e300)
}
