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
	to    int32
	last  bool // of its leaf
	value float64
}

// cell is a node laid out to be walked. The child of the true way is at kids, the other
// behind it. Bit 0 of flags says that a missing value goes the true way. A leaf stays
// where it is, whatever it compares: its value is NaN and kids is the place before it;
// flags is twice the place of its first vote.
type cell[T float32 | float64] struct {
	value   T
	feature int32
	kids    int32
	flags   int32
}

// next is where a row goes from c whose value is v, without a branch.
func (c *cell[T]) next(v T) int32 {
	return c.kids + 1 - (bit(v <= c.value) | bit(v != v)&c.flags&1)
}

func bit(b bool) int32 {
	var i int32
	if b {
		i = 1
	}
	return i
}

// forest is trees ready to be walked. It is immutable.
type forest[T float32 | float64] struct {
	cells   []cell[T]
	modes   []mode // by cell; nil where all are lessOrEqual
	sets    map[int32][]float64
	roots   []int32
	votes   []vote
	targets int
	needs   int // columns, 1 at least
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
			nodes[k].votes = append(nodes[k].votes, vote{to: int32(l.voteIDs[i]), value: l.weights[i]})
		}
	}
	return nodes, roots, nil
}

// newForest lays trees out. A node that is reached twice, or around a circle, is an
// Invalid fault.
func newForest[T float32 | float64](nodes []treeNode, roots []int, targets int) (*forest[T], error) {
	f := &forest[T]{targets: targets, sets: map[int32][]float64{}, needs: 1}
	seen := make([]bool, len(nodes))
	type todo struct {
		node int
		cell int32
	}
	uniform := true
	var modes []mode
	var queue []todo
	for _, r := range roots {
		f.roots = append(f.roots, int32(len(f.cells)))
		queue = append(queue[:0], todo{r, int32(len(f.cells))})
		f.cells, modes = append(f.cells, cell[T]{}), append(modes, leaf)
		for len(queue) > 0 {
			t := queue[len(queue)-1]
			queue = queue[:len(queue)-1]
			n := &nodes[t.node]
			if seen[t.node] {
				return nil, brokenTrees("a node has two parents")
			}
			seen[t.node] = true
			if n.mode == leaf {
				if len(n.votes) == 0 || len(f.votes) > 1<<29 {
					return nil, brokenTrees("a leaf has no weight")
				}
				f.cells[t.cell] = cell[T]{value: T(math.NaN()), kids: t.cell - 1, flags: int32(2 * len(f.votes))}
				f.votes = append(f.votes, n.votes...)
				f.votes[len(f.votes)-1].last = true
				continue
			}
			m, v := plain(n.mode, T(n.value))
			uniform = uniform && m == lessOrEqual
			f.needs = max(f.needs, n.feature+1)
			if n.mode == member {
				f.sets[t.cell] = n.set
			}
			kids := int32(len(f.cells))
			f.cells[t.cell], modes[t.cell] = cell[T]{v, int32(n.feature), kids, bit(n.missingTrue)}, m
			f.cells, modes = append(f.cells, cell[T]{}, cell[T]{}), append(modes, leaf, leaf)
			queue = append(queue, todo{n.no, kids + 1}, todo{n.yes, kids})
		}
	}
	if !uniform {
		f.modes = modes
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

// lanes is how many walks go on together: one waits for memory while others compare.
const lanes = 4

// walk takes each lane from its cell to the leaf that the lane's row comes to.
func (f *forest[T]) walk(at *[lanes]int32, x *[lanes][]T) {
	if f.modes != nil {
		for i := range at {
			at[i] = f.leafByMode(at[i], x[i])
		}
		return
	}
	cells, a, b, c, d := f.cells, at[0], at[1], at[2], at[3]
	for {
		p, q, r, s := &cells[a], &cells[b], &cells[c], &cells[d]
		e, g, h, i := p.next(x[0][p.feature]), q.next(x[1][q.feature]), r.next(x[2][r.feature]), s.next(x[3][s.feature])
		if (a^e)|(b^g)|(c^h)|(d^i) == 0 { // all at leaves
			*at = [lanes]int32{a, b, c, d}
			return
		}
		a, b, c, d = e, g, h, i
	}
}

func (f *forest[T]) leafByMode(at int32, x []T) int32 {
	for f.modes[at] != leaf {
		c := &f.cells[at]
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
		if v != v && c.flags&1 != 0 {
			yes = true
		}
		if at = c.kids; !yes {
			at++
		}
	}
	return at
}

// eachLeaf calls add for each row and tree, of a row in the order of its trees, with the
// votes of the leaf that it comes to. Rows walk a tree four by four, what is left over
// walks four trees at once.
func (f *forest[T]) eachLeaf(rows, cols int, v []T, add func(row int, votes []vote)) {
	var at [lanes]int32
	var x [lanes][]T
	row := func(i int) []T { return v[i*cols : (i+1)*cols] }
	votes := func(cell int32) []vote { return f.votes[f.cells[cell].flags>>1:] }
	for first := 0; first < rows; first += together {
		last := min(first+together, rows)
		full := last - (last-first)%lanes
		for _, root := range f.roots {
			for i := first; i < full; i += lanes {
				for k := range lanes {
					at[k], x[k] = root, row(i+k)
				}
				f.walk(&at, &x)
				for k := range lanes {
					add(i+k, votes(at[k]))
				}
			}
		}
		for i := full; i < last; i++ {
			x = [lanes][]T{row(i), row(i), row(i), row(i)}
			for t := 0; t < len(f.roots); t += lanes {
				for k := range lanes {
					at[k] = f.roots[min(t+k, len(f.roots)-1)]
				}
				f.walk(&at, &x)
				for k := range min(lanes, len(f.roots)-t) {
					add(i, votes(at[k]))
				}
			}
		}
	}
}

// together is how many rows walk a tree before the next one is loaded.
const together = 64
