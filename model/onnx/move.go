// SPDX-License-Identifier: Apache-2.0

package onnx

import (
	"math"
	"slices"

	"flyball/fault"
)

// index makes room for the place in x of each element of a shape that a step moves.
func (e *session) index(shape []int) ([]int, error) {
	n := 1
	for _, d := range shape {
		if d < 0 || (d > 0 && n > e.room/d) {
			return nil, fault.New(fault.TooLarge, "the model makes an array of the shape %v, too large for a model and rows of this size", slices.Clone(shape)).
				Do("send fewer rows at once, or have the model scored in a Python process")
		}
		n *= d
	}
	e.room -= n
	return e.ints.take(n), nil
}

// moved is the elements of x at the places from, in the shape. The places are in x.
func moved(e *session, x *tensor, shape, from []int) (*tensor, error) {
	switch x.kind {
	case float32Kind:
		return movedOf[float32](e, x, shape, from)
	case float64Kind:
		return movedOf[float64](e, x, shape, from)
	case int64Kind:
		return movedOf[int64](e, x, shape, from)
	case int32Kind:
		return movedOf[int32](e, x, shape, from)
	case boolKind:
		return movedOf[bool](e, x, shape, from)
	}
	return movedOf[string](e, x, shape, from)
}

func movedOf[T element](e *session, x *tensor, shape, from []int) (*tensor, error) {
	out, to, err := make1[T](e, shape...)
	if err != nil {
		return nil, err
	}
	v := data[T](x)
	for i, at := range from {
		to[i] = v[at]
	}
	return out, nil
}

// buildTranspose reorders the axes; without perm it turns them round.
func buildTranspose(n *site) (op, error) {
	perm := n.ints("perm")
	return func(e *session, in, out []*tensor) error {
		x := in[0]
		rank := len(x.shape)
		if rank > most {
			return refuse("arrays of %d dimensions", rank)
		}
		order := make([]int, rank)
		for i := range order {
			order[i] = rank - 1 - i
		}
		if len(perm) > 0 {
			if len(perm) != rank {
				return fault.New(fault.Invalid, "%d axes of an array of %d are reordered", len(perm), rank)
			}
			for i, p := range perm {
				order[i] = int(p)
			}
			if _, err := axes(order, rank); err != nil {
				return err
			}
		}
		shape := make([]int, rank)
		s := strides(x.shape, x.shape)
		for i, a := range order {
			if a < 0 {
				a += rank
				order[i] = a
			}
			shape[i] = x.shape[a]
		}
		from, err := e.index(shape)
		if err != nil {
			return err
		}
		walk(shape, func(i int, at *[most]int) {
			p := 0
			for d, a := range order {
				p += at[d] * s[a]
			}
			from[i] = p
		})
		out[0], err = moved(e, x, shape, from)
		return err
	}, nil
}

// buildExpand repeats along axes of length one, as broadcasting does.
func buildExpand(n *site) (op, error) {
	target := n.list("", 1)
	return func(e *session, in, out []*tensor) error {
		to, _, err := target(in)
		if err != nil {
			return err
		}
		shape, err := broadcast(in[0].shape, to)
		if err != nil {
			return err
		}
		out[0], err = expanded(e, in[0], shape)
		return err
	}, nil
}

func expanded(e *session, x *tensor, shape []int) (*tensor, error) {
	from, err := e.index(shape)
	if err != nil {
		return nil, err
	}
	s := strides(x.shape, shape)
	walk(shape, func(i int, at *[most]int) {
		p := 0
		for d := range shape {
			p += at[d] * s[d]
		}
		from[i] = p
	})
	return moved(e, x, shape, from)
}

// buildTile repeats the whole along each axis.
func buildTile(n *site) (op, error) {
	times := n.list("", 1)
	return func(e *session, in, out []*tensor) error {
		x := in[0]
		by, _, err := times(in)
		if err != nil {
			return err
		}
		if len(by) != len(x.shape) || len(by) > most {
			return fault.New(fault.Invalid, "an array of %d dimensions is repeated along %d", len(x.shape), len(by))
		}
		shape := make([]int, len(by))
		for i, b := range by {
			if b < 0 || b > math.MaxInt32 || x.shape[i] > math.MaxInt32 {
				return fault.New(fault.Invalid, "an array is repeated %d times", b)
			}
			shape[i] = x.shape[i] * b
		}
		from, err := e.index(shape)
		if err != nil {
			return err
		}
		s := strides(x.shape, x.shape)
		walk(shape, func(i int, at *[most]int) {
			p := 0
			for d := range shape {
				p += at[d] % x.shape[d] * s[d]
			}
			from[i] = p
		})
		out[0], err = moved(e, x, shape, from)
		return err
	}, nil
}

