// SPDX-License-Identifier: Apache-2.0

package learner

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"

	"flyball/data/dataset"
	"flyball/model"
	"flyball/model/tree"
	"flyball/model/xgboost"
	"flyball/stat"
)

// gbdt is builtin/gbdt: second-order boosting of trees of a given depth on histograms
// (Chen and Guestrin 2016; Ke et al. 2017), with a learned direction for missing
// values. Work is divided by feature, so that every sum is made in the same order
// whatever the number of workers.
type gbdt struct {
	trees, depth, bins             int
	rate, lambda, gamma, minWeight float64
	rows, columns                  float64 // shares sampled for each tree
}

// gradient is a row's first and second derivative of the loss.
type gradient struct{ g, h float32 }

// sums are gradients added up.
type sums struct{ g, h float64 }

// Fit trains the trees and returns them as an XGBoost model.
func (l *gbdt) Fit(ctx context.Context, d Data, o Options) (model.File, error) {
	if err := d.check(); err != nil {
		return model.File{}, err
	}
	workers := o.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	b := &booster{gbdt: l, data: d, bins: binsOf(d.X, l.bins, workers), workers: workers, random: rand.New(rand.NewPCG(o.Seed, 0x666c7962616c6c))}
	b.start()
	for round := range l.trees {
		if ctx.Err() != nil {
			return model.File{}, context.Cause(ctx)
		}
		b.round()
		if o.Progress != nil {
			o.Progress(round+1, l.trees)
		}
	}
	names := d.X.Names
	if names == nil {
		for f := range d.X.Cols {
			names = append(names, fmt.Sprintf("f%d", f))
		}
	}
	raw, err := xgboost.Encode(xgboost.Model{Objective: b.objective(), Features: names, Base: b.base, Outputs: d.outputs(), Trees: b.out})
	return model.File{Name: "model.json", Bytes: raw}, err
}

// booster is one fit under way.
type booster struct {
	*gbdt
	data    Data
	bins    *binned
	workers int
	random  *rand.Rand

	base    float32   // XGBoost's base_score: a probability when binary
	margins []float32 // rows × outputs, output-major
	grad    []gradient
	order   []int32 // rows of the tree under way, the rows of a node together
	spare   []int32
	near    []gradient // of the rows of a node, in their order
	pool    [][]sums   // histograms to use again
	out     []xgboost.Tree
}

func (b *booster) objective() string {
	switch b.data.Kind {
	case dataset.Binary:
		return "binary:logistic"
	case dataset.Multiclass:
		return "multi:softprob"
	}
	return "reg:squarederror"
}

// start sets the margins to those of the mean.
func (b *booster) start() {
	n, k := b.data.X.Rows, b.data.outputs()
	b.margins = make([]float32, n*k)
	b.grad = make([]gradient, n)
	b.order, b.spare, b.near = make([]int32, n), make([]int32, n), make([]gradient, n)
	sum := 0.0
	for _, y := range b.data.Y {
		sum += y
	}
	first := float32(0)
	switch b.data.Kind {
	case dataset.Regression:
		b.base = float32(sum / float64(n))
		first = b.base
	case dataset.Binary:
		b.base = float32(min(max(sum/float64(n), 1e-6), 1-1e-6))
		first = -float32(math.Log(float64(1/b.base - 1)))
	}
	for i := range b.margins {
		b.margins[i] = first
	}
}

// round adds one tree for each output.
func (b *booster) round() {
	k := b.data.outputs()
	var probs []float64
	if k > 1 {
		probs = b.softmax()
	}
	for out := range k {
		b.gradients(out, probs)
		b.out = append(b.out, b.grow(out))
	}
}

// softmax are the probabilities of all classes before the round, row-major.
func (b *booster) softmax() []float64 {
	n, k := b.data.X.Rows, b.data.outputs()
	p := make([]float64, n*k)
	for i := range n {
		row := p[i*k : (i+1)*k]
		for c := range row {
			row[c] = float64(b.margins[c*n+i])
		}
		stat.Softmax(row)
	}
	return p
}

const leastHessian = 1e-16

