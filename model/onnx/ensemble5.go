// SPDX-License-Identifier: Apache-2.0

package onnx

import (
	"math"

	"flyball/fault"
)

// buildTrees is TreeEnsemble of ai.onnx.ml 5, which keeps branches and leaves apart.
func buildTrees(n *site) (op, error) {
	t := &branches{
		features: n.ints("nodes_featureids"), yes: n.ints("nodes_truenodeids"), no: n.ints("nodes_falsenodeids"),
		yesLeaf: n.ints("nodes_trueleafs"), noLeaf: n.ints("nodes_falseleafs"), missing: n.ints("nodes_missing_value_tracks_true"),
		leafTo: n.ints("leaf_targetids"), targets: n.int("n_targets", 1),
	}
	n.ignore("nodes_hitrates")
	splits, weights, members := n.tensor("nodes_splits"), n.tensor("leaf_weights"), n.tensor("membership_values")
	if splits == nil || weights == nil || realKind(splits, weights) != nil {
		return nil, brokenTrees("it has no splits or no leaves")
	}
	t.splits, t.weights = splits.toFloat64(), weights.toFloat64()
	if members != nil {
		t.members = members.toFloat64()
	}
	if a := n.attr("nodes_modes"); a != nil && a.t != nil {
		t.modes = a.t.bytes()
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	nodes, roots, err := t.nodes(n.ints("tree_roots"))
	if err != nil {
		return nil, err
	}
	m, err := newEnsemble(nodes, roots, int(t.targets), splits.kind == float64Kind)
	if err != nil {
		return nil, err
	}
	switch n.int("aggregate_function", 1) {
	case 0:
		m.how = byAverage
	case 1:
	case 2:
		m.how = byMin
	case 3:
		m.how = byMax
	default:
		return nil, refuse("another aggregate_function of TreeEnsemble")
	}
	post := n.int("post_transform", 0)
	if post < 0 || post > 4 {
		return nil, refuse("another post_transform of TreeEnsemble")
	}
	m.post = []transform{none, softmax, logistic, softmaxZero, probit}[post]
	return m.regress(int(t.targets), 0), nil
}

// bytes are the elements of a constant of uint8.
func (p *tensorProto) bytes() []byte {
	if p.kind != 2 {
		return nil
	}
	if p.hasRaw {
		return p.raw
	}
	out := make([]byte, len(p.int32s))
	for i, v := range p.int32s {
		out[i] = byte(v)
	}
	return out
}

// branches are the lists of a TreeEnsemble.
type branches struct {
	features, yes, no, yesLeaf, noLeaf, missing, leafTo []int64
	modes                                               []byte
	splits, weights, members                            []float64
	targets                                             int64
}

func (t *branches) check() error {
	n := len(t.splits)
	for _, k := range []int{len(t.features), len(t.yes), len(t.no), len(t.yesLeaf), len(t.noLeaf), len(t.modes)} {
		if k != n {
			return brokenTrees("its lists of nodes differ in length")
		}
	}
	if len(t.missing) != 0 && len(t.missing) != n {
		return brokenTrees("its lists of nodes differ in length")
	}
	if len(t.leafTo) != len(t.weights) || t.targets < 1 || t.targets > int64(len(t.weights))+1 {
		return brokenTrees("its lists of leaves differ in length")
	}
	return nil
}

// nodes makes branches, and behind them leaves, and finds the roots.
func (t *branches) nodes(tops []int64) (nodes []treeNode, roots []int, err error) {
	n := len(t.splits)
	nodes = make([]treeNode, n+len(t.weights))
	for i, w := range t.weights {
		if t.leafTo[i] < 0 || t.leafTo[i] >= t.targets {
			return nil, nil, brokenTrees("a leaf belongs to no target")
		}
		nodes[n+i].votes = []vote{{to: int32(t.leafTo[i]), value: w}}
	}
	child := func(at, isLeaf int64) (int, error) {
		size, first := int64(n), 0
		if isLeaf != 0 {
			size, first = int64(len(t.weights)), n
		}
		if at < 0 || at >= size {
			return 0, brokenTrees("a node has a child that is not there")
		}
		return first + int(at), nil
	}
	sets := t.sets()
	for i := range n {
		b := &nodes[i]
		if t.modes[i] > 6 || t.features[i] < 0 || t.features[i] >= math.MaxInt32 {
			return nil, nil, brokenTrees("a node has a mode or a column that cannot be")
		}
		b.mode = []mode{lessOrEqual, lessThan, greaterOrEqual, greaterThan, equalTo, notEqualTo, member}[t.modes[i]]
		b.feature, b.value, b.missingTrue = int(t.features[i]), t.splits[i], len(t.missing) > 0 && t.missing[i] != 0
		if b.mode == member {
			if len(sets) == 0 {
				return nil, nil, brokenTrees("a node asks for a set that is not there")
			}
			b.set, sets = sets[0], sets[1:]
		}
		if b.yes, err = child(t.yes[i], t.yesLeaf[i]); err != nil {
			return nil, nil, err
		}
		if b.no, err = child(t.no[i], t.noLeaf[i]); err != nil {
			return nil, nil, err
		}
	}
	for _, r := range tops {
		if r < 0 || r >= int64(n) {
			return nil, nil, brokenTrees("a root is not there")
		}
		top := int(r)
		if nodes[top].yes == nodes[top].no { // a tree of one leaf is written as a branch with it twice
			top = nodes[top].yes
		}
		roots = append(roots, top)
	}
	if len(roots) == 0 {
		return nil, nil, fault.New(fault.Invalid, "TreeEnsemble has no tree").Do("write the model again")
	}
	return nodes, roots, nil
}

// sets are the members of each set, which a NaN ends.
func (t *branches) sets() [][]float64 {
	var out [][]float64
	first := 0
	for i, v := range t.members {
		if math.IsNaN(v) {
			out = append(out, t.members[first:i])
			first = i + 1
		}
	}
	return out
}
