// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"math"
	"slices"
)

// The heap layout makes a step cheap: a tree is padded until all its leaves lie at one
// depth, and then the children of node i are 2i and 2i+1, from 1 at the root on, and no
// place need be kept. A row's values become whole numbers in the same order (keyOf),
// once for each direction of missing values that is used: one that is missing is below
// or above all thresholds. A step is then a subtraction, and no branch is guessed.
//
// Eight trees lie in one block, node by node beside one another, so that the eight lanes
// of a walk have their places at fixed distances. Indexes are bytes, which need no check.

// lanes is how many trees, or rows, walk together: their loads do not wait for one
// another.
const lanes = 8

// maxHeap is the depth to which the places fit in a byte.
const maxHeap = 8

// knot is a split of the heap layout: 8 bytes.
type knot struct {
	key  int32 // a row goes right where its key is above this
	slot uint8 // which of the row's keys
}

// block is eight trees, and leaves are theirs: node by node, and tree by tree within. A
// block of less depth uses less of it.
type (
	block  = [lanes << maxHeap]knot
	leaves = [lanes << maxHeap]float32
)

// tree is one of a block, from its first node on.
type tree = [lanes<<maxHeap - lanes + 1]knot

// keys are those of a row by slot, keys8 those of eight rows: row by row within a slot.
type (
	keys  = [1 << maxHeap]int32
	keys8 = [lanes << maxHeap]int32
)

// group is up to eight trees in a row that are walked in the same way.
type group struct {
	from, to uint32 // the trees
	depth    uint32 // of the heap layout
	at       int    // its place there; negative: walked by cells
}

// slot is a value of a row, and where it goes when it is missing.
type slot struct {
	feature uint32
	missing int32 // the key of a missing value
}

// keyOf is a whole number in the order of the floats; that of -0 is that of 0.
func keyOf(x float32) int32 {
	b := int32(math.Float32bits(x + 0))
	return b ^ int32(uint32(b>>31)>>1)
}

// group parts the trees, and lays in heaps those that gain by it: not too deep, not so
// uneven that padding would cost more than it saves, and without categories.
func (e *Ensemble) group() {
	places := map[slot]uint8{}
	for from := 0; from < len(e.roots); from += lanes {
		g := group{from: uint32(from), to: uint32(min(from+lanes, len(e.roots))), at: -1}
		nodes, fits := uint32(0), e.features > 0
		for t := from; t < int(g.to); t++ {
			r := e.roots[t]
			g.depth = max(g.depth, r.depth)
			nodes += e.end(t) - r.at
			fits = fits && !r.categorical
		}
		if fits && g.depth <= maxHeap && lanes<<g.depth <= 3*nodes+64 && e.slotted(g, places) {
			e.pad(&g, places)
		}
		e.groups = append(e.groups, g)
	}
	if len(e.heap) > 0 { // so that the last block may be seen as a whole one
		e.heap = append(e.heap, make([]knot, lanes<<maxHeap)...)
		e.ends = append(e.ends, make([]float32, lanes<<maxHeap)...)
		e.heap, e.ends = slices.Clip(e.heap), slices.Clip(e.ends)
	}
}

// slotted gives the splits of a group their slots, all or, where there are not enough,
// none.
func (e *Ensemble) slotted(g group, places map[slot]uint8) bool {
	had := len(e.slots)
	for i := e.roots[g.from].at; i < e.end(int(g.to)-1); i++ {
		c := &e.cells[i]
		if c.left == i {
			continue
		}
		s := c.slot()
		if _, ok := places[s]; ok {
			continue
		}
		if len(e.slots) > math.MaxUint8 {
			for _, s := range e.slots[had:] {
				delete(places, s)
			}
			e.slots = e.slots[:had]
			return false
		}
		places[s] = uint8(len(e.slots))
		e.slots = append(e.slots, s)
	}
	return true
}

func (c *cell) slot() slot {
	if c.feature&1 == 1 {
		return slot{feature: c.feature >> 1, missing: math.MaxInt32}
	}
	return slot{feature: c.feature >> 1, missing: math.MinInt32}
}

// pad lays a group as heaps.
func (e *Ensemble) pad(g *group, places map[slot]uint8) {
	size := uint32(1) << g.depth
	g.at = len(e.heap)
	e.heap = append(e.heap, make([]knot, lanes*size)...)
	e.ends = append(e.ends, make([]float32, lanes*size)...)
	heap, ends := e.heap[g.at:], e.ends[g.at:]
	for lane := range g.to - g.from {
		var fill func(i, at uint32)
		fill = func(i, at uint32) {
			c := &e.cells[at]
			switch {
			case i >= size:
				ends[(i-size)*lanes+lane] = c.leaf()
				return
			case c.left == at: // both ways lead to the same
				fill(2*i, at)
				fill(2*i+1, at)
				return
			}
			heap[i*lanes+lane] = knot{key: keyOf(c.threshold) - 1, slot: places[c.slot()]}
			fill(2*i, c.left)
			fill(2*i+1, c.left+1)
		}
		fill(1, e.roots[g.from+lane].at)
	}
}

