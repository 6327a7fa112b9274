// SPDX-License-Identifier: Apache-2.0

package learner

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"

	"flyball/fault"
	"flyball/model"
	"flyball/model/xgboost"
	"flyball/stat"
)

// gbdt is builtin/gbdt: second-order boosting of trees of a given depth on histograms
// (Chen and Guestrin 2016; Ke et al. 2017), with a learned direction for missing
// values. Sums are whole numbers, or are made in the order of the rows, whatever the
// number of workers.
type gbdt struct {
	trees, depth, bins                    int
	rate, lambda, alpha, gamma, minWeight float64
	rows, columns                         float64 // shares sampled for each tree
	longest                               float64 // step of a leaf before the rate; 0: any
	objective                             string
	level                                 float64        // of the objective quantile
	patience                              int            // early stopping: trees without gain; 0: none
	held                                  float64        // early stopping: the newest share of the rows, which is not trained on
	categorical                           []string       // features
	monotone                              map[string]int // by feature: 1 rises, -1 falls
	classes                               classWeights
}

// leastHessian keeps a leaf's denominator above zero.
const leastHessian = 1e-16

// expMaxStep is exp(0.7): 0.7 is XGBoost's longest step of a Poisson leaf.
const expMaxStep = 2.0137527074704766

// gradient is a row's first and second derivative of the loss, times its weight.
type gradient struct{ g, h float32 }

// Fit trains the trees and returns them as an XGBoost model.
func (l *gbdt) Fit(ctx context.Context, d Data, o Options) (model.File, error) {
	if err := d.check(); err != nil {
		return model.File{}, err
	}
	b, err := l.booster(d, o)
	if err != nil {
		return model.File{}, err
	}
	for round := range l.trees {
		if ctx.Err() != nil {
			return model.File{}, context.Cause(ctx)
		}
		b.round()
		if o.Progress != nil {
			o.Progress(round+1, l.trees)
		}
		if b.tail.over() {
			break
		}
	}
	trees := b.out[:b.tail.keep(len(b.out), d.outputs())]
	raw, err := xgboost.Encode(xgboost.Model{
		Objective: string(b.loss), Quantile: l.level, Features: b.data.X.Names, Categorical: b.category,
		Base: b.base, Outputs: d.outputs(), Trees: trees,
	})
	return model.File{Name: "model.json", Bytes: raw}, err
}

// booster is one fit under way.
type booster struct {
	*gbdt
	loss     objective
	level    float64 // of the quantile that leaves are: 0.5 of an absolute loss
	data     Data
	weights  []float64 // by row, all of them
	category []bool    // by feature
	monotone []int     // by feature
	plain    bool      // the weight of a leaf has no limits and no L1 penalty
	bins     *binned
	workers  int
	random   *rand.Rand
	rows     []int32 // that are trained on
	tail     tail

	base    float32   // XGBoost's base_score: a probability when binary, a mean of counts
	margins []float32 // rows × outputs, output-major
	grad    []gradient
	unit    units
	words   []uint64 // grad in units
	order   []int32  // rows of the tree under way, the rows of a node together
	spare   []int32
	near    []uint64         // of the rows of a node, in their order
	groups  []int            // fours of features in which the tree under way has one
	halves  [][4][256]uint64 // by four features: sums under way, in words; zero between
	pool    [][]cell         // histograms to use again
	out     []xgboost.Tree
}

// booster is a fit before its first tree.
func (l *gbdt) booster(d Data, o Options) (*booster, error) {
	n, k := d.X.Rows, d.outputs()
	if d.X.Names == nil {
		for f := range d.X.Cols {
			d.X.Names = append(d.X.Names, fmt.Sprintf("f%d", f))
		}
	}
	b := &booster{gbdt: l, data: d, level: l.level, workers: o.Workers, random: rand.New(rand.NewPCG(o.Seed, 0x666c7962616c6c))}
	if b.workers <= 0 {
		b.workers = runtime.GOMAXPROCS(0)
	}
	var err error
	if b.loss, err = objectiveOf(d.Kind, l.objective); err != nil {
		return nil, err
	}
	if b.loss == absolute {
		b.level = 0.5
	}
	if err := b.limits(); err != nil {
		return nil, err
	}
	if b.weights, err = d.weights(l.classes); err != nil {
		return nil, err
	}
	if b.bins, err = binsOf(d.X, l.bins, b.workers, b.category); err != nil {
		return nil, err
	}
	if b.rows, b.tail, err = d.hold(l.held, l.patience); err != nil {
		return nil, err
	}
	b.grad, b.words = make([]gradient, n), make([]uint64, n)
	b.order, b.spare, b.near = make([]int32, n), make([]int32, n), make([]uint64, n)
	b.margins, b.halves = make([]float32, n*k), make([][4][256]uint64, len(b.bins.quads))
	y, w := make([]float64, len(b.rows)), make([]float64, len(b.rows))
	for i, r := range b.rows {
		y[i], w[i] = d.Y[r], b.weights[r]
	}
	var first float32
	b.base, first = b.loss.start(y, w, b.level)
	for i := range b.margins {
		b.margins[i] = first
	}
	return b, nil
}

