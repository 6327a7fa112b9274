// SPDX-License-Identifier: Apache-2.0

package shap

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"

	"flyball/fault"
)

// grow makes a random tree. Rows are seen as the ways they go: which is all that counts.
func grow(r *rand.Rand, features, depth int) []Node {
	var nodes []Node
	var add func(cover float64, depth int) int32
	add = func(cover float64, depth int) int32 {
		at := int32(len(nodes))
		nodes = append(nodes, Node{Left: -1, Cover: cover, Value: r.NormFloat64()})
		if depth == 0 || r.IntN(6) == 0 && at > 0 {
			return at
		}
		z := r.Float64()
		if r.IntN(12) == 0 {
			z = 0 // no training row came here
		}
		f := int32(r.IntN(features))
		left := add(cover*z, depth-1)
		right := add(cover*(1-z), depth-1)
		nodes[at] = Node{Feature: f, Left: left, Right: right, Cover: cover}
		return at
	}
	add(100, depth)
	return nodes
}

// chain is a tree with one path through many features.
func chain(r *rand.Rand, features int) []Node {
	nodes := []Node{}
	cover := 1.0
	for f := range features {
		z := 0.05 + 0.9*r.Float64()
		nodes = append(nodes, Node{Feature: int32(f), Left: int32(len(nodes)) + 1, Right: int32(len(nodes)) + 2, Cover: cover},
			Node{Left: -1, Cover: cover * (1 - z), Value: r.NormFloat64()})
		cover *= z
	}
	return append(nodes, Node{Left: -1, Cover: cover, Value: 3})
}

// value is the expected value of a tree where the features in known are the row's.
func value(nodes []Node, left []bool, known uint64, at int32) float64 {
	n := nodes[at]
	if n.Left < 0 {
		return n.Value
	}
	if known>>n.Feature&1 == 1 {
		if left[at] {
			return value(nodes, left, known, n.Left)
		}
		return value(nodes, left, known, n.Right)
	}
	return share(nodes, at, toLeft)*value(nodes, left, known, n.Left) + share(nodes, at, toRight)*value(nodes, left, known, n.Right)
}

// brute is the definition of the Shapley value: over all subsets of the features.
func brute(nodes []Node, left []bool, features int) []float64 {
	all := make([]float64, 1<<features)
	for s := range all {
		all[s] = value(nodes, left, uint64(s), 0)
	}
	weight := make([]float64, features) // by the size of the subset without the feature
	for k := range weight {
		lg := func(n int) float64 { v, _ := math.Lgamma(float64(n) + 1); return v }
		weight[k] = math.Exp(lg(k) + lg(features-k-1) - lg(features))
	}
	out := make([]float64, features+1)
	for f := range features {
		for s := range all {
			if s>>f&1 == 0 {
				out[f] += weight[bits.OnesCount(uint(s))] * (all[s|1<<f] - all[s])
			}
		}
	}
	out[features] = all[0]
	return out
}

func random(r *rand.Rand, n int) []bool {
	out := make([]bool, n)
	for i := range out {
		out[i] = r.IntN(2) == 0
	}
	return out
}

// consistent are ways that a row with these features could go: here any are, because
// which way a split goes is up to its threshold.
func explain(t testing.TB, trees []Tree, features, outputs int, left [][]bool) []float64 {
	t.Helper()
	e, err := New(features, outputs, trees)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float64, outputs*(features+1))
	e.Explain(1, func(_, tree int, into []bool) { copy(into, left[tree]) }, out)
	return out
}

func TestTheValuesAreThoseOfTheDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct{ features, depth, trees int }{
		{1, 1, 50}, {1, 5, 50}, {2, 6, 50}, {4, 3, 100}, {6, 6, 60}, {8, 8, 30}, {12, 6, 20}, {12, 12, 4}, {16, 5, 4},
	} {
		t.Run(fmt.Sprintf("%d features, depth %d", c.features, c.depth), func(t *testing.T) {
			for range c.trees {
				nodes := grow(r, c.features, c.depth)
				left := random(r, len(nodes))
				got := explain(t, []Tree{{Nodes: nodes}}, c.features, 1, [][]bool{left})
				want := brute(nodes, left, c.features)
				for j := range want {
					if math.Abs(got[j]-want[j]) > 1e-12 {
						t.Fatalf("feature %d: got %v, want %v", j, got[j], want[j])
					}
				}
			}
		})
	}
}

func TestALongPathIsExactToo(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{9, 13, 17, 18} {
		nodes := chain(r, n)
		left := random(r, len(nodes))
		for i := range left {
			left[i] = left[i] || r.IntN(2) == 0
		}
		got := explain(t, []Tree{{Nodes: nodes}}, n, 1, [][]bool{left})
		for j, want := range brute(nodes, left, n) {
			if math.Abs(got[j]-want) > 1e-12 {
				t.Errorf("%d features on a path, feature %d: got %v, want %v", n, j, got[j], want)
			}
		}
	}
}

// reached is the sum of the leaves that a row reaches.
func reached(trees []Tree, left [][]bool, output int) float64 {
	sum := 0.0
	for i, t := range trees {
		if t.Output == output {
			sum += value(t.Nodes, left[i], math.MaxUint64, 0)
		}
	}
	return sum
}

func TestTheValuesAddUpToTheSumOfTheLeaves(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	const features, outputs = 20, 3
	var trees []Tree
	var left [][]bool
	for i := range 60 {
		trees = append(trees, Tree{Output: i % outputs, Nodes: grow(r, features, 1+i%10)})
		left = append(left, random(r, len(trees[i].Nodes)))
	}
	trees = append(trees, Tree{Output: 1, Nodes: []Node{{Left: -1, Value: 0.25}}})
	left = append(left, []bool{false})
	got := explain(t, trees, features, outputs, left)
	for o := range outputs {
		sum := 0.0
		for _, v := range got[o*(features+1) : (o+1)*(features+1)] {
			sum += v
		}
		if want := reached(trees, left, o); math.Abs(sum-want) > 1e-12 {
			t.Errorf("output %d: got %v, want %v", o, sum, want)
		}
	}
}

