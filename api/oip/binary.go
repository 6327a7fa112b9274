// SPDX-License-Identifier: Apache-2.0

package oip

import (
	"encoding/binary"
	"math"
	"strconv"
	"unicode/utf8"

	"flyball/api/oip/inference"
)

// rawNumbers reads little-endian elements.
func (t *tensor) rawNumbers(out []float64) error {
	b, le := t.raw, binary.LittleEndian
	switch t.datatype {
	case fp32:
		for i := range out {
			out[i] = float64(math.Float32frombits(le.Uint32(b[4*i:])))
		}
	case fp64:
		for i := range out {
			out[i] = math.Float64frombits(le.Uint64(b[8*i:]))
		}
	case fp16:
		for i := range out {
			out[i] = half(le.Uint16(b[2*i:]))
		}
	case bf16:
		for i := range out {
			out[i] = float64(math.Float32frombits(uint32(le.Uint16(b[2*i:])) << 16))
		}
	case boolean:
		for i := range out {
			if b[i] > 1 {
				return t.wrong(i, "the byte %d is no BOOL", b[i])
			}
			out[i] = float64(b[i])
		}
	default:
		for i := range out {
			out[i] = t.rawInteger(i)
		}
	}
	return nil
}

func (t *tensor) rawInteger(i int) float64 {
	le, b := binary.LittleEndian, t.raw
	switch t.datatype {
	case uint8s:
		return float64(b[i])
	case uint16s:
		return float64(le.Uint16(b[2*i:]))
	case uint32s:
		return float64(le.Uint32(b[4*i:]))
	case uint64s:
		return float64(le.Uint64(b[8*i:]))
	case int8s:
		return float64(int8(b[i]))
	case int16s:
		return float64(int16(le.Uint16(b[2*i:])))
	case int32s:
		return float64(int32(le.Uint32(b[4*i:])))
	}
	return float64(int64(le.Uint64(b[8*i:])))
}

