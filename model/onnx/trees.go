// SPDX-License-Identifier: Apache-2.0

package onnx

import (
	"math"

	"flyball/fault"
)

// mode is how a node compares.
type mode uint8

const (
	leaf mode = iota
	lessOrEqual
	lessThan
	greaterOrEqual
	greaterThan
	equalTo
	notEqualTo
	member // of a set: ai.onnx.ml 5
)

func modeOf(s string) (mode, error) {
	switch s {
	case "LEAF":
		return leaf, nil
	case "BRANCH_LEQ":
		return lessOrEqual, nil
	case "BRANCH_LT":
		return lessThan, nil
	case "BRANCH_GTE":
		return greaterOrEqual, nil
	case "BRANCH_GT":
		return greaterThan, nil
	case "BRANCH_EQ":
		return equalTo, nil
	case "BRANCH_NEQ":
		return notEqualTo, nil
	}
	return 0, refuse("the tree node mode %q", s)
}

// treeNode is a node as the file has it, its children by their place among all nodes.
type treeNode struct {
	mode        mode
	missingTrue bool // a value that is missing goes the true way
	feature     int
	value       float64
	yes, no     int
	votes       []vote
	set         []float64 // of member
}

// vote is what a leaf adds to one class or target.
type vote struct {
	to    int
	value float64
}

// cell is a node laid out to be walked: the child of the true way at kids, the other
// behind it. A leaf has feature -1-n and n votes from kids on.
type cell[T float32 | float64] struct {
	value   T
	feature int32
	kids    int32
}

// forest is trees ready to be walked. It is immutable.
type forest[T float32 | float64] struct {
	cells   []cell[T]
	modes   []mode // by cell; nil where all are lessOrEqual
	missing []bool // by cell: a missing value goes the true way; nil where none does
	sets    map[int32][]float64
	roots   []int32
	votes   []vote
	targets int
	needs   int // columns
}

// treeLists are the attributes nodes_* and target_* or class_*.
type treeLists struct {
	treeids, nodeids, features, yes, no, missing []int64
	modes                                        []string
	values                                       []float64
	voteTrees, voteNodes, voteIDs                []int64
	weights                                      []float64
	double                                       bool // thresholds are float64
}

func readTrees(n *site, votes string) (*treeLists, error) {
	n.ignore("nodes_hitrates", "nodes_hitrates_as_tensor")
	l := &treeLists{
		treeids: n.ints("nodes_treeids"), nodeids: n.ints("nodes_nodeids"), features: n.ints("nodes_featureids"),
		yes: n.ints("nodes_truenodeids"), no: n.ints("nodes_falsenodeids"), missing: n.ints("nodes_missing_value_tracks_true"),
		modes:     n.texts("nodes_modes"),
		voteTrees: n.ints(votes + "_treeids"), voteNodes: n.ints(votes + "_nodeids"), voteIDs: n.ints(votes + "_ids"),
	}
	l.values, l.double = n.doubles("nodes_values")
	l.weights, _ = n.doubles(votes + "_weights")
	count := len(l.treeids)
	for _, k := range []int{len(l.nodeids), len(l.features), len(l.yes), len(l.no), len(l.modes), len(l.values)} {
		if k != count {
			return nil, brokenTrees("its lists of nodes differ in length")
		}
	}
	if len(l.missing) != 0 && len(l.missing) != count {
		return nil, brokenTrees("its lists of nodes differ in length")
	}
	if len(l.voteTrees) != len(l.voteNodes) || len(l.voteTrees) != len(l.voteIDs) || len(l.voteTrees) != len(l.weights) {
		return nil, brokenTrees("its lists of leaves differ in length")
	}
	if count == 0 {
		return nil, brokenTrees("it has no node")
	}
	return l, nil
}

func brokenTrees(why string) error {
	return fault.New(fault.Invalid, "the trees cannot be read: %s", why).Do("write the model again")
}

// nodes joins the lists: the nodes in the file's order, and the roots, each the first of
// its tree.
func (l *treeLists) nodes(targets int) (nodes []treeNode, roots []int, err error) {
	type id struct{ tree, node int64 }
	nodes = make([]treeNode, len(l.treeids))
	at := make(map[id]int, len(nodes))
	for i := range nodes {
		if _, twice := at[id{l.treeids[i], l.nodeids[i]}]; twice {
			return nil, nil, brokenTrees("a node stands twice")
		}
		at[id{l.treeids[i], l.nodeids[i]}] = i
		if i == 0 || l.treeids[i] != l.treeids[i-1] {
			roots = append(roots, i)
		}
	}
	for i := range nodes {
		n := &nodes[i]
		if n.mode, err = modeOf(l.modes[i]); err != nil {
			return nil, nil, err
		}
		if n.mode == leaf {
			continue
		}
		n.value, n.missingTrue = l.values[i], len(l.missing) > 0 && l.missing[i] != 0
		if l.features[i] < 0 || l.features[i] >= math.MaxInt32 {
			return nil, nil, brokenTrees("a node reads a column that cannot be")
		}
		n.feature = int(l.features[i])
		var ok1, ok2 bool
		n.yes, ok1 = at[id{l.treeids[i], l.yes[i]}]
		n.no, ok2 = at[id{l.treeids[i], l.no[i]}]
		if !ok1 || !ok2 {
			return nil, nil, brokenTrees("a node has a child that is not there")
		}
	}
	for i := range l.voteTrees {
		k, ok := at[id{l.voteTrees[i], l.voteNodes[i]}]
		if !ok || l.voteIDs[i] < 0 || l.voteIDs[i] >= int64(targets) {
			return nil, nil, brokenTrees("a leaf's weight belongs to no node or to no class")
		}
		if nodes[k].mode == leaf { // old converters give weights to others, which count for nothing
			nodes[k].votes = append(nodes[k].votes, vote{int(l.voteIDs[i]), l.weights[i]})
		}
	}
	return nodes, roots, nil
}

