// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"flyball/fault"
)

// Link turns margins into scores.
type Link uint8

// The links. The zero value is Identity.
const (
	Identity Link = iota // the score is the margin (regression)
	Logistic             // 1/(1+exp(-margin)) (binary)
	Softmax              // exp(margin) over the sum across outputs (multiclass)
)

// Node is a split or a leaf. A leaf has Left < 0 and its value in Value. At a split a
// row goes Left when x < Value, else Right; a missing (NaN) x follows MissingLeft.
type Node struct {
	Feature     int32
	Left, Right int32
	Value       float32
	MissingLeft bool
}

// Tree is nodes with the root at 0, and the output that its leaves add to.
type Tree struct {
	Output int
	Nodes  []Node
}

// Ensemble is a checked sum of trees. It is immutable and safe for concurrent use.
type Ensemble struct {
	features int
	base     []float32
	link     Link
	cells    []cell
	roots    []root
}

// New checks and makes an ensemble of trees over features columns; base holds the
// starting margin of each output and must not change afterwards; the trees are
// copied. A tree whose nodes do not form a tree is an Invalid fault, and so is a
// threshold that is not a number.
func New(features int, base []float32, trees []Tree, link Link) (*Ensemble, error) {
	if features < 0 || len(base) == 0 || (link != Softmax && len(base) != 1) {
		return nil, fault.New(fault.Invalid, "an ensemble of %d features cannot have %d outputs with this link", features, len(base))
	}
	e := &Ensemble{features: features, base: base, link: link, roots: make([]root, 0, len(trees))}
	for i, t := range trees {
		if t.Output < 0 || t.Output >= len(base) {
			return nil, fault.New(fault.Invalid, "tree %d adds to output %d of %d", i, t.Output, len(base))
		}
		if !sound(t.Nodes, features) {
			return nil, fault.New(fault.Invalid, "the nodes of tree %d do not form a tree over %d features", i, features)
		}
		if len(e.cells) > mostCells-len(t.Nodes) {
			return nil, fault.New(fault.Invalid, "the ensemble has more than %d nodes", mostCells)
		}
		e.lay(t)
	}
	return e, nil
}

// sound says whether each node reachable from the root is reached once, so that every
// walk ends, and whether every split reads an existing feature and has a threshold.
func sound(nodes []Node, features int) bool {
	if len(nodes) == 0 {
		return false
	}
	seen := make([]bool, len(nodes))
	seen[0] = true
	todo := []int32{0}
	for len(todo) > 0 {
		n := nodes[todo[len(todo)-1]]
		todo = todo[:len(todo)-1]
		if n.Left < 0 {
			continue
		}
		if n.Feature < 0 || int(n.Feature) >= features || n.Value != n.Value {
			return false
		}
		for _, c := range [2]int32{n.Left, n.Right} {
			if c < 0 || int(c) >= len(nodes) || seen[c] {
				return false
			}
			seen[c] = true
			todo = append(todo, c)
		}
	}
	return true
}

// Features is how many columns a row must have.
func (e *Ensemble) Features() int { return e.features }

// Outputs is how many scores a row gets.
func (e *Ensemble) Outputs() int { return len(e.base) }
