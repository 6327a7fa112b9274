// SPDX-License-Identifier: Apache-2.0

package onnx

import (
	"math"

	"flyball/fault"
)

// most is how many dimensions an array may have.
const most = 8

// broadcast is the shape of two arrays together, as numpy has it.
func broadcast(a, b []int) ([]int, error) {
	rank := max(len(a), len(b))
	if rank > most {
		return nil, refuse("arrays of %d dimensions", rank)
	}
	out := make([]int, rank)
	for i := range out {
		x, y := from(a, i, rank), from(b, i, rank)
		switch {
		case x == y || y == 1:
			out[i] = x
		case x == 1:
			out[i] = y
		default:
			return nil, fault.New(fault.Invalid, "arrays of the shapes %v and %v do not fit together", a, b)
		}
	}
	return out, nil
}

// from is dimension i of a shape that is led by ones up to rank.
func from(shape []int, i, rank int) int {
	if i -= rank - len(shape); i >= 0 {
		return shape[i]
	}
	return 1
}

// strides are how far elements of a shape lie from each other along each dimension of
// the shape out, 0 where one stands for all.
func strides(shape, out []int) [most]int {
	var s [most]int
	step := 1
	for i := len(out) - 1; i >= 0; i-- {
		d := from(shape, i, len(out))
		if d != 1 {
			s[i] = step
		}
		step *= d
	}
	return s
}

// zip is f of the elements of a and b, broadcast.
func zip[T, R element](e *session, a, b *tensor, f func(x, y T) R) (*tensor, error) {
	x, y := data[T](a), data[T](b)
	shape := a.shape
	if !sameShape(a.shape, b.shape) {
		var err error
		if shape, err = broadcast(a.shape, b.shape); err != nil {
			return nil, err
		}
	}
	out, to, err := make1[R](e, shape...)
	if err != nil {
		return nil, err
	}
	switch {
	case len(to) == 0:
	case len(x) == len(to) && len(y) == len(to):
		for i := range to {
			to[i] = f(x[i], y[i])
		}
	case len(x) == len(to) && isTail(b.shape, shape): // a bias to each row
		for i := 0; i < len(to); i += len(y) {
			for j, v := range y {
				to[i+j] = f(x[i+j], v)
			}
		}
	default:
		s, t := strides(a.shape, shape), strides(b.shape, shape)
		walk(shape, func(i int, at *[most]int) {
			var p, q int
			for d := range shape {
				p += at[d] * s[d]
				q += at[d] * t[d]
			}
			to[i] = f(x[p], y[q])
		})
	}
	return out, nil
}

