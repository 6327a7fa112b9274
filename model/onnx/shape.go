// SPDX-License-Identifier: Apache-2.0

package onnx

import (
	"math"
	"slices"

	"flyball/fault"
)

// buildSame gives its input on: Identity, and Dropout, which only training does.
func buildSame(n *site) (op, error) {
	n.ignore("ratio", "seed", "is_test")
	if len(n.in) > 2 && n.in[2] != "" && (n.known[2] == nil || n.known[2].kind != boolKind || n.known[2].len() != 1 || n.known[2].bools[0]) {
		return nil, refuse("Dropout in training mode")
	}
	return func(_ *session, in, out []*tensor) error {
		out[0] = in[0]
		return nil
	}, nil
}

// buildReshape: a 0 keeps the dimension, one -1 is what is left over.
func buildReshape(n *site) (op, error) {
	target, allowZero := n.list("shape", 1), n.int("allowzero", 0) != 0
	return func(e *session, in, out []*tensor) error {
		x := in[0]
		want, _, err := target(in)
		if err != nil {
			return err
		}
		if len(want) > most {
			return refuse("arrays of %d dimensions", len(want))
		}
		shape, left, rest := make([]int, len(want)), -1, 1
		for i, d := range want {
			switch {
			case d == 0 && !allowZero:
				if i >= len(x.shape) {
					return fault.New(fault.Invalid, "the shape %v is given to an array of the shape %v", want, x.shape)
				}
				d = x.shape[i]
			case d == -1 && left < 0:
				left = i
				continue
			case d < 0 || d > math.MaxInt32:
				return fault.New(fault.Invalid, "the shape %v has no meaning", want)
			}
			shape[i] = d
			if d > 0 && rest > math.MaxInt/d {
				return fault.New(fault.Invalid, "the shape %v has no meaning", want)
			}
			rest *= d
		}
		n := x.len()
		if left >= 0 && rest > 0 {
			shape[left] = n / rest
			rest *= shape[left]
		}
		if rest != n {
			return fault.New(fault.Invalid, "the shape %v is given to an array of the shape %v", want, x.shape)
		}
		out[0] = e.reshaped(x, shape)
		return nil
	}, nil
}

func buildFlatten(n *site) (op, error) {
	along := int(n.int("axis", 1))
	return func(e *session, in, out []*tensor) error {
		x, a := in[0], along
		if a < 0 {
			a += len(x.shape)
		}
		if a < 0 || a > len(x.shape) {
			return fault.New(fault.Invalid, "an array of %d dimensions is flattened at %d", len(x.shape), along)
		}
		out[0] = e.reshaped(x, []int{size(x.shape[:a]), size(x.shape[a:])})
		return nil
	}, nil
}

// buildSqueeze drops axes of length one.
func buildSqueeze(n *site) (op, error) {
	list := n.list("axes", 1)
	return func(e *session, in, out []*tensor) error {
		x := in[0]
		as, all, err := list(in)
		if err != nil {
			return err
		}
		if as, err = axes(as, len(x.shape)); err != nil {
			return err
		}
		var shape []int
		for i, d := range x.shape {
			dropped := slices.Contains(as, i) || (all && d == 1)
			if dropped && d != 1 {
				return fault.New(fault.Invalid, "axis %d of the shape %v is to be dropped", i, x.shape)
			}
			if !dropped {
				shape = append(shape, d)
			}
		}
		out[0] = e.reshaped(x, shape)
		return nil
	}, nil
}

// buildUnsqueeze adds axes of length one.
func buildUnsqueeze(n *site) (op, error) {
	list := n.list("axes", 1)
	return func(e *session, in, out []*tensor) error {
		x := in[0]
		as, _, err := list(in)
		if err != nil {
			return err
		}
		rank := len(x.shape) + len(as)
		if rank > most {
			return refuse("arrays of %d dimensions", rank)
		}
		if as, err = axes(as, rank); err != nil {
			return err
		}
		shape, rest := make([]int, rank), x.shape
		for i := range shape {
			if slices.Contains(as, i) {
				shape[i] = 1
			} else {
				shape[i], rest = rest[0], rest[1:]
			}
		}
		out[0] = e.reshaped(x, shape)
		return nil
	}, nil
}

func buildShape(n *site) (op, error) {
	start, end := n.attr("start"), n.attr("end")
	return func(e *session, in, out []*tensor) error {
		rank := len(in[0].shape)
		from, to := 0, rank
		if start != nil {
			from = clampAxis(start.i, rank)
		}
		if end != nil {
			to = clampAxis(end.i, rank)
		}
		to = max(from, to)
		t, v, err := make1[int64](e, to-from)
		for i := range v {
			v[i] = int64(in[0].shape[from+i])
		}
		out[0] = t
		return err
	}, nil
}

func clampAxis(a int64, rank int) int {
	if a < 0 {
		a += int64(rank)
	}
	return int(min(max(a, 0), int64(rank)))
}

func buildSize(*site) (op, error) {
	return func(e *session, in, out []*tensor) error {
		t, v, err := make1[int64](e)
		if err == nil {
			v[0], out[0] = int64(in[0].len()), t
		}
		return err
	}, nil
}

