// SPDX-License-Identifier: Apache-2.0

package shap

import (
	"math"
	"slices"

	"flyball/fault"
)

// New checks the trees and works out their constants. Nodes that do not form a tree
// over so many features, covers below zero, and what is not finite are Invalid faults.
// Trees that do not tell their covers are a Refused one: they cannot be explained so.
func New(features, outputs int, trees []Tree) (*Explainer, error) {
	if features < 0 || outputs < 1 {
		return nil, fault.New(fault.Invalid, "trees of %d features and %d outputs cannot be explained", features, outputs)
	}
	e := &Explainer{features: features, outputs: outputs, plans: make([]plan, len(trees)), expected: make([]float64, outputs)}
	rules := map[int]rule{}
	for i, t := range trees {
		if t.Output < 0 || t.Output >= outputs {
			return nil, fault.New(fault.Invalid, "tree %d adds to output %d of %d", i, t.Output, outputs)
		}
		if err := sound(i, t.Nodes, features); err != nil {
			return nil, err
		}
		if n := t.Nodes[0]; n.Left >= 0 && n.Cover == 0 {
			return nil, fault.New(fault.Refused, "tree %d does not tell how many training rows came by its nodes", i)
		}
		b := lay(t.Nodes)
		lanes := b.lanes()
		if rules[lanes].nodes == nil {
			var r rule
			r.nodes, r.weights = gauss(lanes)
			rules[lanes] = r
		}
		b.fill(t.Nodes, rules[lanes])
		b.output, b.nodes = t.Output, len(t.Nodes)
		e.plans[i] = b.plan
		e.expected[t.Output] += b.expected
		e.splits, e.nodes, e.lanes = max(e.splits, len(b.splits)), max(e.nodes, len(t.Nodes)), max(e.lanes, lanes)
	}
	return e, nil
}

// sound says whether the nodes form a tree and their numbers can be reckoned with.
func sound(tree int, nodes []Node, features int) error {
	if len(nodes) == 0 || len(nodes) > math.MaxInt32 {
		return fault.New(fault.Invalid, "tree %d has %d nodes", tree, len(nodes))
	}
	seen := make([]bool, len(nodes))
	seen[0] = true
	for todo := []int32{0}; len(todo) > 0; {
		at := todo[len(todo)-1]
		n := nodes[at]
		todo = todo[:len(todo)-1]
		if !(n.Cover >= 0) || math.IsInf(n.Cover, 0) {
			return fault.New(fault.Invalid, "node %d of tree %d has the cover %v", at, tree, n.Cover)
		}
		if n.Left < 0 {
			if math.IsNaN(n.Value) || math.IsInf(n.Value, 0) {
				return fault.New(fault.Invalid, "leaf %d of tree %d is %v", at, tree, n.Value)
			}
			continue
		}
		if n.Feature < 0 || int(n.Feature) >= features {
			return fault.New(fault.Invalid, "node %d of tree %d splits on feature %d of %d", at, tree, n.Feature, features)
		}
		for _, c := range [2]int32{n.Left, n.Right} {
			if c < 0 || int(c) >= len(nodes) || seen[c] {
				return fault.New(fault.Invalid, "the nodes of tree %d do not form a tree", tree)
			}
			seen[c] = true
			todo = append(todo, c)
		}
	}
	return nil
}

// rule is a quadrature over 0…1.
type rule struct{ nodes, weights []float64 }

// The states of a split for a row. A split is dead where the row has failed an earlier
// condition on the same feature: nothing that happens there is about the feature.
const (
	toLeft = iota
	toRight
	dead
	states
)

// split is an inner node as it is walked, level by level.
type split struct {
	node    int32 // its place in Tree.Nodes
	feature int32
	parent  int32 // place among the splits; the root's is itself
	above   int32 // feature of the parent
	same    int32 // place plus 1 of the last split on the path on the same feature; 0: none
	side    uint8 // where the path goes from that split
	leaf    bool  // a child is a leaf
}

// plan is a tree and its constants. For a split and the state of its parent, edges hold
// the factors of the products (a lane each) and what a sum below is worth for the
// parent's feature; for a split and its own state, leaves hold the same of its leaves,
// added up: the factors times the leaves, and that times the worth.
type plan struct {
	output, nodes int
	lanes         int
	weights       []float64
	splits        []split
	edges, leaves []float64 // [split][state][2][lane]
}

// builder makes a plan.
type builder struct {
	plan
	passed   []float64 // share of the training rows that meet the conditions on the split's feature above it
	side     []uint8   // which child of its parent a split is
	expected float64
	distinct int // greatest number of features on a path
}