// buildGather takes slices of x along an axis at the places of the second input.
func buildGather(n *site) (op, error) {
	along := int(n.int("axis", 0))
	return func(e *session, in, out []*tensor) error {
		x, places := in[0], in[1]
		a, err := axis(along, len(x.shape))
		if err != nil {
			return err
		}
		at, ok := places.whole()
		if !ok {
			return refuseKind(places.kind)
		}
		for i := range at {
			if at[i] < 0 {
				at[i] += x.shape[a]
			}
			if at[i] < 0 || at[i] >= x.shape[a] {
				return outside(at[i], x.shape[a])
			}
		}
		shape := slices.Concat(x.shape[:a], places.shape, x.shape[a+1:])
		from, err := e.index(shape)
		if err != nil {
			return err
		}
		outer, inner := size(x.shape[:a]), size(x.shape[a+1:])
		i := 0
		for o := range outer {
			for _, p := range at {
				for j := range inner {
					from[i] = (o*x.shape[a]+p)*inner + j
					i++
				}
			}
		}
		out[0], err = moved(e, x, shape, from)
		return err
	}, nil
}

func outside(at, n int) error {
	return fault.New(fault.Invalid, "the model reads place %d of %d", at, n)
}

// buildGatherElements takes for each place the element at another place of an axis.
func buildGatherElements(n *site) (op, error) {
	along := int(n.int("axis", 0))
	return func(e *session, in, out []*tensor) error {
		x, places := in[0], in[1]
		a, err := axis(along, len(x.shape))
		if err != nil {
			return err
		}
		at, ok := places.whole()
		if !ok || len(places.shape) != len(x.shape) || len(x.shape) > most {
			return fault.New(fault.Invalid, "places of the shape %v are read of an array of the shape %v", places.shape, x.shape)
		}
		for d := range x.shape {
			if d != a && places.shape[d] > x.shape[d] {
				return outside(places.shape[d]-1, x.shape[d])
			}
		}
		for i := range at {
			if at[i] < 0 {
				at[i] += x.shape[a]
			}
			if at[i] < 0 || at[i] >= x.shape[a] {
				return outside(at[i], x.shape[a])
			}
		}
		from, err := e.index(places.shape)
		if err != nil {
			return err
		}
		s := strides(x.shape, x.shape)
		walk(places.shape, func(i int, p *[most]int) {
			from[i] = 0
			for d := range x.shape {
				if d == a {
					from[i] += at[i] * s[d]
				} else {
					from[i] += p[d] * s[d]
				}
			}
		})
		out[0], err = moved(e, x, places.shape, from)
		return err
	}, nil
}

// buildExtract is ArrayFeatureExtractor: columns of the last axis.
func buildExtract(*site) (op, error) {
	return func(e *session, in, out []*tensor) error {
		x := in[0]
		at, ok := in[1].whole()
		if !ok || len(x.shape) == 0 {
			return refuseKind(in[1].kind)
		}
		cols := x.shape[len(x.shape)-1]
		for _, p := range at {
			if p < 0 || p >= cols {
				return outside(p, cols)
			}
		}
		shape := slices.Clone(x.shape)
		shape[len(shape)-1] = len(at)
		if len(shape) == 1 {
			shape = []int{1, len(at)}
		}
		from, err := e.index(shape)
		if err != nil {
			return err
		}
		for i := range from {
			from[i] = i/len(at)*cols + at[i%len(at)]
		}
		out[0], err = moved(e, x, shape, from)
		return err
	}, nil
}

