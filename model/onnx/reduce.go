// SPDX-License-Identifier: Apache-2.0

package onnx

import (
	"math"
	"slices"
	"sort"

	"flyball/fault"
	"flyball/stat"
)

// reduction folds the values along some axes into one. Sums are made in float64.
type reduction func(v []float64) float64

func sumOf(v []float64) float64 {
	s := 0.0
	for _, x := range v {
		s += x
	}
	return s
}

func meanOf(v []float64) float64 { return sumOf(v) / float64(len(v)) }

func maxOf(v []float64) float64 {
	m := math.Inf(-1)
	for _, x := range v {
		m = greater(x, m)
	}
	return m
}

func minOf(v []float64) float64 {
	m := math.Inf(1)
	for _, x := range v {
		m = lesser(x, m)
	}
	return m
}

func productOf(v []float64) float64 {
	p := 1.0
	for _, x := range v {
		p *= x
	}
	return p
}

func squaresOf(v []float64) float64 {
	s := 0.0
	for _, x := range v {
		s += float64(x * x)
	}
	return s
}

func lengthOf(v []float64) float64 { return math.Sqrt(squaresOf(v)) }

func absOf(v []float64) float64 {
	s := 0.0
	for _, x := range v {
		s += math.Abs(x)
	}
	return s
}

func logSumOf(v []float64) float64 { return math.Log(sumOf(v)) }

func logSumExpOf(v []float64) float64 {
	m := maxOf(v)
	if math.IsInf(m, 0) {
		m = 0
	}
	s := 0.0
	for _, x := range v {
		s += stat.Exp(x - m)
	}
	return m + math.Log(s)
}

// buildReduce folds along axes: an attribute in old models, an input in new ones.
func buildReduce(f reduction) func(*site) (op, error) {
	return func(n *site) (op, error) {
		list, keep, nothing := n.list("axes", 1), n.int("keepdims", 1) != 0, n.int("noop_with_empty_axes", 0) != 0
		return func(e *session, in, out []*tensor) error {
			x := in[0]
			as, _, err := list(in)
			if err != nil {
				return err
			}
			if len(as) == 0 && nothing {
				out[0] = x
				return nil
			}
			if as, err = axes(as, len(x.shape)); err != nil {
				return err
			}
			if len(as) == 0 {
				for i := range x.shape {
					as = append(as, i)
				}
			}
			v, err := e.asFloat64(x)
			if err != nil {
				return err
			}
			t, err := reduced(e, v, x.shape, as, keep, f)
			if err != nil {
				return err
			}
			out[0], err = cast(e, t, x.kind)
			return err
		}, nil
	}
}

// reduced folds v along the axes as.
func reduced(e *session, v []float64, whole, as []int, keep bool, f reduction) (*tensor, error) {
	var shape, over, along []int
	s := strides(whole, whole)
	for i, d := range whole {
		switch {
		case slices.Contains(as, i):
			over = append(over, i)
			if keep {
				shape = append(shape, 1)
			}
		default:
			along = append(along, i)
			shape = append(shape, d)
		}
	}
	t, to, err := make1[float64](e, shape...)
	if err != nil {
		return nil, err
	}
	inner := dimsOf(whole, over)
	part, err := e.floats(size(inner))
	if err != nil {
		return nil, err
	}
	walk(dimsOf(whole, along), func(i int, at *[most]int) {
		p := 0
		for d, a := range along {
			p += at[d] * s[a]
		}
		if len(over) == 1 { // nearly always
			for j := range part {
				part[j] = v[p+j*s[over[0]]]
			}
		} else {
			walk(inner, func(j int, at *[most]int) {
				q := p
				for d, a := range over {
					q += at[d] * s[a]
				}
				part[j] = v[q]
			})
		}
		to[i] = f(part)
	})
	return t, nil
}

func dimsOf(shape, as []int) []int {
	out := make([]int, len(as))
	for i, a := range as {
		out[i] = shape[a]
	}
	return out
}