// half is an IEEE 754 binary16.
func half(h uint16) float64 {
	sign := 1.0
	if h&0x8000 != 0 {
		sign = -1
	}
	exponent, fraction := int(h>>10&0x1f), float64(h&0x3ff)
	switch exponent {
	case 0:
		return sign * math.Ldexp(fraction, -24)
	case 0x1f:
		if fraction != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * math.Ldexp(1024+fraction, exponent-25)
}

// rawWords reads elements of BYTES, each after its length.
func (t *tensor) rawWords() ([]string, error) {
	if t.alone {
		return t.utf8([]string{string(t.raw)})
	}
	b := t.raw
	out := make([]string, t.count)
	for i := range out {
		if len(b) < 4 {
			return nil, t.wrong(i, "its data ends before the length of an element")
		}
		n := binary.LittleEndian.Uint32(b)
		if uint64(n) > uint64(len(b)-4) {
			return nil, t.wrong(i, "an element of %d bytes goes beyond its data", n)
		}
		out[i] = string(b[4 : 4+n])
		b = b[4+n:]
	}
	if len(b) > 0 {
		return nil, t.bad("%d bytes follow its %d elements", len(b), t.count)
	}
	return t.utf8(out)
}

// utf8 refuses what is no text.
func (t *tensor) utf8(out []string) ([]string, error) {
	for i, s := range out {
		if !utf8.ValidString(s) {
			return nil, t.wrong(i, "the element is not UTF-8")
		}
	}
	return out, nil
}

// integers reads binary or typed integers as text, to the last digit.
func (t *tensor) integers() []string {
	out := make([]string, 0, t.count)
	if t.typed == nil {
		for i := range t.count {
			switch t.datatype {
			case uint64s:
				out = append(out, strconv.FormatUint(binary.LittleEndian.Uint64(t.raw[8*i:]), 10))
			case int64s:
				out = append(out, strconv.FormatInt(int64(binary.LittleEndian.Uint64(t.raw[8*i:])), 10))
			default:
				out = append(out, strconv.FormatInt(int64(t.rawInteger(i)), 10))
			}
		}
		return out
	}
	c := t.typed
	switch t.datatype {
	case uint64s:
		for _, v := range c.GetUint64Contents() {
			out = append(out, strconv.FormatUint(v, 10))
		}
	case int64s:
		for _, v := range c.GetInt64Contents() {
			out = append(out, strconv.FormatInt(v, 10))
		}
	case int8s, int16s, int32s:
		for _, v := range c.GetIntContents() {
			out = append(out, strconv.FormatInt(int64(v), 10))
		}
	default:
		for _, v := range c.GetUintContents() {
			out = append(out, strconv.FormatUint(uint64(v), 10))
		}
	}
	return out
}

// counted refuses another number of typed elements than the shape says.
func (t *tensor) counted(n int) error {
	if n != t.count {
		return t.bad("%s has %d elements, its shape asks for %d", field(t.datatype), n, t.count)
	}
	return nil
}

// typedLen is how many elements of the datatype contents hold, field where.
func typedLen(c *inference.InferTensorContents, d datatype) int {
	switch field(d) {
	case "bool_contents":
		return len(c.GetBoolContents())
	case "int_contents":
		return len(c.GetIntContents())
	case "int64_contents":
		return len(c.GetInt64Contents())
	case "uint_contents":
		return len(c.GetUintContents())
	case "uint64_contents":
		return len(c.GetUint64Contents())
	case "fp32_contents":
		return len(c.GetFp32Contents())
	case "fp64_contents":
		return len(c.GetFp64Contents())
	}
	return len(c.GetBytesContents())
}

// field is where the contents of a datatype lie.
func field(d datatype) string {
	switch d {
	case boolean:
		return "bool_contents"
	case int8s, int16s, int32s:
		return "int_contents"
	case int64s:
		return "int64_contents"
	case uint8s, uint16s, uint32s:
		return "uint_contents"
	case uint64s:
		return "uint64_contents"
	case fp32:
		return "fp32_contents"
	case fp64:
		return "fp64_contents"
	case fp16, bf16:
		return "raw_input_contents"
	}
	return "bytes_contents"
}

// typedNumbers reads the contents of a gRPC message.
func (t *tensor) typedNumbers(out []float64) error {
	c := t.typed
	switch t.datatype {
	case fp16, bf16:
		return t.bad("%s has no typed contents", t.datatype).Do("send it in raw_input_contents")
	case boolean:
		for i, v := range c.GetBoolContents() {
			out[i] = 0
			if v {
				out[i] = 1
			}
		}
		return nil
	case int8s, int16s, int32s:
		return convert(t, c.GetIntContents(), out)
	case int64s:
		return convert(t, c.GetInt64Contents(), out)
	case uint8s, uint16s, uint32s:
		return convert(t, c.GetUintContents(), out)
	case uint64s:
		return convert(t, c.GetUint64Contents(), out)
	case fp32:
		return convert(t, c.GetFp32Contents(), out)
	}
	return convert(t, c.GetFp64Contents(), out)
}

// convert reads elements, of which those of a narrow integer type came in a wider one.
func convert[T int32 | int64 | uint32 | uint64 | float32 | float64](t *tensor, from []T, out []float64) error {
	low, high, integer := t.datatype.integer()
	for i, v := range from {
		out[i] = float64(v)
		if integer && (out[i] < float64(low) || out[i] > float64(high)) {
			return t.wrong(i, "%v is no %s", v, t.datatype)
		}
	}
	return nil
}

func (t *tensor) typedWords() ([]string, error) {
	from := t.typed.GetBytesContents()
	out := make([]string, len(from))
	for i, v := range from {
		out[i] = string(v)
	}
	return t.utf8(out)
}

// empty reports whether contents hold nothing.
func empty(c *inference.InferTensorContents) bool {
	return len(c.GetBoolContents())+len(c.GetIntContents())+len(c.GetInt64Contents())+len(c.GetUintContents())+
		len(c.GetUint64Contents())+len(c.GetFp32Contents())+len(c.GetFp64Contents())+len(c.GetBytesContents()) == 0
}
