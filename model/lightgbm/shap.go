// SPDX-License-Identifier: Apache-2.0

package lightgbm

import (
	"flyball/data/frame"
	"flyball/model/shap"
)

// Trees are the trees as package shap wants them; covers are numbers of training rows,
// as in LightGBM's pred_contrib, 0 where the file has none. There is no base: the sum of
// a row's leaves is its margin, not divided where the model averages. Goes counts the
// nodes in the same order. It makes new ones at each call.
func (m *Model) Trees() []shap.Tree {
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

// Divisor is what the margins are divided by before the link: 1, or how many iterations
// the model averages.
func (m *Model) Divisor() float64 { return m.divisor }

// Rows are rows as the trees of a model read them. They may be read by many goroutines
// at once.
type Rows struct {
	m    *Model
	cols []*frame.Column
}

// Rows finds the model's columns. An absent one is an Invalid fault.
func (m *Model) Rows(rows *frame.Frame) (Rows, error) {
	cols, err := m.find(rows)
	return Rows{m, cols}, err
}

// Width is how many places a row has for Rows.Read.
func (m *Model) Width() int { return len(m.slots) }

// Read writes row i into row, which is Width long, for Goes. It does not allocate.
func (r Rows) Read(i int, row []float64) { r.m.fill(r.cols, i, 1, row) }

// Goes fills left, one for each node of a tree of Trees, with whether a row of Rows.Read
// goes left there; false at a leaf. It does not allocate.
func (m *Model) Goes(row []float64, tree int, left []bool) {
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
