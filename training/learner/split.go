// SPDX-License-Identifier: Apache-2.0

package learner

import (
	"cmp"
	"math"
	"slices"
)

// split is the best way found to take a node apart.
type split struct {
	gain        float64
	feature     int
	bin         int      // bins up to it go left
	set         []uint32 // of categories: those that go right
	missingLeft bool
	left        cell
}

// leastGain is what rounding may make of no gain at all.
const leastGain = 1e-9

// best is the best split of the node over all features; of equal ones the first.
func (b *booster) best(nd *node, features []int) split {
	found := make([]split, len(features))
	workers := b.workers
	if len(features) < 64 {
		workers = 1 // a search takes less time than waking someone
	}
	parallel(workers, len(features), func(i int) {
		f := features[i]
		s := search{booster: b, node: nd, hist: nd.hist[b.bins.from[f]:b.bins.from[f+1]], best: split{feature: f}}
		found[i] = s.run()
	})
	var best split
	for _, s := range found {
		if s.gain > best.gain {
			best = s
		}
	}
	return best
}

// search goes through the ways to split a node by one feature.
type search struct {
	*booster
	node *node
	hist []cell
	all  sums
	now  float64 // value of the rows kept together
	best split
}

func (s *search) run() split {
	s.all = s.unit.of(s.node.sum)
	f, none := s.best.feature, s.hist[len(s.hist)-1]
	s.now = s.value(s.all)
	last := len(s.bins.cuts[f])
	switch {
	case s.category[f]:
		s.categories(last + 1)
	case s.plain:
		s.scan(last, cell{}, false)
		if none.h > 0 {
			s.scan(last, none, true)
		}
	default:
		var left cell
		for k := range last {
			left = left.plus(s.hist[k])
			s.try(left, k, nil, false)
			if none.h > 0 {
				s.try(left.plus(none), k, nil, true)
			}
		}
	}
	return s.best
}

// value is the gain of keeping rows together.
func (b *booster) value(s sums) float64 {
	if b.plain {
		return s.g * s.g / (s.h + b.lambda)
	}
	return b.valueAt(s, b.weight(s, anywhere()))
}

// scan tries every cut, with the missing on one side, where the value of a leaf is
// g²/(h+λ). It divides only where a split is better than all before: the two values are
// brought over one denominator. The conversions keep a compiler from rounding a product
// and a sum at once, as those for arm64 do.
func (s *search) scan(last int, left cell, missingLeft bool) {
	lambda, least := s.lambda, max(s.minWeight, leastHessian)
	bar := s.now + max(s.best.gain, leastGain)
	for k, c := range s.hist[:last] {
		if c.h == 0 && c.g == 0 && k > 0 {
			continue
		}
		left.g += c.g
		left.h += c.h
		h := float64(float64(left.h) * s.unit.h)
		if h < least {
			continue
		}
		rest := s.all.h - h
		if rest < least {
			break
		}
		g := float64(float64(left.g) * s.unit.g)
		other := s.all.g - g
		a, d := h+lambda, rest+lambda
		if top := float64(float64(g*g)*d) + float64(float64(other*other)*a); top > bar*(a*d) {
			if v := top / (a * d); v > bar {
				bar = v
				s.best.gain, s.best.bin, s.best.missingLeft, s.best.left = v-s.now, k, missingLeft, left
			}
		}
	}
}

// try weighs one way to split.
func (s *search) try(left cell, bin int, set []uint32, missingLeft bool) {
	l, r := s.unit.of(left), s.unit.of(s.node.sum.minus(left))
	if least := max(s.minWeight, leastHessian); l.h < least || r.h < least {
		return
	}
	var gain float64
	if s.plain {
		gain = s.value(l) + s.value(r) - s.now
	} else {
		a, b := s.weight(l, s.node.within), s.weight(r, s.node.within)
		if m := float64(s.monotone[s.best.feature]); m != 0 && m*(b-a) < 0 {
			return
		}
		gain = s.valueAt(l, a) + s.valueAt(r, b) - s.valueAt(s.all, s.weight(s.all, s.node.within))
	}
	if gain > s.best.gain {
		s.best.gain, s.best.bin, s.best.missingLeft, s.best.left = gain, bin, missingLeft, left
		s.best.set = slices.Clone(set)
	}
}

// fewCategories is up to how many categories each is tried against all others, as
// XGBoost's max_cat_to_onehot.
const fewCategories = 4

// categories tries sets of categories: each by itself where there are few, else, in
// the order of their mean gradients, the first so many, among which the best set is
// (Fisher 1958). The smaller side is the set, so that what was never seen goes with
// the more.
func (s *search) categories(n int) {
	none := s.hist[len(s.hist)-1]
	var order []uint32
	for c := range n {
		if s.hist[c].h > 0 {
			order = append(order, uint32(c))
		}
	}
	all := s.node.sum
	try := func(set []uint32, right cell) {
		set = slices.Sorted(slices.Values(set))
		s.try(all.minus(right), 0, set, true)
		if none.h > 0 {
			s.try(all.minus(right).minus(none), 0, set, false)
		}
	}
	if len(order) <= fewCategories {
		for i := range order {
			try(order[i:i+1], s.hist[order[i]])
		}
		return
	}
	mean := func(c uint32) float64 { v := s.unit.of(s.hist[c]); return v.g / (v.h + s.lambda) }
	slices.SortFunc(order, func(a, b uint32) int { return cmp.Or(cmp.Compare(mean(a), mean(b)), cmp.Compare(a, b)) })
	var first cell
	for k := range len(order) - 1 {
		first = first.plus(s.hist[order[k]])
		if k < len(order)/2 {
			try(order[:k+1], first)
		} else {
			try(order[k+1:], all.minus(none).minus(first))
		}
	}
}

// span is between which weights a leaf may lie.
type span struct{ low, high float64 }

func anywhere() span { return span{math.Inf(-1), math.Inf(1)} }

// weight is the best weight of a leaf: with an L1 penalty, a longest step, and between
// what monotone features allow.
func (b *booster) weight(s sums, within span) float64 {
	if s.h+b.lambda <= 0 {
		return 0
	}
	if b.plain {
		return -s.g / (s.h + b.lambda)
	}
	g := s.g
	switch {
	case g > b.alpha:
		g -= b.alpha
	case g < -b.alpha:
		g += b.alpha
	default:
		g = 0
	}
	w := -g / (s.h + b.lambda)
	if step := b.step(); step > 0 {
		w = min(max(w, -step), step)
	}
	return min(max(w, within.low), within.high)
}

// valueAt is the gain of rows in a leaf of a weight.
func (b *booster) valueAt(s sums, w float64) float64 {
	return -(float64(2*s.g*w) + float64((s.h+b.lambda)*w*w) + float64(2*b.alpha*math.Abs(w)))
}

// spans are between which weights the children may lie.
func (b *booster) spans(nd *node, s split) (left, right span) {
	left, right = nd.within, nd.within
	if b.plain || b.monotone[s.feature] == 0 {
		return left, right
	}
	mid := (b.weight(b.unit.of(s.left), nd.within) + b.weight(b.unit.of(nd.sum.minus(s.left)), nd.within)) / 2
	if b.monotone[s.feature] > 0 {
		left.high, right.low = mid, mid
	} else {
		left.low, right.high = mid, mid
	}
	return left, right
}
