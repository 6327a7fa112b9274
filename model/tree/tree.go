// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"slices"
	"sync"

	"flyball/fault"
	"flyball/stat"
)

// Link turns margins into scores.
type Link uint8

// The links. The zero value is Identity. All but Softmax take each output by itself.
const (
	Identity Link = iota // the score is the margin (regression)
	Logistic             // 1/(1+exp(-margin)) (binary)
	Softmax              // exp(margin) over the sum across outputs (multiclass)
	Exp                  // exp(margin) (counts, amounts, survival)
	Step                 // 1 where the margin is above 0, else 0 (hinge)
)

// Apply turns the margins of one row into its scores, in place.
func (l Link) Apply(row []float64) {
	switch l {
	case Softmax:
		stat.Softmax(row)
	case Logistic:
		for i, x := range row {
			row[i] = stat.Logistic(x)
		}
	case Exp:
		for i, x := range row {
			row[i] = stat.Exp(x)
		}
	case Step:
		for i, x := range row {
			row[i] = 0
			if x > 0 {
				row[i] = 1
			}
		}
	}
}

// Node is a split or a leaf. A leaf has Left < 0 and its value in Value. At a split a
// row goes Left when x < Value, else Right; a missing (NaN) x follows MissingLeft.
//
// A split with a Set compares no threshold: a row goes Right when its category, x
// without its fraction, is in the set. What is no category (negative, 2²⁴ or more) goes
// Left; a missing one follows MissingLeft. This is XGBoost's common::Decision.
type Node struct {
	Feature     int32
	Left, Right int32
	Value       float32
	Cover       float32 // weight of the training rows that came by; 0 where it is not known
	Set         int32   // 0: by threshold; else 1 more than the place among the tree's Sets
	MissingLeft bool
}

// Tree is nodes with the root at 0, and the output that its leaves add to.
type Tree struct {
	Output int
	Nodes  []Node
	Sets   [][]uint32 // categories, sorted

	// Strays follow MissingLeft, and do not go Left: what is no category, and what is
	// 32·(m/32+1) or more where m is the set's highest. This was XGBoost 1.6.
	Strays bool
}

// Ensemble is a checked sum of trees. It is immutable and safe for concurrent use.
type Ensemble struct {
	features int
	base     []float32
	link     Link
	cells    []cell
	covers   []float32 // by cell
	roots    []root
	sets     []set
	words    []uint32 // of the sets
	groups   []group
	slots    []slot
	heap     []knot
	ends     []float32 // the leaves, by the heap's place
	spare    sync.Pool // of *scratch
	why      why
}

// New checks and makes an ensemble of trees over features columns; base holds the
// starting margin of each output and must not change afterwards; the trees are
// copied. A tree whose nodes do not form a tree is an Invalid fault, and so is a
// threshold that is not a number, or a set that is not sorted.
func New(features int, base []float32, trees []Tree, link Link) (*Ensemble, error) {
	if features < 0 || len(base) == 0 || link > Step {
		return nil, fault.New(fault.Invalid, "an ensemble of %d features cannot have %d outputs with this link", features, len(base))
	}
	e := &Ensemble{features: features, base: base, link: link, roots: make([]root, 0, len(trees))}
	n := 0
	for _, t := range trees {
		n += len(t.Nodes)
	}
	if n > mostCells {
		return nil, fault.New(fault.Invalid, "the ensemble has more than %d nodes", mostCells)
	}
	e.cells, e.covers = make([]cell, 0, n), make([]float32, 0, n)
	for i, t := range trees {
		if t.Output < 0 || t.Output >= len(base) {
			return nil, fault.New(fault.Invalid, "tree %d adds to output %d of %d", i, t.Output, len(base))
		}
		if !sound(t, features) {
			return nil, fault.New(fault.Invalid, "the nodes of tree %d do not form a tree over %d features", i, features)
		}
		e.lay(t)
	}
	e.group()
	return e, nil
}

// sound says whether each node reachable from the root is reached once, so that every
// walk ends, and whether every split reads an existing feature and has a threshold.
func sound(t Tree, features int) bool {
	nodes := t.Nodes
	if len(nodes) == 0 {
		return false
	}
	seen := make([]bool, len(nodes))
	seen[0] = true
	todo := []int32{0}
	for len(todo) > 0 {
		n := &nodes[todo[len(todo)-1]]
		todo = todo[:len(todo)-1]
		if n.Left < 0 {
			continue
		}
		if n.Feature < 0 || int(n.Feature) >= features || n.Set < 0 || int(n.Set) > len(t.Sets) || (n.Value != n.Value && n.Set == 0) {
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
	for _, set := range t.Sets {
		if !slices.IsSorted(set) {
			return false
		}
	}
	return true
}

// Features is how many columns a row must have.
func (e *Ensemble) Features() int { return e.features }

// Outputs is how many scores a row gets.
func (e *Ensemble) Outputs() int { return len(e.base) }

// Link is how margins become scores.
func (e *Ensemble) Link() Link { return e.link }

// Base are the starting margins, one an output. The caller must not change them.
func (e *Ensemble) Base() []float32 { return e.base }
