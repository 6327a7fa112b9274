// SPDX-License-Identifier: Apache-2.0

package xgboost

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"

	"flyball/fault"
)

// maxDepth is how deep lists and objects of a model may be nested: XGBoost's are six.
const maxDepth = 32

// FromUBJSON turns a model that XGBoost wrote as UBJSON (model.ubj, its default) into
// the same model as JSON, which Decode and XGBoost itself read. What is no UBJSON is an
// Invalid fault. Memory is bounded by a multiple of len(b): lists whose members take
// no bytes are refused.
//
// The format is UBJSON draft 12 (https://ubjson.org) as XGBoost writes it: numbers are
// big-endian, a list of numbers has their type and count before it.
func FromUBJSON(b []byte) ([]byte, error) {
	r := ubjson{in: b, out: make([]byte, 0, 2*len(b))}
	mark := r.mark()
	r.value(mark, 0)
	if r.bad == "" && r.at < len(b) {
		r.bad = "it goes on after its end"
	}
	if r.bad != "" {
		return nil, fault.New(fault.Invalid, "the XGBoost model is not readable UBJSON at byte %d: %s", r.at, r.bad)
	}
	return r.out, nil
}

// ubjson reads one document and writes it as JSON. The first thing that is wrong is
// kept in bad; from then on everything reads as nothing.
type ubjson struct {
	in  []byte
	at  int
	out []byte
	bad string
}

func (r *ubjson) fail(why string) {
	if r.bad == "" {
		r.bad = why
	}
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

// peek reports whether the next byte is c, and passes it if so.
func (r *ubjson) peek(c byte) bool {
	if r.bad == "" && r.at < len(r.in) && r.in[r.at] == c {
		r.at++
		return true
	}
	return false
}

// whole is a whole number of the type of the mark.
func (r *ubjson) whole(mark byte) int64 {
	size := sizes[mark]
	if size == 0 || mark == 'd' || mark == 'D' {
		r.fail("a whole number is missing")
	}
	b := r.take(size)
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

// sizes are the types of number, by the mark, and how many bytes one takes.
var sizes = map[byte]int{'i': 1, 'U': 1, 'I': 2, 'l': 4, 'L': 8, 'd': 4, 'D': 8}

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

// text writes a string, which has its length before it.
func (r *ubjson) text() {
	raw, err := json.Marshal(string(r.take(r.count(1))))
	if err != nil {
		r.fail("a text cannot be written")
	}
	r.out = append(r.out, raw...)
}

// value writes the value that follows a mark.
func (r *ubjson) value(mark byte, depth int) {
	if depth > maxDepth {
		r.fail("it is nested too deeply")
	}
	if r.bad != "" {
		return
	}
	switch mark {
	case 'Z':
		r.out = append(r.out, "null"...)
	case 'T':
		r.out = append(r.out, "true"...)
	case 'F':
		r.out = append(r.out, "false"...)
	case 'd':
		if b := r.take(4); b != nil {
			r.float(float64(math.Float32frombits(binary.BigEndian.Uint32(b))), 32)
		}
	case 'D':
		if b := r.take(8); b != nil {
			r.float(math.Float64frombits(binary.BigEndian.Uint64(b)), 64)
		}
	case 'i', 'U', 'I', 'l', 'L':
		r.out = strconv.AppendInt(r.out, r.whole(mark), 10)
	case 'S':
		r.text()
	case '[':
		r.list(depth)
	case '{':
		r.object(depth)
	default:
		r.fail("there is a type that XGBoost does not write")
	}
}

// float writes a number with an exponent, as XGBoost tells floats from whole numbers.
// JSON has none that is not finite.
func (r *ubjson) float(x float64, bits int) {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		r.fail("a number is not finite")
		return
	}
	r.out = strconv.AppendFloat(r.out, x, 'E', -1, bits)
}

func (r *ubjson) list(depth int) {
	r.out = append(r.out, '[')
	switch {
	case r.peek('$'):
		mark := r.mark()
		size := sizes[mark]
		if size == 0 || !r.peek('#') {
			r.fail("a list has a type that XGBoost does not write")
			return
		}
		n := r.count(size)
		for i := range n {
			r.comma(i)
			r.value(mark, depth+1)
		}
	case r.peek('#'):
		n := r.count(1)
		for i := range n {
			r.comma(i)
			r.value(r.mark(), depth+1)
		}
	default:
		for i := 0; r.bad == ""; i++ {
			mark := r.mark()
			if mark == ']' {
				break
			}
			r.comma(i)
			r.value(mark, depth+1)
		}
	}
	r.out = append(r.out, ']')
}

func (r *ubjson) comma(i int) {
	if i > 0 {
		r.out = append(r.out, ',')
	}
}

func (r *ubjson) object(depth int) {
	r.out = append(r.out, '{')
	n := -1 // members; negative: until a brace
	if r.peek('#') {
		n = r.count(2)
	}
	for i := 0; i != n && r.bad == ""; i++ {
		if n < 0 && r.peek('}') {
			break
		}
		r.comma(i)
		r.text()
		r.out = append(r.out, ':')
		r.value(r.mark(), depth+1)
	}
	r.out = append(r.out, '}')
}
