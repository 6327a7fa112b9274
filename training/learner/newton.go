// SPDX-License-Identifier: Apache-2.0

package learner

import (
	"context"
	"math"

	"gonum.org/v1/gonum/floats"

	"flyball/stat"
)

// The bounds of the search. A matrix of second derivatives of up to densest parameters
// is made and solved; beyond, only its products are, by conjugate gradients.
const (
	steps   = 100
	densest = 300
	still   = 1e-9  // a step so small, of a parameter or of 1, is the last: the next would be its square
	flat    = 1e-12 // a slope so small, of the sum of the weights, is none
)

// newton goes from w to where the loss is least, by Newton's method with halved steps
// (Boyd and Vandenberghe, "Convex Optimization", 9.5). Every sum is made in the order
// of the rows, so that the bits are the same for any number of workers.
func (p *problem) newton(ctx context.Context, w []float64) ([]float64, error) {
	slope, next := make([]float64, len(w)), make([]float64, len(w))
	all, first := floats.Sum(p.weights), 0.0
	value := p.value(w)
	for range steps {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		p.gradient(slope, w)
		steep := floats.Norm(slope, math.Inf(1))
		if first = max(first, steep); steep <= flat*all {
			break
		}
		d, err := p.direction(ctx, slope, max(1e-10, min(0.1, steep/first)))
		if err != nil {
			return nil, err
		}
		fall, share, moved := floats.Dot(slope, d), 1.0, false
		for ; share > 1e-10; share /= 2 {
			floats.AddScaledTo(next, w, share, d)
			if v := p.value(next); v <= value+1e-4*share*fall+1e-13*math.Abs(value) {
				value, moved = v, true
				break
			}
		}
		if !moved { // rounding is all that is left
			break
		}
		w, next = next, w
		if share == 1 && tiny(d, w) {
			break
		}
	}
	return w, nil
}

// tiny reports whether a step changes nothing that counts.
func tiny(d, w []float64) bool {
	for i, v := range d {
		if !(math.Abs(v) <= still*max(1, math.Abs(w[i]))) {
			return false
		}
	}
	return true
}

func (p *problem) row(i int) []float64 { return p.x[i*p.stride : (i+1)*p.stride] }

// value is the penalised loss. It keeps what the parameters predict.
func (p *problem) value(w []float64) float64 {
	n, k := p.data.X.Rows, p.outputs
	if p.means == nil {
		p.means = make([]float64, n*k)
	}
	losses := make([]float64, n)
	parallel(p.workers, blocks(n), func(b int) {
		margins := make([]float64, k)
		for i := b * block; i < min(n, (b+1)*block); i++ {
			for o := range margins {
				margins[o] = floats.Dot(w[o*p.stride:(o+1)*p.stride], p.row(i))
			}
			means := p.means[i*k : (i+1)*k]
			copy(means, margins)
			switch p.loss {
			case logistic:
				means[0] = stat.Logistic(means[0])
			case poisson:
				means[0] = stat.Exp(means[0])
			case softmax:
				stat.Softmax(means)
			}
			if p.weights[i] > 0 {
				losses[i] = p.weights[i] * p.loss.loss(margins, p.data.Y[i], 0)
			}
		}
	})
	total := floats.Sum(losses)
	for o := range k {
		for j, c := range p.penalty {
			v := w[o*p.stride+j]
			total += c / 2 * v * v
		}
	}
	return total
}

// gradient is the slope of value at w, where it was taken last.
func (p *problem) gradient(slope, w []float64) {
	n, k := p.data.X.Rows, p.outputs
	for o := range k {
		g := slope[o*p.stride : (o+1)*p.stride]
		for j, c := range p.penalty {
			g[j] = c * w[o*p.stride+j]
		}
		for i := range n {
			miss := p.means[i*k+o]
			switch {
			case p.loss != softmax:
				miss -= p.data.Y[i]
			case int(p.data.Y[i]) == o:
				miss--
			}
			if p.weights[i] > 0 {
				floats.AddScaled(g, p.weights[i]*miss, p.row(i))
			}
		}
	}
}

// curve is a row's second derivative by the margins of two outputs, times its weight.
func (p *problem) curve(i, a, b int) float64 {
	means, w := p.means[i*p.outputs:], p.weights[i]
	switch p.loss {
	case logistic:
		return w * means[0] * (1 - means[0])
	case poisson:
		return w * means[0]
	case softmax:
		if a == b {
			return w * means[a] * (1 - means[a])
		}
		return -w * means[a] * means[b]
	}
	return w
}

// direction is where value falls, the solution of (second derivatives) d = -slope.
// Where it is found by conjugate gradients, it is so to the share exact.
func (p *problem) direction(ctx context.Context, slope []float64, exact float64) ([]float64, error) {
	if len(slope) <= densest {
		h := p.hessian()
		if d, ok := solve(h, slope); ok {
			return d, nil
		}
	}
	return p.conjugate(ctx, slope, exact)
}

