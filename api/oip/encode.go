// SPDX-License-Identifier: Apache-2.0

package oip

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// encode writes the answer of REST: JSON, and after it the binary outputs in their order.
// head is the length of the JSON; 0: all is JSON.
func (r *result) encode(b []byte) (out []byte, head int) {
	b = append(b, `{"model_name":`...)
	b = appendText(b, r.model)
	b = append(b, `,"model_version":"`...)
	b = strconv.AppendInt(b, int64(r.version), 10)
	b = append(b, '"')
	if r.id != "" {
		b = append(b, `,"id":`...)
		b = appendText(b, r.id)
	}
	b = r.parameters(b)
	b = append(b, `,"outputs":[`...)
	split := false
	for i := range r.outputs {
		o := &r.outputs[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = o.head(b)
		if o.binary {
			split = true
			b = append(b, `,"parameters":{"binary_data_size":`...)
			b = strconv.AppendInt(b, int64(o.size()), 10)
			b = append(b, "}}"...)
			continue
		}
		b = append(b, `,"data":[`...)
		b = o.json(b)
		b = append(b, "]}"...)
	}
	b = append(b, "]}"...)
	if !split {
		return b, 0
	}
	head = len(b)
	for i := range r.outputs {
		if r.outputs[i].binary {
			b = r.outputs[i].raw(b)
		}
	}
	return b, head
}

// parameters appends what is said of the answer as a whole.
func (r *result) parameters(b []byte) []byte {
	b = append(b, `,"parameters":{"arm":`...)
	b = appendText(b, r.arm)
	if r.generation != 0 {
		b = append(b, `,"generation":`...)
		b = strconv.AppendInt(b, r.generation, 10)
	}
	if r.versions != "" {
		b = append(b, `,"versions":`...)
		b = appendText(b, r.versions)
	}
	return append(b, '}')
}

// head appends an output's name, datatype and shape.
func (o *output) head(b []byte) []byte {
	b = append(b, `{"name":`...)
	b = appendText(b, o.name)
	b = append(b, `,"datatype":"`...)
	b = append(b, o.datatype().String()...)
	b = append(b, `","shape":[`...)
	for i, d := range o.shape {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, d, 10)
	}
	return append(b, ']')
}

// json appends the elements. JSON has no NaN and no infinity: they are null.
func (o *output) json(b []byte) []byte {
	for i, v := range o.nums {
		if i > 0 {
			b = append(b, ',')
		}
		if math.IsNaN(v) || math.IsInf(v, 0) {
			b = append(b, "null"...)
			continue
		}
		b = strconv.AppendFloat(b, v, 'g', -1, 64)
	}
	for i, v := range o.words {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, v)
	}
	for i, v := range o.ints {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, v, 10)
	}
	return b
}

// size is the bytes of raw.
func (o *output) size() int {
	n := 8 * (len(o.nums) + len(o.ints))
	for _, w := range o.words {
		n += 4 + len(w)
	}
	return n
}

// raw appends the elements as the protocol has them in bytes: little-endian, BYTES after
// their length.
func (o *output) raw(b []byte) []byte {
	b = slices.Grow(b, o.size())
	for _, v := range o.nums {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	for _, v := range o.ints {
		b = binary.LittleEndian.AppendUint64(b, uint64(v))
	}
	for _, w := range o.words {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(w)))
		b = append(b, w...)
	}
	return b
}

// appendText appends s as a JSON text.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			text, _ := json.Marshal(s) // a text can always be written
			return append(b, text...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
