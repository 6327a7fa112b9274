// SPDX-License-Identifier: Apache-2.0

package lightgbm

import (
	"context"
	"math"

	"flyball/data/frame"
	"flyball/model"
)

// zero is how near to 0 a number counts as 0: LightGBM's kZeroThreshold, a float32.
const zero = float64(float32(1e-35))

// block is how many rows go through a tree before the next tree: few enough that they
// stay in the cache, many enough that the tree does.
const block = 64

// Inputs are the features by name: numbers, or texts where pandas had categories.
func (m *Model) Inputs() []frame.Field {
	out := make([]frame.Field, len(m.columns))
	for i := range m.columns {
		out[i] = m.columns[i].Field
	}
	return out
}

// Outputs is how many scores a row gets: 1, or one a class.
func (m *Model) Outputs() int { return m.outputs }

// Score scores rows as Booster.predict does. See model.Scorer.
func (m *Model) Score(ctx context.Context, rows *frame.Frame) (model.Scores, error) {
	s, err := m.Margins(ctx, rows)
	if err != nil {
		return s, err
	}
	for i := range s.Values {
		s.Values[i] /= m.divisor
	}
	for i := range rows.Rows() {
		m.link.apply(s.Row(i))
	}
	return s, nil
}

// Margins are the sums of the leaves as Booster.predict gives them with raw_score: not
// averaged, and before the objective's link. They have LightGBM's bits.
func (m *Model) Margins(ctx context.Context, rows *frame.Frame) (model.Scores, error) {
	s := model.Scores{Outputs: m.outputs}
	cols, err := m.find(rows)
	if err != nil {
		return s, err
	}
	n, width := rows.Rows(), len(m.slots)
	s.Values = make([]float64, n*m.outputs)
	var few [256]float64
	x := few[:]
	if need := min(n, block) * width; need > len(few) {
		x = make([]float64, need)
	}
	for from := 0; from < n; from += block {
		if err := ctx.Err(); err != nil {
			return model.Scores{}, stopped(err)
		}
		k := min(block, n-from)
		m.fill(cols, from, k, x)
		m.sum(x[:k*width], s.Values[from*m.outputs:(from+k)*m.outputs])
	}
	return s, nil
}

// fill writes rows as the trees read them, one after the other.
func (m *Model) fill(cols []*frame.Column, from, rows int, x []float64) {
	width := len(m.slots)
	for s := range m.slots {
		what := &m.slots[s]
		if what.as == sentinel {
			for at := s; at < rows*width; at += width {
				x[at] = math.Inf(-1)
			}
			continue
		}
		c, in := &m.columns[what.feature], cols[what.feature]
		if c.numbers != nil {
			for i := range rows {
				x[i*width+s] = what.read(c.at(in, from+i))
			}
			continue
		}
		at := s
		for _, v := range in.Num[from : from+rows] {
			x[at] = what.read(v)
			at += width
		}
	}
}

// read is a value as the splits compare it. LightGBM takes what is next to zero for zero
// before it looks at a tree.
func (s *slot) read(x float64) float64 {
	switch {
	case x != x:
		return s.missing
	case x >= -zero && x <= zero:
		return s.zero
	case s.as >= nanAlone:
		return s.as.other(x)
	}
	return x
}

// other is a value that is there, for the readings that do not compare it as it is.
func (as reading) other(x float64) float64 {
	switch {
	case as != asCategory:
		return 0
	case x > -1 && x < 1<<31:
		return float64(int32(x))
	}
	return -1
}

// sum adds to out (Outputs a row) the leaves that the rows x reach.
func (m *Model) sum(x, out []float64) {
	width, rows := len(m.slots), len(out)/m.outputs
	from := 0
	if rows >= 8 {
		from = rows &^ 7
		for i := range m.roots {
			m.eights(&m.roots[i], x[:from*width], out)
		}
	}
	for i := from; i < rows; i++ {
		m.row(x[i*width:(i+1)*width], out[i*m.outputs:(i+1)*m.outputs])
	}
}

// step is the place after c[i] for a row, of a cell without categories.
func step(c []cell, i uint32, row []float64) uint32 {
	n := &c[i]
	var right uint32
	if row[n.slot] > n.threshold {
		right = 1
	}
	return n.left + right
}