func (b *booster) gradients(out int, probs []float64) {
	n, k := b.data.X.Rows, b.data.outputs()
	m := b.margins[out*n : (out+1)*n]
	for i, y := range b.data.Y {
		switch b.data.Kind {
		case dataset.Regression:
			b.grad[i] = gradient{float32(float64(m[i]) - y), 1}
		case dataset.Binary:
			p := stat.Logistic(float64(m[i]))
			b.grad[i] = gradient{float32(p - y), float32(max(p*(1-p), leastHessian))}
		case dataset.Multiclass:
			p, hit := probs[i*k+out], 0.0
			if int(y) == out {
				hit = 1
			}
			b.grad[i] = gradient{float32(p - hit), float32(max(2*p*(1-p), leastHessian))}
		}
	}
}

// node is a node of the tree under way: its rows are order[from:to].
type node struct {
	at       int // its place among the tree's nodes
	from, to int
	sum      sums
	hist     []sums // by feature and bin; nil once it is split or a leaf, and at the last level
	depth    int
}

// split is the best way found to take a node apart.
type split struct {
	gain        float64
	feature     int
	bin         int // bins up to it go left
	missingLeft bool
	left        sums
}

// leastGain is what rounding may make of no gain at all.
const leastGain = 1e-9

// grow makes one tree and adds it to the margins.
func (b *booster) grow(out int) xgboost.Tree {
	n := b.sample()
	features := b.sampleFeatures()
	t := xgboost.Tree{Output: out}
	root := node{to: n}
	for _, r := range b.order[:n] {
		root.sum.g += float64(b.grad[r].g)
		root.sum.h += float64(b.grad[r].h)
	}
	t.Add(-1)
	b.histogram(&root, features)
	// Depth first, so that no more than one histogram for each level is kept.
	todo := []node{root}
	for len(todo) > 0 {
		nd := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		s := split{}
		if nd.depth < b.depth {
			s = b.best(&nd, features)
		}
		if s.gain <= b.gamma || s.gain <= leastGain {
			b.leaf(&t, &nd, out)
			continue
		}
		kids := b.take(&t, &nd, s, features)
		todo = append(todo, kids[1], kids[0])
	}
	if n < b.data.X.Rows {
		b.addOthers(&t, out, b.order[:n])
	}
	return t
}

// sample puts the rows of the next tree into order and returns how many.
func (b *booster) sample() int {
	n := 0
	for i := range b.data.X.Rows {
		if b.rows >= 1 || b.random.Float64() < b.rows {
			b.order[n] = int32(i)
			n++
		}
	}
	if n == 0 {
		b.order[0] = 0
		n = 1
	}
	return n
}

func (b *booster) sampleFeatures() []int {
	var out []int
	for f := range b.data.X.Cols {
		if b.columns >= 1 || b.random.Float64() < b.columns {
			out = append(out, f)
		}
	}
	if len(out) == 0 && b.data.X.Cols > 0 {
		out = []int{b.random.IntN(b.data.X.Cols)}
	}
	return out
}

// histogram adds up the node's rows by feature and bin.
func (b *booster) histogram(nd *node, features []int) {
	if nd.hist = b.take256(); nd.hist == nil {
		nd.hist = make([]sums, 256*b.data.X.Cols)
	}
	rows := b.order[nd.from:nd.to]
	near := b.near[:len(rows)]
	for i, r := range rows {
		near[i] = b.grad[r]
	}
	parallel(b.workers, len(features), func(i int) {
		f := features[i]
		h := (*[256]sums)(nd.hist[256*f:])
		clear(h[:])
		col := b.bins.bin[f]
		for i, g := range near {
			s := &h[col[rows[i]]]
			s.g += float64(g.g)
			s.h += float64(g.h)
		}
	})
}

// take256 is a histogram to use again; nil: none.
func (b *booster) take256() []sums {
	if len(b.pool) == 0 {
		return nil
	}
	h := b.pool[len(b.pool)-1]
	b.pool = b.pool[:len(b.pool)-1]
	return h
}

func (b *booster) give(nd *node) {
	if nd.hist != nil {
		b.pool = append(b.pool, nd.hist)
		nd.hist = nil
	}
}

// value is the gain of keeping rows together.
func (b *booster) value(s sums) float64 { return s.g * s.g / (s.h + b.lambda) }

// best is the best split of the node over all features; of equal ones the first.
func (b *booster) best(nd *node, features []int) split {
	found := make([]split, len(features))
	parallel(b.workers, len(features), func(i int) { found[i] = b.bestOf(nd, features[i]) })
	var best split
	for _, s := range found {
		if s.gain > best.gain {
			best = s
		}
	}
	return best
}

