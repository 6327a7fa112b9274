// SPDX-License-Identifier: Apache-2.0

package onnx

import (
	"slices"

	"flyball/fault"
)

// session is one run of a plan: the values so far, and the memory that they lie in, which
// the next run takes over. What is made by a run must not be kept beyond it.
type session struct {
	values  []*tensor // by place
	in, out []*tensor // of the step under way
	room    int       // elements that may still be made

	tensors bump[tensor]
	ints    bump[int]
	f32     bump[float32]
	f64     bump[float64]
	i64     bump[int64]
	i32     bump[int32]
	bools   bump[bool]
	texts   bump[string]
}

// bump hands out pieces of a chunk, one after the other. A chunk that is too small is
// left to whoever holds pieces of it, and the next is made larger.
type bump[T any] struct {
	chunk []T
	used  int
}

// take is n places with whatever was in them.
func (b *bump[T]) take(n int) []T {
	if n > len(b.chunk)-b.used {
		b.chunk, b.used = make([]T, max(n, min(2*len(b.chunk), 1<<20), 64)), 0
	}
	out := b.chunk[b.used : b.used+n : b.used+n]
	b.used += n
	return out
}

// reset makes the run's memory free for the next one.
func (e *session) reset(room int) {
	e.room = room
	clear(e.values)
	clear(e.texts.chunk[:e.texts.used]) // so that no request's text is held
	clear(e.tensors.chunk[:e.tensors.used])
	e.tensors.used, e.ints.used, e.texts.used, e.bools.used = 0, 0, 0, 0
	e.f32.used, e.f64.used, e.i64.used, e.i32.used = 0, 0, 0, 0
}

// large says that a run took so much memory that it is not kept for the next.
func (e *session) large() bool {
	const most = 1 << 22 // elements
	return len(e.f32.chunk)+len(e.f64.chunk)+len(e.i64.chunk)+len(e.texts.chunk)+len(e.bools.chunk)+len(e.i32.chunk) > most
}

// pool is where a run keeps elements of type T.
func pool[T element](e *session) *bump[T] {
	var at any
	switch any((*T)(nil)).(type) {
	case *float32:
		at = &e.f32
	case *float64:
		at = &e.f64
	case *int64:
		at = &e.i64
	case *int32:
		at = &e.i32
	case *bool:
		at = &e.bools
	default:
		at = &e.texts
	}
	return at.(*bump[T])
}

// make1 makes a tensor of the shape, with room for its elements and with whatever was in
// them: the step writes them all. The shape is copied. A shape beyond the run's room is
// a TooLarge fault.
func make1[T element](e *session, shape ...int) (*tensor, []T, error) {
	n := 1
	if len(shape) > most {
		return nil, nil, refuse("arrays of %d dimensions", len(shape))
	}
	for _, d := range shape {
		if d < 0 {
			return nil, nil, fault.New(fault.Invalid, "the model makes an array of the shape %v", shape)
		}
		if d > 0 && n > e.room/d {
			return nil, nil, fault.New(fault.TooLarge, "the model makes an array of the shape %v, too large for a model and rows of this size", slices.Clone(shape)).
				Do("send fewer rows at once, or have the model scored in a Python process")
		}
		n *= d
	}
	e.room -= n
	t := e.view(kindFor[T](), shape)
	v := pool[T](e).take(n)
	*slot[T](t) = v
	return t, v, nil
}

// view makes a tensor of the shape, which is copied, without elements.
func (e *session) view(k kind, shape []int) *tensor {
	t := &e.tensors.take(1)[0]
	*t = tensor{kind: k, shape: e.ints.take(len(shape))}
	copy(t.shape, shape)
	return t
}

// reshaped is t's elements in another shape of as many.
func (e *session) reshaped(t *tensor, shape []int) *tensor {
	out := e.view(t.kind, shape)
	out.f32, out.f64, out.i64, out.i32, out.bools, out.texts = t.f32, t.f64, t.i64, t.i32, t.bools, t.texts
	return out
}

// asFloat64 is t's elements as float64s, in the run's memory unless t holds float64.
func (e *session) asFloat64(t *tensor) ([]float64, error) {
	switch t.kind {
	case float64Kind:
		return t.f64, nil
	case float32Kind:
		return widen(e, t.f32), nil
	case int64Kind:
		return widen(e, t.i64), nil
	case int32Kind:
		return widen(e, t.i32), nil
	}
	return nil, refuseKind(t.kind)
}

func widen[T number](e *session, v []T) []float64 {
	out := e.f64.take(len(v))
	for i, x := range v {
		out[i] = float64(x)
	}
	return out
}
