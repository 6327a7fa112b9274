// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"flyball/data/pipeline"
)

// grown is a random tree: as deep as asked on its rightmost way, uneven elsewhere.
func grown(r *rand.Rand, features, depth int, categories bool) []Node {
	var nodes []Node
	var grow func(depth int, must bool) int32
	grow = func(depth int, must bool) int32 {
		at := int32(len(nodes))
		nodes = append(nodes, Node{Left: -1, Value: float32(r.NormFloat64())})
		if depth > 0 && (must || r.IntN(3) > 0) {
			n := Node{Feature: int32(r.IntN(features)), Value: float32(r.IntN(5)), MissingLeft: r.IntN(2) == 0, Cover: float32(len(nodes))}
			if categories && r.IntN(3) == 0 {
				n.Set = int32(1 + r.IntN(3))
			}
			n.Left = grow(depth-1, false)
			n.Right = grow(depth-1, must)
			nodes[at] = n
		}
		return at
	}
	grow(depth, true)
	return nodes
}

// byHand walks the nodes as their documentation says.
func byHand(tr Tree, row []float32) float32 {
	nodes := tr.Nodes
	n := nodes[0]
	for n.Left >= 0 {
		x := row[n.Feature]
		if n.Set > 0 && x == x {
			if x >= 0 && x < 1<<24 && slices.Contains(tr.Sets[n.Set-1], uint32(x)) {
				n = nodes[n.Right]
			} else {
				n = nodes[n.Left]
			}
			continue
		}
		if x < n.Value || math.IsNaN(float64(x)) && n.MissingLeft {
			n = nodes[n.Left]
		} else {
			n = nodes[n.Right]
		}
	}
	return n.Value
}

func made(seed uint64, features, outputs, trees, depth, rows int) ([]float32, []Tree, pipeline.Matrix) {
	r := rand.New(rand.NewPCG(seed, 1))
	base, ts := make([]float32, outputs), make([]Tree, trees)
	for i := range base {
		base[i] = float32(r.NormFloat64())
	}
	for i := range ts {
		ts[i] = Tree{Output: i % outputs, Nodes: grown(r, features, depth, seed%2 == 0 && i%3 == 1), Sets: [][]uint32{{1, 4}, {2, 900, 1 << 20}, {}}}
	}
	x := pipeline.Matrix{Rows: rows, Cols: features, Data: make([]float32, rows*features)}
	odd := []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.Copysign(0, -1))}
	for i := range x.Data {
		x.Data[i] = float32(r.IntN(5))
		if r.IntN(4) == 0 {
			x.Data[i] = odd[r.IntN(len(odd))]
		}
	}
	return base, ts, x
}

func TestScoringInBlocksEqualsAWalkByHandBitForBit(t *testing.T) {
	for _, c := range []struct {
		seed                        uint64
		outputs, trees, depth, rows int
	}{
		{9, 1, 0, 1, 5},
		{9, 1, 1, 0, 9},
		{9, 1, 3, 2, 1},
		{9, 1, 7, 6, 3},
		{9, 1, 9, 6, 4},
		{9, 1, 10, 5, 131},
		{9, 1, 5, 15, 70},
		{9, 3, 12, 4, 10},
		{9, 20, 40, 3, 6},
		{8, 1, 10, 5, 131},
		{8, 3, 12, 4, 10},
		{8, 1, 23, 3, 1},
	} {
		t.Run(fmt.Sprintf("%d outputs, %d trees of depth %d, %d rows, from %d", c.outputs, c.trees, c.depth, c.rows, c.seed), func(t *testing.T) {
			base, trees, x := made(c.seed, 6, c.outputs, c.trees, c.depth, c.rows)
			link := Identity
			if c.outputs > 1 {
				link = Softmax
			}
			e, err := New(6, base, trees, link)
			if err != nil {
				t.Fatal(err)
			}
			got := make([]float64, c.rows*c.outputs)
			e.Score(x, got)
			margins := make([]float32, c.outputs)
			for i := range c.rows {
				want := append([]float32(nil), base...)
				for _, tr := range trees {
					want[tr.Output] += byHand(tr, x.Row(i))
				}
				e.Margins(x.Row(i), margins)
				for j := range want {
					if margins[j] != want[j] {
						t.Fatalf("row %d, output %d: margin %v, want %v", i, j, margins[j], want[j])
					}
					if c.outputs == 1 && got[i] != float64(want[0]) {
						t.Fatalf("row %d: score %v, want %v", i, got[i], want[0])
					}
				}
			}
		})
	}
}

func TestAModelWithoutFeaturesScores(t *testing.T) {
	e, err := New(0, []float32{1}, []Tree{{Nodes: []Node{{Left: -1, Value: 2}}}}, Identity)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float64, 6)
	e.Score(pipeline.Matrix{Rows: 6}, out)
	for i, v := range out {
		if v != 3 {
			t.Errorf("row %d: got %v, want 3", i, v)
		}
	}
}

