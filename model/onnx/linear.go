// SPDX-License-Identifier: Apache-2.0

package onnx

import (
	"flyball/fault"
)

// linear is coefficients and intercepts of one or more outputs.
type linear struct {
	dense
	intercepts []float64
	post       transform
}

// newLinear checks and packs the coefficients: a row for each of outputs.
func newLinear(n *site, outputs int) (*linear, error) {
	c, b := n.floats("coefficients"), n.floats("intercepts")
	if outputs < 1 || len(c) == 0 || len(c)%outputs != 0 || (len(b) != 0 && len(b) != outputs) {
		return nil, fault.New(fault.Invalid, "%s has %d coefficients and %d intercepts for %d outputs", n.op, len(c), len(b), outputs).
			Do("write the model again")
	}
	post, err := transformOf(n)
	l := &linear{dense: dense{in: len(c) / outputs, out: outputs, cols: widened(c)}, intercepts: make([]float64, outputs), post: post}
	copy(l.intercepts, widened(b))
	return l, err
}

// sums are the outputs of the rows of x before the transform. As onnxruntime does, the
// rows are read as float32.
func (l *linear) sums(e *session, x *tensor) (v []float64, rows int, err error) {
	rows, cols := x.rows()
	if cols != l.in {
		return nil, 0, fault.New(fault.Invalid, "rows of %d columns meet %d coefficients", cols, l.in)
	}
	w, err := e.asFloat64(x)
	if err != nil {
		return nil, 0, err
	}
	if v, err = e.floats(rows * l.out); err != nil {
		return nil, 0, err
	}
	for i := range rows {
		row := v[i*l.out : (i+1)*l.out]
		l.times(w[i*cols:], row)
		for k, b := range l.intercepts {
			row[k] += b
		}
	}
	return v, rows, nil
}

func buildLinearRegressor(n *site) (op, error) {
	l, err := newLinear(n, int(min(max(n.int("targets", 1), 0), 1<<30)))
	if err != nil {
		return nil, err
	}
	return func(e *session, in, out []*tensor) error {
		v, rows, err := l.sums(e, in[0])
		if err != nil {
			return err
		}
		for i := range rows {
			row := v[i*l.out : (i+1)*l.out]
			if l.out > 1 || l.post == probit {
				l.post.apply(row)
			}
		}
		out[0], err = rounded(e, float32Kind, v, rows, l.out)
		return err
	}, nil
}

func buildLinearClassifier(n *site) (op, error) {
	classes, err := labelsOf(n, "classlabels_strings", "classlabels_ints")
	if err != nil {
		return nil, err
	}
	n.ignore("multi_class")
	l, err := newLinear(n, max(len(n.floats("intercepts")), 1))
	if err != nil {
		return nil, err
	}
	if l.out != classes.len() && (l.out != 1 || classes.len() != 2) {
		return nil, refuse("a LinearClassifier of %d outputs for %d classes", l.out, classes.len())
	}
	k := classes.len()
	return func(e *session, in, out []*tensor) error {
		v, rows, err := l.sums(e, in[0])
		if err != nil {
			return err
		}
		places, to := e.ints.take(rows), v
		if l.out != k {
			if to, err = e.floats(rows * k); err != nil {
				return err
			}
		}
		for i := range rows {
			row := to[i*k : (i+1)*k]
			if l.out != k { // one sum for two classes
				places[i] = b2i(v[i] > 0)
				l.pair(v[i], row)
				continue
			}
			places[i] = greatest(row)
			if k > 1 {
				l.post.apply(row)
			}
		}
		if out[0], err = classes.of(e, places); err == nil && len(out) > 1 {
			out[1], err = rounded(e, float32Kind, to, rows, k)
		}
		return err
	}, nil
}

// pair makes two scores of one sum. Only LOGISTIC changes it; the first score is the
// complement of the second in any case.
func (l *linear) pair(sum float64, row []float64) {
	switch l.post {
	case logistic:
		sum = sigmoid(sum)
	case probit:
		sum = inverseNormal(sum)
	}
	row[0], row[1] = 1-sum, sum
}