// lay puts the splits in order, level by level: those with leaves come last, and a
// parent comes before its children.
func lay(nodes []Node) *builder {
	b := &builder{}
	if nodes[0].Left < 0 {
		return b
	}
	b.splits = append(b.splits, split{feature: nodes[0].Feature, above: nodes[0].Feature})
	b.side = append(b.side, 0)
	for i := 0; i < len(b.splits); i++ {
		n := nodes[b.splits[i].node]
		for side, c := range [2]int32{n.Left, n.Right} {
			if nodes[c].Left < 0 {
				b.splits[i].leaf = true
				continue
			}
			b.splits = append(b.splits, split{node: c, feature: nodes[c].Feature, parent: int32(i), above: n.Feature})
			b.side = append(b.side, uint8(side))
		}
	}
	distinct := make([]int, len(b.splits)) // with the split's own feature
	for i := range b.splits {
		s := &b.splits[i]
		for at := i; at > 0; at = int(b.splits[at].parent) {
			if p := b.splits[at].parent; b.splits[p].feature == s.feature {
				s.same, s.side = p+1, b.side[at]
				break
			}
		}
		if i > 0 {
			distinct[i] = distinct[s.parent]
		}
		if s.same == 0 {
			distinct[i]++
		}
		b.distinct = max(b.distinct, distinct[i])
	}
	return b
}

// lanes is how many nodes the quadrature needs; there are kernels for 3 and 4.
func (b *builder) lanes() int {
	b.plan.lanes = min(max(3, (b.distinct+1)/2), mostLanes)
	return b.plan.lanes
}

// fill works out the constants.
func (b *builder) fill(nodes []Node, r rule) {
	q := b.plan.lanes
	b.weights = slices.Clone(r.weights)
	b.expected = mean(nodes)
	b.edges = make([]float64, len(b.splits)*states*2*q)
	b.leaves = make([]float64, len(b.splits)*states*2*q)
	b.passed = make([]float64, len(b.splits))
	// Children come after their parents, so a split's own passed is there when its
	// children are met.
	children := make([][2]int32, len(b.splits))
	for i := 1; i < len(b.splits); i++ {
		children[b.splits[i].parent][b.side[i]] = int32(i)
	}
	for i := range b.splits {
		s := &b.splits[i]
		b.passed[i] = 1
		if s.same > 0 {
			o := &b.splits[s.same-1]
			b.passed[i] = b.passed[s.same-1] * share(nodes, o.node, int(s.side))
		}
		n := nodes[s.node]
		for side, c := range [2]int32{n.Left, n.Right} {
			z := share(nodes, s.node, side)
			for state := range states {
				if child := children[i][side]; child > 0 {
					at := (int(child)*states + state) * 2 * q
					b.constants(i, side, state, z, 1, r, b.edges[at:at+q], b.edges[at+q:at+2*q], false)
				} else {
					at := (i*states + state) * 2 * q
					b.constants(i, side, state, z, nodes[c].Value, r, b.leaves[at:at+q], b.leaves[at+q:at+2*q], true)
				}
			}
		}
	}
}

// constants adds to factors what the products are multiplied by on the way from split
// i to a child, times value, and to worth what the sum that comes back adds to the
// split's feature: in place of what its last condition above has added already. z is
// the child's share of the split's rows. A leaf's worth is multiplied by its factors.
func (b *builder) constants(i, side, state int, z, value float64, r rule, factors, worth []float64, leaf bool) {
	old := b.passed[i]
	for q, t := range r.nodes {
		var f, w float64
		above := 0.0
		if b.splits[i].same > 0 {
			above = (1 - old) / (t + (1-t)*old)
		}
		switch {
		case state == dead: // the row failed the feature before: (1-t)·z·old over (1-t)·old
			f = z
		case state == side:
			f = (t + (1-t)*old*z) / (t + (1-t)*old)
			w = (1-old*z)/(t+(1-t)*old*z) - above
		default:
			f = (1 - t) * old * z / (t + (1-t)*old)
			w = -1/(1-t) - above
		}
		factors[q] += value * f
		if leaf {
			w *= value * f
		}
		worth[q] += w
	}
}

// share is the part of a split's training rows that its child got; half where none came.
func share(nodes []Node, at int32, side int) float64 {
	n := nodes[at]
	c := n.Left
	if side == toRight {
		c = n.Right
	}
	if n.Cover == 0 {
		return 0.5
	}
	return nodes[c].Cover / n.Cover
}

// mean is the expected value of a sound tree.
func mean(nodes []Node) float64 {
	type visit struct {
		node  int32
		share float64
	}
	sum := 0.0
	for todo := []visit{{0, 1}}; len(todo) > 0; {
		v := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		n := nodes[v.node]
		if n.Left < 0 {
			sum += v.share * n.Value
			continue
		}
		todo = append(todo, visit{n.Left, v.share * share(nodes, v.node, toLeft)}, visit{n.Right, v.share * share(nodes, v.node, toRight)})
	}
	return sum
}