// stepAny is the place after any cell.
func (m *Model) stepAny(i uint32, row []float64) uint32 {
	n := &m.cells[i]
	if n.slot&category == 0 {
		return step(m.cells, i, row)
	}
	s := m.sets[int(n.threshold)]
	words := m.words[s.from:s.to]
	if c := int(row[n.slot&^category]); c >= 0 && c/32 < len(words) && words[c/32]>>(c%32)&1 == 1 {
		return n.left
	}
	return n.left + 1
}

// descend is the place of a row's leaf in a tree.
func (m *Model) descend(r *root, row []float64) uint32 {
	for i := r.at; ; {
		next := m.stepAny(i, row)
		if next == i {
			return i
		}
		i = next
	}
}

// sure is how many steps are taken before asking whether all lanes stand at leaves.
const sure = 6

// row adds the leaves of one row. Eight trees are walked at a time: their loads do not
// wait for one another.
func (m *Model) row(row, out []float64) {
	c, r := m.cells, m.roots
	for ; len(r) >= 8; r = r[8:] {
		e := (*[8]root)(r)
		if anyCategorical(e) {
			for t := range e {
				out[e[t].output] += c[m.descend(&e[t], row)].threshold
			}
			continue
		}
		i0, i1, i2, i3, i4, i5, i6, i7 := e[0].at, e[1].at, e[2].at, e[3].at, e[4].at, e[5].at, e[6].at, e[7].at
		for d := range deepest(e) {
			j0, j1, j2, j3 := step(c, i0, row), step(c, i1, row), step(c, i2, row), step(c, i3, row)
			j4, j5, j6, j7 := step(c, i4, row), step(c, i5, row), step(c, i6, row), step(c, i7, row)
			if d >= sure && (j0^i0)|(j1^i1)|(j2^i2)|(j3^i3)|(j4^i4)|(j5^i5)|(j6^i6)|(j7^i7) == 0 {
				break
			}
			i0, i1, i2, i3, i4, i5, i6, i7 = j0, j1, j2, j3, j4, j5, j6, j7
		}
		for t, i := range [8]uint32{i0, i1, i2, i3, i4, i5, i6, i7} {
			out[e[t].output] += c[i].threshold
		}
	}
	for t := range r {
		out[r[t].output] += c[m.descend(&r[t], row)].threshold
	}
}

func anyCategorical(e *[8]root) bool {
	for t := range e {
		if e[t].categorical {
			return true
		}
	}
	return false
}

func deepest(e *[8]root) (depth uint32) {
	for t := range e {
		depth = max(depth, e[t].depth)
	}
	return depth
}

// eights adds the leaves of one tree for rows, a multiple of eight, eight at a time.
func (m *Model) eights(r *root, x, out []float64) {
	c, width, o := m.cells, len(m.slots), m.outputs
	if r.categorical {
		for i := 0; (i+1)*width <= len(x); i++ {
			out[i*o+int(r.output)] += c[m.descend(r, x[i*width:(i+1)*width])].threshold
		}
		return
	}
	for at := int(r.output); len(x) > 0; {
		x0, x1, x2, x3 := x[:width], x[width:2*width], x[2*width:3*width], x[3*width:4*width]
		x4, x5, x6, x7 := x[4*width:5*width], x[5*width:6*width], x[6*width:7*width], x[7*width:8*width]
		x = x[8*width:]
		i0, i1, i2, i3, i4, i5, i6, i7 := r.at, r.at, r.at, r.at, r.at, r.at, r.at, r.at
		for d := range r.depth {
			j0, j1, j2, j3 := step(c, i0, x0), step(c, i1, x1), step(c, i2, x2), step(c, i3, x3)
			j4, j5, j6, j7 := step(c, i4, x4), step(c, i5, x5), step(c, i6, x6), step(c, i7, x7)
			if d >= sure && (j0^i0)|(j1^i1)|(j2^i2)|(j3^i3)|(j4^i4)|(j5^i5)|(j6^i6)|(j7^i7) == 0 {
				break
			}
			i0, i1, i2, i3, i4, i5, i6, i7 = j0, j1, j2, j3, j4, j5, j6, j7
		}
		for _, i := range [8]uint32{i0, i1, i2, i3, i4, i5, i6, i7} {
			out[at] += c[i].threshold
			at += o
		}
	}
}