// buildCompress keeps the slices along an axis, or the elements, whose condition is true.
func buildCompress(n *site) (op, error) {
	a := n.attr("axis")
	return func(e *session, in, out []*tensor) error {
		x, keep := in[0], in[1]
		if keep.kind != boolKind {
			return refuseKind(keep.kind)
		}
		shape, along := []int{x.len()}, 0
		if a != nil {
			var err error
			if along, err = axis(int(a.i), len(x.shape)); err != nil {
				return err
			}
			shape = slices.Clone(x.shape)
		}
		length, outer, inner := shape[along], size(shape[:along]), size(shape[along+1:])
		var kept []int
		for i, k := range keep.bools {
			if k {
				if i >= length {
					return outside(i, length)
				}
				kept = append(kept, i)
			}
		}
		shape[along] = len(kept)
		from, err := e.index(shape)
		if err != nil {
			return err
		}
		i := 0
		for o := range outer {
			for _, p := range kept {
				for j := range inner {
					from[i] = (o*length+p)*inner + j
					i++
				}
			}
		}
		out[0], err = moved(e, x, shape, from)
		return err
	}, nil
}

// buildNonZero is the places of what is not zero, an axis a row.
func buildNonZero(*site) (op, error) {
	return func(e *session, in, out []*tensor) error {
		x := in[0]
		if x.kind == textKind {
			return refuseKind(x.kind)
		}
		rank := len(x.shape)
		if rank > most {
			return refuse("arrays of %d dimensions", rank)
		}
		v := x.toFloat64()
		n := 0
		for _, f := range v {
			if f != 0 {
				n++
			}
		}
		t, to, err := make1[int64](e, rank, n)
		if err != nil {
			return err
		}
		k := 0
		walk(x.shape, func(i int, at *[most]int) {
			if v[i] == 0 {
				return
			}
			for d := range rank {
				to[d*n+k] = int64(at[d])
			}
			k++
		})
		out[0] = t
		return nil
	}, nil
}

// buildSlice cuts along axes: attributes before version 10, inputs since.
func buildSlice(n *site) (op, error) {
	starts, ends, along, steps := n.list("starts", 1), n.list("ends", 2), n.list("axes", 3), n.list("", 4)
	return func(e *session, in, out []*tensor) error {
		x := in[0]
		rank := len(x.shape)
		if rank > most {
			return refuse("arrays of %d dimensions", rank)
		}
		from, _, err1 := starts(in)
		to, _, err2 := ends(in)
		as, all, err3 := along(in)
		by, ones, err4 := steps(in)
		for _, err := range []error{err1, err2, err3, err4} {
			if err != nil {
				return err
			}
		}
		if all {
			for i := range from {
				as = append(as, i)
			}
		}
		if len(from) != len(to) || len(from) != len(as) || (!ones && len(by) != len(from)) {
			return fault.New(fault.Invalid, "Slice has %d starts, %d ends and %d axes", len(from), len(to), len(as))
		}
		shape, first, step := slices.Clone(x.shape), [most]int{}, [most]int{}
		for i := range step {
			step[i] = 1
		}
		for i, a := range as {
			a, err := axis(a, rank)
			if err != nil {
				return err
			}
			if !ones {
				step[a] = by[i]
			}
			if step[a] == 0 {
				return fault.New(fault.Invalid, "Slice has a step of 0")
			}
			first[a], shape[a] = cut(from[i], to[i], step[a], x.shape[a])
		}
		return sliced(e, x, shape, first, step, out)
	}, nil
}

// cut is where a slice of n elements begins and how many it takes, by Python's rules.
func cut(start, end, step, n int) (first, count int) {
	if start < 0 {
		start += n
	}
	if end < 0 && end > math.MinInt/2 {
		end += n
	}
	if step > 0 {
		start, end = min(max(start, 0), n), min(max(end, 0), n)
		if end <= start {
			return 0, 0
		}
		return start, (end-start-1)/step + 1
	}
	start, end = min(max(start, -1), n-1), min(max(end, -1), n-1)
	if start <= end || step == math.MinInt {
		return 0, 0
	}
	return start, (start-end-1)/-step + 1
}

func sliced(e *session, x *tensor, shape []int, first, step [most]int, out []*tensor) error {
	from, err := e.index(shape)
	if err != nil {
		return err
	}
	s := strides(x.shape, x.shape)
	walk(shape, func(i int, at *[most]int) {
		p := 0
		for d := range shape {
			p += (first[d] + at[d]*step[d]) * s[d]
		}
		from[i] = p
	})
	out[0], err = moved(e, x, shape, from)
	return err
}
