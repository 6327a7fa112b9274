// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"flyball/data/pipeline"
)

// sure is how many steps are taken before asking whether all lanes stand at leaves:
// most trees are no deeper, and asking costs more than a step too many.
const sure = 8

// Margins writes the raw margins of row (Features long) into out (Outputs long). They
// are summed from the base in tree order in float32. It does not allocate.
func (e *Ensemble) Margins(row, out []float32) {
	copy(out, e.base)
	if e.features == 0 {
		row = nothing[:] // leaves read feature 0
	}
	var k keys
	if len(e.heap) > 0 {
		e.prepare(row, &k)
	}
	for _, g := range e.groups {
		if g.at < 0 {
			e.marginsByCells(e.roots[g.from:g.to], row, out)
			continue
		}
		ends := (*leaves)(e.ends[g.at:])
		at := walkTrees((*block)(e.heap[g.at:]), &k, g.depth)
		for lane, r := range e.roots[g.from:g.to] {
			out[r.output] += ends[uint(at[lane&7])*lanes+uint(lane&7)]
		}
	}
}

// marginsByCells adds the leaves of trees that are no heaps.
func (e *Ensemble) marginsByCells(r []root, row, out []float32) {
	c := e.cells
	for ; len(r) >= 4; r = r[4:] {
		if r[0].categorical || r[1].categorical || r[2].categorical || r[3].categorical {
			for _, one := range r[:4] {
				out[one.output] += c[e.descend(one, row)].leaf()
			}
			continue
		}
		// Four trees at a time: their loads do not wait for one another.
		i, j, k, l := r[0].at, r[1].at, r[2].at, r[3].at
		depth := max(r[0].depth, r[1].depth, r[2].depth, r[3].depth)
		for d := range depth {
			i2, j2, k2, l2 := step(c, i, row), step(c, j, row), step(c, k, row), step(c, l, row)
			if d >= sure && i2 == i && j2 == j && k2 == k && l2 == l {
				break
			}
			i, j, k, l = i2, j2, k2, l2
		}
		out[r[0].output] += c[i].leaf()
		out[r[1].output] += c[j].leaf()
		out[r[2].output] += c[k].leaf()
		out[r[3].output] += c[l].leaf()
	}
	for ; len(r) > 0; r = r[1:] {
		out[r[0].output] += c[e.descend(r[0], row)].leaf()
	}
}

// nothing is the row of a model without features.
var nothing [1]float32

// descend is the place of a row's leaf in one tree.
func (e *Ensemble) descend(r root, row []float32) uint32 {
	i := r.at
	for range r.depth {
		next := e.stepAny(i, row)
		if next == i {
			break
		}
		i = next
	}
	return i
}

// blockRows is how many rows go through a tree before the next tree: few enough that they
// stay in the cache, many enough that the tree does.
const blockRows = 64

// scratch is what scoring writes in between. An ensemble keeps some, for each takes room.
type scratch struct {
	keys    []int32 // of eight rows after eight rows, e.slots each; then room to see keys8
	margins []float32
}

func (e *Ensemble) borrow() *scratch {
	if s, ok := e.spare.Get().(*scratch); ok {
		return s
	}
	s := &scratch{margins: make([]float32, blockRows*len(e.base))}
	if len(e.heap) > 0 {
		s.keys = make([]int32, blockRows*len(e.slots)+lanes<<maxHeap)
	}
	return s
}

// Score writes Outputs scores a row of x into out, row after row. It allocates nothing
// once it has run on as many processors as it does now.
func (e *Ensemble) Score(x pipeline.Matrix, out []float64) {
	k := len(e.base)
	s := e.borrow()
	for from := 0; from < x.Rows; from += blockRows {
		n := min(blockRows, x.Rows-from)
		whole := 0
		if n >= 4 && e.features > 0 {
			whole = n &^ 3
			e.marginsOf(x.Data[from*e.features:(from+whole)*e.features], s)
		}
		for r := whole; r < n; r++ {
			e.Margins(x.Row(from+r), s.margins[r*k:(r+1)*k])
		}
		for i, v := range s.margins[:n*k] {
			out[from*k+i] = float64(v)
		}
	}
	e.spare.Put(s)
	if e.link != Identity {
		for r := range x.Rows {
			e.link.Apply(out[r*k : (r+1)*k])
		}
	}
}

// marginsOf writes the margins of some rows, a multiple of four. Rows walk a tree
// together; each row's sum is in tree order, as in Margins.
func (e *Ensemble) marginsOf(data []float32, s *scratch) {
	k, rows := len(e.base), len(data)/e.features
	for r := range rows {
		copy(s.margins[r*k:], e.base)
	}
	if len(e.heap) > 0 {
		for r := 0; r < rows; r += lanes {
			e.prepare8(data[r*e.features:], s.keys[r*len(e.slots):])
		}
	}
	for _, g := range e.groups {
		if g.at < 0 {
			e.addByCells(e.roots[g.from:g.to], data, s.margins)
			continue
		}
		ends := (*leaves)(e.ends[g.at:])
		for lane, r := range e.roots[g.from:g.to] {
			b := (*tree)(e.heap[g.at+lane:])
			for at := 0; at < rows; at += lanes {
				ends8 := walkRows(b, (*keys8)(s.keys[at*len(e.slots):]), g.depth)
				m := s.margins[at*k+int(r.output):]
				for j, end := range ends8[:min(lanes, rows-at)] {
					m[j*k] += ends[uint(end)*lanes+uint(lane&7)]
				}
			}
		}
	}
}

// addByCells adds the leaves of trees that are no heaps to the margins of rows, a
// multiple of four.
func (e *Ensemble) addByCells(roots []root, data, margins []float32) {
	c, cols, k := e.cells, e.features, len(e.base)
	for _, r := range roots {
		m := margins[r.output:]
		if r.categorical {
			for at := range len(data) / cols {
				m[at*k] += c[e.descend(r, data[at*cols:(at+1)*cols])].leaf()
			}
			continue
		}
		for at := 0; at < len(data)/cols; at += 4 {
			four := data[at*cols : (at+4)*cols]
			a, b, f, g := four[:cols], four[cols:2*cols], four[2*cols:3*cols], four[3*cols:]
			i, j, k4, l := r.at, r.at, r.at, r.at
			for d := range r.depth {
				i2, j2, k2, l2 := step(c, i, a), step(c, j, b), step(c, k4, f), step(c, l, g)
				if d >= sure && i2 == i && j2 == j && k2 == k4 && l2 == l {
					break
				}
				i, j, k4, l = i2, j2, k2, l2
			}
			m[at*k] += c[i].leaf()
			m[(at+1)*k] += c[j].leaf()
			m[(at+2)*k] += c[k4].leaf()
			m[(at+3)*k] += c[l].leaf()
		}
	}
}
