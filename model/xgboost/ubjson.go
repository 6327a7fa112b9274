// SPDX-License-Identifier: Apache-2.0

package xgboost

import (
	"encoding/binary"
	"math"
)

// ubjson reads a model that XGBoost wrote as UBJSON (model.ubj, its default).
//
// The format is UBJSON draft 12 (https://ubjson.org) as XGBoost writes it: numbers are
// big-endian, a list of numbers has their type and count before it. Lists whose members
// take no bytes are refused.
type ubjson struct {
	cursor
	next byte // the mark of the next value; 0 where it was read or none can be
}

// take is the next n bytes.
func (r *ubjson) take(n int) []byte {
	if r.bad == "" && (n < 0 || n > len(r.in)-r.at) {
		r.fail("it ends too early")
	}
	if r.bad != "" {
		return nil
	}
	r.at += n
	return r.in[r.at-n : r.at]
}

// mark is the next type mark, 0 at the end of what can be read.
func (r *ubjson) mark() byte {
	for r.bad == "" {
		b := r.take(1)
		if b != nil && b[0] != 'N' { // a mark that says nothing
			return b[0]
		}
	}
	return 0
}

// value is the mark of the next value, which is then read.
func (r *ubjson) value() byte {
	m := r.next
	r.next = 0
	return m
}

// peek reports whether the next byte is c, and passes it if so.
func (r *ubjson) peek(c byte) bool {
	if r.bad == "" && r.at < len(r.in) && r.in[r.at] == c {
		r.at++
		return true
	}
	return false
}

// size is how many bytes a number of the type of a mark takes; 0: it is no number.
func size(mark byte) int {
	switch mark {
	case 'i', 'U':
		return 1
	case 'I':
		return 2
	case 'l', 'd':
		return 4
	case 'L', 'D':
		return 8
	}
	return 0
}

// whole is a whole number of the type of the mark.
func (r *ubjson) whole(mark byte) int64 {
	n := size(mark)
	if n == 0 || mark == 'd' || mark == 'D' {
		r.fail("a whole number is missing")
	}
	b := r.take(n)
	switch {
	case r.bad != "":
	case mark == 'U':
		return int64(b[0])
	case mark == 'i':
		return int64(int8(b[0]))
	case mark == 'I':
		return int64(int16(binary.BigEndian.Uint16(b)))
	case mark == 'l':
		return int64(int32(binary.BigEndian.Uint32(b)))
	case mark == 'L':
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// number is a number of the type of the mark.
func (r *ubjson) number(mark byte) float64 {
	switch mark {
	case 'd':
		if b := r.take(4); b != nil {
			return float64(math.Float32frombits(binary.BigEndian.Uint32(b)))
		}
		return 0
	case 'D':
		if b := r.take(8); b != nil {
			return math.Float64frombits(binary.BigEndian.Uint64(b))
		}
		return 0
	}
	return float64(r.whole(mark))
}

// count is a length that the rest of the document can hold.
func (r *ubjson) count(size int) int {
	n := r.whole(r.mark())
	if r.bad == "" && (n < 0 || n > int64((len(r.in)-r.at)/size)) {
		r.fail("a length is more than there is")
	}
	if r.bad != "" {
		return 0
	}
	return int(n)
}

func (r *ubjson) text() string {
	if r.value() != 'S' {
		r.fail("a text is missing")
	}
	return string(r.take(r.count(1)))
}

func (r *ubjson) object(member func(string)) {
	if r.value() != '{' {
		r.fail("an object is missing")
	}
	n := -1 // members; negative: until a brace
	if r.peek('#') {
		n = r.count(2)
	}
	for i := 0; i != n && r.bad == ""; i++ {
		if n < 0 && r.peek('}') {
			return
		}
		key := string(r.take(r.count(1)))
		r.next = r.mark()
		r.member(func() { member(key) })
	}
}

// member has a value read.
func (r *ubjson) member(read func()) {
	if r.bad != "" {
		return
	}
	if read(); r.next != 0 {
		r.fail("there is a value too many")
	}
}

func (r *ubjson) list(member func()) {
	r.members(func(mark byte, n int) {
		r.each(mark, n, func(mark byte) {
			r.next = mark
			r.member(member)
		})
	})
}

// members reads the head of a list: the one type of its members or 0, and how many
// there are or -1: until a bracket.
func (r *ubjson) members(rest func(mark byte, n int)) {
	if r.value() != '[' {
		r.fail("a list is missing")
	}
	mark, n := byte(0), -1
	if r.peek('$') {
		mark = r.mark()
		each := size(mark)
		if each == 0 || !r.peek('#') {
			r.fail("a list has a type that XGBoost does not write")
			return
		}
		n = r.count(each)
	} else if r.peek('#') {
		n = r.count(1)
	}
	if r.bad == "" {
		rest(mark, n)
	}
}

func (r *ubjson) floats(into []float32) []float32 {
	out := into[:0]
	r.members(func(mark byte, n int) {
		if mark == 'd' {
			out = room(into, n)
			b := r.take(4 * n)
			for i := range out {
				out[i] = math.Float32frombits(binary.BigEndian.Uint32(b[4*i:]))
			}
			return
		}
		out = room(into, max(n, 0))[:0]
		r.each(mark, n, func(mark byte) { out = append(out, float32(r.number(mark))) })
	})
	return out
}

func (r *ubjson) ints(into []int32) []int32 {
	out := into[:0]
	r.members(func(mark byte, n int) {
		if mark == 'l' {
			out = room(into, n)
			b := r.take(4 * n)
			for i := range out {
				out[i] = int32(binary.BigEndian.Uint32(b[4*i:]))
			}
			return
		}
		out = room(into, max(n, 0))[:0]
		r.each(mark, n, func(mark byte) {
			v := int64(0)
			if mark == 'T' {
				v = 1
			} else if mark != 'F' {
				v = r.whole(mark)
			}
			if v != int64(int32(v)) {
				r.fail("a whole number has more than 32 bits")
			}
			out = append(out, int32(v))
		})
	})
	return out
}

// each calls read with the mark of each member of a list.
func (r *ubjson) each(mark byte, n int, read func(byte)) {
	for i := 0; i != n && r.bad == ""; i++ {
		m := mark
		if m == 0 {
			m = r.mark()
		}
		if n < 0 && m == ']' {
			return
		}
		read(m)
	}
}

func (r *ubjson) skip() { r.pass(0) }

// pass passes a value.
func (r *ubjson) pass(depth int) {
	if depth > maxDepth {
		r.fail("it is nested too deeply")
	}
	if r.bad != "" {
		return
	}
	switch mark := r.next; mark {
	case 'Z', 'T', 'F':
		r.next = 0
	case 'S':
		r.next = 0
		r.take(r.count(1))
	case '[':
		r.members(func(mark byte, n int) {
			if mark != 0 {
				r.take(n * size(mark))
				return
			}
			r.each(mark, n, func(mark byte) {
				r.next = mark
				r.pass(depth + 1)
			})
		})
	case '{':
		r.object(func(string) { r.pass(depth + 1) })
	default:
		if r.next = 0; size(mark) == 0 {
			r.fail("there is a type that XGBoost does not write")
		}
		r.take(size(mark))
	}
}

func (r *ubjson) end() error {
	if r.bad == "" && r.at < len(r.in) {
		r.fail("it goes on after its end")
	}
	return r.fault()
}
