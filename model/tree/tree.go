// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"math"

	"flyball/data/pipeline"
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
	trees    []Tree
	link     Link
}

// New checks and makes an ensemble of trees over features columns; base holds the
// starting margin of each output. It keeps its arguments, which must not change
// afterwards. A tree whose nodes do not form a tree is an Invalid fault.
func New(features int, base []float32, trees []Tree, link Link) (*Ensemble, error) {
	if features < 0 || len(base) == 0 || (link != Softmax && len(base) != 1) {
		return nil, fault.New(fault.Invalid, "an ensemble of %d features cannot have %d outputs with this link", features, len(base))
	}
	for i, t := range trees {
		if t.Output < 0 || t.Output >= len(base) {
			return nil, fault.New(fault.Invalid, "tree %d adds to output %d of %d", i, t.Output, len(base))
		}
		if !sound(t.Nodes, features) {
			return nil, fault.New(fault.Invalid, "the nodes of tree %d do not form a tree over %d features", i, features)
		}
	}
	return &Ensemble{features: features, base: base, trees: trees, link: link}, nil
}

// sound says whether each node reachable from the root is reached once, so that every
// walk ends, and whether every split reads an existing feature.
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
		if n.Feature < 0 || int(n.Feature) >= features {
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

// Margins writes the raw margins of row (Features long) into out (Outputs long). They
// are summed from the base in tree order in float32. It does not allocate.
func (e *Ensemble) Margins(row, out []float32) {
	copy(out, e.base)
	for i := range e.trees {
		t := &e.trees[i]
		out[t.Output] += leaf(t.Nodes, row)
	}
}

func leaf(nodes []Node, row []float32) float32 {
	n := &nodes[0]
	for n.Left >= 0 {
		x := row[n.Feature]
		if x < n.Value || (x != x && n.MissingLeft) {
			n = &nodes[n.Left]
		} else {
			n = &nodes[n.Right]
		}
	}
	return n.Value
}

// Score writes Outputs scores a row of x into out, row after row.
func (e *Ensemble) Score(x pipeline.Matrix, out []float64) {
	k := len(e.base)
	var one [16]float32
	m := one[:]
	if k > len(one) {
		m = make([]float32, k)
	}
	m = m[:k]
	for i := range x.Rows {
		e.Margins(x.Row(i), m)
		o := out[i*k : (i+1)*k]
		for j, v := range m {
			o[j] = float64(v)
		}
		switch e.link {
		case Logistic:
			o[0] = 1 / (1 + math.Exp(-o[0]))
		case Softmax:
			softmax(o)
		}
	}
}

func softmax(o []float64) {
	top := o[0]
	for _, v := range o {
		top = max(top, v)
	}
	sum := 0.0
	for j, v := range o {
		o[j] = math.Exp(v - top)
		sum += o[j]
	}
	for j := range o {
		o[j] /= sum
	}
}
