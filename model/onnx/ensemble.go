// SPDX-License-Identifier: Apache-2.0

package onnx

import (
	"sync"

	"flyball/fault"
)

// aggregate is how the leaves of the trees become one number.
type aggregate uint8

const (
	bySum aggregate = iota
	byAverage
	byMin
	byMax
)

// ensemble is an operator on trees. Sums are made in float64, in the order of the trees.
type ensemble struct {
	single *forest[float32] // one of the two
	double *forest[float64]
	wide   func() *forest[float64] // single, for rows of float64
	how    aggregate
	base   []float64
	post   transform
	trees  int
}

// sums writes the aggregates of the rows of x, targets a row. touched says, for each, if
// a leaf had a weight for it; nil where nobody asks.
func (m *ensemble) sums(e *session, x *tensor, out []float64, touched []bool) error {
	if m.single != nil && x.kind == float32Kind {
		return sumTrees(m.single, m.how, x, x.f32, out, touched)
	}
	if m.single != nil && (x.kind == int64Kind || x.kind == int32Kind || x.kind == boolKind) {
		y, err := cast(e, x, float32Kind)
		if err != nil {
			return err
		}
		return sumTrees(m.single, m.how, x, y.f32, out, touched)
	}
	v, err := e.asFloat64(x)
	if err != nil {
		return err
	}
	if m.double != nil {
		return sumTrees(m.double, m.how, x, v, out, touched)
	}
	return sumTrees(m.wide(), m.how, x, v, out, touched)
}

func sumTrees[T float32 | float64](f *forest[T], how aggregate, x *tensor, v []T, out []float64, touched []bool) error {
	rows, cols := x.rows()
	if cols < f.needs {
		return fault.New(fault.Invalid, "rows of %d columns meet trees that read %d", cols, f.needs)
	}
	clear(out)
	k := f.targets
	if touched == nil && (how == byMin || how == byMax) {
		touched = make([]bool, len(out))
	}
	f.eachLeaf(rows, cols, v, func(row int, votes []vote) {
		for i := range votes {
			w := &votes[i]
			at := row*k + int(w.to)
			switch {
			case how == bySum || how == byAverage:
				out[at] += w.value
			case !touched[at] || (how == byMin && w.value < out[at]) || (how == byMax && w.value > out[at]):
				out[at] = w.value
			}
			if touched != nil {
				touched[at] = true
			}
			if w.last {
				return
			}
		}
	})
	return nil
}

// widened is the forest with float64 thresholds.
func (f *forest[T]) widened() *forest[float64] {
	w := &forest[float64]{modes: f.modes, sets: f.sets, roots: f.roots, votes: f.votes, targets: f.targets, needs: f.needs}
	w.cells = make([]cell[float64], len(f.cells))
	for i, c := range f.cells {
		w.cells[i] = cell[float64]{float64(c.value), c.feature, c.kids, c.flags}
	}
	return w
}

// newEnsemble lays out the trees of a node.
func newEnsemble(nodes []treeNode, roots []int, targets int, double bool) (m *ensemble, err error) {
	m = &ensemble{trees: len(roots)}
	if double {
		m.double, err = newForest[float64](nodes, roots, targets)
	} else {
		m.single, err = newForest[float32](nodes, roots, targets)
		m.wide = sync.OnceValue(func() *forest[float64] { return m.single.widened() })
	}
	return m, err
}

// buildTreeRegressor is TreeEnsembleRegressor.
func buildTreeRegressor(n *site) (op, error) {
	l, err := readTrees(n, "target")
	if err != nil {
		return nil, err
	}
	targets := n.int("n_targets", 1)
	if targets < 1 || targets > int64(len(l.weights))+1 {
		return nil, brokenTrees("it has more targets than leaves")
	}
	nodes, roots, err := l.nodes(int(targets))
	if err != nil {
		return nil, err
	}
	m, err := newEnsemble(nodes, roots, int(targets), l.double)
	if err != nil {
		return nil, err
	}
	switch s := n.text("aggregate_function", "SUM"); s {
	case "SUM", "":
	case "AVERAGE":
		m.how = byAverage
	case "MIN":
		m.how = byMin
	case "MAX":
		m.how = byMax
	default:
		return nil, refuse("the aggregate_function %q", s)
	}
	m.base, _ = n.doubles("base_values")
	if m.post, err = transformOf(n); err != nil {
		return nil, err
	}
	return m.regress(int(targets), float32Kind), nil
}