func TestAThresholdThatIsNoNumberIsRefused(t *testing.T) {
	nodes := stump(true)
	nodes[0].Value = float32(math.NaN())
	if _, err := New(1, []float32{0}, []Tree{{Nodes: nodes}}, Identity); err == nil {
		t.Error("got no error")
	}
}

func TestBalancedTreesBecomeHeapsAndScoreTheSame(t *testing.T) {
	for _, c := range []struct {
		features, trees, depth, rows int
		heaps                        bool
	}{
		{6, 8, 3, 1, true}, {6, 13, 8, 1, true}, {6, 13, 8, 77, true}, {6, 9, 9, 12, false}, {100, 40, 6, 70, true}, {300, 40, 6, 20, false}, {300, 40, 4, 20, true}, {1, 3, 1, 4, true},
	} {
		t.Run(fmt.Sprintf("%d trees of depth %d over %d features", c.trees, c.depth, c.features), func(t *testing.T) {
			r := rand.New(rand.NewPCG(3, 3))
			_, _, x := made(9, c.features, 1, 1, 1, c.rows)
			trees := make([]Tree, c.trees)
			for i := range trees {
				if trees[i] = (Tree{Nodes: full(r, c.features, c.depth)}); i == 10 {
					trees[i].Nodes = grown(r, c.features, c.depth, false)
				}
				for j := range trees[i].Nodes {
					if n := &trees[i].Nodes[j]; n.Left >= 0 { // as the rows' values are
						n.Value = []float32{0, 1, 2, 3, 4, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.Copysign(0, -1))}[r.IntN(8)]
					}
				}
			}
			e, err := New(c.features, []float32{0.1}, trees, Identity)
			if err != nil {
				t.Fatal(err)
			}
			if got := len(e.heap) > 0; got != c.heaps {
				t.Errorf("heaps: got %v, want %v", got, c.heaps)
			}
			got := make([]float64, c.rows)
			e.Score(x, got)
			for i := range c.rows {
				want, margin := float32(0.1), []float32{0}
				for _, tr := range trees {
					want += byHand(tr, x.Row(i))
				}
				if e.Margins(x.Row(i), margin); margin[0] != want || got[i] != float64(want) {
					t.Fatalf("row %d: got %v and %v, want %v", i, margin[0], got[i], want)
				}
			}
		})
	}
}

func TestEachLinkMakesScoresOfMargins(t *testing.T) {
	for _, c := range []struct {
		link Link
		want []float64
	}{
		{Identity, []float64{0, -1}},
		{Logistic, []float64{0.5, 0.2689414213699951}},
		{Softmax, []float64{0.7310585786300049, 0.2689414213699951}},
		{Exp, []float64{1, 0.36787944117144233}},
		{Step, []float64{0, 0}},
	} {
		got := []float64{0, -1}
		if c.link.Apply(got); math.Abs(got[0]-c.want[0]) > 1e-15 || math.Abs(got[1]-c.want[1]) > 1e-15 {
			t.Errorf("link %d: got %v, want %v", c.link, got, c.want)
		}
	}
}

// full is a tree whose leaves all lie at one depth.
func full(r *rand.Rand, features, depth int) []Node {
	var nodes []Node
	var grow func(depth int) int32
	grow = func(depth int) int32 {
		at := int32(len(nodes))
		nodes = append(nodes, Node{Left: -1, Value: float32(r.NormFloat64())})
		if depth > 0 {
			n := Node{Feature: int32(r.IntN(features)), Value: float32(r.NormFloat64()), MissingLeft: r.IntN(2) == 0}
			n.Left = grow(depth - 1)
			n.Right = grow(depth - 1)
			nodes[at] = n
		}
		return at
	}
	grow(depth)
	return nodes
}

func BenchmarkScore(b *testing.B) {
	const features = 30
	for _, layout := range []string{"heaps", "cells"} {
		for _, c := range []struct{ trees, depth, rows int }{{500, 6, 1}, {500, 6, 64}, {500, 6, 1024}, {100, 8, 1}, {100, 8, 1024}, {1000, 8, 1}, {1000, 8, 1024}} {
			b.Run(fmt.Sprintf("%s, %d trees of depth %d, %d rows", layout, c.trees, c.depth, c.rows), func(b *testing.B) {
				r := rand.New(rand.NewPCG(5, 1))
				trees := make([]Tree, c.trees)
				for i := range trees {
					trees[i].Nodes = full(r, features, c.depth)
				}
				x := pipeline.Matrix{Rows: c.rows, Cols: features, Data: make([]float32, c.rows*features)}
				for i := range x.Data {
					if x.Data[i] = float32(r.NormFloat64()); r.IntN(20) == 0 {
						x.Data[i] = float32(math.NaN())
					}
				}
				e, err := New(features, []float32{0}, trees, Identity)
				if err != nil {
					b.Fatal(err)
				}
				if layout == "cells" {
					for i := range e.groups {
						e.groups[i].at = -1
					}
					e.heap = nil
				}
				out := make([]float64, c.rows)
				b.ReportAllocs()
				for b.Loop() {
					e.Score(x, out)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*c.rows), "ns/row")
			})
		}
	}
}
