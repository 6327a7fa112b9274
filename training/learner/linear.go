// SPDX-License-Identifier: Apache-2.0

package learner

import (
	"context"
	"math"
	"runtime"

	"flyball/fault"
	"flyball/model"
	"flyball/model/linear"
)

// linearModel is builtin/linear: least squares, Poisson, logistic and multinomial
// regression. What it makes least is the sum of weight times loss, plus l2/2 times the
// squared coefficients; the intercept is free. So it is scikit-learn's
// LogisticRegression with C = 1/l2, Ridge with alpha = l2, and PoissonRegressor with
// alpha = l2 / the sum of the weights.
//
// With standardize the penalty is on the coefficients of features that were scaled to
// unit variance, as behind a StandardScaler that was given the rows' weights: a row of
// weight 2 is the same as two rows. The weights of classes have no part in the scale.
type linearModel struct {
	l2          float64
	standardize bool
	objective   string // of a regression: empty or squared, or poisson
	classes     classWeights
}

// Fit takes steps of Newton's method until they no longer change anything. A missing
// value counts as the mean of its feature.
func (l *linearModel) Fit(ctx context.Context, d Data, o Options) (model.File, error) {
	if err := d.check(); err != nil {
		return model.File{}, err
	}
	loss, err := objectiveOf(d.Kind, l.objective)
	if err != nil {
		return model.File{}, err
	}
	if loss == poisson {
		if err := checkCounts(d.Y); err != nil {
			return model.File{}, err
		}
	}
	p := &problem{data: d, loss: loss, outputs: d.outputs(), stride: d.X.Cols + 1, workers: o.Workers}
	if p.workers <= 0 {
		p.workers = runtime.GOMAXPROCS(0)
	}
	if p.weights, err = d.weights(classWeights{}); err != nil {
		return model.File{}, err
	}
	p.standardise()
	p.penalise(l.l2, l.standardize)
	if p.weights, err = d.weights(l.classes); err != nil {
		return model.File{}, err
	}
	w, err := p.minimum(ctx)
	if err != nil {
		return model.File{}, err
	}
	if o.Progress != nil {
		o.Progress(1, 1)
	}
	return p.unstandardise(w).Encode()
}

// problem is the loss over standardised features. Parameters are, for each output,
// the coefficients and then the intercept.
type problem struct {
	data            Data
	loss            objective
	outputs, stride int // stride: features and the intercept
	workers         int
	weights         []float64 // by row
	mean, scale     []float64 // by feature
	x               []float64 // rows × stride, standardised; the last of a row is 1
	penalty         []float64 // by feature and intercept
	means           []float64 // rows × outputs: what the parameters that were looked at last predict
}

// standardise moves and scales the features, whatever is penalised: the steps come out
// exact then. A feature that does not vary becomes 0, as in scikit-learn's
// StandardScaler, and gets no coefficient.
func (p *problem) standardise() {
	n, m := p.data.X.Rows, p.data.X.Cols
	p.mean, p.scale, p.x = make([]float64, m), make([]float64, m), make([]float64, n*p.stride)
	parallel(p.workers, m, func(j int) {
		at := func(i int) (float64, float64, bool) {
			v := float64(p.data.X.Data[i*m+j])
			return v, p.weights[i], v == v && p.weights[i] > 0
		}
		sum, all, squares := 0.0, 0.0, 0.0
		for i := range n {
			if v, w, ok := at(i); ok {
				sum, all = sum+float64(w*v), all+w
			}
		}
		if all > 0 {
			p.mean[j] = sum / all
		}
		for i := range n {
			if v, w, ok := at(i); ok {
				squares += w * (v - p.mean[j]) * (v - p.mean[j])
			}
		}
		variance := squares / all
		rounding := float64(n) * 0x1p-52
		if !(variance > rounding*variance+rounding*p.mean[j]*rounding*p.mean[j]) {
			p.scale[j] = 1
			return
		}
		p.scale[j] = math.Sqrt(variance)
		for i := range n {
			if v, _, _ := at(i); v == v {
				p.x[i*p.stride+j] = (v - p.mean[j]) / p.scale[j]
			}
		}
	})
	for i := range n {
		p.x[i*p.stride+m] = 1
	}
}

// penalise says what the squares of the parameters cost.
func (p *problem) penalise(l2 float64, standardize bool) {
	p.penalty = make([]float64, p.stride)
	for j, s := range p.scale {
		if p.penalty[j] = l2; !standardize {
			p.penalty[j] = l2 / (s * s)
		}
	}
}

// minimum is the best parameters.
func (p *problem) minimum(ctx context.Context) ([]float64, error) {
	w := make([]float64, p.outputs*p.stride)
	if p.loss == poisson {
		_, start := p.loss.start(p.data.Y, p.weights, 0)
		w[p.stride-1] = float64(start)
	}
	w, err := p.newton(ctx, w)
	if err != nil {
		return nil, err
	}
	p.center(w)
	for _, v := range w {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fault.New(fault.Invalid, "the linear model does not converge").
				Do("scale or clip the features in the pipeline, or raise train.settings.l2")
		}
	}
	return w, nil
}

// center has the outputs of a softmax sum to 0 where there is no penalty: to move all at
// once changes no prediction, and rounding does.
func (p *problem) center(w []float64) {
	for j, c := range p.penalty {
		if p.loss != softmax || c > 0 {
			continue
		}
		mean := 0.0
		for o := range p.outputs {
			mean += w[o*p.stride+j] / float64(p.outputs)
		}
		for o := range p.outputs {
			w[o*p.stride+j] -= mean
		}
	}
}

// unstandardise gives the model over the features as they are.
func (p *problem) unstandardise(w []float64) linear.Model {
	m := p.data.X.Cols
	out := linear.Model{Kind: p.data.Kind, Fill: p.mean}
	if p.loss == poisson {
		out.Link = linear.Log
	}
	for o := range p.outputs {
		wo := w[o*p.stride : (o+1)*p.stride]
		c, b := make([]float64, m), wo[m]
		for j := range c {
			c[j] = wo[j] / p.scale[j]
			b -= float64(c[j] * p.mean[j])
		}
		out.Coefficients, out.Intercepts = append(out.Coefficients, c), append(out.Intercepts, b)
	}
	return out
}
