// SPDX-License-Identifier: Apache-2.0

package model

import (
	"context"
	"fmt"
	"math"
	"sync"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/fault"
)

// Space says in what contributions are counted: what they add up to.
type Space string

// The spaces.
const (
	InValue       Space = "value"       // the number itself
	InLogOdds     Space = "log-odds"    // log(p/(1-p)) of the second class
	InMargin      Space = "margin"      // what softmax or a threshold makes the score of, an output each
	InLog         Space = "log"         // the number's logarithm (counts, amounts, survival)
	InProbability Space = "probability" // a probability itself
)

// Method says how contributions were found.
type Method string

// The methods. Sampled ones come with a standard error; the others are exact.
const (
	ByTrees       Method = "trees"       // path-dependent Shapley values of the trees
	ByWeights     Method = "linear"      // weight times distance from the mean of the training
	ByNothing     Method = "constant"    // the model reads no column: all are zero
	BySubsets     Method = "subsets"     // Shapley values over background rows, over all subsets of columns
	ByPermutation Method = "permutation" // the same, over drawn orders of the columns
)

// Contributions are what each feature adds to the margins of rows. Features are those
// of the pipeline, or the columns of a model that takes them as they are.
type Contributions struct {
	Method   Method
	Space    Space
	Outputs  int
	Features int
	Values   []float64 // Rows×Outputs×(Features+1); last of each the base, the margin of a row nothing is known of
	Margins  []float64 // Rows×Outputs; what the values add up to
}

// Explainer is an Estimator that knows what each feature adds. A Refused fault says
// that this model does not, and then it is asked as one that is only scored.
type Explainer interface {
	Explain(x pipeline.Matrix) (Contributions, error)
}

// RowExplainer is a Scorer that knows what each of its Inputs adds. The faults are
// those of Score; a Refused one is as for Explainer.
type RowExplainer interface {
	ExplainRows(ctx context.Context, rows *frame.Frame) (Contributions, error)
}

// Explanation is why rows got their scores. Contributions and the base add up to the
// margin but for the residual.
type Explanation struct {
	Method   Method
	Space    Space
	Outputs  int
	Features []string // what the estimator reads
	Columns  []string // what a caller sends: the inputs, and features that are made of several of them
	Each     []Part   // of row i and output k at i*Outputs+k

	// Evaluations is how many rows were scored to explain one; 0: it is exact by the
	// model's own structure.
	Evaluations int
}

// Part is the explanation of one row and output.
type Part struct {
	Margin   float64   // in the explanation's space
	Base     float64   // the margin of a row nothing is known of
	Features []float64 // added by each feature
	Columns  []float64 // added by each column: the sum of the features made of it
	Errors   []float64 // standard errors of Columns; nil: none
	Residual float64   // Margin less Base and all contributions
}

// Row is the part of row i and output k.
func (e *Explanation) Row(i, k int) *Part { return &e.Each[i*e.Outputs+k] }

// Explain says what each column adds to the scores of the rows. Trees and linear models
// know it exactly; another model is scored again and again with columns taken from its
// golden rows, at most evaluations a row. A model that cannot be asked so, because it
// was never kept (Hold), is a Refused fault; others are those of Predict.
func (b *Bundle) Explain(ctx context.Context, rows *frame.Frame) (Explanation, error) {
	var c Contributions
	var err error
	var sources [][]int
	switch s := b.scorer.(type) {
	case *fitted:
		e, ok := s.estimator.(Explainer)
		if !ok {
			return b.sample(ctx, rows)
		}
		x, _, err2 := s.pipeline.Transform(rows)
		if err2 != nil {
			return Explanation{}, err2
		}
		c, err = e.Explain(x)
		sources = s.pipeline.Sources()
	case *staged:
		c, err = s.explain(ctx, rows)
		sources = s.pipeline.Sources()
	case RowExplainer:
		c, err = s.ExplainRows(ctx, rows)
	default:
		return b.sample(ctx, rows)
	}
	if fault.Is(err, fault.Refused) {
		return b.sample(ctx, rows)
	}
	if err != nil {
		return Explanation{}, err
	}
	if c.Method == ByNothing {
		c.Space = b.scoreSpace()
	}
	return b.explanation(c, rows.Rows(), sources)
}

