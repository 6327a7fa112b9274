// SPDX-License-Identifier: Apache-2.0

package lightgbm

import "math"

// cell is a node as it is walked. The children of a split are neighbours, so that the
// outcome of the comparison is added to the place of the left one and no branch is
// guessed. A leaf leads to itself: it compares with the slot that holds -Inf, and has
// its value as threshold.
type cell struct {
	threshold float64 // of a split by category: the place of its set
	slot      uint32  // what it reads of a row; a split by category has the highest bit set
	left      uint32
}

const (
	category = 1 << 31       // of cell.slot
	most     = math.MaxInt32 // of cells, and of words of categories
)

// root is where a tree begins, and how many steps reach every leaf of it.
type root struct {
	at, depth, output uint32
	categorical       bool
}

// set is where the words of a set of categories lie.
type set struct{ from, to uint32 }

// reading is how a split reads its feature. Where a missing value goes is known when
// the model is read, so it is written into the row instead of asked at each split: one
// that goes left is less than every threshold, one that goes right is more.
type reading uint8

const (
	sentinel    reading = iota // no feature: -Inf, for leaves
	nanLeft                    // NaN goes left
	zeroLeft                   // NaN and 0 go left
	nanRight                   // NaN goes right
	zeroRight                  // NaN and 0 go right
	nanAlone                   // as nanRight, where the threshold is +Inf: all but NaN goes left
	zeroAlone                  // as zeroRight, where the threshold is +Inf
	asCategory                 // a whole number, -1 for none
	readingKind                // how many there are
)

// slot is a place of a row as the trees read it, and what is there for a missing value
// and for 0.
type slot struct {
	missing, zero float64
	feature       int32
	as            reading
}

func newSlot(feature int32, as reading) slot {
	s := slot{feature: feature, as: as, missing: math.Inf(1)}
	switch as {
	case sentinel, nanLeft, zeroLeft:
		s.missing = math.Inf(-1)
	case asCategory:
		s.missing = -1
	}
	if as == zeroLeft || as == zeroRight || as == zeroAlone {
		s.zero = s.missing
	}
	return s
}

// layer lays trees into a model.
type layer struct {
	m     *Model
	slots []uint32 // of each feature and reading: its slot; 0: not yet made
	level []int32
	next  []int32
	seen  []bool // the leaves, then the splits of the tree at hand
}

func newLayer(m *Model, features int) *layer {
	m.slots = []slot{newSlot(0, sentinel)}
	return &layer{m: m, slots: make([]uint32, features*int(readingKind))}
}

// slot is where a reading of a feature lies in a row.
func (y *layer) slot(feature int32, as reading) uint32 {
	at := &y.slots[int(feature)*int(readingKind)+int(as)]
	if *at == 0 {
		*at = uint32(len(y.m.slots))
		y.m.slots = append(y.m.slots, newSlot(feature, as))
	}
	return *at
}

// lay appends a tree, level by level. It fails unless each node is reached once.
func (y *layer) lay(t *treeText, output int) error {
	m := y.m
	start := len(m.cells)
	nodes := 2*t.leaves - 1
	if start > most-nodes || len(m.words) > most-len(t.words) {
		return wrongAt(t.line, "the model has too many nodes")
	}
	r := root{at: uint32(start), output: uint32(output)}
	y.level = append(y.level[:0], 0)
	if t.leaves == 1 {
		y.level[0] = ^0
	}
	y.seen = append(y.seen[:0], make([]bool, nodes)...)
	if !y.meet(t, y.level[0]) {
		return t.notATree()
	}
	for at := start; ; r.depth++ {
		y.next = y.next[:0]
		for _, i := range y.level {
			if i < 0 {
				m.cells[at] = cell{threshold: t.value[^i], left: uint32(at)}
				at++
				continue
			}
			c := y.split(t, i)
			r.categorical = r.categorical || c.slot&category != 0
			m.cells[at] = c
			at++
			for _, child := range [2]int32{t.left[i], t.right[i]} {
				if !y.meet(t, child) {
					return t.notATree()
				}
				y.next = append(y.next, child)
			}
		}
		if len(y.next) == 0 {
			break
		}
		y.level, y.next = y.next, y.level
	}
	if len(m.cells)-start != nodes {
		return t.notATree()
	}
	m.roots = append(m.roots, r)
	return nil
}

// meet appends an empty cell for a node; false where it is not there or was met before.
func (y *layer) meet(t *treeText, child int32) bool {
	at := int(^child) // of a leaf
	if child >= 0 {
		at = t.leaves + int(child)
	} else if at >= t.leaves {
		return false
	}
	if at >= len(y.seen) || y.seen[at] {
		return false
	}
	y.seen[at] = true
	y.m.cells, y.m.covers = append(y.m.cells, cell{}), append(y.m.covers, t.rows(child))
	return true
}

// split is the cell of split i; its children follow the cells that are there.
func (y *layer) split(t *treeText, i int32) cell {
	m := y.m
	c := cell{threshold: t.threshold[i], left: uint32(len(m.cells))}
	d, f := t.decision[i], t.feature[i]
	left := d&defaultLeft != 0
	if d&byCategory != 0 {
		c.slot = category | y.slot(f, asCategory)
		c.threshold = float64(len(m.sets))
		from := uint32(len(m.words))
		m.words = append(m.words, t.set(i)...)
		m.sets = append(m.sets, set{from, uint32(len(m.words))})
		return c
	}
	as := nanRight
	switch {
	case missing(d) == missingZero && left:
		as = zeroLeft
	case missing(d) == missingZero:
		as = zeroRight
	case missing(d) == missingNone && 0 <= c.threshold, missing(d) == missingNaN && left: // without missing values NaN counts as 0
		as = nanLeft
	}
	if math.IsInf(c.threshold, 1) && (as == nanRight || as == zeroRight) {
		as += nanAlone - nanRight
		c.threshold = math.MaxFloat64
	}
	c.slot = y.slot(f, as)
	return c
}
