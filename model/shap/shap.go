// SPDX-License-Identifier: Apache-2.0

// Package shap says exactly what each feature adds to a sum of decision trees:
// path-dependent Shapley values. It reads no format and walks no row: whoever holds the
// trees says which way a row goes.
package shap

// Node is a split or a leaf. A leaf has Left < 0 and its value in Value. Cover is the
// weight of the training rows that came by: XGBoost's sum_hessian, LightGBM's counts.
type Node struct {
	Feature     int32
	Left, Right int32
	Cover       float64
	Value       float64
}

// Tree is nodes with the root at 0, and the output that its leaves add to.
type Tree struct {
	Output int
	Nodes  []Node
}

// Goes fills in for one row and one tree whether the row goes left at each split, by
// the split's place in Tree.Nodes; what it writes for leaves is not read. The slice
// comes as it was left by the call before.
type Goes func(row, tree int, left []bool)

// Explainer holds the constants of a sum of trees: about 96·q bytes a split, where 2·q
// is the greatest number of distinct features on a path, at least 6. It is immutable
// and may be used by many goroutines at once.
//
// A feature's share of a leaf v is v·(r-z)·∫Π(t·r'+(1-t)·z')dt over 0…1, the product
// over the other features of the path: r is 1 where the row meets all conditions on a
// feature, else 0, and z the share of the training rows that do. A Gauss-Legendre rule
// of q nodes takes the integral exactly (Wettenstein, Mitchell, Yu, arXiv 2605.04497).
type Explainer struct {
	features, outputs int
	plans             []plan
	expected          []float64 // by output
	splits            int       // of the largest tree
	nodes             int       // of the largest tree
	lanes             int       // of the widest tree
}

// mostLanes bounds the nodes of the quadrature, and so the memory: exact to twice as
// many distinct features on a path. With 40 it is still right to about 1e-13 of the
// largest leaf, with 64 to 1e-8 (TestBeyondTheExactRule…).
const mostLanes = 16

// Features is how many features the trees may split on.
func (e *Explainer) Features() int { return e.features }

// Outputs is how many sums there are.
func (e *Explainer) Outputs() int { return e.outputs }

// Bytes is about how much memory the constants take.
func (e *Explainer) Bytes() int64 {
	var n int64
	for i := range e.plans {
		p := &e.plans[i]
		n += int64(len(p.edges)+len(p.leaves))*8 + int64(len(p.splits))*24
	}
	return n
}

// Explain writes, for each of so many rows and each output, what each feature adds, and
// last the expected value: rows·outputs·(features+1) places of out. Together they are
// the sum of the leaves that the row reaches. It goes through all rows with one tree
// before the next.
func (e *Explainer) Explain(rows int, goes Goes, out []float64) {
	wide := e.features + 1
	out = out[:rows*e.outputs*wide]
	clear(out)
	for r := range rows {
		for o, v := range e.expected {
			out[(r*e.outputs+o)*wide+e.features] = v
		}
	}
	w := walk{
		left: make([]bool, e.nodes), state: make([]uint8, e.splits+1),
		products: make([]float64, e.splits*e.lanes), sums: make([]float64, e.splits*e.lanes),
	}
	for t := range e.plans {
		p := &e.plans[t]
		if len(p.splits) == 0 {
			continue
		}
		for r := range rows {
			goes(r, t, w.left[:p.nodes])
			at := (r*e.outputs + p.output) * wide
			p.add(&w, out[at:at+e.features])
		}
	}
}
