// SPDX-License-Identifier: Apache-2.0

package model

import (
	"context"
	"hash/fnv"
	"math"
	"math/bits"
	"math/rand/v2"

	"flyball/data/frame"
)

// evaluations bounds how many rows are scored to explain one.
const evaluations = 2048

// backgroundRows is how many golden rows a column's value may be taken from.
const backgroundRows = 32

// sample explains a model that is only scored. A column's contribution is what the
// score changes by when the column's value goes from that of a background row to the
// row's own, on average over the background rows and over the orders in which the
// columns may go: Shapley values of the interventional kind. With few columns all
// subsets are scored; else orders are drawn, each with its reverse (antithetic), and the
// standard error is that of the pairs. What is drawn depends on the row alone, so that
// the same row is explained the same way each time.
func (b *Bundle) sample(ctx context.Context, rows *frame.Frame) (Explanation, error) {
	back, err := b.rows.take(ctx, backgroundRows)
	if err != nil {
		return Explanation{}, err
	}
	inputs := b.scorer.Inputs()
	columns := make([]string, len(inputs))
	for i, f := range inputs {
		columns[i] = f.Name
	}
	rows, err = rows.Select(columns...)
	if err != nil {
		return Explanation{}, err
	}
	if back, err = back.Select(columns...); err != nil {
		return Explanation{}, err
	}
	out := Explanation{Method: ByPermutation, Space: b.scoreSpace(), Outputs: b.scorer.Outputs(), Features: columns, Columns: columns}
	if len(columns) == 0 {
		out.Method = ByNothing
	} else if len(columns) < bits.UintSize-1 && back.Rows()<<len(columns) <= 2*evaluations && len(columns) < 12 {
		out.Method = BySubsets
	}
	for i := range rows.Rows() {
		x, err := newMix(b, rows.Slice(i, i+1), back)
		if err != nil {
			return Explanation{}, err
		}
		var parts []Part
		switch out.Method {
		case ByNothing:
			parts, err = x.nothing(ctx)
		case BySubsets:
			parts, err = x.subsets(ctx)
		default:
			parts, err = x.orders(ctx)
		}
		if err != nil {
			return Explanation{}, err
		}
		out.Each = append(out.Each, parts...)
		out.Evaluations = max(out.Evaluations, x.scored)
	}
	return out, nil
}

// mix makes rows whose columns come from a row or from background rows, and scores them.
type mix struct {
	bundle  *Bundle
	all     []frame.Column // the background rows, and the row last
	row     int            // where the row is
	columns int
	outputs int
	seed    uint64
	take    [][]int // by column: which row each value is taken from
	scored  int
}

func newMix(b *Bundle, row, back *frame.Frame) (*mix, error) {
	both, err := frame.Concat(back, row)
	if err != nil {
		return nil, err
	}
	m := &mix{bundle: b, all: both.Columns(), row: back.Rows(), columns: len(both.Columns()), outputs: b.scorer.Outputs()}
	h := fnv.New64a()
	for j := range m.all {
		_, _ = h.Write([]byte(m.all[j].Format(m.row))) // a hash does not fail
		_, _ = h.Write([]byte{0})
	}
	m.seed = h.Sum64()
	return m, nil
}

// add asks for a row: has says which columns are the row's own, the others are those of
// the background row.
func (m *mix) add(back int, has func(column int) bool) {
	if m.take == nil {
		m.take = make([][]int, m.columns)
	}
	for j := range m.take {
		from := back
		if has(j) {
			from = m.row
		}
		m.take[j] = append(m.take[j], from)
	}
}

// score scores what was asked for.
func (m *mix) score(ctx context.Context) (Scores, error) {
	n := 0
	cols := make([]frame.Column, m.columns)
	for j := range cols {
		n = len(m.take[j])
		cols[j] = frame.New(m.all[j]).Take(m.take[j]).Columns()[0]
		m.take[j] = m.take[j][:0]
	}
	m.scored += n
	return m.bundle.scorer.Score(ctx, frame.WithRows(n, cols...))
}

func (m *mix) parts() []Part {
	out := make([]Part, m.outputs)
	for k := range out {
		out[k].Columns = make([]float64, m.columns)
	}
	return out
}