// newForest lays trees out. A node that is reached twice, or around a circle, is an
// Invalid fault.
func newForest[T float32 | float64](nodes []treeNode, roots []int, targets int) (*forest[T], error) {
	f := &forest[T]{targets: targets, sets: map[int32][]float64{}}
	seen := make([]bool, len(nodes))
	type todo struct {
		node int
		cell int32
	}
	uniform, tracks := true, false
	var modes []mode
	var missing []bool
	room := func() {
		f.cells, modes, missing = append(f.cells, cell[T]{}), append(modes, leaf), append(missing, false)
	}
	for _, r := range roots {
		f.roots = append(f.roots, int32(len(f.cells)))
		queue := []todo{{r, int32(len(f.cells))}}
		room()
		for len(queue) > 0 {
			t := queue[len(queue)-1]
			queue = queue[:len(queue)-1]
			n := &nodes[t.node]
			if seen[t.node] {
				return nil, brokenTrees("a node has two parents")
			}
			seen[t.node] = true
			c := cell[T]{value: T(n.value), feature: int32(n.feature)}
			if n.mode == leaf {
				c = cell[T]{feature: int32(-1 - len(n.votes)), kids: int32(len(f.votes))}
				f.votes = append(f.votes, n.votes...)
				f.cells[t.cell] = c
				continue
			}
			m, v := plain(n.mode, c.value)
			uniform, tracks = uniform && m == lessOrEqual, tracks || n.missingTrue
			f.needs = max(f.needs, n.feature+1)
			if n.mode == member {
				f.sets[t.cell] = n.set
			}
			c.value, c.kids = v, int32(len(f.cells))
			f.cells[t.cell], modes[t.cell], missing[t.cell] = c, m, n.missingTrue
			room()
			room()
			queue = append(queue, todo{n.no, c.kids + 1}, todo{n.yes, c.kids})
		}
	}
	if !uniform {
		f.modes = modes
	}
	if tracks {
		f.missing = missing
	}
	return f, nil
}

// plain writes x < v as x ≤ the number below v, which holds for the same x.
func plain[T float32 | float64](m mode, v T) (mode, T) {
	if m != lessThan || v != v || math.IsInf(float64(v), 0) {
		return m, v
	}
	switch p := any(&v).(type) {
	case *float32:
		*p = math.Nextafter32(*p, float32(math.Inf(-1)))
	case *float64:
		*p = math.Nextafter(*p, math.Inf(-1))
	}
	return lessOrEqual, v
}

// leafOf walks one tree for the row x and returns its leaf.
func (f *forest[T]) leafOf(root int32, x []T) *cell[T] {
	if f.modes != nil {
		return f.leafByMode(root, x)
	}
	c := &f.cells[root]
	if f.missing == nil {
		for c.feature >= 0 {
			kid := c.kids
			if !(x[c.feature] <= c.value) {
				kid++
			}
			c = &f.cells[kid]
		}
		return c
	}
	at := root
	for c.feature >= 0 {
		v := x[c.feature]
		yes := v <= c.value || (v != v && f.missing[at])
		if at = c.kids; !yes {
			at++
		}
		c = &f.cells[at]
	}
	return c
}

func (f *forest[T]) leafByMode(at int32, x []T) *cell[T] {
	c := &f.cells[at]
	for c.feature >= 0 {
		v, yes := x[c.feature], false
		switch f.modes[at] {
		case lessOrEqual:
			yes = v <= c.value
		case lessThan:
			yes = v < c.value
		case greaterOrEqual:
			yes = v >= c.value
		case greaterThan:
			yes = v > c.value
		case equalTo:
			yes = v == c.value
		case notEqualTo:
			yes = v != c.value
		case member:
			for _, m := range f.sets[at] {
				yes = yes || float64(v) == m
			}
		}
		if v != v && f.missing != nil && f.missing[at] {
			yes = true
		}
		if at = c.kids; !yes {
			at++
		}
		c = &f.cells[at]
	}
	return c
}