// limits finds the features that settings name, and what holds leaves back.
func (b *booster) limits() error {
	cols := b.data.X.Cols
	b.category, b.monotone = make([]bool, cols), make([]int, cols)
	find := func(setting, name string) (int, error) {
		f := slices.Index(b.data.X.Names, name)
		if f < 0 {
			return 0, fault.New(fault.Invalid, "train.settings.%s names %q, which is no feature", setting, name).
				Do("features are what the pipeline makes: %s", listed(b.data.X.Names))
		}
		return f, nil
	}
	for _, name := range b.categorical {
		f, err := find("categorical", name)
		if err != nil {
			return err
		}
		b.category[f] = true
	}
	for name, way := range b.gbdt.monotone {
		f, err := find("monotone", name)
		if err != nil {
			return err
		}
		if b.category[f] {
			return fault.New(fault.Invalid, "feature %q is categorical, and so neither rises nor falls", name).Do("take it out of train.settings.monotone")
		}
		b.monotone[f] = way
	}
	if len(b.gbdt.monotone) > 0 && b.loss.refits() {
		return fault.New(fault.Invalid, "monotone does not go with the objective %s, whose leaves are quantiles", b.objective).
			Do("use squared or poisson, or leave monotone out")
	}
	if b.loss == poisson {
		return checkCounts(b.data.Y)
	}
	return nil
}

// round adds one tree for each output.
func (b *booster) round() {
	k, n := b.data.outputs(), b.data.X.Rows
	b.plain = b.alpha == 0 && b.step() == 0 && len(b.gbdt.monotone) == 0
	var probs []float64
	if k > 1 {
		probs = b.softmax()
	}
	for out := range k {
		b.gradients(out, probs)
		b.pack()
		b.out = append(b.out, b.grow(out))
	}
	if b.tail.patience > 0 {
		sum, margins := 0.0, make([]float64, k)
		for _, r := range b.tail.rows {
			for c := range margins {
				margins[c] = float64(b.margins[c*n+int(r)])
			}
			sum += float64(b.weights[r] * b.loss.loss(margins, b.data.Y[r], b.level))
		}
		b.tail.see(sum)
	}
}

// step is the longest step of a leaf; 0: any.
func (b *booster) step() float64 {
	if b.longest == 0 && b.loss == poisson {
		return 0.7
	}
	return b.longest
}

// softmax are the probabilities of all classes before the round, row-major.
func (b *booster) softmax() []float64 {
	n, k := b.data.X.Rows, b.data.outputs()
	p := make([]float64, n*k)
	b.pieces(func(from, to int) {
		for i := from; i < to; i++ {
			row := p[i*k : (i+1)*k]
			for c := range row {
				row[c] = float64(b.margins[c*n+i])
			}
			softmax.link().Apply(row)
		}
	})
	return p
}

// gradients are those of an output, of all rows.
func (b *booster) gradients(out int, probs []float64) {
	n, k := b.data.X.Rows, b.data.outputs()
	m := b.margins[out*n : (out+1)*n]
	b.pieces(func(from, to int) {
		grad, m, y, w := b.grad[from:to], m[from:to], b.data.Y[from:to], b.weights[from:to]
		switch {
		case k > 1:
			for i := range grad {
				p, hit := probs[(from+i)*k+out], 0.0
				if int(y[i]) == out {
					hit = 1
				}
				grad[i] = gradient{float32(w[i] * (p - hit)), float32(w[i] * max(2*p*(1-p), leastHessian))}
			}
		case b.loss == logistic: // asked once, and not of each row
			for i := range grad {
				p := stat.Logistic(float64(m[i]))
				h := p * (1 - p)
				if h < leastHessian {
					h = leastHessian
				}
				grad[i] = gradient{float32(w[i] * (p - y[i])), float32(w[i] * h)}
			}
		default:
			for i := range grad {
				g, h := b.loss.slope(float64(m[i]), y[i], b.level)
				grad[i] = gradient{float32(w[i] * g), float32(w[i] * h)}
			}
		}
	})
}

// pieces calls do with parts of the rows.
func (b *booster) pieces(do func(from, to int)) {
	const pieces = 16
	n := b.data.X.Rows
	parallel(b.workers, pieces, func(i int) { do(i*n/pieces, (i+1)*n/pieces) })
}
