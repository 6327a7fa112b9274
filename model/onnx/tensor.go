// SPDX-License-Identifier: Apache-2.0

package onnx

import (
	"encoding/binary"
	"math"
	"strconv"

	"flyball/fault"
)

// kind is the type of a tensor's elements.
type kind uint8

const (
	float32Kind kind = iota + 1
	float64Kind
	int64Kind
	int32Kind
	boolKind
	textKind
)

func (k kind) String() string {
	names := [...]string{"nothing", "float", "double", "int64", "int32", "bool", "string"}
	if int(k) < len(names) {
		return names[k]
	}
	return "nothing"
}

// kindOf reads a TensorProto.DataType. The error is a Refused fault.
func kindOf(dataType int64) (kind, error) {
	switch dataType {
	case 1:
		return float32Kind, nil
	case 6:
		return int32Kind, nil
	case 7:
		return int64Kind, nil
	case 8:
		return textKind, nil
	case 9:
		return boolKind, nil
	case 11:
		return float64Kind, nil
	}
	return 0, refuse("the type %s", typeName(dataType))
}

func typeName(dataType int64) string {
	names := [...]string{
		"undefined", "float", "uint8", "int8", "uint16", "int16", "int32", "int64", "string", "bool", "float16", "double",
		"uint32", "uint64", "complex64", "complex128", "bfloat16",
	}
	if dataType >= 0 && int(dataType) < len(names) {
		return names[dataType]
	}
	return strconv.FormatInt(dataType, 10)
}

// element is what a tensor may hold.
type element interface {
	float32 | float64 | int64 | int32 | bool | string
}

// number is what may be computed with.
type number interface {
	float32 | float64 | int64 | int32
}

// tensor is an array in row-major order. Only the slice of its kind is set. It is not
// changed once a step has given it out, and may share its elements with others.
type tensor struct {
	kind  kind
	shape []int
	f32   []float32
	f64   []float64
	i64   []int64
	i32   []int32
	bools []bool
	texts []string
}

// data is the elements of a tensor whose kind is T's; nil when it is not.
func data[T element](t *tensor) []T { return *slot[T](t) }

// slot is where a tensor keeps elements of type T.
func slot[T element](t *tensor) *[]T {
	var at any
	switch any((*T)(nil)).(type) {
	case *float32:
		at = &t.f32
	case *float64:
		at = &t.f64
	case *int64:
		at = &t.i64
	case *int32:
		at = &t.i32
	case *bool:
		at = &t.bools
	default:
		at = &t.texts
	}
	return at.(*[]T)
}

func kindFor[T element]() kind {
	switch any((*T)(nil)).(type) {
	case *float32:
		return float32Kind
	case *float64:
		return float64Kind
	case *int64:
		return int64Kind
	case *int32:
		return int32Kind
	case *bool:
		return boolKind
	}
	return textKind
}

// constant makes a tensor over the values, outside any run.
func constant[T element](v []T, shape ...int) *tensor {
	t := &tensor{kind: kindFor[T](), shape: shape}
	*slot[T](t) = v
	return t
}

// len is the number of elements.
func (t *tensor) len() int { return size(t.shape) }

// size is the number of elements of a shape.
func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// rows sees a tensor as rows: of a vector one, of an array of more dimensions as many as
// the first has. The ai.onnx.ml operators read their input so.
func (t *tensor) rows() (rows, cols int) {
	switch len(t.shape) {
	case 0:
		return 1, 1
	case 1:
		return 1, t.shape[0]
	}
	return t.shape[0], size(t.shape[1:])
}

