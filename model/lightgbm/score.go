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
	for s, what := range m.slots {
		if what.as == sentinel {
			for at := s; at < rows*width; at += width {
				x[at] = math.Inf(-1)
			}
			continue
		}
		c, in := &m.columns[what.feature], cols[what.feature]
		if c.numbers == nil {
			for i, v := range in.Num[from : from+rows] {
				x[i*width+s] = what.as.read(v)
			}
			continue
		}
		for i := range rows {
			x[i*width+s] = what.as.read(c.at(in, from+i))
		}
	}
}

// read is a value as a split with this reading compares it. LightGBM takes what is next
// to zero for zero before it looks at a tree.
func (as reading) read(x float64) float64 {
	if x >= -zero && x <= zero {
		x = 0
	}
	missing := x != x || x == 0 && (as == zeroLeft || as == zeroRight || as == zeroAlone)
	switch {
	case as == asCategory:
		if x > -1 && x < 1<<31 {
			return float64(int32(x))
		}
		return -1
	case !missing && (as == nanAlone || as == zeroAlone):
		return 0
	case !missing:
		return x
	case as == nanLeft || as == zeroLeft:
		return math.Inf(-1)
	}
	return math.Inf(1)
}

// sum adds to out (Outputs a row) the leaves that the rows x reach.
func (m *Model) sum(x, out []float64) {
	width, rows := len(m.slots), len(out)/m.outputs
	from := 0
	if rows >= 4 {
		from = rows &^ 3
		for i := range m.roots {
			m.fours(&m.roots[i], x[:from*width], out)
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

// row adds the leaves of one row. Four trees are walked at a time: their loads do not
// wait for one another.
func (m *Model) row(row, out []float64) {
	c, r := m.cells, m.roots
	for ; len(r) >= 4; r = r[4:] {
		if r[0].categorical || r[1].categorical || r[2].categorical || r[3].categorical {
			for t := range r[:4] {
				out[r[t].output] += c[m.descend(&r[t], row)].threshold
			}
			continue
		}
		i, j, k, l := r[0].at, r[1].at, r[2].at, r[3].at
		for d := range max(r[0].depth, r[1].depth, r[2].depth, r[3].depth) {
			i2, j2, k2, l2 := step(c, i, row), step(c, j, row), step(c, k, row), step(c, l, row)
			if d >= sure && i2 == i && j2 == j && k2 == k && l2 == l {
				break
			}
			i, j, k, l = i2, j2, k2, l2
		}
		out[r[0].output] += c[i].threshold
		out[r[1].output] += c[j].threshold
		out[r[2].output] += c[k].threshold
		out[r[3].output] += c[l].threshold
	}
	for t := range r {
		out[r[t].output] += c[m.descend(&r[t], row)].threshold
	}
}

// fours adds the leaves of one tree for rows, a multiple of four, four at a time.
func (m *Model) fours(r *root, x, out []float64) {
	c, width, o := m.cells, len(m.slots), m.outputs
	if r.categorical {
		for i := 0; (i+1)*width <= len(x); i++ {
			out[i*o+int(r.output)] += c[m.descend(r, x[i*width:(i+1)*width])].threshold
		}
		return
	}
	for at := int(r.output); len(x) > 0; at += 4 * o {
		e, f, g, h := x[:width], x[width:2*width], x[2*width:3*width], x[3*width:4*width]
		x = x[4*width:]
		i, j, k, l := r.at, r.at, r.at, r.at
		for d := range r.depth {
			i2, j2, k2, l2 := step(c, i, e), step(c, j, f), step(c, k, g), step(c, l, h)
			if d >= sure && i2 == i && j2 == j && k2 == k && l2 == l {
				break
			}
			i, j, k, l = i2, j2, k2, l2
		}
		out[at] += c[i].threshold
		out[at+o] += c[j].threshold
		out[at+2*o] += c[k].threshold
		out[at+3*o] += c[l].threshold
	}
}
