// SPDX-License-Identifier: Apache-2.0

package lightgbm

import "flyball/model/shap"

// trees are the trees as package shap wants them; covers are numbers of training rows,
// as in LightGBM's pred_contrib, 0 where the file has none. There is no base: the sum of
// a row's leaves is its margin, not divided where the model averages. goes counts the
// nodes in the same order. It makes new ones at each call.
func (m *Model) trees() []shap.Tree {
	out := make([]shap.Tree, len(m.roots))
	for t, r := range m.roots {
		nodes := make([]shap.Node, m.end(t)-r.at)
		for i := range nodes {
			c := &m.cells[r.at+uint32(i)]
			nodes[i] = shap.Node{Left: -1, Right: -1, Cover: float64(m.covers[r.at+uint32(i)])}
			if at := int32(c.left - r.at); at != int32(i) {
				nodes[i].Feature, nodes[i].Left, nodes[i].Right = m.slots[c.slot&^category].feature, at, at+1
			} else {
				nodes[i].Value = c.threshold
			}
		}
		out[t] = shap.Tree{Output: int(r.output), Nodes: nodes}
	}
	return out
}

// goes fills left, one for each node of a tree of trees, with whether a row as the trees
// read it goes left there; false at a leaf. It does not allocate.
func (m *Model) goes(row []float64, tree int, left []bool) {
	r := m.roots[tree]
	for i := range left[:m.end(tree)-r.at] {
		at := r.at + uint32(i)
		next := m.cells[at].left
		left[i] = next != at && m.stepAny(at, row) == next
	}
}

// end is the place after a tree's last cell.
func (m *Model) end(tree int) uint32 {
	if tree+1 < len(m.roots) {
		return m.roots[tree+1].at
	}
	return uint32(len(m.cells))
}