// hessian is the upper half of the matrix of second derivatives, row by row.
func (p *problem) hessian() [][]float64 {
	n, size := p.data.X.Rows, p.outputs*p.stride
	h := make([][]float64, size)
	for r := range h {
		h[r] = make([]float64, size)
	}
	const together = 8 // rows of the matrix that are made at once
	parallel(p.workers, (size+together-1)/together, func(part int) {
		for i := range n {
			row := p.row(i)
			for r := part * together; r < min(size, (part+1)*together); r++ {
				a, j := r/p.stride, r%p.stride
				if row[j] == 0 || p.weights[i] == 0 {
					continue
				}
				floats.AddScaled(h[r][r:(a+1)*p.stride], p.curve(i, a, a)*row[j], row[j:])
				for b := a + 1; b < p.outputs; b++ {
					floats.AddScaled(h[r][b*p.stride:(b+1)*p.stride], p.curve(i, a, b)*row[j], row)
				}
			}
		}
	})
	for r := range h {
		h[r][r] += p.penalty[r%p.stride]
	}
	p.pin(h)
	return h
}

// pin adds a cost to moving all outputs of a softmax at once, by which no prediction
// changes, where the penalty has none. The slope has no part in that way, so the step
// does not change; without it there would be many.
func (p *problem) pin(h [][]float64) {
	if p.loss != softmax {
		return
	}
	for j, c := range p.penalty {
		if c > 0 {
			continue
		}
		cost := 0.0
		for a := range p.outputs {
			cost += h[a*p.stride+j][a*p.stride+j] / float64(p.outputs*p.outputs)
		}
		for a := range p.outputs {
			for b := a; b < p.outputs; b++ {
				h[a*p.stride+j][b*p.stride+j] += cost
			}
		}
	}
}

// solve is the solution of h d = -slope by Cholesky's method, in the place of h. It is
// not ok where rows of h say nearly the same.
func solve(h [][]float64, slope []float64) (d []float64, ok bool) {
	for i := range h {
		least := 1e-13 * h[i][i]
		for k := range i {
			h[i][i] -= h[k][i] * h[k][i]
		}
		if !(h[i][i] > least) {
			return nil, false
		}
		h[i][i] = math.Sqrt(h[i][i])
		for k := range i {
			floats.AddScaled(h[i][i+1:], -h[k][i], h[k][i+1:])
		}
		floats.Scale(1/h[i][i], h[i][i+1:])
	}
	d = make([]float64, len(slope))
	floats.SubTo(d, d, slope)
	for i := range d {
		d[i] /= h[i][i]
		floats.AddScaled(d[i+1:], -d[i], h[i][i+1:])
	}
	for i := len(d) - 1; i >= 0; i-- {
		d[i] = (d[i] - floats.Dot(h[i][i+1:], d[i+1:])) / h[i][i]
	}
	return d, true
}

// conjugate is the direction by conjugate gradients (Nocedal and Wright, "Numerical
// Optimization", 7.1), which needs no matrix and takes one that has no inverse.
func (p *problem) conjugate(ctx context.Context, slope []float64, exact float64) ([]float64, error) {
	d, rest := make([]float64, len(slope)), make([]float64, len(slope))
	floats.SubTo(rest, rest, slope)
	way, bent := append([]float64(nil), rest...), make([]float64, len(slope))
	left := floats.Dot(rest, rest)
	enough := left * exact * exact
	for range min(1000, 2*len(slope)) {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		p.bend(bent, way)
		curve := floats.Dot(way, bent)
		if !(curve > 1e-16*floats.Dot(way, way)) {
			break
		}
		share := left / curve
		floats.AddScaled(d, share, way)
		floats.AddScaled(rest, -share, bent)
		before := left
		if left = floats.Dot(rest, rest); left <= enough {
			break
		}
		floats.AddScaledTo(way, rest, left/before, way)
	}
	if floats.Norm(d, math.Inf(1)) == 0 {
		floats.SubTo(d, d, slope)
	}
	return d, nil
}

// bend is the second derivatives times way.
func (p *problem) bend(out, way []float64) {
	n, k := p.data.X.Rows, p.outputs
	pull := make([]float64, n*k)
	parallel(p.workers, blocks(n), func(b int) {
		margins := make([]float64, k)
		for i := b * block; i < min(n, (b+1)*block); i++ {
			for o := range margins {
				margins[o] = floats.Dot(way[o*p.stride:(o+1)*p.stride], p.row(i))
			}
			if p.loss != softmax {
				pull[i] = p.curve(i, 0, 0) * margins[0]
				continue
			}
			means := p.means[i*k : (i+1)*k]
			middle := floats.Dot(means, margins)
			for a, m := range margins {
				pull[i*k+a] = p.weights[i] * means[a] * (m - middle)
			}
		}
	})
	for o := range k {
		g := out[o*p.stride : (o+1)*p.stride]
		for j, c := range p.penalty {
			g[j] = c * way[o*p.stride+j]
		}
		for i := range n {
			floats.AddScaled(g, pull[i*k+o], p.row(i))
		}
	}
}

// block is how many rows one goroutine looks at before it asks for more.
const block = 4096

func blocks(n int) int { return (n + block - 1) / block }