// prepare writes a row's keys.
func (e *Ensemble) prepare(row []float32, k *keys) {
	for i, s := range e.slots {
		x := row[s.feature]
		v := keyOf(x)
		if x != x {
			v = s.missing
		}
		k[uint8(i)] = v
	}
}

// prepare8 writes the keys of eight rows, or of the four that there are.
func (e *Ensemble) prepare8(data []float32, k []int32) {
	rows := min(lanes, len(data)/e.features)
	for i, s := range e.slots {
		for r := range rows {
			x := data[r*e.features+int(s.feature)]
			v := keyOf(x)
			if x != x {
				v = s.missing
			}
			k[i*lanes+r] = v
		}
	}
}

// next is the node after node i.
func next(i uint, n *knot, x int32) uint {
	return 2*i + uint(uint64(int64(n.key)-int64(x))>>63)
}

// walkTrees is where a row ends in each of the eight trees of a block.
func walkTrees(b *block, k *keys, depth uint32) [lanes]uint8 {
	i0, i1, i2, i3, i4, i5, i6, i7 := uint(1), uint(1), uint(1), uint(1), uint(1), uint(1), uint(1), uint(1)
	for range depth {
		n0 := &b[uint(uint8(i0))*lanes]
		n1 := &b[uint(uint8(i1))*lanes+1]
		i0 = next(i0, n0, k[n0.slot])
		n2 := &b[uint(uint8(i2))*lanes+2]
		i1 = next(i1, n1, k[n1.slot])
		n3 := &b[uint(uint8(i3))*lanes+3]
		i2 = next(i2, n2, k[n2.slot])
		n4 := &b[uint(uint8(i4))*lanes+4]
		i3 = next(i3, n3, k[n3.slot])
		n5 := &b[uint(uint8(i5))*lanes+5]
		i4 = next(i4, n4, k[n4.slot])
		n6 := &b[uint(uint8(i6))*lanes+6]
		i5 = next(i5, n5, k[n5.slot])
		n7 := &b[uint(uint8(i7))*lanes+7]
		i6 = next(i6, n6, k[n6.slot])
		i7 = next(i7, n7, k[n7.slot])
	}
	mask := uint8(1<<depth - 1)
	return [lanes]uint8{
		uint8(i0) & mask, uint8(i1) & mask, uint8(i2) & mask, uint8(i3) & mask,
		uint8(i4) & mask, uint8(i5) & mask, uint8(i6) & mask, uint8(i7) & mask,
	}
}

// walkRows is where each of eight rows ends in the tree of a lane, from whose first node
// on the block is seen.
func walkRows(b *tree, k *keys8, depth uint32) [lanes]uint8 {
	i0, i1, i2, i3, i4, i5, i6, i7 := uint(1), uint(1), uint(1), uint(1), uint(1), uint(1), uint(1), uint(1)
	for range depth {
		n0 := &b[uint(uint8(i0))*lanes]
		n1 := &b[uint(uint8(i1))*lanes]
		i0 = next(i0, n0, k[uint(n0.slot)*lanes])
		n2 := &b[uint(uint8(i2))*lanes]
		i1 = next(i1, n1, k[uint(n1.slot)*lanes+1])
		n3 := &b[uint(uint8(i3))*lanes]
		i2 = next(i2, n2, k[uint(n2.slot)*lanes+2])
		n4 := &b[uint(uint8(i4))*lanes]
		i3 = next(i3, n3, k[uint(n3.slot)*lanes+3])
		n5 := &b[uint(uint8(i5))*lanes]
		i4 = next(i4, n4, k[uint(n4.slot)*lanes+4])
		n6 := &b[uint(uint8(i6))*lanes]
		i5 = next(i5, n5, k[uint(n5.slot)*lanes+5])
		n7 := &b[uint(uint8(i7))*lanes]
		i6 = next(i6, n6, k[uint(n6.slot)*lanes+6])
		i7 = next(i7, n7, k[uint(n7.slot)*lanes+7])
	}
	mask := uint8(1<<depth - 1)
	return [lanes]uint8{
		uint8(i0) & mask, uint8(i1) & mask, uint8(i2) & mask, uint8(i3) & mask,
		uint8(i4) & mask, uint8(i5) & mask, uint8(i6) & mask, uint8(i7) & mask,
	}
}
