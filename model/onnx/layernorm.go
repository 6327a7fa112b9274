// SPDX-License-Identifier: Apache-2.0

package onnx

import (
	"math"

	"flyball/fault"
)

// buildLayerNorm takes off the mean of each row from an axis on, and divides by its
// spread. Its other outputs are the means and what was multiplied with.
func buildLayerNorm(n *site) (op, error) {
	along, epsilon := int(n.int("axis", -1)), float64(n.float("epsilon", 1e-5))
	n.ignore("stash_type")
	return func(e *session, in, out []*tensor) error {
		x := in[0]
		if err := realKind(x); err != nil {
			return err
		}
		a, err := axis(along, len(x.shape))
		if err != nil {
			return err
		}
		rows, cols := size(x.shape[:a]), size(x.shape[a:])
		scale, err := e.asFloat64(in[1])
		if err != nil {
			return err
		}
		bias := []float64{0}
		if len(in) > 2 && in[2] != nil {
			if bias, err = e.asFloat64(in[2]); err != nil {
				return err
			}
		}
		if (len(scale) != cols && len(scale) != 1) || (len(bias) != cols && len(bias) != 1) {
			return fault.New(fault.Invalid, "LayerNormalization of %d numbers has %d to scale them", cols, len(scale))
		}
		v, err := e.asFloat64(x)
		if err != nil {
			return err
		}
		y, err := e.floats(len(v))
		if err != nil {
			return err
		}
		means, spreads := make([]float64, rows), make([]float64, rows)
		for i := range rows {
			row := v[i*cols : (i+1)*cols]
			mean, s := meanOf(row), 0.0
			for _, f := range row {
				s += float64((f - mean) * (f - mean))
			}
			means[i], spreads[i] = mean, 1/math.Sqrt(s/float64(cols)+epsilon)
			for j, f := range row {
				y[i*cols+j] = float64((f-mean)*spreads[i]*scale[j%len(scale)]) + bias[j%len(bias)]
			}
		}
		if out[0], err = rounded(e, x.kind, y, x.shape...); err != nil {
			return err
		}
		shape := append([]int{}, x.shape...)
		for i := a; i < len(shape); i++ {
			shape[i] = 1
		}
		for i, v := range [][]float64{means, spreads} {
			if len(out) > i+1 {
				if out[i+1], err = rounded(e, float32Kind, v, shape...); err != nil {
					return err
				}
			}
		}
		return nil
	}, nil
}