// lines calls f with each line of x along an axis: where it begins and how far its
// elements lie apart.
func lines(shape []int, a int, f func(start, step int)) {
	outer, inner := size(shape[:a]), size(shape[a+1:])
	for o := range outer {
		for j := range inner {
			f(o*shape[a]*inner+j, inner)
		}
	}
}

// buildArg is the place of the greatest or least element along an axis; of equal ones
// the first, or the last where select_last_index says so.
func buildArg(better func(a, b float64) bool) func(*site) (op, error) {
	return func(n *site) (op, error) {
		along, keep, last := int(n.int("axis", 0)), n.int("keepdims", 1) != 0, n.int("select_last_index", 0) != 0
		return func(e *session, in, out []*tensor) error {
			x := in[0]
			a, err := axis(along, len(x.shape))
			if err != nil {
				return err
			}
			if x.shape[a] == 0 {
				return fault.New(fault.Invalid, "there is no greatest of nothing")
			}
			v, err := e.asFloat64(x)
			if err != nil {
				return err
			}
			shape := slices.Clone(x.shape)
			if shape[a] = 1; !keep {
				shape = slices.Delete(shape, a, a+1)
			}
			t, to, err := make1[int64](e, shape...)
			if err != nil {
				return err
			}
			i := 0
			lines(x.shape, a, func(start, step int) {
				best := 0
				for j := 1; j < x.shape[a]; j++ {
					p, q := v[start+j*step], v[start+best*step]
					if better(p, q) || (last && p == q) {
						best = j
					}
				}
				to[i] = int64(best)
				i++
			})
			out[0] = t
			return nil
		}, nil
	}
}

// buildTopK is the k greatest or least along an axis, in order, and their places.
func buildTopK(n *site) (op, error) {
	along, largest := int(n.int("axis", -1)), n.int("largest", 1) != 0
	n.ignore("sorted")
	if a := n.attr("k"); a != nil { // one number in old models
		a.ints = []int64{a.i}
	}
	howMany := n.list("k", 1)
	return func(e *session, in, out []*tensor) error {
		x := in[0]
		a, err := axis(along, len(x.shape))
		if err != nil {
			return err
		}
		k, _, err := howMany(in)
		if err != nil {
			return err
		}
		if len(k) != 1 || k[0] < 0 || k[0] > x.shape[a] {
			return fault.New(fault.Invalid, "the %v greatest of %d are asked for", k, x.shape[a])
		}
		v, err := e.asFloat64(x)
		if err != nil {
			return err
		}
		shape := slices.Clone(x.shape)
		shape[a] = k[0]
		best, at, err := make1[float64](e, shape...)
		if err != nil {
			return err
		}
		places, where, err := make1[int64](e, shape...)
		if err != nil {
			return err
		}
		order, inner, o := make([]int, x.shape[a]), size(x.shape[a+1:]), 0
		lines(x.shape, a, func(start, step int) {
			for j := range order {
				order[j] = j
			}
			sort.SliceStable(order, func(i, j int) bool {
				p, q := v[start+order[i]*step], v[start+order[j]*step]
				if largest {
					return p > q
				}
				return p < q
			})
			to := o/inner*k[0]*inner + o%inner
			for j := range k[0] {
				at[to+j*inner], where[to+j*inner] = v[start+order[j]*step], int64(order[j])
			}
			o++
		})
		if out[0], err = cast(e, best, x.kind); err != nil {
			return err
		}
		if len(out) > 1 {
			out[1] = places
		}
		return nil
	}, nil
}

