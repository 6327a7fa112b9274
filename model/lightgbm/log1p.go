// SPDX-License-Identifier: Apache-2.0

package lightgbm

import "math"

// log1p is log(1+x) for x that is not negative, to less than one unit in the last
// place, with the same bits on every processor; see stat.Exp for why math's is not
// enough.
//
// The method and its constants are those of s_log1p.c in FreeBSD's msun (Sun
// Microsystems, 1993): 1+x is 2^k·(1+f), and log(1+f) is f - f²/2 + s·(f²/2+R) where
// s = f/(2+f) and R is a polynomial in s². Each product is converted before it is added
// to something, so that it is rounded.
func log1p(x float64) float64 {
	switch {
	case !(x <= math.MaxFloat64): // +Inf, NaN
		return x
	case x < 1.0/(1<<54):
		return x
	}
	k, f, lost := 0, x, 0.0
	if x >= math.Sqrt2-1 {
		u := 1 + x
		lost = (x - (u - 1)) / u
		if u >= 2 {
			lost = (1 - (u - x)) / u
		}
		bits := math.Float64bits(u)
		k = int(bits>>52) - 1023
		bits = bits&(1<<52-1) | 1023<<52
		if u = math.Float64frombits(bits); u >= math.Sqrt2 {
			k++
			u /= 2
		}
		f = u - 1
	}
	s := f / (2 + f)
	z := float64(s * s)
	p := 1.531383769920937332e-01 + float64(z*1.479819860511658591e-01)
	p = 1.818357216161805012e-01 + float64(z*p)
	p = 2.222219843214978396e-01 + float64(z*p)
	p = 2.857142874366239149e-01 + float64(z*p)
	p = 3.999999999940941908e-01 + float64(z*p)
	p = 6.666666666666735130e-01 + float64(z*p)
	half := float64(0.5 * f * f)
	t := float64(s * (half + float64(z*p)))
	high, low := float64(float64(k)*6.93147180369123816490e-01), float64(float64(k)*1.90821492927058770002e-10)
	return high - ((half - (t + (low + lost))) - f)
}
