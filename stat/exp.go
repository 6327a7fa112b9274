// SPDX-License-Identifier: Apache-2.0

package stat

import "math"

// Bounds of Exp, and the logarithm of 2 in two parts, the first with zeros at its
// end so that a small whole number times it is exact.
const (
	expOverflow  = 7.09782712893383973096e+02  // above it e^x is more than a float64 holds
	expUnderflow = -7.45133219101941108420e+02 // below it e^x rounds to 0
	log2e        = 1.44269504088896338700e+00
	ln2High      = 6.93147180369123816490e-01
	ln2Low       = 1.90821492927058770002e-10
)

// Exp is e^x, to less than one unit in the last place, with the same bits on every
// processor. Scores are kept and compared bit for bit, and math.Exp is not enough for
// that: it is assembly on some processors, which multiplies and adds in one step
// where the processor can, and Go elsewhere. NaN gives NaN, +Inf gives +Inf, -Inf
// gives 0.
//
// The method and its constants are those of e_exp.c in FreeBSD's msun (Sun
// Microsystems, 1993): with x = k·ln 2 + r and |r| at most ln(2)/2, e^x is 2^k·e^r,
// and e^r is 1 + 2r/(R-r) where R = r·(e^r+1)/(e^r-1) is a polynomial in r², by Remez'
// algorithm. Each product is converted before it is added to something: the language
// lets a compiler round x*y + z once, and those for arm64 and GOAMD64=v3 do, but a
// conversion makes it round twice. The loader for Python (package mlmodel) has the
// same steps in the same order; what changes here changes there.
func Exp(x float64) float64 {
	if !(x >= expUnderflow && x <= expOverflow) {
		switch {
		case x > 0:
			return math.Inf(1)
		case x < 0:
			return 0
		}
		return x // NaN
	}
	k := int(float64(log2e*x) + math.Copysign(0.5, x))
	high := x - float64(float64(k)*ln2High)
	low := float64(float64(k) * ln2Low)
	r := high - low
	t := float64(r * r)
	p := -1.65339022054652515390e-06 + float64(t*4.13813679705723846039e-08)
	p = 6.61375632143793436117e-05 + float64(t*p)
	p = -2.77777777770155933842e-03 + float64(t*p)
	p = 1.66666666666666019037e-01 + float64(t*p)
	c := r - float64(t*p)
	y := 1 - ((low - float64(r*c)/(2-c)) - high)
	// 2^k in two steps, for k is from -1075 to 1024: the first is exact.
	half := k >> 1
	return y * powerOf2(half) * powerOf2(k-half)
}

// powerOf2 is 2^k, for k from -1022 to 1023.
func powerOf2(k int) float64 { return math.Float64frombits(uint64(k+1023) << 52) }

// Logistic is 1/(1+e^-x), with the same bits on every processor.
func Logistic(x float64) float64 { return 1 / (1 + Exp(-x)) }

// Softmax turns margins into probabilities, in place, with the same bits on every
// processor: e^margin over the sum of them in their order.
func Softmax(margins []float64) {
	high := math.Inf(-1)
	for _, x := range margins {
		high = max(high, x)
	}
	sum := 0.0
	for i, x := range margins {
		margins[i] = Exp(x - high)
		sum += margins[i]
	}
	for i := range margins {
		margins[i] /= sum
	}
}