// decode reads a constant. Its elements are as many as its dimensions say, so it takes
// no more room than the file does, a text's header aside.
func (p *tensorProto) decode() (*tensor, error) {
	k, err := kindOf(p.kind)
	if err != nil {
		return nil, err
	}
	if len(p.dims) > most {
		return nil, refuse("arrays of %d dimensions", len(p.dims))
	}
	n := 1
	shape := make([]int, len(p.dims))
	for i, d := range p.dims {
		if d < 0 || d > 1<<40 || (d > 0 && n > (1<<40)/int(d)) {
			return nil, p.broken()
		}
		shape[i], n = int(d), n*int(d)
	}
	t := &tensor{kind: k, shape: shape}
	switch {
	case k == textKind:
		t.texts = p.strs
		if len(p.strs) != n || p.hasRaw {
			return nil, p.broken()
		}
		return t, nil
	case p.hasRaw:
		return t, p.fromRaw(t, n)
	}
	switch k {
	case float32Kind:
		t.f32 = p.floats
	case float64Kind:
		t.f64 = p.doubles
	case int64Kind:
		t.i64 = p.int64s
	case int32Kind:
		t.i32 = make([]int32, len(p.int32s))
		for i, v := range p.int32s {
			t.i32[i] = int32(v)
		}
	case boolKind:
		t.bools = make([]bool, len(p.int32s))
		for i, v := range p.int32s {
			t.bools[i] = v != 0
		}
	}
	if t.held() != n {
		return nil, p.broken()
	}
	return t, nil
}

func (p *tensorProto) broken() error {
	return fault.New(fault.Invalid, "the constant %q does not hold what its shape %v says", p.name, p.dims).Do("write the model again")
}

// held is how many elements the slice of t's kind has.
func (t *tensor) held() int {
	return len(t.f32) + len(t.f64) + len(t.i64) + len(t.i32) + len(t.bools) + len(t.texts)
}

// fromRaw fills t with n elements in little-endian order.
func (p *tensorProto) fromRaw(t *tensor, n int) error {
	width := map[kind]int{float32Kind: 4, float64Kind: 8, int64Kind: 8, int32Kind: 4, boolKind: 1}[t.kind]
	if len(p.raw)%width != 0 || len(p.raw)/width != n {
		return p.broken()
	}
	switch t.kind {
	case float32Kind:
		t.f32 = make([]float32, n)
		for i := range t.f32 {
			t.f32[i] = math.Float32frombits(binary.LittleEndian.Uint32(p.raw[4*i:]))
		}
	case float64Kind:
		t.f64 = make([]float64, n)
		for i := range t.f64 {
			t.f64[i] = math.Float64frombits(binary.LittleEndian.Uint64(p.raw[8*i:]))
		}
	case int64Kind:
		t.i64 = make([]int64, n)
		for i := range t.i64 {
			t.i64[i] = int64(binary.LittleEndian.Uint64(p.raw[8*i:]))
		}
	case int32Kind:
		t.i32 = make([]int32, n)
		for i := range t.i32 {
			t.i32[i] = int32(binary.LittleEndian.Uint32(p.raw[4*i:]))
		}
	case boolKind:
		t.bools = make([]bool, n)
		for i := range t.bools {
			t.bools[i] = p.raw[i] != 0
		}
	}
	return nil
}

// toFloat64 is the elements as float64s; a slice of its own unless t holds float64.
// It has none for texts.
func (t *tensor) toFloat64() []float64 {
	switch t.kind {
	case float32Kind:
		return widened(t.f32)
	case float64Kind:
		return t.f64
	case int64Kind:
		return widened(t.i64)
	case int32Kind:
		return widened(t.i32)
	case boolKind:
		out := make([]float64, len(t.bools))
		for i, v := range t.bools {
			if v {
				out[i] = 1
			}
		}
		return out
	}
	return nil
}

func widened[T number](v []T) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = float64(x)
	}
	return out
}

// whole is the elements as ints: of axes, shapes and places. ok is false where t holds no
// whole numbers.
func (t *tensor) whole() (out []int, ok bool) {
	switch t.kind {
	case int64Kind:
		out = make([]int, len(t.i64))
		for i, v := range t.i64 {
			out[i] = int(v)
		}
	case int32Kind:
		out = make([]int, len(t.i32))
		for i, v := range t.i32 {
			out[i] = int(v)
		}
	default:
		return nil, false
	}
	return out, true
}
