// SPDX-License-Identifier: Apache-2.0

package tree

import "flyball/model/shap"

// Trees are the trees as package shap wants them. Goes counts the nodes in the same
// order. The sum of a row's leaves, from Base on, is its margin but for the rounding of
// float32. It makes new ones at each call.
func (e *Ensemble) Trees() []shap.Tree {
	out := make([]shap.Tree, len(e.roots))
	for t, r := range e.roots {
		nodes := make([]shap.Node, e.end(t)-r.at)
		for i := range nodes {
			c := &e.cells[r.at+uint32(i)]
			nodes[i] = shap.Node{Left: -1, Right: -1, Cover: float64(e.covers[r.at+uint32(i)])}
			if at := c.left - r.at; at != uint32(i) {
				nodes[i].Feature, nodes[i].Left, nodes[i].Right = int32(c.feature>>1), int32(at), int32(at)+1
			} else {
				nodes[i].Value = float64(c.leaf())
			}
		}
		out[t] = shap.Tree{Output: int(r.output), Nodes: nodes}
	}
	return out
}

// Goes fills left, one for each node of a tree of Trees, with whether row (Features
// long) goes left there, be it by threshold, by category or because the value is
// missing; false at a leaf. It does not allocate.
func (e *Ensemble) Goes(row []float32, tree int, left []bool) {
	r := e.roots[tree]
	for i := range left[:e.end(tree)-r.at] {
		at := r.at + uint32(i)
		next := e.cells[at].left
		left[i] = next != at && e.stepAny(at, row) == next
	}
}

// end is the place after a tree's last cell.
func (e *Ensemble) end(tree int) uint32 {
	if tree+1 < len(e.roots) {
		return e.roots[tree+1].at
	}
	return uint32(len(e.cells))
}
