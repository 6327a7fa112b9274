// SPDX-License-Identifier: Apache-2.0

package oip

import (
	"math"

	"flyball/api/oip/inference"
	"flyball/fault"
)

// datatype is the type of a tensor's elements. The zero value is none.
type datatype uint8

const (
	boolean datatype = iota + 1
	uint8s
	uint16s
	uint32s
	uint64s
	int8s
	int16s
	int32s
	int64s
	fp16
	bf16
	fp32
	fp64
	texts
)

// String is the protocol's word.
func (d datatype) String() string {
	words := [...]string{
		"", "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
		"FP16", "BF16", "FP32", "FP64", "BYTES",
	}
	return words[d]
}

// parseDatatype reads the protocol's word; false when it has none such.
func parseDatatype(word []byte) (datatype, bool) {
	for d := boolean; d <= texts; d++ {
		if d.String() == string(word) {
			return d, true
		}
	}
	return 0, false
}

// size is the bytes of an element; of BYTES the least.
func (d datatype) size() int {
	switch d {
	case boolean, uint8s, int8s:
		return 1
	case uint16s, int16s, fp16, bf16:
		return 2
	case uint64s, int64s, fp64:
		return 8
	}
	return 4
}

// integer reports whether elements are integers, and between which.
func (d datatype) integer() (low int64, high uint64, ok bool) {
	switch d {
	case uint8s:
		return 0, math.MaxUint8, true
	case uint16s:
		return 0, math.MaxUint16, true
	case uint32s:
		return 0, math.MaxUint32, true
	case uint64s:
		return 0, math.MaxUint64, true
	case int8s:
		return math.MinInt8, math.MaxInt8, true
	case int16s:
		return math.MinInt16, math.MaxInt16, true
	case int32s:
		return math.MinInt32, math.MaxInt32, true
	case int64s:
		return math.MinInt64, math.MaxInt64, true
	}
	return 0, 0, false
}

// tensor is an input as it came. Its data is read once it is known what for, from one
// of json, raw and typed, whose memory it shares.
type tensor struct {
	name     string
	datatype datatype
	shape    []int64
	rows     int // shape[0]; 1 or more
	count    int // product of shape

	json  []byte // an array, flat or nested; nil: it is in raw or typed
	raw   []byte // little-endian; nil: it is in json or typed
	typed *inference.InferTensorContents
	alone bool // raw is one element of BYTES, without its length
}

// asked is an output that a request asks for.
type asked struct {
	name   string
	binary bool // as binary data, where said
	said   bool // else as the request wants the usual ones
}

// request is what a caller asks of a model, in whichever encoding it came.
type request struct {
	id      string
	tensors []tensor
	outputs []asked // nil: the usual ones
	binary  bool    // the usual ones as binary data
	timeout int64   // microseconds; 0: none
}

// at is the row of an element.
func (t *tensor) at(element int) int { return element / (t.count / t.rows) }

// wrong is an Invalid fault about an element.
func (t *tensor) wrong(element int, format string, args ...any) *fault.Error {
	e := fault.New(fault.Invalid, format, args...)
	e.What = quoted("input", t.name) + ", row " + itoa(t.at(element)) + ": " + e.What
	return e
}

// bad is an Invalid fault about the whole tensor.
func (t *tensor) bad(format string, args ...any) *fault.Error {
	e := fault.New(fault.Invalid, format, args...)
	e.What = quoted("input", t.name) + ": " + e.What
	return e
}

// measure checks the shape and counts the elements. A tensor has at least one row.
func (t *tensor) measure() error {
	if len(t.shape) == 0 {
		return t.bad("it has no shape").Do("send a shape of the number of rows, such as [1]")
	}
	if len(t.shape) > maxDims {
		return t.bad("its shape has %d dimensions", len(t.shape)).Do("send [rows], [rows,1] or [rows,columns]")
	}
	n := int64(1)
	for _, d := range t.shape {
		switch {
		case d < 0:
			return t.bad("its shape %v has a negative number", t.shape)
		case d == 0:
			return t.bad("its shape %v holds nothing", t.shape).Do("send one row at least")
		case n > math.MaxInt32/d:
			return t.bad("its shape %v is of too many elements", t.shape).Do("send fewer rows in a request")
		}
		n *= d
	}
	t.rows, t.count = int(t.shape[0]), int(n)
	return nil
}

// maxDims bounds how deep arrays may be nested.
const maxDims = 8
