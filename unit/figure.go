// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"math"
	"strconv"
	"strings"
)

// Nothing is what figures show as zero: rounding errors of sums, not measurements.
const Nothing = 1e-9

// Digits is how many digits after the point show v: one from ten on, else as many as
// make three significant ones.
func Digits(v float64) int {
	v = math.Abs(v)
	switch {
	case v < Nothing || v >= 10 || math.IsInf(v, 0) || math.IsNaN(v):
		return 1
	case v >= 1:
		return 2
	}
	return 2 - int(math.Floor(math.Log10(v)))
}

// FineDigits is how many digits a difference of figures such as value is shown with:
// those of the value, or as many as leave two significant ones at the larger end of
// the interval.
func FineDigits(value, low, high float64) int {
	if m := max(math.Abs(low), math.Abs(high)); m > Nothing && m < 10 {
		return max(Digits(value), Digits(m)-1)
	}
	return Digits(value)
}

// Fixed is v with so many digits after the point, a real minus, and commas between
// thousands.
func Fixed(v float64, digits int) string {
	text := strconv.FormatFloat(math.Abs(v), 'f', digits, 64)
	whole, rest, _ := strings.Cut(text, ".")
	for at := len(whole) - 3; at > 0 && len(text) < 30; at -= 3 {
		whole = whole[:at] + "," + whole[at:]
	}
	if rest != "" {
		whole += "." + rest
	}
	if v < 0 && strings.ContainsAny(text, "123456789") {
		return "−" + whole
	}
	return whole
}

// Signed is Fixed with a plus where v is not below zero.
func Signed(v float64, digits int) string {
	if text := Fixed(v, digits); v < 0 {
		return text
	} else {
		return "+" + text
	}
}

// Count is a whole number with commas between thousands.
func Count(n int) string { return Fixed(float64(n), 0) }

// RoundUp keeps two significant digits of a count.
func RoundUp(n float64) float64 {
	step := math.Pow(10, math.Max(0, math.Floor(math.Log10(math.Max(1, n)))-1))
	return math.Ceil(n/step) * step
}
