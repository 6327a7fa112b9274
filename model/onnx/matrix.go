// SPDX-License-Identifier: Apache-2.0

package onnx

import (
	"slices"

	"flyball/fault"
)

// dense is a matrix to multiply with from the right: float64, a column after the other,
// so that each result is the product of two stretches of memory. Sums are made in
// float64 also where a model says float32, and rounded once: nearer to what the trained
// model says than float32 sums are.
type dense struct {
	in, out int
	cols    []float64 // out columns of in values
}

// newDense packs a row-major matrix of rows × cols, or of cols × rows if turned.
func newDense(v []float64, rows, cols int, turned bool, into []float64) dense {
	d := dense{in: rows, out: cols, cols: into}
	if turned {
		copy(d.cols, v)
		return d
	}
	for j := range cols {
		for i := range rows {
			d.cols[j*rows+i] = v[i*cols+j]
		}
	}
	return d
}

// times is x·d for one row x of d.in values.
func (d *dense) times(x, out []float64) {
	n, j := d.in, 0
	x = x[:n]
	for ; j+4 <= d.out; j += 4 {
		a, b := d.cols[j*n:][:n], d.cols[(j+1)*n:][:n]
		c, e := d.cols[(j+2)*n:][:n], d.cols[(j+3)*n:][:n]
		var s, t, u, v float64
		for i, f := range x {
			s += float64(f * a[i])
			t += float64(f * b[i])
			u += float64(f * c[i])
			v += float64(f * e[i])
		}
		out[j], out[j+1], out[j+2], out[j+3] = s, t, u, v
	}
	for ; j < d.out; j++ {
		a := d.cols[j*n:][:n]
		s := 0.0
		for i, f := range x {
			s += float64(f * a[i])
		}
		out[j] = s
	}
}

// rounded makes a tensor of kind k of float64 sums.
func rounded(e *session, k kind, v []float64, shape ...int) (*tensor, error) {
	if k == float64Kind {
		t, to, err := make1[float64](e, shape...)
		copy(to, v)
		return t, err
	}
	t, to, err := make1[float32](e, shape...)
	if err != nil {
		return nil, err
	}
	for i, x := range v {
		to[i] = float32(x)
	}
	return t, nil
}

func realKind(ts ...*tensor) error {
	for _, t := range ts {
		if t.kind != float32Kind && t.kind != float64Kind {
			return refuseKind(t.kind)
		}
		if t.kind != ts[0].kind {
			return fault.New(fault.Invalid, "an array of %s meets one of %s", ts[0].kind, t.kind)
		}
	}
	return nil
}

// buildGemm is alpha·A·B + beta·C of two matrices, either of them turned.
func buildGemm(n *site) (op, error) {
	alpha, beta := float64(n.float("alpha", 1)), float64(n.float("beta", 1))
	turnA, turnB := n.int("transA", 0) != 0, n.int("transB", 0) != 0
	n.ignore("broadcast")
	var fixed *dense
	if b := n.known[1]; b != nil && len(b.shape) == 2 && realKind(b) == nil {
		d := packed(b, turnB, make([]float64, b.len()))
		fixed = &d
	}
	return func(e *session, in, out []*tensor) error {
		a, b := in[0], in[1]
		if len(a.shape) != 2 || len(b.shape) != 2 {
			return fault.New(fault.Invalid, "Gemm takes matrices, not arrays of the shapes %v and %v", a.shape, b.shape)
		}
		if err := realKind(a, b); err != nil {
			return err
		}
		d := fixed
		if d == nil {
			to, err := e.floats(b.len())
			if err != nil {
				return err
			}
			p := packed(b, turnB, to)
			d = &p
		}
		x, err := e.asFloat64(a)
		if err != nil {
			return err
		}
		rows, cols := a.shape[0], a.shape[1]
		if turnA {
			to, err := e.floats(len(x))
			if err != nil {
				return err
			}
			x, rows, cols = newDense(x, rows, cols, false, to).cols, cols, rows
		}
		if cols != d.in {
			return fault.New(fault.Invalid, "rows of %d values meet a matrix of %d", cols, d.in)
		}
		y, err := e.floats(rows * d.out)
		if err != nil {
			return err
		}
		for i := range rows {
			d.times(x[i*cols:], y[i*d.out:(i+1)*d.out])
		}
		if alpha != 1 {
			for i := range y {
				y[i] *= alpha
			}
		}
		if len(in) > 2 && in[2] != nil {
			if err := addTo(e, y, []int{rows, d.out}, in[2], beta); err != nil {
				return err
			}
		}
		out[0], err = rounded(e, a.kind, y, rows, d.out)
		return err
	}, nil
}

