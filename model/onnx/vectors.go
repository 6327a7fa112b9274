// SPDX-License-Identifier: Apache-2.0

package onnx

import (
	"math"

	"flyball/fault"
	"flyball/stat"
)

// kernel is how near a row is to a support vector.
type kernel struct {
	name                string
	gamma, coef, degree float64
	vectors             dense // a column a support vector
}

func newKernel(n *site, count int) (*kernel, error) {
	p, v := n.floats("kernel_params"), n.floats("support_vectors")
	k := &kernel{name: n.text("kernel_type", "LINEAR")}
	switch k.name {
	case "LINEAR", "POLY", "RBF", "SIGMOID":
	default:
		return nil, refuse("the kernel %q", k.name)
	}
	if len(p) >= 3 {
		k.gamma, k.coef, k.degree = float64(p[0]), float64(p[1]), float64(p[2])
	}
	if count < 1 || count > len(v) || len(v)%count != 0 {
		return nil, brokenVectors(n)
	}
	k.vectors = dense{in: len(v) / count, out: count, cols: widened(v)}
	return k, nil
}

func brokenVectors(n *site) error {
	return fault.New(fault.Invalid, "%s has lists that do not fit together", n.op).Do("write the model again")
}

// of writes how near x is to each vector.
func (k *kernel) of(x, out []float64) {
	if k.name == "RBF" {
		d := k.vectors.in
		for j := range out {
			s := 0.0
			for i, v := range k.vectors.cols[j*d : (j+1)*d] {
				e := x[i] - v
				s += float64(e * e)
			}
			out[j] = stat.Exp(-k.gamma * s)
		}
		return
	}
	k.vectors.times(x, out)
	for j, s := range out {
		switch k.name {
		case "POLY":
			out[j] = power(float64(k.gamma*s)+k.coef, k.degree)
			if k.degree == 3 {
				c := float64(k.gamma*s) + k.coef
				out[j] = c * c * c
			}
		case "SIGMOID":
			out[j] = tanh(float64(k.gamma*s) + k.coef)
		}
	}
}

// eachRow calls f with each row of x and its nearness to the vectors.
func (k *kernel) eachRow(e *session, x *tensor, f func(i int, near []float64)) error {
	rows, cols := x.rows()
	if cols != k.vectors.in {
		return fault.New(fault.Invalid, "rows of %d columns meet vectors of %d", cols, k.vectors.in)
	}
	v, err := e.asFloat64(x)
	if err != nil {
		return err
	}
	near, err := e.floats(k.vectors.out)
	if err != nil {
		return err
	}
	for i := range rows {
		k.of(v[i*cols:(i+1)*cols], near)
		f(i, near)
	}
	return nil
}

// buildVectorRegressor is SVMRegressor with support vectors.
func buildVectorRegressor(n *site) (op, error) {
	count := n.int("n_supports", 0)
	if count == 0 {
		return nil, refuse("an SVMRegressor without support vectors")
	}
	k, err := newKernel(n, int(min(max(count, 0), 1<<30)))
	if err != nil {
		return nil, err
	}
	weights, rho, one := widened(n.floats("coefficients")), widened(n.floats("rho")), n.int("one_class", 0) != 0
	if len(weights) != k.vectors.out || len(rho) != 1 {
		return nil, brokenVectors(n)
	}
	if post := n.text("post_transform", "NONE"); post != "NONE" {
		return nil, refuse("the post_transform %q of SVMRegressor", post)
	}
	return func(e *session, in, out []*tensor) error {
		rows, _ := in[0].rows()
		t, to, err := make1[float32](e, rows, 1)
		if err != nil {
			return err
		}
		out[0] = t
		return k.eachRow(e, in[0], func(i int, near []float64) {
			s := rho[0]
			for j, w := range weights {
				s += float64(w * near[j])
			}
			if one {
				s = 2*float64(b2i(s > 0)) - 1
			}
			to[i] = float32(s)
		})
	}, nil
}

