// SPDX-License-Identifier: Apache-2.0

package xgboost

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
)

// jsonText reads a model in JSON, with the NaN and Infinity that XGBoost writes.
type jsonText struct{ cursor }

// peek is the next byte that is no space; 0 at the end.
func (r *jsonText) peek() byte {
	for ; r.bad == "" && r.at < len(r.in); r.at++ {
		switch c := r.in[r.at]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// want passes a byte that must come.
func (r *jsonText) want(c byte) bool {
	if r.peek() != c {
		r.fail("a " + strconv.QuoteRune(rune(c)) + " is missing")
		return false
	}
	r.at++
	return true
}

// members calls member for each of what stands between two brackets.
func (r *jsonText) members(first, last byte, member func()) {
	if !r.want(first) {
		return
	}
	for n := 0; ; n++ {
		if r.peek() == last {
			r.at++
			return
		}
		if n > 0 && !r.want(',') {
			return
		}
		before := r.at
		if member(); r.bad != "" || r.at == before {
			r.fail("a value is missing")
			return
		}
	}
}

func (r *jsonText) object(member func(string)) {
	r.members('{', '}', func() {
		if key := r.text(); r.want(':') {
			r.peek()
			member(key)
		}
	})
}

func (r *jsonText) list(member func()) {
	r.members('[', ']', func() {
		r.peek()
		member()
	})
}

// raw is a string between its quotes, as it is spelled.
func (r *jsonText) raw() []byte {
	if !r.want('"') {
		return nil
	}
	from := r.at
	for ; r.at < len(r.in); r.at++ {
		switch c := r.in[r.at]; {
		case c == '"':
			r.at++
			return r.in[from : r.at-1]
		case c == '\\':
			r.at++
		}
	}
	r.at = len(r.in)
	r.fail("a text does not end")
	return nil
}

func (r *jsonText) text() string {
	from := r.at
	if r.peek() == '"' {
		from = r.at
	}
	raw := r.raw()
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw)
	}
	var s string
	if err := json.Unmarshal(r.in[from:r.at], &s); err != nil {
		r.fail("a text cannot be read")
	}
	return s
}

// count is how many members a list of numbers has, read as far as its end.
func (r *jsonText) count() int {
	if r.bad != "" || r.peek() != '[' {
		return 0
	}
	end := bytes.IndexByte(r.in[r.at:], ']')
	if end < 0 {
		return 0
	}
	return bytes.Count(r.in[r.at:r.at+end], []byte{','}) + 1
}

func (r *jsonText) floats(into []float32) []float32 {
	out := room(into, r.count())[:0]
	r.members('[', ']', func() { out = append(out, r.float()) })
	return out
}

func (r *jsonText) ints(into []int32) []int32 {
	out := room(into, r.count())[:0]
	r.members('[', ']', func() { out = append(out, r.whole()) })
	return out
}

// word is what stands up to the next mark of JSON.
func (r *jsonText) word() []byte {
	r.peek()
	from := r.at
	for ; r.at < len(r.in); r.at++ {
		switch r.in[r.at] {
		case ' ', '\t', '\r', '\n', ',', ']', '}', ':', '"', '[', '{':
			return r.in[from:r.at]
		}
	}
	return r.in[from:r.at]
}

func (r *jsonText) whole() int32 {
	w := r.word()
	switch string(w) {
	case "true":
		return 1
	case "false":
		return 0
	}
	n, digits := int64(0), bytes.TrimPrefix(w, []byte{'-'})
	for _, c := range digits {
		if c < '0' || c > '9' || len(digits) > 10 {
			r.fail("a whole number is missing")
			return 0
		}
		n = 10*n + int64(c-'0')
	}
	if len(w) > len(digits) {
		n = -n
	}
	if len(digits) == 0 || n != int64(int32(n)) {
		r.fail("a whole number of 32 bits is missing")
	}
	return int32(n)
}

func (r *jsonText) float() float32 {
	w := r.word()
	if v, sure := decimalOf(w); sure {
		return v
	}
	switch string(w) {
	case "NaN", "-NaN":
		return float32(math.NaN())
	case "Infinity":
		return float32(math.Inf(1))
	case "-Infinity":
		return float32(math.Inf(-1))
	}
	v, err := strconv.ParseFloat(string(w), 32)
	if (err != nil && !math.IsInf(v, 0)) || len(bytes.Trim(w, "+-.eE0123456789")) > 0 {
		r.fail("a number is missing")
	}
	return float32(v)
}

// decimalOf is the float32 nearest to a plain decimal number, and whether it is sure
// of it: digits that a float64 holds times a power of ten that it holds are one
// rounding from the truth, and a second to float32 harms only next to the middle
// between two.
func decimalOf(w []byte) (float32, bool) {
	i, negative := 0, len(w) > 0 && w[0] == '-'
	if negative {
		i++
	}
	mantissa, digits, scale := uint64(0), 0, 0
	point := false
	for ; i < len(w); i++ {
		if c := w[i]; c >= '0' && c <= '9' {
			mantissa = 10*mantissa + uint64(c-'0')
			if digits++; point {
				scale--
			}
		} else if c == '.' && !point {
			point = true
		} else {
			break
		}
	}
	if digits == 0 || digits > 15 {
		return 0, false
	}
	if i < len(w) {
		e, ok := exponent(w[i:])
		if !ok {
			return 0, false
		}
		scale += e
	}
	if scale < -22 || scale > 22 {
		return 0, false
	}
	v := float64(mantissa)
	if scale < 0 {
		v /= powers[-scale]
	} else {
		v *= powers[scale]
	}
	const half = 1 << 28 // of what a float32 drops of a float64's digits
	if rest := math.Float64bits(v) & (2*half - 1); (rest > half-4 && rest < half+4) || (v != 0 && v < 0x1p-120) || v > 0x1p120 {
		return 0, false
	}
	if negative {
		v = -v
	}
	return float32(v), true
}

// exponent reads e5, E-12.
func exponent(w []byte) (int, bool) {
	if w[0] != 'e' && w[0] != 'E' {
		return 0, false
	}
	w = w[1:]
	sign := 1
	if len(w) > 0 && (w[0] == '-' || w[0] == '+') {
		if w[0] == '-' {
			sign = -1
		}
		w = w[1:]
	}
	n := 0
	for _, c := range w {
		if c < '0' || c > '9' || len(w) > 3 {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return sign * n, len(w) > 0
}

// powers are those of ten that a float64 holds.
var powers = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

func (r *jsonText) skip() { r.pass(0) }

// pass passes a value.
func (r *jsonText) pass(depth int) {
	if depth > maxDepth {
		r.fail("it is nested too deeply")
		return
	}
	switch r.peek() {
	case '{':
		r.members('{', '}', func() {
			if r.raw(); r.want(':') {
				r.pass(depth + 1)
			}
		})
	case '[':
		r.members('[', ']', func() { r.pass(depth + 1) })
	case '"':
		r.raw()
	default:
		switch w := r.word(); {
		case len(w) == 0:
			r.fail("a value is missing")
		case bytes.IndexByte([]byte("-0123456789NItfn"), w[0]) < 0:
			r.fail("there is something that is no value")
		}
	}
}

func (r *jsonText) end() error {
	if r.peek() != 0 || (r.bad == "" && r.at < len(r.in)) {
		r.fail("it goes on after its end")
	}
	return r.fault()
}