// packed is b ready to multiply with.
func packed(b *tensor, turned bool, into []float64) dense {
	rows, cols := b.shape[0], b.shape[1]
	if turned {
		rows, cols = cols, rows
	}
	return newDense(b.toFloat64(), rows, cols, turned, into)
}

// floats is n float64s of the run's memory.
func (e *session) floats(n int) ([]float64, error) {
	_, v, err := make1[float64](e, n)
	return v, err
}

// addTo adds beta·c, broadcast, to y.
func addTo(e *session, y []float64, shape []int, c *tensor, beta float64) error {
	v, err := e.asFloat64(c)
	if err != nil {
		return err
	}
	whole, err := broadcast(shape, c.shape)
	if err != nil {
		return err
	}
	if !slices.Equal(whole, shape) {
		return fault.New(fault.Invalid, "arrays of the shapes %v and %v do not fit together", shape, c.shape)
	}
	s := strides(c.shape, shape)
	cols := shape[1]
	for i := range shape[0] {
		for j := range cols {
			y[i*cols+j] += float64(beta * v[i*s[0]+j*s[1]])
		}
	}
	return nil
}

// buildMatMul is numpy's matmul: matrices in the last two dimensions.
func buildMatMul(n *site) (op, error) {
	var fixed *dense
	if b := n.known[1]; b != nil && len(b.shape) == 2 && realKind(b) == nil {
		d := packed(b, false, make([]float64, b.len()))
		fixed = &d
	}
	return func(e *session, in, out []*tensor) error {
		a, b := in[0], in[1]
		if err := realKind(a, b); err != nil {
			return err
		}
		if len(a.shape) == 0 || len(b.shape) == 0 {
			return fault.New(fault.Invalid, "MatMul takes no single numbers")
		}
		left, right := a.shape, b.shape
		if len(left) == 1 {
			left = []int{1, left[0]}
		}
		if len(right) == 1 {
			right = []int{right[0], 1}
		}
		k, cols := left[len(left)-1], right[len(right)-1]
		if right[len(right)-2] != k {
			return fault.New(fault.Invalid, "arrays of the shapes %v and %v are multiplied", a.shape, b.shape)
		}
		x, err := e.asFloat64(a)
		if err != nil {
			return err
		}
		batch, err := broadcast(left[:len(left)-2], right[:len(right)-2])
		if err != nil {
			return err
		}
		rows := left[len(left)-2]
		shape := slices.Concat(batch, []int{rows, cols})
		_, y, err := make1[float64](e, shape...)
		if err != nil {
			return err
		}
		if fixed != nil {
			for i := range len(y) / max(cols, 1) {
				fixed.times(x[i*k:], y[i*cols:(i+1)*cols])
			}
		} else if err := batched(e, x, b, left, right, batch, y); err != nil {
			return err
		}
		if len(a.shape) == 1 {
			shape = slices.Delete(shape, len(shape)-2, len(shape)-1)
		}
		if len(b.shape) == 1 {
			shape = shape[:len(shape)-1]
		}
		out[0], err = rounded(e, a.kind, y, shape...)
		return err
	}, nil
}

// batched multiplies matrix by matrix of two stacks.
func batched(e *session, x []float64, b *tensor, left, right, batch []int, y []float64) error {
	rows, k, cols := left[len(left)-2], left[len(left)-1], right[len(right)-1]
	v, err := e.asFloat64(b)
	if err != nil {
		return err
	}
	into, err := e.floats(k * cols)
	if err != nil {
		return err
	}
	s, t := strides(left[:len(left)-2], batch), strides(right[:len(right)-2], batch)
	walk(batch, func(i int, at *[most]int) {
		var p, q int
		for d := range batch {
			p += at[d] * s[d]
			q += at[d] * t[d]
		}
		d := newDense(v[q*k*cols:(q+1)*k*cols], k, cols, false, into)
		for r := range rows {
			d.times(x[(p*rows+r)*k:], y[(i*rows+r)*cols:(i*rows+r+1)*cols])
		}
	})
	return nil
}
