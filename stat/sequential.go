// SPDX-License-Identifier: Apache-2.0

package stat

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// SequenceHalfWidth is the half-width of the two-sided asymptotic confidence
// sequence of a mean after t observations of standard deviation sd, tightest at
// best observations (Waudby-Smith et al., eq. 9). It may be looked at at any time.
// Without observations it is infinite.
func SequenceHalfWidth(t, sd, best, alpha float64) float64 {
	if !(t > 0 && best > 0 && alpha > 0 && alpha < 1) {
		return math.Inf(1)
	}
	r := sequenceRate(best, alpha)
	return sd * math.Sqrt(2*(t*r+1)/(t*t*r)*math.Log(math.Sqrt(t*r+1)/alpha))
}

// SequenceHalfWidthOneSided is the distance from the mean to the one end of the
// one-sided asymptotic confidence sequence; the other end is infinite. Arguments and
// limits are those of SequenceHalfWidth.
func SequenceHalfWidthOneSided(t, sd, best, alpha float64) float64 {
	if !(t > 0 && best > 0 && alpha > 0 && alpha < 0.5) {
		return math.Inf(1)
	}
	r := sequenceRate(best, 2*alpha)
	return sd * math.Sqrt(2*(t*r+1)/(t*t*r)*math.Log1p(math.Sqrt(t*r+1)/(2*alpha)))
}

// sequenceRate is the square of the papers' ρ, which makes the sequence tightest at best
// observations.
func sequenceRate(best, alpha float64) float64 {
	a := -2 * math.Log(alpha)
	return (a + math.Log1p(a)) / best
}

// RateEvidence is log M of the beta-mixture test that a rate is at most p0, after s
// hits in n: an alarm at log M ≥ ln(1/α) holds its level at every n. Arguments out
// of range give minus infinity, no evidence.
func RateEvidence(s, n int, p0 float64) float64 {
	if s < 0 || s > n || !(p0 > 0 && p0 < 1) {
		return math.Inf(-1)
	}
	a, b := float64(s+1), float64(n-s+1)
	return mathext.Lbeta(a, b) + math.Log(mathext.RegIncBeta(b, a, 1-p0)) - b*math.Log1p(-p0) - (a-1)*math.Log(p0)
}