// regress gives targets numbers a row.
func (m *ensemble) regress(targets int, as kind) op {
	return func(e *session, in, out []*tensor) error {
		rows, _ := in[0].rows()
		v, err := e.floats(rows * targets)
		if err != nil {
			return err
		}
		if err := m.sums(e, in[0], v, nil); err != nil {
			return err
		}
		for i := range rows {
			row := v[i*targets : (i+1)*targets]
			for k := range row {
				if m.how == byAverage {
					row[k] /= float64(m.trees)
				}
				if len(m.base) == targets {
					row[k] += m.base[k]
				}
			}
			if targets > 1 || m.post == probit {
				m.post.apply(row)
			}
		}
		k := as
		if in[0].kind == float64Kind && as == 0 {
			k = float64Kind
		} else if as == 0 {
			k = float32Kind
		}
		out[0], err = rounded(e, k, v, rows, targets)
		return err
	}
}

// buildTreeClassifier is TreeEnsembleClassifier.
func buildTreeClassifier(n *site) (op, error) {
	classes, err := labelsOf(n, "classlabels_strings", "classlabels_int64s")
	if err != nil {
		return nil, err
	}
	l, err := readTrees(n, "class")
	if err != nil {
		return nil, err
	}
	c := &treeClassifier{classes: classes, positive: true}
	ids := map[int64]bool{}
	for i, w := range l.weights {
		ids[l.voteIDs[i]] = true
		c.positive = c.positive && !(w < 0)
	}
	c.binary = classes.len() == 2 && len(ids) == 1
	nodes, roots, err := l.nodes(classes.len())
	if err != nil {
		return nil, err
	}
	if c.ensemble, err = newEnsemble(nodes, roots, classes.len(), l.double); err != nil {
		return nil, err
	}
	c.base, _ = n.doubles("base_values")
	if len(c.base) > classes.len() {
		return nil, brokenTrees("it has more base values than classes")
	}
	c.post, err = transformOf(n)
	return c.op, err
}

// treeClassifier is trees that vote for classes. How two classes come of weights for one
// is onnxruntime's rule (tree_ensemble_aggregator.h), which converters rely on.
type treeClassifier struct {
	*ensemble
	classes  labels
	binary   bool // two classes, weights for one of them
	positive bool // no weight is negative
}

func (c *treeClassifier) op(e *session, in, out []*tensor) error {
	rows, _ := in[0].rows()
	k := c.classes.len()
	v, err := e.floats(rows * k)
	if err != nil {
		return err
	}
	_, touched, err := make1[bool](e, rows*k)
	if err != nil {
		return err
	}
	clear(touched)
	if err := c.sums(e, in[0], v, touched); err != nil {
		return err
	}
	places := e.ints.take(rows)
	for i := range rows {
		row, has := v[i*k:(i+1)*k], touched[i*k:(i+1)*k]
		switch {
		case k == 1:
			places[i] = 0
			if len(c.base) == 1 {
				row[0] += c.base[0]
			}
			scores, _ := c.post.spread(row[0], alone)
			row[0] = scores[0]
		case k > 2:
			places[i] = c.many(row, has)
		default:
			places[i] = c.two(row, has)
		}
	}
	if out[0], err = c.classes.of(e, places); err != nil {
		return err
	}
	if len(out) > 1 {
		out[1], err = rounded(e, float32Kind, v, rows, k)
	}
	return err
}

// many finishes the scores of a row with three classes or more.
func (c *treeClassifier) many(row []float64, has []bool) int {
	for j, b := range c.base {
		row[j] += b
		has[j] = true
	}
	best := -1
	for j, s := range row {
		if has[j] && (best < 0 || s > row[best]) {
			best = j
		}
	}
	c.post.apply(row)
	return max(best, 0)
}

// two finishes the scores of a row with two classes.
func (c *treeClassifier) two(row []float64, has []bool) int {
	how, single := alone, false
	switch len(c.base) {
	case 2:
		if has[1] {
			row[1] = c.base[1] + row[0]
			row[0] = -row[1]
		} else {
			row[1] += c.base[1]
			row[0] += c.base[0]
		}
	case 1:
		row[0] += c.base[0]
		single = !has[1]
	default:
		how, single = oppositeLost, !has[1]
	}
	weight := row[0]
	if has[1] {
		weight = row[1]
	}
	won := 0
	switch {
	case !c.binary:
		won = b2i(weight > 0)
		if len(row) == 2 && !single {
			won = greatest(row)
		}
	case c.positive:
		how, won = complement, b2i(weight > 0.5)
	default:
		if how = oppositeLost; weight > 0 {
			how, won = oppositeWon, 1
		}
	}
	if !single {
		c.post.apply(row)
		return won
	}
	scores, n := c.post.spread(row[0], how)
	row[0], row[1] = scores[0], 0
	if n == 2 {
		row[1] = scores[1]
	}
	return won
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
