// SPDX-License-Identifier: Apache-2.0

package stat

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Mixture is a normal mixture of a sum s of observations whose variances add up to v
// (Howard, Ramdas, McAuliffe and Sekhon 2021): while their mean is 0 (one-sided: not
// above 0), the probability that the evidence ever reaches ln(1/α) is at most α, so
// that it may be looked at at any time. The zero value has no evidence.
type Mixture struct {
	Rho      float64 // spread of the mixture, above 0; see MixtureAt
	OneSided bool
}

// MixtureAt is the mixture whose bound is tightest, at level alpha, where the variances
// add up to best.
func MixtureAt(best, alpha float64, oneSided bool) Mixture {
	if oneSided {
		alpha *= 2
	}
	if !(best > 0 && alpha > 0 && alpha < 1) {
		return Mixture{OneSided: oneSided}
	}
	a := -2 * math.Log(alpha)
	return Mixture{Rho: best / (a + math.Log1p(a)), OneSided: oneSided}
}

// Evidence is the logarithm of the mixture. Without observations, or of the zero
// Mixture, it is minus infinity, no evidence.
func (m Mixture) Evidence(s, v float64) float64 {
	if !(m.Rho > 0 && v >= 0) {
		return math.Inf(-1)
	}
	log := math.Log(m.Rho/(v+m.Rho))/2 + s*s/(2*(v+m.Rho))
	if m.OneSided {
		log += math.Ln2 + logNormal(s/math.Sqrt(v+m.Rho))
	}
	return log
}

// Bound is the sum at which the evidence reaches ln(1/alpha): infinite where there can
// be none.
func (m Mixture) Bound(v, alpha float64) float64 {
	if !(m.Rho > 0 && v >= 0 && alpha > 0 && alpha < 1) {
		return math.Inf(1)
	}
	high := math.Sqrt((v + m.Rho) * (math.Log1p(v/m.Rho) - 2*math.Log(alpha)))
	if !m.OneSided {
		return high
	}
	return root(0, high, func(s float64) float64 { return m.Evidence(s, v) + math.Log(alpha) })
}

// logNormal is the logarithm of the normal distribution function.
func logNormal(x float64) float64 {
	if x < -30 { // its tail, which a float64 no longer holds
		return -x*x/2 - math.Log(-x) - math.Log(2*math.Pi)/2
	}
	return math.Log(distuv.UnitNormal.CDF(x))
}

// root is where f, which rises from below zero at low to above it at high, is zero, as
// near as float64 can say.
func root(low, high float64, f func(float64) float64) float64 {
	for range 200 {
		mid := low + (high-low)/2
		if mid <= low || mid >= high {
			break
		}
		if f(mid) < 0 {
			low = mid
		} else {
			high = mid
		}
	}
	return high
}