// buildCumSum sums along an axis, element by element.
func buildCumSum(n *site) (op, error) {
	exclusive, reverse := n.int("exclusive", 0) != 0, n.int("reverse", 0) != 0
	list := n.list("", 1)
	return func(e *session, in, out []*tensor) error {
		x := in[0]
		as, _, err := list(in)
		if err != nil {
			return err
		}
		if len(as) != 1 {
			return fault.New(fault.Invalid, "CumSum sums along one axis")
		}
		a, err := axis(as[0], len(x.shape))
		if err != nil {
			return err
		}
		v, err := e.asFloat64(x)
		if err != nil {
			return err
		}
		t, to, err := make1[float64](e, x.shape...)
		if err != nil {
			return err
		}
		lines(x.shape, a, func(start, step int) {
			s := 0.0
			for j := range x.shape[a] {
				if reverse {
					j = x.shape[a] - 1 - j
				}
				p := start + j*step
				if exclusive {
					to[p] = s
				}
				s += v[p]
				if !exclusive {
					to[p] = s
				}
			}
		})
		out[0], err = cast(e, t, x.kind)
		return err
	}, nil
}

// buildSoftmax is e^x over its sum, or the logarithm of it. Before version 13 the sum is
// of all from the axis on.
func buildSoftmax(logarithm bool) func(*site) (op, error) {
	return func(n *site) (op, error) {
		absent := int64(-1)
		if n.version < 13 {
			absent = 1
		}
		along := int(n.int("axis", absent))
		return func(e *session, in, out []*tensor) error {
			x := in[0]
			if err := realKind(x); err != nil {
				return err
			}
			a, err := axis(along, len(x.shape))
			if err != nil {
				return err
			}
			shape := x.shape
			if n.version < 13 {
				shape, a = []int{size(x.shape[:a]), size(x.shape[a:])}, 1
			}
			v, err := e.asFloat64(x)
			if err != nil {
				return err
			}
			y, err := e.floats(len(v))
			if err != nil {
				return err
			}
			lines(shape, a, func(start, step int) { softmaxLine(v, y, start, step, shape[a], logarithm) })
			out[0], err = rounded(e, x.kind, y, x.shape...)
			return err
		}, nil
	}
}

func softmaxLine(v, y []float64, start, step, n int, logarithm bool) {
	m, s := math.Inf(-1), 0.0
	for j := range n {
		m = max(m, v[start+j*step])
	}
	for j := range n {
		p := start + j*step
		y[p] = stat.Exp(v[p] - m)
		s += y[p]
	}
	l := math.Log(s)
	for j := range n {
		p := start + j*step
		if logarithm {
			y[p] = v[p] - m - l
		} else {
			y[p] /= s
		}
	}
}

// buildBatchNorm scales each channel (axis 1) by what training found.
func buildBatchNorm(n *site) (op, error) {
	epsilon := float64(n.float("epsilon", 1e-5))
	n.ignore("momentum", "spatial", "consumed_inputs", "is_test")
	if n.int("training_mode", 0) != 0 {
		return nil, refuse("BatchNormalization in training mode")
	}
	return func(e *session, in, out []*tensor) error {
		x := in[0]
		if err := realKind(x); err != nil {
			return err
		}
		channels := 1
		if len(x.shape) > 1 {
			channels = x.shape[1]
		}
		var of [4][]float64
		for i := range of {
			v, err := e.asFloat64(in[i+1])
			if err != nil {
				return err
			}
			if len(v) != channels {
				return fault.New(fault.Invalid, "BatchNormalization of %d channels has %d numbers for them", channels, len(v))
			}
			of[i] = v
		}
		v, err := e.asFloat64(x)
		if err != nil {
			return err
		}
		y, err := e.floats(len(v))
		if err != nil {
			return err
		}
		inner := 1
		if len(x.shape) > 2 {
			inner = size(x.shape[2:])
		}
		for i, f := range v {
			c := i / inner % channels
			y[i] = float64((f-of[2][c])/math.Sqrt(of[3][c]+epsilon)*of[0][c]) + of[1][c]
		}
		out[0], err = rounded(e, x.kind, y, x.shape...)
		return err
	}, nil
}