func TestBeyondTheExactRuleTheErrorStaysSmall(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, c := range []struct {
		features int
		bound    float64
	}{{32, 1e-13}, {40, 1e-13}, {48, 1e-11}, {64, 1e-8}} {
		worst := 0.0
		for range 20 {
			nodes := chain(r, c.features)
			left := make([]bool, len(nodes))
			for i := range left {
				left[i] = true // to the end: the greatest degree
			}
			got := explain(t, []Tree{{Nodes: nodes}}, c.features, 1, [][]bool{left})
			want := classic(nodes, left, c.features)
			for j := range c.features {
				worst = max(worst, math.Abs(got[j]-want[j]))
			}
		}
		if worst > c.bound {
			t.Errorf("%d features on a path: an error of %v, want at most %v", c.features, worst, c.bound)
		}
	}
}

// classic sums over the sizes of subsets, leaf by leaf, without a quadrature.
func classic(nodes []Node, left []bool, features int) []float64 {
	out := make([]float64, features)
	var walk func(at int32, r, z []float64, used []bool)
	walk = func(at int32, r, z []float64, used []bool) {
		n := nodes[at]
		if n.Left < 0 {
			for j := range features {
				if !used[j] {
					continue
				}
				// by[k]: the products with k of the other features known, summed.
				by, others := []float64{1}, 0
				for l := range features {
					if l == j || !used[l] {
						continue
					}
					next := make([]float64, len(by)+1)
					for k, v := range by {
						next[k] += v * z[l]
						next[k+1] += v * r[l]
					}
					by = next
					others++
				}
				for k, v := range by {
					lg := func(n int) float64 { v, _ := math.Lgamma(float64(n) + 1); return v }
					out[j] += n.Value * (r[j] - z[j]) * v * math.Exp(lg(k)+lg(others-k)-lg(others+1))
				}
			}
			return
		}
		for side, c := range [2]int32{n.Left, n.Right} {
			f := n.Feature
			wasR, wasZ, was := r[f], z[f], used[f]
			z[f] *= share(nodes, at, side)
			if (side == toLeft) != left[at] {
				r[f] = 0
			}
			used[f] = true
			walk(c, r, z, used)
			r[f], z[f], used[f] = wasR, wasZ, was
		}
	}
	one := func() []float64 {
		v := make([]float64, features)
		for i := range v {
			v[i] = 1
		}
		return v
	}
	walk(0, one(), one(), make([]bool, features))
	return out
}

func TestManyRowsAreExplainedAsEachByItself(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	const features, rows = 9, 7
	trees := []Tree{{Nodes: grow(r, features, 6)}, {Nodes: grow(r, features, 9)}}
	var left [rows][][]bool
	for i := range left {
		left[i] = [][]bool{random(r, len(trees[0].Nodes)), random(r, len(trees[1].Nodes))}
	}
	e, err := New(features, 1, trees)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float64, rows*(features+1))
	e.Explain(rows, func(row, tree int, into []bool) { copy(into, left[row][tree]) }, out)
	for i := range left {
		for j, want := range explain(t, trees, features, 1, left[i]) {
			if got := out[i*(features+1)+j]; got != want {
				t.Fatalf("row %d, feature %d: got %v, want %v", i, j, got, want)
			}
		}
	}
}

func TestWhatIsNoTreeIsRefused(t *testing.T) {
	leaf := Node{Left: -1, Cover: 1}
	for _, c := range []struct {
		name  string
		nodes []Node
	}{
		{"no node", nil},
		{"a circle", []Node{{Left: 0, Right: 1, Cover: 1}, leaf}},
		{"a child that is not there", []Node{{Left: 1, Right: 9, Cover: 1}, leaf}},
		{"two parents of a node", []Node{{Left: 1, Right: 1, Cover: 1}, leaf}},
		{"a feature that is not there", []Node{{Feature: 2, Left: 1, Right: 2, Cover: 1}, leaf, leaf}},
		{"no cover", []Node{{Left: -1, Cover: math.NaN()}}},
		{"a cover below zero", []Node{{Left: -1, Cover: -1}}},
		{"a leaf that is not finite", []Node{{Left: -1, Cover: 1, Value: math.Inf(1)}}},
	} {
		if _, err := New(2, 1, []Tree{{Nodes: c.nodes}}); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v, want an invalid fault", c.name, err)
		}
	}
	if _, err := New(2, 1, []Tree{{Output: 1, Nodes: []Node{leaf}}}); !fault.Is(err, fault.Invalid) {
		t.Errorf("an output that is not there: got %v", err)
	}
}

func BenchmarkExplain(b *testing.B) {
	for _, depth := range []int{6, 8} {
		b.Run(fmt.Sprint("depth ", depth), func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 1))
			const features, rows = 20, 256
			trees := make([]Tree, 100)
			for i := range trees {
				trees[i].Nodes = grow(r, features, depth)
			}
			left := random(r, 1<<16)
			e, err := New(features, 1, trees)
			if err != nil {
				b.Fatal(err)
			}
			splits := 0
			for i := range e.plans {
				splits += len(e.plans[i].splits)
			}
			out := make([]float64, rows*(features+1))
			b.ReportAllocs()
			for b.Loop() {
				e.Explain(rows, func(row, tree int, into []bool) { copy(into, left[(row*977+tree*131)%40_000:]) }, out)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*rows), "µs/row")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows*splits), "ns/split")
		})
	}
}
