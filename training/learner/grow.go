// SPDX-License-Identifier: Apache-2.0

package learner

import (
	"slices"

	"flyball/model/xgboost"
)

// node is a node of the tree under way: its rows are order[from:to].
type node struct {
	at       int // its place among the tree's nodes
	from, to int
	sum      cell
	hist     []cell // by bins.from; nil once it is split or a leaf, and at the last level
	depth    int
	within   span
}

// grow makes one tree and adds it to the margins.
func (b *booster) grow(out int) xgboost.Tree {
	n := b.sample()
	features := b.sampleFeatures()
	b.groups = b.groups[:0]
	for _, f := range features {
		if len(b.groups) == 0 || b.groups[len(b.groups)-1] != f/4 {
			b.groups = append(b.groups, f/4)
		}
	}
	t := xgboost.Tree{Output: out}
	root := node{to: n, within: anywhere()}
	for _, r := range b.order[:n] {
		w := int64(b.words[r])
		root.sum.g += w >> 32
		root.sum.h += w & 0xffffffff
	}
	t.Add(-1)
	b.histogram(&root)
	// Depth first, so that no more than one histogram for each level is kept.
	todo := []node{root}
	for len(todo) > 0 {
		nd := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		s := split{}
		if nd.depth < b.depth && b.splittable(&nd) {
			s = b.best(&nd, features)
		}
		if s.gain <= b.gamma || s.gain <= leastGain {
			b.leaf(&t, &nd, out)
			continue
		}
		kids := b.take(&t, &nd, s)
		todo = append(todo, kids[1], kids[0])
	}
	if n < b.data.X.Rows {
		b.addOthers(&t, out, b.order[:n])
	}
	return t
}

// sample puts the rows of the next tree into order and returns how many.
func (b *booster) sample() int {
	n := 0
	for _, r := range b.rows {
		if b.gbdt.rows >= 1 || b.random.Float64() < b.gbdt.rows {
			b.order[n] = r
			n++
		}
	}
	if n == 0 {
		b.order[0] = b.rows[0]
		n = 1
	}
	return n
}

func (b *booster) sampleFeatures() []int {
	var out []int
	for f := range b.data.X.Cols {
		if b.columns >= 1 || b.random.Float64() < b.columns {
			out = append(out, f)
		}
	}
	if len(out) == 0 && b.data.X.Cols > 0 {
		out = []int{b.random.IntN(b.data.X.Cols)}
	}
	return out
}

// take splits the node and returns its children with their histograms: that of the
// one with more rows is the parent's less the other's.
func (b *booster) take(t *xgboost.Tree, nd *node, s split) [2]node {
	mid := b.partition(nd, s)
	cover := float32(b.unit.of(nd.sum).h)
	var l, r int
	if s.set != nil {
		l, r = t.SplitSet(nd.at, s.feature, s.set, s.missingLeft, float32(s.gain), cover)
	} else {
		l, r = t.Split(nd.at, s.feature, b.bins.cuts[s.feature][s.bin], s.missingLeft, float32(s.gain), cover)
	}
	left, right := b.spans(nd, s)
	kids := [2]node{
		{at: l, from: nd.from, to: mid, sum: s.left, depth: nd.depth + 1, within: left},
		{at: r, from: mid, to: nd.to, sum: nd.sum.minus(s.left), depth: nd.depth + 1, within: right},
	}
	if nd.depth+1 >= b.depth || !b.splittable(&kids[0]) && !b.splittable(&kids[1]) {
		b.give(nd)
		return kids
	}
	small, large := &kids[0], &kids[1]
	if small.to-small.from > large.to-large.from {
		small, large = large, small
	}
	b.histogram(small)
	large.hist, nd.hist = nd.hist, nil
	if b.splittable(large) {
		b.subtract(large, small)
	}
	return kids
}

// splittable says whether both sides of a split of the node could weigh enough.
func (b *booster) splittable(nd *node) bool {
	return nd.to-nd.from > 1 && float64(float64(nd.sum.h)*b.unit.h) >= 2*max(b.minWeight, leastHessian)
}

// partition puts the node's rows that go left before those that go right, each in
// the order they had, and returns where the right ones begin.
func (b *booster) partition(nd *node, s split) int {
	var left [256]uint8 // by bin: 1 goes left
	none := b.bins.missing(s.feature)
	for k := range none {
		if s.set == nil && k <= s.bin || s.set != nil && !slices.Contains(s.set, uint32(k)) {
			left[k] = 1
		}
	}
	if s.missingLeft {
		left[none] = 1
	}
	rows, words, shift := b.order[nd.from:nd.to], b.bins.quads[s.feature/4], 8*(s.feature%4)
	spare := b.spare[:len(rows)]
	n, m := 0, 0
	for _, r := range rows {
		rows[n], spare[m] = r, r
		k := int(left[uint8(words[r]>>shift)])
		n += k
		m += 1 - k
	}
	copy(rows[n:], spare[:m])
	return nd.from + n
}

// leaf ends the tree at the node and adds its value to the margins of its rows.
func (b *booster) leaf(t *xgboost.Tree, nd *node, out int) {
	rows := b.order[nd.from:nd.to]
	m := b.margins[out*b.data.X.Rows:]
	var sum sums
	for _, r := range rows {
		sum.g += float64(b.grad[r].g)
		sum.h += float64(b.grad[r].h)
	}
	var w float64
	if b.loss.refits() {
		rest := make([]valued, len(rows))
		for i, r := range rows {
			rest[i] = valued{b.data.Y[r] - float64(m[r]), b.weights[r]}
		}
		w = quantileOf(rest, b.level)
	} else {
		w = b.weight(sum, nd.within)
	}
	v := float32(w * b.rate)
	t.Leaf(nd.at, v, float32(sum.h))
	for _, r := range rows {
		m[r] += v
	}
	b.give(nd)
}

// addOthers adds the tree to the rows that it was not grown on.
func (b *booster) addOthers(t *xgboost.Tree, out int, grown []int32) {
	in := make([]bool, b.data.X.Rows)
	for _, r := range grown {
		in[r] = true
	}
	m := b.margins[out*b.data.X.Rows:]
	b.pieces(func(from, to int) {
		for r := from; r < to; r++ {
			if !in[r] {
				m[r] += walk(t, b.data.X.Row(r))
			}
		}
	})
}

func walk(t *xgboost.Tree, row []float32) float32 {
	at := int32(0)
	for {
		n := &t.Nodes[at]
		if n.Left < 0 {
			return n.Value
		}
		x := row[n.Feature]
		left := x < n.Value
		switch {
		case x != x:
			left = n.MissingLeft
		case n.Set > 0:
			_, in := slices.BinarySearch(t.Sets[n.Set-1], uint32(x))
			left = !in
		}
		if at = n.Right; left {
			at = n.Left
		}
	}
}
