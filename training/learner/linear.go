// SPDX-License-Identifier: Apache-2.0

package learner

import (
	"context"
	"errors"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/optimize"

	"flyball/data/dataset"
	"flyball/fault"
	"flyball/model"
	"flyball/model/linear"
	"flyball/stat"
)

// linearModel is builtin/linear: least squares, logistic and multinomial regression
// with an L2 penalty of l2/2 times the squared coefficients of standardised
// features, as scikit-learn's with C = 1/l2.
type linearModel struct {
	l2      float64
	classes classWeights
}

// Fit minimises the penalised loss by L-BFGS from zero; it runs in one goroutine.
func (l *linearModel) Fit(ctx context.Context, d Data, o Options) (model.File, error) {
	if err := d.check(); err != nil {
		return model.File{}, err
	}
	weights, err := d.weights(l.classes)
	if err != nil {
		return model.File{}, err
	}
	p := &problem{data: d, weights: weights, l2: l.l2, ctx: ctx}
	p.standardise()
	start := make([]float64, d.outputs()*(d.X.Cols+1))
	res, err := optimize.Minimize(optimize.Problem{Func: p.value, Grad: p.gradient}, start,
		&optimize.Settings{GradientThreshold: 1e-7 * float64(d.X.Rows), MajorIterations: 500}, &optimize.LBFGS{})
	if ctx.Err() != nil {
		return model.File{}, context.Cause(ctx)
	}
	if res == nil || err != nil && !errors.Is(err, optimize.ErrLinesearcherFailure) && !floats.HasNaN(res.X) {
		return model.File{}, fault.Wrap(err, fault.Invalid, "the linear model does not converge")
	}
	if o.Progress != nil {
		o.Progress(1, 1)
	}
	return p.unstandardise(res.X).Encode()
}

// problem is the loss over standardised features. Parameters are, for each output,
// the coefficients and then the intercept.
type problem struct {
	data        Data
	weights     []float64 // by row
	l2          float64
	ctx         context.Context
	mean, scale []float64
	x           []float64 // rows × columns, standardised
}

func (p *problem) standardise() {
	n, m := p.data.X.Rows, p.data.X.Cols
	p.mean, p.scale, p.x = make([]float64, m), make([]float64, m), make([]float64, n*m)
	for j := range m {
		sum, count := 0.0, 0
		for i := range n {
			if v := float64(p.data.X.Data[i*m+j]); !math.IsNaN(v) {
				sum, count = sum+v, count+1
			}
		}
		if count > 0 {
			p.mean[j] = sum / float64(count)
		}
		squares := 0.0
		for i := range n {
			if v := float64(p.data.X.Data[i*m+j]); !math.IsNaN(v) {
				squares += (v - p.mean[j]) * (v - p.mean[j])
			}
		}
		if p.scale[j] = math.Sqrt(squares / float64(max(1, count))); p.scale[j] == 0 {
			p.scale[j] = 1
		}
		for i := range n {
			if v := float64(p.data.X.Data[i*m+j]); !math.IsNaN(v) {
				p.x[i*m+j] = (v - p.mean[j]) / p.scale[j]
			}
		}
	}
}

// each calls visit with a row's features, its margins, and room for the derivative
// of its loss by them; it returns the sum of the losses.
func (p *problem) each(w []float64, visit func(row, slope []float64)) float64 {
	n, m, k := p.data.X.Rows, p.data.X.Cols, p.data.outputs()
	margins := make([]float64, k)
	total := 0.0
	for i := range n {
		row := p.x[i*m : (i+1)*m]
		for o := range margins {
			wo := w[o*(m+1) : (o+1)*(m+1)]
			margins[o] = floats.Dot(wo[:m], row) + wo[m]
		}
		total += float64(p.weights[i] * loss(p.data.Kind, p.data.Y[i], margins))
		floats.Scale(p.weights[i], margins)
		if visit != nil {
			visit(row, margins)
		}
	}
	return total
}

// loss is a row's loss; it replaces the margins by its derivative.
func loss(kind dataset.Kind, y float64, margins []float64) float64 {
	switch kind {
	case dataset.Regression:
		d := margins[0] - y
		margins[0] = d
		return d * d / 2
	case dataset.Binary:
		z := margins[0]
		margins[0] = stat.Logistic(z) - y
		return max(z, 0) - z*y + math.Log1p(stat.Exp(-math.Abs(z)))
	}
	stat.Softmax(margins)
	l := -math.Log(max(margins[int(y)], math.SmallestNonzeroFloat64))
	margins[int(y)]--
	return l
}

func (p *problem) penalty(w []float64, grad []float64) float64 {
	m, total := p.data.X.Cols, 0.0
	for o := range p.data.outputs() {
		for j := range m {
			at := o*(m+1) + j
			total += w[at] * w[at]
			if grad != nil {
				grad[at] += p.l2 * w[at]
			}
		}
	}
	return p.l2 / 2 * total
}

func (p *problem) value(w []float64) float64 {
	if p.ctx.Err() != nil {
		return math.NaN() // ends the search
	}
	return p.each(w, nil) + p.penalty(w, nil)
}

func (p *problem) gradient(grad, w []float64) {
	m := p.data.X.Cols
	clear(grad)
	p.each(w, func(row, slope []float64) {
		for o, s := range slope {
			g := grad[o*(m+1) : (o+1)*(m+1)]
			floats.AddScaled(g[:m], s, row)
			g[m] += s
		}
	})
	p.penalty(w, grad)
}

// unstandardise gives the model over the features as they are.
func (p *problem) unstandardise(w []float64) linear.Model {
	m := p.data.X.Cols
	out := linear.Model{Kind: p.data.Kind, Fill: p.mean}
	for o := range p.data.outputs() {
		wo := w[o*(m+1) : (o+1)*(m+1)]
		c, b := make([]float64, m), wo[m]
		for j := range c {
			c[j] = wo[j] / p.scale[j]
			b -= c[j] * p.mean[j]
		}
		out.Coefficients, out.Intercepts = append(out.Coefficients, c), append(out.Intercepts, b)
	}
	return out
}
