// SPDX-License-Identifier: Apache-2.0

package learner

import (
	"math"
	"math/bits"
)

// Gradients are added up as whole numbers, so that a sum does not depend on the order
// of its rows: a row's two derivatives share a word, the first in the upper half and
// the second, which is never negative, in the lower. After so many rows that a half is
// full the sums go on in 64 bits each. Units are powers of two. The fewer the rows, the
// finer the unit: 15 bits at 32,768 rows and above, 30 at one. Leaves do not use them.

// cell is gradients added up, in units.
type cell struct{ g, h int64 }

func (a cell) plus(b cell) cell  { return cell{a.g + b.g, a.h + b.h} }
func (a cell) minus(b cell) cell { return cell{a.g - b.g, a.h - b.h} }

// longest is how many rows are added up in words.
const longest = 1 << 15

// sums are gradients added up.
type sums struct{ g, h float64 }

// units are what one of a cell's numbers is worth.
type units struct{ g, h float64 }

func (u units) of(c cell) sums { return sums{float64(c.g) * u.g, float64(c.h) * u.h} }

// pack writes the gradients as words.
func (b *booster) pack() {
	const pieces = 16
	var tops [pieces][2]uint32 // the bits of what is largest, which rise with the number
	piece := func(i int) (from, to int) { return i * len(b.grad) / pieces, (i + 1) * len(b.grad) / pieces }
	parallel(b.workers, pieces, func(i int) {
		from, to := piece(i)
		var g, h uint32
		for _, e := range b.grad[from:to] {
			g, h = max(g, math.Float32bits(e.g)&^(1<<31)), max(h, math.Float32bits(e.h))
		}
		tops[i] = [2]uint32{g, h}
	})
	var g, h uint32
	for _, t := range tops {
		g, h = max(g, t[0]), max(h, t[1])
	}
	room := 30 - bits.Len(uint(min(len(b.grad), longest)-1))
	b.unit = units{unitOf(float64(math.Float32frombits(g)), room), unitOf(float64(math.Float32frombits(h)), room)}
	byG, byH := 1/b.unit.g, 1/b.unit.h
	parallel(b.workers, pieces, func(i int) {
		from, to := piece(i)
		words := b.words[from:to]
		for i, e := range b.grad[from:to] {
			words[i] = uint64(int64(nearest(float64(e.g)*byG))<<32 + int64(nearest(float64(e.h)*byH)))
		}
	})
}

// nearest rounds to a whole number: adding 1.5·2⁵² leaves no bits below one.
func nearest(x float64) float64 {
	const magic = 3 << 51
	return float64(x+magic) - magic
}

// unitOf is the least power of two of which top is at most 2^room.
func unitOf(top float64, room int) float64 {
	if top == 0 {
		return 1
	}
	_, exp := math.Frexp(top) // top < 2^exp
	return math.Ldexp(1, exp-room)
}

// histogram adds up the node's rows by feature and bin.
func (b *booster) histogram(nd *node) {
	nd.hist = b.room()
	rows := b.order[nd.from:nd.to]
	near := b.near[:len(rows)]
	for i, r := range rows {
		near[i] = b.words[r]
	}
	workers := b.workers
	if len(rows)*len(b.groups) < 1<<14 {
		workers = 1
	}
	parallel(workers, len(b.groups), func(i int) { b.sum(b.groups[i], rows, near, nd.hist) })
}

// sum adds up four features.
func (b *booster) sum(quad int, rows []int32, near []uint64, hist []cell) {
	words := b.bins.quads[quad]
	from := b.bins.from[4*quad : min(4*quad+5, len(b.bins.from))]
	clear(hist[from[0]:from[len(from)-1]])
	h := &b.halves[quad]
	h0, h1, h2, h3 := &h[0], &h[1], &h[2], &h[3]
	for len(rows) > 0 {
		n := min(len(rows), longest)
		part := near[:n]
		for i, r := range rows[:n] {
			w, g := words[r], part[i]
			h0[uint8(w)] += g
			h1[uint8(w>>8)] += g
			h2[uint8(w>>16)] += g
			h3[w>>24] += g
		}
		for f := range len(from) - 1 {
			to := hist[from[f]:from[f+1]]
			of := h[f][:len(to)]
			for k, v := range of {
				to[k].g += int64(v) >> 32
				to[k].h += int64(v & math.MaxUint32)
			}
			clear(of)
		}
		// Of the last four features some are none: all their rows lie in bin 0.
		for f := len(from) - 1; f < 4; f++ {
			h[f][0] = 0
		}
		rows, near = rows[n:], near[n:]
	}
}

// subtract makes the large child's histogram of its parent's and the small one's.
func (b *booster) subtract(large, small *node) {
	workers := b.workers
	if len(b.groups) < 32 {
		workers = 1
	}
	parallel(workers, len(b.groups), func(i int) {
		from, to := b.bins.from[4*b.groups[i]], b.bins.from[min(4*b.groups[i]+4, b.data.X.Cols)]
		a, c := large.hist[from:to], small.hist[from:to]
		for k := range a {
			a[k] = a[k].minus(c[k])
		}
	})
}

// room is a histogram, used before or not.
func (b *booster) room() []cell {
	if n := len(b.pool); n > 0 {
		h := b.pool[n-1]
		b.pool = b.pool[:n-1]
		return h
	}
	return make([]cell, b.bins.from[b.data.X.Cols])
}

func (b *booster) give(nd *node) {
	if nd.hist != nil {
		b.pool = append(b.pool, nd.hist)
		nd.hist = nil
	}
}
