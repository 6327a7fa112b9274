// SPDX-License-Identifier: Apache-2.0

package unusual

import (
	"math"
	"math/bits"

	"gonum.org/v1/gonum/stat/distuv"

	"flyball/data/frame"
)

// gauge turns a value of a column into the normal score of its rank.
type gauge struct {
	*normal
	quantiles   *[grid]float64 // nil: no number
	keys        *[grid]uint64  // of the quantiles
	at          *[grid]float64 // score of a value that is the quantile: the middle of its run
	left, right float64        // what counts as one step beyond the ends

	words map[string]float64
	other float64 // of a word that is not among them

	outOfRange, unseen string // flags
}

// normal are the normal scores of the ranks that 256 quantiles can tell.
type normal struct {
	end     float64             // of the outermost quantile
	between [grid]float64       // of a value between two quantiles, by how many are below
	middle  [2*grid + 1]float64 // of a run of equal quantiles, by the sum of its ends
}

func newNormal() *normal {
	n := &normal{end: distuv.UnitNormal.Quantile(1 - 0.5/grid)}
	for i := 1; i < grid; i++ {
		n.between[i] = distuv.UnitNormal.Quantile(float64(i) / grid)
	}
	for i := 1; i < 2*grid; i++ {
		n.middle[i] = distuv.UnitNormal.Quantile(float64(i) / (2 * grid))
	}
	return n
}

func newGauge(c *Column, n *normal) gauge {
	g := gauge{normal: n, outOfRange: OutOfRange + c.Name, unseen: Unseen + c.Name}
	if c.Kind == frame.Text {
		g.ofWords(c)
		return g
	}
	if len(c.Quantiles) != grid {
		return g
	}
	q := (*[grid]float64)(c.Quantiles)
	g.quantiles, g.keys, g.at = q, new([grid]uint64), new([grid]float64)
	for i, x := range q {
		g.keys[i] = key(x)
	}
	for from := 0; from < grid; {
		to := from + 1
		for to < grid && q[to] == q[from] {
			to++
		}
		for i := from; i < to; i++ {
			g.at[i] = n.middle[from+to]
		}
		from = to
	}
	// A step is how far values lie apart at the end, where ranks are a score of one
	// apart; where they do not differ, over the whole range.
	const edge = 16
	over := n.between[grid-1] - n.between[1]
	ends := n.between[grid-1] - n.between[grid-edge]
	all := (q[grid-1] - q[0]) / over
	g.left = max((q[edge-1]-q[0])/ends, all, 1e-3*max(1, math.Abs(q[0])))
	g.right = max((q[grid-1]-q[grid-edge])/ends, all, 1e-3*max(1, math.Abs(q[grid-1])))
	return g
}

// ofWords scores a word by its rank in frequency: rare ones are far out.
func (g *gauge) ofWords(c *Column) {
	total := 0.5
	for _, n := range c.Counts {
		total += float64(n)
	}
	g.words = make(map[string]float64, len(c.Words))
	below := 0.0
	for i, w := range c.Words {
		g.words[w] = distuv.UnitNormal.Quantile(min(1-0.25/total, (below+float64(c.Counts[i])/2)/total))
		below += float64(c.Counts[i])
	}
	g.other = 1 + distuv.UnitNormal.Quantile(1-0.25/total)
}

// key is a whole number in the order of x; 0 and -0 have one.
func key(x float64) uint64 {
	b := math.Float64bits(x + 0)
	return b ^ (uint64(int64(b)>>63) | 1<<63)
}

// below is 1 where a is below b, else 0: the borrow of their difference.
func below(a, b uint64) uint8 {
	_, borrow := bits.Sub64(a, b, 0)
	return uint8(borrow)
}

// number is the score of x. The search takes eight steps whatever x is, and none of them
// is a branch: which half it is in cannot be foreseen, and a branch foreseen wrongly takes
// longer than a step.
func (g *gauge) number(x float64) float64 {
	q, keys, k := g.quantiles, g.keys, key(x)
	i := below(keys[127], k) << 7
	i |= below(keys[i|63], k) << 6
	i |= below(keys[i|31], k) << 5
	i |= below(keys[i|15], k) << 4
	i |= below(keys[i|7], k) << 3
	i |= below(keys[i|3], k) << 2
	i |= below(keys[i|1], k) << 1
	i |= below(keys[i], k)
	if keys[i] == k {
		return g.at[i]
	}
	switch {
	case i == 0 && x < q[0]:
		return -g.end - math.Log1p((q[0]-x)/g.left)
	case i == grid-1 && x > q[grid-1]:
		return g.end + math.Log1p((x-q[grid-1])/g.right)
	}
	return g.between[i]
}

// word is the score of a text.
func (g *gauge) word(s string) (score float64, known bool) {
	if x, ok := g.words[s]; ok {
		return x, true
	}
	return g.other, false
}