// close works out what follows from the contributions.
func (m *mix) close(parts []Part) []Part {
	for k := range parts {
		p := &parts[k]
		p.Features = p.Columns
		sum := p.Base
		for _, x := range p.Columns {
			sum += x
		}
		p.Residual = p.Margin - sum
	}
	return parts
}

// nothing explains a model without columns.
func (m *mix) nothing(ctx context.Context) ([]Part, error) {
	s, err := m.bundle.scorer.Score(ctx, frame.WithRows(1))
	if err != nil {
		return nil, err
	}
	parts := m.parts()
	for k := range parts {
		parts[k].Margin, parts[k].Base = s.Row(0)[k], s.Row(0)[k]
	}
	m.scored = 1
	return m.close(parts), nil
}

// subsets scores every subset of the columns with every background row.
func (m *mix) subsets(ctx context.Context) ([]Part, error) {
	n, all := m.row, 1<<m.columns
	for set := range all {
		for back := range n {
			m.add(back, func(j int) bool { return set>>j&1 == 1 })
		}
	}
	s, err := m.score(ctx)
	if err != nil {
		return nil, err
	}
	parts := m.parts()
	for k := range parts {
		mean := make([]float64, all)
		for set := range all {
			for back := range n {
				mean[set] += s.Row(set*n + back)[k] / float64(n)
			}
		}
		p := &parts[k]
		p.Base, p.Margin = mean[0], mean[all-1]
		for set := range all {
			size := bits.OnesCount(uint(set))
			weight := 1 / (float64(m.columns) * choose(m.columns-1, size))
			for j := range p.Columns {
				if set>>j&1 == 0 {
					p.Columns[j] += weight * (mean[set|1<<j] - mean[set])
				}
			}
		}
	}
	return m.close(parts), nil
}

// choose is the binomial coefficient.
func choose(n, k int) float64 {
	out := 1.0
	for i := range k {
		out = out * float64(n-i) / float64(i+1)
	}
	return out
}

// orders draws orders of the columns, and takes each forwards and backwards.
func (m *mix) orders(ctx context.Context) ([]Part, error) {
	pairs := max(2, evaluations/(2*m.columns))
	rnd := rand.New(rand.NewPCG(m.seed, 0x666c7962616c6c))
	drawn := make([][]int, 0, 2*pairs)
	for range pairs {
		order := rnd.Perm(m.columns)
		back := make([]int, m.columns)
		for i, j := range order {
			back[m.columns-1-i] = j
		}
		drawn = append(drawn, order, back)
	}
	m.add(0, func(int) bool { return true })
	for i, order := range drawn {
		at := i / 2 % m.row
		if i%2 == 0 {
			m.add(at, func(int) bool { return false })
		}
		own := make([]bool, m.columns)
		for _, j := range order[:m.columns-1] {
			own[j] = true
			m.add(at, func(j int) bool { return own[j] })
		}
	}
	s, err := m.score(ctx)
	if err != nil {
		return nil, err
	}
	parts := m.parts()
	for k := range parts {
		m.average(&parts[k], drawn, func(i int) float64 { return s.Row(i)[k] })
	}
	return m.close(parts), nil
}

// average takes the mean and its standard error over the pairs of orders. score gives
// what was asked for, in order: the row, and for each pair the background row and the
// rows between, forwards and backwards.
func (m *mix) average(p *Part, drawn [][]int, score func(i int) float64) {
	pairs := float64(len(drawn) / 2)
	p.Margin = score(0)
	p.Errors = make([]float64, m.columns)
	squares := make([]float64, m.columns)
	next := 1
	for i := 0; i < len(drawn); i += 2 {
		base := score(next)
		next++
		p.Base += base / pairs
		pair := make([]float64, m.columns)
		for _, order := range drawn[i : i+2] {
			before := base
			for at, j := range order {
				after := p.Margin
				if at < m.columns-1 {
					after = score(next)
					next++
				}
				pair[j] += (after - before) / 2
				before = after
			}
		}
		for j, x := range pair {
			p.Columns[j] += x / pairs
			squares[j] += x * x
		}
	}
	for j, mean := range p.Columns {
		spread := max(0, squares[j]-pairs*mean*mean) / (pairs - 1)
		p.Errors[j] = math.Sqrt(spread / pairs)
	}
}