// buildVectorClassifier is SVMClassifier with support vectors and probabilities.
func buildVectorClassifier(n *site) (op, error) {
	classes, err := labelsOf(n, "classlabels_strings", "classlabels_ints")
	if err != nil {
		return nil, err
	}
	c := &vectorClassifier{classes: classes, rho: widened(n.floats("rho")), a: widened(n.floats("prob_a")), b: widened(n.floats("prob_b"))}
	if len(c.a) == 0 || len(n.ints("vectors_per_class")) == 0 {
		return nil, refuse("an SVMClassifier without probabilities")
	}
	if c.post, err = transformOf(n); err != nil {
		return nil, err
	}
	total, pairs := 0, classes.len()*(classes.len()-1)/2
	for _, v := range n.ints("vectors_per_class") {
		if v < 0 || v > 1<<30 {
			return nil, brokenVectors(n)
		}
		c.first, total = append(c.first, total), total+int(v)
	}
	c.first = append(c.first, total)
	c.weights = widened(n.floats("coefficients"))
	if classes.len() < 2 || len(c.first) != classes.len()+1 || len(c.rho) != pairs || len(c.a) != pairs || len(c.b) != pairs ||
		len(c.weights) != (classes.len()-1)*total {
		return nil, brokenVectors(n)
	}
	if c.kernel, err = newKernel(n, total); err != nil {
		return nil, err
	}
	return c.op, nil
}

// vectorClassifier decides between each two classes, and makes probabilities of that, as
// libsvm does.
type vectorClassifier struct {
	*kernel
	classes   labels
	first     []int     // of each class's vectors; and behind the last
	weights   []float64 // classes-1 rows, a column a vector
	rho, a, b []float64 // of each pair
	post      transform
}

func (c *vectorClassifier) op(e *session, in, out []*tensor) error {
	rows, _ := in[0].rows()
	k := c.classes.len()
	p, err := e.floats(rows * k)
	if err != nil {
		return err
	}
	places := e.ints.take(rows)
	votes, sums := make([]int, k), make([]float64, len(c.rho))
	pairs := newPairs(k)
	err = c.eachRow(e, in[0], func(i int, near []float64) {
		c.decide(near, sums, votes)
		places[i] = 0
		for j, v := range votes {
			if v > votes[places[i]] {
				places[i] = j
			}
		}
		row := p[i*k : (i+1)*k]
		for j, s := range sums {
			sums[j] = min(max(sigmoid(-(float64(s*c.a[j])+c.b[j])), 1e-7), 1-1e-7)
		}
		pairs.couple(sums, row)
		c.post.apply(row)
	})
	if err != nil {
		return err
	}
	if out[0], err = c.classes.of(e, places); err == nil && len(out) > 1 {
		out[1], err = rounded(e, float32Kind, p, rows, k)
	}
	return err
}

// decide writes the sum of each pair of classes, and how many pairs each class wins.
func (c *vectorClassifier) decide(near, sums []float64, votes []int) {
	clear(votes)
	n, at, k := len(near), 0, len(votes)
	for i := range k - 1 {
		for j := i + 1; j < k; j++ {
			s := 0.0
			for v := c.first[i]; v < c.first[i+1]; v++ {
				s += float64(c.weights[(j-1)*n+v] * near[v])
			}
			for v := c.first[j]; v < c.first[j+1]; v++ {
				s += float64(c.weights[i*n+v] * near[v])
			}
			s += c.rho[at]
			sums[at] = s
			if at++; s > 0 {
				votes[i]++
			} else {
				votes[j]++
			}
		}
	}
}

// pairs makes probabilities of k classes from those of each pair: the second method of
// Wu, Lin and Weng, "Probability estimates for multi-class classification by pairwise
// coupling" (2004), with libsvm's bounds.
type pairs struct {
	k     int
	q, qp []float64
}

func newPairs(k int) *pairs { return &pairs{k, make([]float64, k*k), make([]float64, k)} }

// couple writes p for the probabilities r that the first of each pair (0,1), (0,2), … is
// right.
func (s *pairs) couple(r, p []float64) {
	k, q, qp := s.k, s.q, s.qp
	clear(q)
	at := 0
	for i := range k {
		for j := i + 1; j < k; j++ {
			a, b := r[at], 1-r[at] // of i against j, of j against i
			at++
			q[i*k+i] += float64(b * b)
			q[j*k+j] += float64(a * a)
			q[i*k+j], q[j*k+i] = -float64(a*b), -float64(a*b)
		}
		p[i] = 1 / float64(k)
	}
	for range 100 {
		all := 0.0
		for i := range k {
			qp[i] = 0
			for j := range k {
				qp[i] += float64(q[i*k+j] * p[j])
			}
			all += float64(p[i] * qp[i])
		}
		worst := 0.0
		for _, v := range qp {
			worst = max(worst, math.Abs(v-all))
		}
		if worst < 0.005/float64(k) {
			return
		}
		for i := range k {
			d := (all - qp[i]) / q[i*k+i]
			p[i] += d
			all = (all + float64(d*(float64(d*q[i*k+i])+2*qp[i]))) / (1 + d) / (1 + d)
			for j := range k {
				qp[j] = (qp[j] + float64(d*q[i*k+j])) / (1 + d)
				p[j] /= 1 + d
			}
		}
	}
}