// buildConstant gives what its attribute holds.
func buildConstant(n *site) (op, error) {
	var t *tensor
	for i := range n.attrs {
		a := &n.attrs[i]
		switch a.name {
		case "value":
			t = n.tensor("value")
		case "value_float":
			t = constant([]float32{a.f})
		case "value_floats":
			t = constant(a.floats, len(a.floats))
		case "value_int":
			t = constant([]int64{a.i})
		case "value_ints":
			t = constant(a.ints, len(a.ints))
		case "value_string":
			t = constant([]string{a.s})
		case "value_strings":
			t = constant(a.strs, len(a.strs))
		default:
			continue
		}
		a.used = true
	}
	if t == nil && n.err == nil {
		return nil, refuse("a Constant of another form")
	}
	return func(_ *session, _, out []*tensor) error {
		out[0] = t
		return nil
	}, nil
}

// buildConstantOfShape repeats one value; without an attribute it is the float 0.
func buildConstantOfShape(n *site) (op, error) {
	v := n.tensor("value")
	if v == nil {
		v = constant([]float32{0}, 1)
	}
	if v.len() != 1 {
		return nil, fault.New(fault.Invalid, "ConstantOfShape repeats %d values", v.len())
	}
	target := n.list("", 0)
	one := &tensor{}
	*one = *v
	one.shape = nil
	return func(e *session, in, out []*tensor) error {
		shape, _, err := target(in)
		if err != nil {
			return err
		}
		if len(shape) > most {
			return refuse("arrays of %d dimensions", len(shape))
		}
		out[0], err = expanded(e, one, shape)
		return err
	}, nil
}

// buildRange counts from a start to a limit by a step.
func buildRange(*site) (op, error) {
	return func(e *session, in, out []*tensor) error {
		for _, x := range in {
			if x.len() != 1 || x.kind != in[0].kind || x.kind == textKind || x.kind == boolKind {
				return fault.New(fault.Invalid, "Range takes three numbers of one kind")
			}
		}
		start, limit, step := in[0].toFloat64()[0], in[1].toFloat64()[0], in[2].toFloat64()[0]
		n := math.Max(math.Ceil((limit-start)/step), 0)
		if !(n <= float64(e.room)) {
			return fault.New(fault.TooLarge, "the model counts %g numbers", n)
		}
		t, v, err := make1[float64](e, int(n))
		if err != nil {
			return err
		}
		for i := range v {
			v[i] = start + float64(float64(i)*step)
		}
		out[0], err = cast(e, t, in[0].kind)
		return err
	}, nil
}

// buildConcat puts arrays one after the other along an axis.
func buildConcat(n *site) (op, error) {
	along := int(n.int("axis", 1))
	return func(e *session, in, out []*tensor) (err error) {
		first := in[0]
		a, err := axis(along, len(first.shape))
		if err != nil {
			return err
		}
		shape := slices.Clone(first.shape)
		shape[a] = 0
		for _, x := range in {
			if x == nil || x.kind != first.kind || len(x.shape) != len(shape) {
				return fault.New(fault.Invalid, "arrays of different kinds or ranks are put together")
			}
			for d := range shape {
				if d != a && x.shape[d] != shape[d] {
					return fault.New(fault.Invalid, "arrays of the shapes %v and %v are put together", first.shape, x.shape)
				}
			}
			shape[a] += x.shape[a]
		}
		switch first.kind {
		case float32Kind:
			out[0], err = joined[float32](e, in, shape, a)
		case float64Kind:
			out[0], err = joined[float64](e, in, shape, a)
		case int64Kind:
			out[0], err = joined[int64](e, in, shape, a)
		case int32Kind:
			out[0], err = joined[int32](e, in, shape, a)
		case boolKind:
			out[0], err = joined[bool](e, in, shape, a)
		default:
			out[0], err = joined[string](e, in, shape, a)
		}
		return err
	}, nil
}

func joined[T element](e *session, in []*tensor, shape []int, a int) (*tensor, error) {
	out, to, err := make1[T](e, shape...)
	if err != nil {
		return nil, err
	}
	outer, wide := size(shape[:a]), size(shape[a:])
	at := 0
	for _, x := range in {
		v, n := data[T](x), size(x.shape[a:])
		for o := range outer {
			copy(to[o*wide+at:], v[o*n:(o+1)*n])
		}
		at += n
	}
	return out, nil
}

// buildSplit cuts into parts along an axis: of the lengths told, or equal ones.
func buildSplit(n *site) (op, error) {
	along, lengths := int(n.int("axis", 0)), n.list("split", 1)
	parts := len(n.out)
	n.ignore("num_outputs")
	return func(e *session, in, out []*tensor) error {
		x := in[0]
		a, err := axis(along, len(x.shape))
		if err != nil || len(x.shape) > most {
			return err
		}
		each, absent, err := lengths(in)
		if err != nil {
			return err
		}
		if absent {
			each = make([]int, parts)
			step := (x.shape[a] + parts - 1) / parts
			for i := range each {
				each[i] = max(min(step, x.shape[a]-i*step), 0)
			}
		}
		if len(each) != parts {
			return fault.New(fault.Invalid, "Split has %d lengths for %d outputs", len(each), parts)
		}
		at := 0
		for i, n := range each {
			if n < 0 || n > x.shape[a]-at {
				return fault.New(fault.Invalid, "Split cuts %v of %d", each, x.shape[a])
			}
			shape, first, step := slices.Clone(x.shape), [most]int{}, [most]int{1, 1, 1, 1, 1, 1, 1, 1}
			shape[a], first[a] = n, at
			if err := sliced(e, x, shape, first, step, out[i:]); err != nil {
				return err
			}
			at += n
		}
		return nil
	}, nil
}
