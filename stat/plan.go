// SPDX-License-Identifier: Apache-2.0

package stat

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// PairedRows is how many rows show, at the one-sided level alpha and with the given
// power, that a paired difference is not below −margin where it is in truth 0: sd is the
// standard deviation of a row's difference, which for right or wrong decisions is the
// root of the share of rows that the two decide differently. It is infinite where no
// number of rows would.
func PairedRows(sd, margin, alpha, power float64) float64 {
	if !(margin > 0 && sd >= 0 && alpha > 0 && alpha < 1 && power > 0 && power < 1) {
		return math.Inf(1)
	}
	z := normalQuantile(1-alpha) + normalQuantile(power)
	return math.Ceil(z * z * sd * sd / (margin * margin))
}

// Detectable is the smallest difference that so many paired rows show with the given
// power, the inverse of PairedRows; infinite without rows.
func Detectable(sd, rows, alpha, power float64) float64 {
	if !(rows > 0 && sd >= 0 && alpha > 0 && alpha < 1 && power > 0 && power < 1) {
		return math.Inf(1)
	}
	return (normalQuantile(1-alpha) + normalQuantile(power)) * sd / math.Sqrt(rows)
}

// ArmRows is how many rows each of two separate arms needs to tell the rates p and q
// apart at the two-sided level alpha with the given power, as R's power.prop.test has it.
// It is infinite for equal rates.
func ArmRows(p, q, alpha, power float64) float64 {
	if p == q || !(p >= 0 && p <= 1 && q >= 0 && q <= 1 && alpha > 0 && alpha < 1 && power > 0 && power < 1) {
		return math.Inf(1)
	}
	mean := (p + q) / 2
	z := normalQuantile(1-alpha/2)*math.Sqrt(2*mean*(1-mean)) + normalQuantile(power)*math.Sqrt(p*(1-p)+q*(1-q))
	return math.Ceil(z * z / ((p - q) * (p - q)))
}

func normalQuantile(p float64) float64 { return distuv.UnitNormal.Quantile(p) }
