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
	c, r := e.cells, e.roots
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

// block is how many rows go through a tree before the next tree: few enough that they
// stay in the cache, many enough that the tree does.
const block = 64

// Score writes Outputs scores a row of x into out, row after row. It allocates only
// for more than 16 outputs.
func (e *Ensemble) Score(x pipeline.Matrix, out []float64) {
	k := len(e.base)
	var few [16]float32
	m := few[:]
	if k > len(few) {
		m = make([]float32, k)
	}
	m = m[:k]
	i := 0
	if k == 1 && e.features > 0 {
		var sums [block]float32
		for ; i+4 <= x.Rows; i += min(block, (x.Rows-i)&^3) {
			n := min(block, (x.Rows-i)&^3)
			e.marginsOf(x, i, sums[:n])
			for j, v := range sums[:n] {
				out[i+j] = float64(v)
			}
		}
	}
	for r := i; r < x.Rows; r++ {
		e.Margins(x.Row(r), m)
		for j, v := range m {
			out[r*k+j] = float64(v)
		}
	}
	for r := range x.Rows {
		e.link.Apply(out[r*k : (r+1)*k])
	}
}

// marginsOf writes the margins of the rows from a place on, a multiple of four of
// them, for one output. Four rows walk a tree together; each row's sum is in tree
// order, as in Margins.
func (e *Ensemble) marginsOf(x pipeline.Matrix, from int, sums []float32) {
	for j := range sums {
		sums[j] = e.base[0]
	}
	c, cols := e.cells, e.features
	data := x.Data[from*cols : (from+len(sums))*cols]
	for _, r := range e.roots {
		if r.categorical {
			for at := range sums {
				sums[at] += c[e.descend(r, data[at*cols:(at+1)*cols])].leaf()
			}
			continue
		}
		for at := 0; at+4 <= len(sums); at += 4 {
			four := data[at*cols : (at+4)*cols]
			a, b, f, g := four[:cols], four[cols:2*cols], four[2*cols:3*cols], four[3*cols:]
			i, j, k, l := r.at, r.at, r.at, r.at
			for d := range r.depth {
				i2, j2, k2, l2 := step(c, i, a), step(c, j, b), step(c, k, f), step(c, l, g)
				if d >= sure && i2 == i && j2 == j && k2 == k && l2 == l {
					break
				}
				i, j, k, l = i2, j2, k2, l2
			}
			s := (*[4]float32)(sums[at:])
			s[0] += c[i].leaf()
			s[1] += c[j].leaf()
			s[2] += c[k].leaf()
			s[3] += c[l].leaf()
		}
	}
}
