// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"math"
	"slices"
)

// cell is a node as it is walked. The children of a split are neighbours, so that the
// outcome of the comparison is added to the place of the left one and no branch is
// guessed. A leaf leads to itself: its threshold is NaN, which nothing reaches.
type cell struct {
	threshold float32
	feature   uint32 // shifted left by 1; bit 0: a missing value goes right
	left      uint32
	value     uint32 // of a leaf: its value's bits; of a split: 0, or 1 more than the place of its set of categories
}

func (c *cell) leaf() float32 { return math.Float32frombits(c.value) }

// root is where a tree begins, and how many steps reach every leaf of it.
type root struct {
	at, depth   uint32
	output      uint32
	categorical bool
}

// set is where the words of a set of categories lie: a bit for each category up to the
// highest, or where these would be many for few, the sorted categories themselves.
type set struct {
	from, to uint32
	sorted   bool
	strays   uint32 // from here on a category follows the missing ones; 0: none does
}

// mostCells keeps the places within their 32 bits.
const mostCells = math.MaxInt32

// lay appends a sound tree, level by level; nodes that no walk reaches are left out.
func (e *Ensemble) lay(t Tree) {
	start := len(e.cells)
	r := root{at: uint32(start), output: uint32(t.Output)}
	level := []int32{0}
	e.grow(1)
	for at := start; ; r.depth++ {
		var next []int32
		for _, i := range level {
			n := &t.Nodes[i]
			e.covers[at] = n.Cover
			if n.Left < 0 {
				e.cells[at] = cell{threshold: float32(math.NaN()), left: uint32(at), value: math.Float32bits(n.Value)}
			} else {
				e.cells[at] = e.split(n, &t)
				r.categorical = r.categorical || n.Set > 0
				next = append(next, n.Left, n.Right)
			}
			at++
		}
		if len(next) == 0 {
			break
		}
		level = next
	}
	e.roots = append(e.roots, r)
}

// grow appends empty cells.
func (e *Ensemble) grow(n int) {
	for range n {
		e.cells, e.covers = append(e.cells, cell{}), append(e.covers, 0)
	}
}

// split is the cell of a split; it appends those of its children.
func (e *Ensemble) split(n *Node, t *Tree) cell {
	c := cell{threshold: n.Value, feature: uint32(n.Feature) << 1, left: uint32(len(e.cells))}
	if !n.MissingLeft {
		c.feature |= 1
	}
	e.grow(2)
	if n.Set > 0 {
		e.sets = append(e.sets, e.keep(t.Sets[n.Set-1], t.Strays))
		c.value = uint32(len(e.sets))
	}
	return c
}

// keep appends the words of a sorted set.
func (e *Ensemble) keep(categories []uint32, strays bool) set {
	s := set{from: uint32(len(e.words))}
	n := 1
	if len(categories) > 0 {
		n = int(categories[len(categories)-1]/32) + 1
	}
	if strays {
		s.strays = uint32(min(32*n, noCategory))
	}
	if s.sorted = n > 4+len(categories); s.sorted {
		e.words = append(e.words, categories...)
	} else {
		e.words = append(e.words, make([]uint32, n)...)
		for _, c := range categories {
			e.words[int(s.from)+int(c/32)] |= 1 << (c % 32)
		}
	}
	s.to = uint32(len(e.words))
	return s
}

// step is the place after c[i] for a row, of a cell without categories.
func step(c []cell, i uint32, row []float32) uint32 {
	n := &c[i]
	x := row[n.feature>>1]
	var reached, none uint32
	if x >= n.threshold {
		reached = 1
	}
	if x != x {
		none = 1
	}
	return n.left + (reached | none&n.feature)
}

// stepAny is the place after any cell.
func (e *Ensemble) stepAny(i uint32, row []float32) uint32 {
	n := &e.cells[i]
	if n.value == 0 || n.left == i {
		return step(e.cells, i, row)
	}
	x := row[n.feature>>1]
	s := e.sets[n.value-1]
	switch stray := x < 0 || x >= noCategory || (s.strays > 0 && x >= float32(s.strays)); {
	case x != x, stray && s.strays > 0:
		return n.left + n.feature&1
	case !stray && e.has(s, uint32(x)):
		return n.left + 1
	}
	return n.left
}

// noCategory is the first number that is too large for a category: a float32 does not
// tell it from its neighbour.
const noCategory = 1 << 24

// has says whether a category is in a set.
func (e *Ensemble) has(s set, c uint32) bool {
	words := e.words[s.from:s.to]
	if s.sorted {
		_, found := slices.BinarySearch(words, c)
		return found
	}
	return int(c/32) < len(words) && words[c/32]>>(c%32)&1 == 1
}

// Size is how many bytes of memory the ensemble takes.
func (e *Ensemble) Size() int64 {
	return 16*int64(cap(e.cells)+cap(e.roots)+cap(e.sets)) + 24*int64(cap(e.groups)) + 4*int64(cap(e.base)+cap(e.covers)+cap(e.words)) +
		8*int64(cap(e.slots)+cap(e.heap)) + 4*int64(cap(e.ends))
}