// explanation names and folds contributions. sources tell of which inputs each feature
// is made; nil: the features are the inputs.
func (b *Bundle) explanation(c Contributions, rows int, sources [][]int) (Explanation, error) {
	names := features(b.scorer)
	if c.Features != len(names) || len(c.Values) != rows*c.Outputs*(c.Features+1) || len(c.Margins) != rows*c.Outputs {
		return Explanation{}, fault.New(fault.Internal, "the model explains %d features, not the %d it reads", c.Features, len(names))
	}
	out := Explanation{Method: c.Method, Space: c.Space, Outputs: c.Outputs, Features: names, Each: make([]Part, rows*c.Outputs)}
	var to []int
	out.Columns, to = fold(b.scorer.Inputs(), names, sources)
	for i := range out.Each {
		v := c.Values[i*(c.Features+1) : (i+1)*(c.Features+1)]
		p := &out.Each[i]
		p.Margin, p.Base, p.Features = c.Margins[i], v[c.Features], v[:c.Features:c.Features]
		p.Columns = make([]float64, len(out.Columns))
		sum := p.Base
		for j, x := range p.Features {
			p.Columns[to[j]] += x
			sum += x
		}
		p.Residual = p.Margin - sum
	}
	return out, nil
}

// fold names the columns that people read, and says for each feature to which of them
// it is added: the input that it is made of, or itself where there are several.
func fold(inputs []frame.Field, names []string, sources [][]int) (columns []string, to []int) {
	to = make([]int, len(names))
	for _, f := range inputs {
		columns = append(columns, f.Name)
	}
	for j, name := range names {
		switch {
		case sources == nil:
			to[j] = j
		case len(sources[j]) == 1:
			to[j] = sources[j][0]
		default:
			to[j] = len(columns)
			columns = append(columns, name)
		}
	}
	return columns, to
}

// tolerated is the greatest residual of an exact explanation, relative to what is
// added: the margins of trees are summed in float32, which keeps seven digits.
const tolerated = 1e-4

// additive refuses a bundle whose exact contributions do not add up to its margins on
// the golden rows: its file does not say what its scores are made of.
func (b *Bundle) additive(ctx context.Context, rows *frame.Frame) error {
	if !b.Exact() {
		return nil
	}
	e, err := b.Explain(ctx, rows)
	if err != nil {
		return fmt.Errorf("explain the golden rows: %w", err)
	}
	for i := range e.Each {
		p := &e.Each[i]
		size := max(1, math.Abs(p.Margin), math.Abs(p.Base))
		for _, x := range p.Features {
			size = max(size, math.Abs(x))
		}
		if !(math.Abs(p.Residual) <= tolerated*size) && !math.IsNaN(p.Margin) && !math.IsInf(p.Margin, 0) {
			return fault.New(fault.Refused, "golden row %d: the contributions add up to %v, the margin is %v", i/e.Outputs, p.Margin-p.Residual, p.Margin).
				Do("the file of the model is not what scored these rows; export it again")
		}
	}
	return nil
}

// Exact reports whether the model knows by itself what its features add: then an
// explanation costs about as much as 25 scores, else about two thousand.
func (b *Bundle) Exact() bool {
	switch s := b.scorer.(type) {
	case *fitted:
		_, ok := s.estimator.(Explainer)
		return ok
	case *staged:
		_, ok := s.scorer.(RowExplainer)
		return ok && s.inPlace()
	case RowExplainer:
		return true
	}
	return false
}

// scoreSpace is the space of the scores themselves.
func (b *Bundle) scoreSpace() Space {
	switch b.Manifest.Kind {
	case dataset.Binary, dataset.Multiclass:
		return InProbability
	}
	return InValue
}

// background is the rows that a model which is only scored is compared with.
type background struct {
	mu   sync.Mutex
	rows *frame.Frame // nil: read gives them
	read func(ctx context.Context) (*frame.Frame, error)
}

// take gives at most so many of them, spread over all.
func (g *background) take(ctx context.Context, most int) (*frame.Frame, error) {
	if g == nil {
		return nil, fault.New(fault.Refused, "this model has no golden rows to be explained by").
			Do("register it: rows are kept with it then")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.rows == nil {
		rows, err := g.read(ctx)
		if err != nil {
			return nil, err
		}
		g.rows = rows
	}
	n := g.rows.Rows()
	if n == 0 {
		return nil, fault.New(fault.Refused, "the bundle has no golden rows to be explained by")
	}
	at := make([]int, min(n, most))
	for i := range at {
		at[i] = i * n / len(at)
	}
	return g.rows.Take(at), nil
}
