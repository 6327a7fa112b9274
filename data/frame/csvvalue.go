// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"math"
	"strconv"
	"unsafe"
)

// digits says how a number is written.
type digits uint8

const (
	isNumber digits = 1 << iota // it is one, and finite
	isCode                      // a leading zero, or a whole number beyond 2^53: what counts is how it is written
	hasPoint                    // the decimal point stands in it
)

// exact are the powers of ten that float64 holds.
var exact = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// parseNumber reads a decimal number with the given point (a dot or a comma): a sign,
// digits, the point, digits, an exponent, no more. The number is the float64 nearest to
// what is written, as strconv.ParseFloat has it.
func parseNumber(b []byte, point byte) (float64, digits) {
	i, negative := 0, false
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		negative = b[0] == '-'
		i = 1
	}
	start := i
	var mantissa uint64
	for ; i < len(b) && b[i]-'0' <= 9; i++ {
		mantissa = mantissa*10 + uint64(b[i]-'0')
	}
	whole, behind, exp := i-start, 0, 0
	how := isNumber
	if i < len(b) && b[i] == point {
		how |= hasPoint
		i++
		from := i
		for ; i < len(b) && b[i]-'0' <= 9; i++ {
			mantissa = mantissa*10 + uint64(b[i]-'0')
		}
		behind = i - from
	}
	if whole+behind == 0 {
		return 0, 0
	}
	power := i < len(b) && b[i]|0x20 == 'e'
	if power {
		var ok bool
		if exp, ok = exponent(b[i+1:]); !ok {
			return 0, 0
		}
	} else if i < len(b) {
		return 0, 0
	}
	if whole > 1 && b[start] == '0' {
		how |= isCode
	}
	exp -= behind
	var x float64
	switch {
	case whole+behind > 19:
		return slowNumber(b, point, how, whole, power)
	case mantissa < 1<<53 && exp >= -22 && exp <= 0:
		x = float64(mantissa) / exact[-exp]
	case mantissa < 1<<53 && exp > 0 && exp <= 22:
		x = float64(mantissa) * exact[exp]
	default:
		var ok bool
		if x, ok = nearest(mantissa, exp); !ok {
			return slowNumber(b, point, how, whole, power)
		}
		if how&hasPoint == 0 && !power && mantissa >= 1<<53 {
			how |= isCode
		}
	}
	if negative {
		x = -x
	}
	return x, how
}

// exponent reads what stands behind the e; large ones are cut, as no float64 has them.
func exponent(b []byte) (int, bool) {
	i, negative := 0, false
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		negative = b[0] == '-'
		i = 1
	}
	if i == len(b) {
		return 0, false
	}
	n := 0
	for ; i < len(b); i++ {
		if b[i]-'0' > 9 {
			return 0, false
		}
		n = min(n*10+int(b[i]-'0'), 1<<20)
	}
	if negative {
		n = -n
	}
	return n, true
}

// slowNumber reads a number of many digits or a large exponent.
func slowNumber(b []byte, point byte, how digits, whole int, power bool) (float64, digits) {
	s := unsafe.String(unsafe.SliceData(b), len(b)) // only read here, and not kept
	if point != '.' && how&hasPoint != 0 {
		dotted := []byte(s)
		for i, c := range dotted {
			if c == point {
				dotted[i] = '.'
			}
		}
		s = string(dotted)
	}
	x, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, 0
	}
	if how&hasPoint == 0 && !power && whole > 15 && math.Abs(x) >= 1<<53 {
		how |= isCode
	}
	return x, how
}

// trim takes blanks from both ends.
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// missingWord are the values that say that there is none, unless the caller says others.
func missingWord(s string) bool {
	switch s {
	case "", "NA", "N/A", "NaN", "nan", "null", "NULL", "None":
		return true
	}
	return false
}

// truth is 1 for true and 0 for false, as they are in JSON rows and in Parquet. It
// is for columns that the caller wants as numbers; by themselves they are text.
func truth(s string) (x float64, ok bool) {
	switch s {
	case "true", "True", "TRUE":
		return 1, true
	case "false", "False", "FALSE":
		return 0, true
	}
	return 0, false
}