func sameShape(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// isTail says that b, without leading ones, is the end of shape, so that its elements
// repeat one after the other.
func isTail(b, shape []int) bool {
	for len(b) > 0 && b[0] == 1 {
		b = b[1:]
	}
	if len(b) > len(shape) {
		return false
	}
	return sameShape(b, shape[len(shape)-len(b):])
}

// walk calls f with each place of a shape, in order.
func walk(shape []int, f func(i int, at *[most]int)) {
	var at [most]int
	for i := range size(shape) {
		f(i, &at)
		for d := len(shape) - 1; d >= 0; d-- {
			if at[d]++; at[d] < shape[d] {
				break
			}
			at[d] = 0
		}
	}
}

// arithmetic is an operator on two arrays of numbers.
type arithmetic struct {
	f32 func(a, b float32) float32
	f64 func(a, b float64) float64
	i64 func(a, b int64) int64
}

func (f arithmetic) apply(e *session, a, b *tensor) (*tensor, error) {
	if a.kind != b.kind {
		return nil, fault.New(fault.Invalid, "an array of %s meets one of %s", a.kind, b.kind)
	}
	switch a.kind {
	case float32Kind:
		return zip(e, a, b, f.f32)
	case float64Kind:
		return zip(e, a, b, f.f64)
	case int64Kind:
		return zip(e, a, b, f.i64)
	case int32Kind:
		return zip(e, a, b, func(x, y int32) int32 { return int32(f.i64(int64(x), int64(y))) })
	}
	return nil, refuseKind(a.kind)
}

func add() arithmetic {
	return arithmetic{sum[float32], sum[float64], sum[int64]}
}

func sum[T number](a, b T) T        { return a + b }
func difference[T number](a, b T) T { return a - b }
func product[T number](a, b T) T    { return a * b }

func quotient[T number](a, b T) T { return a / b }

// wholeQuotient is a/b towards zero; the standard leaves b = 0 open, here it gives 0.
func wholeQuotient(a, b int64) int64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// greater and lesser give NaN where one is NaN, as the standard's Max and Min do.
func greater[T number](a, b T) T {
	if a > b || math.IsNaN(float64(a)) {
		return a
	}
	return b
}

func lesser[T number](a, b T) T {
	if a < b || math.IsNaN(float64(a)) {
		return a
	}
	return b
}

func buildArithmetic(f arithmetic) func(*site) (op, error) {
	return func(*site) (op, error) {
		return func(e *session, in, out []*tensor) (err error) {
			out[0], err = f.apply(e, in[0], in[1])
			return err
		}, nil
	}
}

// buildAdd is Add, with a short way for a bias to each row.
func buildAdd(*site) (op, error) {
	f := add()
	return func(e *session, in, out []*tensor) (err error) {
		a, b := in[0], in[1]
		switch {
		case a.kind != b.kind || len(a.shape) < len(b.shape) || !isTail(b.shape, a.shape):
			out[0], err = f.apply(e, a, b)
		case a.kind == float32Kind:
			out[0], err = biased(e, a, a.f32, b.f32)
		case a.kind == float64Kind:
			out[0], err = biased(e, a, a.f64, b.f64)
		default:
			out[0], err = f.apply(e, a, b)
		}
		return err
	}, nil
}

// biased adds b to each stretch of x of its length.
func biased[T float32 | float64](e *session, a *tensor, x, b []T) (*tensor, error) {
	out, to, err := make1[T](e, a.shape...)
	if err != nil {
		return nil, err
	}
	for len(to) > 0 {
		n := len(b)
		y, z := x[:n], to[:n]
		for i, v := range b {
			z[i] = y[i] + v
		}
		x, to = x[n:], to[n:]
	}
	return out, nil
}

// buildOver applies f to all inputs, one after the other; mean divides by their number.
func buildOver(f arithmetic, mean bool) func(*site) (op, error) {
	return func(*site) (op, error) {
		return func(e *session, in, out []*tensor) (err error) {
			so := in[0]
			for _, x := range in[1:] {
				if x == nil {
					return fault.New(fault.Invalid, "an input is absent")
				}
				if so, err = f.apply(e, so, x); err != nil {
					return err
				}
			}
			if mean {
				n := float64(len(in))
				in, out := []*tensor{so}, out
				return unary{real: func(v float64) float64 { return v / n }}.op()(e, in, out)
			}
			out[0] = so
			return nil
		}, nil
	}
}

// buildPow raises to a power, whose elements may be of another kind.
func buildPow(*site) (op, error) {
	return func(e *session, in, out []*tensor) (err error) {
		a, b := in[0], in[1]
		if b.kind != a.kind {
			if b, err = cast(e, b, a.kind); err != nil {
				return err
			}
		}
		f := arithmetic{
			func(x, y float32) float32 { return float32(power(float64(x), float64(y))) }, power,
			func(x, y int64) int64 { return int64(power(float64(x), float64(y))) },
		}
		out[0], err = f.apply(e, a, b)
		return err
	}, nil
}

func power(x, y float64) float64 {
	switch y {
	case 1:
		return x
	case 2:
		return x * x
	case 0.5:
		return math.Sqrt(x)
	}
	return math.Pow(x, y)
}

// buildMod is the remainder: of the sign of the divisor, or as C's fmod has it.
func buildMod(n *site) (op, error) {
	c := n.int("fmod", 0) != 0
	real := func(a, b float64) float64 {
		r := math.Mod(a, b)
		if !c && r != 0 && (r < 0) != (b < 0) {
			r += b
		}
		return r
	}
	whole := func(a, b int64) int64 {
		if b == 0 {
			return 0
		}
		r := a % b
		if !c && r != 0 && (r < 0) != (b < 0) {
			r += b
		}
		return r
	}
	return buildArithmetic(arithmetic{func(a, b float32) float32 { return float32(real(float64(a), float64(b))) }, real, whole})(n)
}

// buildCompare compares two arrays. Texts and truth values can only be equal or not.
func buildCompare(f32 func(a, b float32) bool, f64 func(a, b float64) bool, i64 func(a, b int64) bool, equal bool) func(*site) (op, error) {
	return func(*site) (op, error) {
		return func(e *session, in, out []*tensor) (err error) {
			a, b := in[0], in[1]
			if a.kind != b.kind {
				return fault.New(fault.Invalid, "an array of %s is compared with one of %s", a.kind, b.kind)
			}
			switch {
			case a.kind == float32Kind:
				out[0], err = zip(e, a, b, f32)
			case a.kind == float64Kind:
				out[0], err = zip(e, a, b, f64)
			case a.kind == int64Kind:
				out[0], err = zip(e, a, b, i64)
			case a.kind == int32Kind:
				out[0], err = zip(e, a, b, func(x, y int32) bool { return i64(int64(x), int64(y)) })
			case a.kind == boolKind && equal:
				out[0], err = zip(e, a, b, func(x, y bool) bool { return x == y })
			case a.kind == textKind && equal:
				out[0], err = zip(e, a, b, func(x, y string) bool { return x == y })
			default:
				err = refuseKind(a.kind)
			}
			return err
		}, nil
	}
}

func equal[T number](a, b T) bool     { return a == b }
func less[T number](a, b T) bool      { return a < b }
func lessEqual[T number](a, b T) bool { return a <= b }
func more[T number](a, b T) bool      { return a > b }
func moreEqual[T number](a, b T) bool { return a >= b }

func buildLogic(f func(a, b bool) bool) func(*site) (op, error) {
	return func(*site) (op, error) {
		return func(e *session, in, out []*tensor) (err error) {
			if in[0].kind != boolKind || in[1].kind != boolKind {
				return refuse("logic on elements of types %s and %s", in[0].kind, in[1].kind)
			}
			out[0], err = zip(e, in[0], in[1], f)
			return err
		}, nil
	}
}

// buildWhere takes from the second array where the first is true, else from the third.
func buildWhere(*site) (op, error) {
	return func(e *session, in, out []*tensor) (err error) {
		if in[0].kind != boolKind || in[1].kind != in[2].kind {
			return fault.New(fault.Invalid, "Where chooses by %s between %s and %s", in[0].kind, in[1].kind, in[2].kind)
		}
		switch in[1].kind {
		case float32Kind:
			out[0], err = chosenOf[float32](e, in)
		case float64Kind:
			out[0], err = chosenOf[float64](e, in)
		case int64Kind:
			out[0], err = chosenOf[int64](e, in)
		case int32Kind:
			out[0], err = chosenOf[int32](e, in)
		case boolKind:
			out[0], err = chosenOf[bool](e, in)
		default:
			out[0], err = chosenOf[string](e, in)
		}
		return err
	}, nil
}

func chosenOf[T element](e *session, in []*tensor) (*tensor, error) {
	shape, err := broadcast(in[1].shape, in[2].shape)
	if err == nil {
		shape, err = broadcast(in[0].shape, shape)
	}
	if err != nil {
		return nil, err
	}
	out, to, err := make1[T](e, shape...)
	if err != nil {
		return nil, err
	}
	c, a, b := in[0].bools, data[T](in[1]), data[T](in[2])
	r, s, t := strides(in[0].shape, shape), strides(in[1].shape, shape), strides(in[2].shape, shape)
	walk(shape, func(i int, at *[most]int) {
		var o, p, q int
		for d := range shape {
			o += at[d] * r[d]
			p += at[d] * s[d]
			q += at[d] * t[d]
		}
		if c[o] {
			to[i] = a[p]
		} else {
			to[i] = b[q]
		}
	})
	return out, nil
}

// buildPRelu multiplies what is below 0 by a slope.
func buildPRelu(n *site) (op, error) {
	slope := func(a, b float64) float64 {
		if a < 0 {
			return a * b
		}
		return a
	}
	whole := func(a, b int64) int64 {
		if a < 0 {
			return a * b
		}
		return a
	}
	return buildArithmetic(arithmetic{func(a, b float32) float32 { return float32(slope(float64(a), float64(b))) }, slope, whole})(n)
}