// bestOf tries every cut of a feature, with the missing on either side.
func (b *booster) bestOf(nd *node, f int) split {
	h := (*[256]sums)(nd.hist[256*f:])
	none := h[missing]
	best := split{feature: f}
	whole := b.value(nd.sum)
	var left sums
	for k := range b.bins.cuts[f] {
		left.g += h[k].g
		left.h += h[k].h
		b.try(&best, nd.sum, left, whole, k, false)
		if none.h > 0 {
			b.try(&best, nd.sum, sums{left.g + none.g, left.h + none.h}, whole, k, true)
		}
	}
	return best
}

func (b *booster) try(best *split, all, left sums, whole float64, k int, missingLeft bool) {
	right := sums{all.g - left.g, all.h - left.h}
	if left.h < b.minWeight || right.h < b.minWeight || left.h <= 0 || right.h <= 0 {
		return
	}
	if gain := b.value(left) + b.value(right) - whole; gain > best.gain {
		best.gain, best.bin, best.missingLeft, best.left = gain, k, missingLeft, left
	}
}

// take splits the node and returns its children with their histograms: that of the
// one with more rows is the parent's less the other's.
func (b *booster) take(t *xgboost.Tree, nd *node, s split, features []int) [2]node {
	mid := b.partition(nd, s)
	right := sums{nd.sum.g - s.left.g, nd.sum.h - s.left.h}
	l, r := t.Split(nd.at, s.feature, b.bins.cuts[s.feature][s.bin], s.missingLeft, float32(s.gain), float32(nd.sum.h))
	kids := [2]node{
		{at: l, from: nd.from, to: mid, sum: s.left, depth: nd.depth + 1},
		{at: r, from: mid, to: nd.to, sum: right, depth: nd.depth + 1},
	}
	if nd.depth+1 >= b.depth {
		b.give(nd)
		return kids
	}
	small, large := &kids[0], &kids[1]
	if small.to-small.from > large.to-large.from {
		small, large = large, small
	}
	b.histogram(small, features)
	large.hist, nd.hist = nd.hist, nil
	parallel(b.workers, len(features), func(i int) {
		f := features[i]
		a, c := (*[256]sums)(large.hist[256*f:]), (*[256]sums)(small.hist[256*f:])
		for k := range a {
			a[k].g -= c[k].g
			a[k].h -= c[k].h
		}
	})
	return kids
}

// partition puts the node's rows that go left before those that go right, each in
// the order they had, and returns where the right ones begin.
func (b *booster) partition(nd *node, s split) int {
	rows, col := b.order[nd.from:nd.to], b.bins.bin[s.feature]
	n, m := 0, 0
	for _, r := range rows {
		k := col[r]
		if k == missing && s.missingLeft || k != missing && int(k) <= s.bin {
			rows[n] = r
			n++
		} else {
			b.spare[m] = r
			m++
		}
	}
	copy(rows[n:], b.spare[:m])
	return nd.from + n
}

// leaf ends the tree at the node and adds its value to the margins of its rows.
func (b *booster) leaf(t *xgboost.Tree, nd *node, out int) {
	v := float32(-nd.sum.g / (nd.sum.h + b.lambda) * b.rate)
	t.Leaf(nd.at, v, float32(nd.sum.h))
	m := b.margins[out*b.data.X.Rows:]
	for _, r := range b.order[nd.from:nd.to] {
		m[r] += v
	}
	b.give(nd)
}

// addOthers adds the tree to the rows that it was not grown on.
func (b *booster) addOthers(t *xgboost.Tree, out int, grown []int32) {
	in := make([]bool, b.data.X.Rows)
	for _, r := range grown {
		in[r] = true
	}
	m := b.margins[out*b.data.X.Rows:]
	for r := range in {
		if !in[r] {
			m[r] += walk(t.Nodes, b.data.X.Row(r))
		}
	}
}

func walk(nodes []tree.Node, row []float32) float32 {
	at := int32(0)
	for {
		n := &nodes[at]
		if n.Left < 0 {
			return n.Value
		}
		switch x := row[n.Feature]; {
		case x < n.Value, x != x && n.MissingLeft:
			at = n.Left
		default:
			at = n.Right
		}
	}
}

// parallel calls do for 0 to n-1, by at most workers goroutines.
func parallel(workers, n int, do func(int)) {
	if workers = min(workers, n); workers <= 1 {
		for i := range n {
			do(i)
		}
		return
	}
	var next atomic.Int64
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wait.Wait()
}
