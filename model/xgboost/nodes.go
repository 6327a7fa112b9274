// SPDX-License-Identifier: Apache-2.0

package xgboost

import (
	"slices"

	"flyball/fault"
	"flyball/model/tree"
)

// lists are the lists of a tree as they are written. Their room is used again for the
// next tree.
type lists struct {
	left, right, feature, missing, kind []int32
	condition, cover                    []float32
	nodes, segments, sizes, categories  []int32 // of the splits by category
	vector                              string  // size_leaf_vector
}

// empty keeps the room alone.
func (l *lists) empty() {
	for _, p := range []*[]int32{&l.left, &l.right, &l.feature, &l.missing, &l.kind, &l.nodes, &l.segments, &l.sizes, &l.categories} {
		*p = (*p)[:0]
	}
	l.condition, l.cover, l.vector = l.condition[:0], l.cover[:0], ""
}

// list is where a list of whole numbers is kept.
func (l *lists) list(key string) *[]int32 {
	switch key {
	case "left_children":
		return &l.left
	case "right_children":
		return &l.right
	case "split_indices":
		return &l.feature
	case "default_left":
		return &l.missing
	case "split_type":
		return &l.kind
	case "categories_nodes":
		return &l.nodes
	case "categories_segments":
		return &l.segments
	case "categories_sizes":
		return &l.sizes
	case "categories":
		return &l.categories
	}
	return nil
}

// tree reads a tree; at is its place among them.
func (r *reader) tree(at int) tree.Tree {
	l := &r.lists
	l.empty()
	r.object(func(key string) {
		if to := l.list(key); to != nil {
			*to = r.ints(*to)
			return
		}
		switch key {
		case "split_conditions":
			l.condition = r.floats(l.condition)
		case "sum_hessian":
			l.cover = r.floats(l.cover)
		case "tree_param":
			r.object(func(key string) {
				if key == "size_leaf_vector" {
					l.vector = r.text()
				} else {
					r.skip()
				}
			})
		default:
			r.skip()
		}
	})
	t, err := l.tree(at)
	r.refuse(err)
	return t
}

func (l *lists) tree(at int) (tree.Tree, error) {
	n := len(l.left)
	same := func(m int, needed bool) bool { return m == n || (m == 0 && !needed) }
	if s := l.vector; s != "" && s != "0" && s != "1" {
		return tree.Tree{}, fault.New(fault.Invalid, "XGBoost tree %d has vector leaves, which are not supported", at).
			Do("train with multi_strategy one_output_per_tree")
	}
	if !same(len(l.right), true) || !same(len(l.feature), true) || !same(len(l.condition), true) || !same(len(l.missing), true) ||
		!same(len(l.kind), false) || !same(len(l.cover), false) {
		return tree.Tree{}, fault.New(fault.Invalid, "the arrays of XGBoost tree %d differ in length", at)
	}
	t := tree.Tree{Nodes: make([]tree.Node, n)}
	for i := range t.Nodes {
		if l.missing[i] != 0 && l.missing[i] != 1 {
			return t, fault.New(fault.Invalid, "default_left of XGBoost tree %d is neither a truth value nor 0 or 1", at)
		}
		nd := tree.Node{Feature: l.feature[i], Left: l.left[i], Right: l.right[i], Value: l.condition[i], MissingLeft: l.missing[i] == 1}
		if len(l.cover) > 0 {
			nd.Cover = l.cover[i]
		}
		t.Nodes[i] = nd
	}
	return t, l.sets(&t, at)
}

// sets gives the splits by category their sets.
func (l *lists) sets(t *tree.Tree, at int) error {
	bad := func() error {
		return fault.New(fault.Invalid, "the categories of XGBoost tree %d do not fit together", at)
	}
	if len(l.segments) != len(l.nodes) || len(l.sizes) != len(l.nodes) {
		return bad()
	}
	end := 0
	for i, node := range l.nodes {
		from, size := int(l.segments[i]), int(l.sizes[i])
		if from != end || size < 0 || size > len(l.categories)-from || node < 0 || int(node) >= len(t.Nodes) {
			return bad()
		}
		end = from + size
		set := make([]uint32, size)
		for j, c := range l.categories[from:end] {
			if set[j] = uint32(c); c < 0 {
				return bad()
			}
		}
		slices.Sort(set)
		t.Sets = append(t.Sets, set)
		if nd := &t.Nodes[node]; nd.Set == 0 && len(l.kind) > 0 && l.kind[node] == 1 {
			nd.Set = int32(len(t.Sets))
		} else {
			return bad()
		}
	}
	for i, k := range l.kind {
		if nd := t.Nodes[i]; nd.Left >= 0 && (k != 0 && k != 1 || k == 1 && nd.Set == 0) {
			return bad()
		}
	}
	return nil
}
