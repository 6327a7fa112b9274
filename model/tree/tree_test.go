// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"math"
	"testing"

	"flyball/data/pipeline"
	"flyball/fault"
)

func stump(missingLeft bool) []Node {
	return []Node{{Left: 1, Right: 2, Value: 0.5, MissingLeft: missingLeft}, {Left: -1, Value: -1}, {Left: -1, Value: 2}}
}

func TestARowFollowsTheSplitAndAMissingValueTheLearnedDirection(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		x    float32
		left bool
		want float64
	}{{0, false, -1}, {0.5, true, 2}, {nan, true, -1}, {nan, false, 2}} {
		e, err := New(1, []float32{0}, []Tree{{Nodes: stump(c.left)}}, Identity)
		if err != nil {
			t.Fatal(err)
		}
		out := make([]float64, 1)
		x := pipeline.Matrix{Rows: 1, Cols: 1, Data: []float32{c.x}}
		e.Score(x, out)
		if out[0] != c.want {
			t.Errorf("x=%v left=%v: got %v, want %v", c.x, c.left, out[0], c.want)
		}
		if n := testing.AllocsPerRun(10, func() { e.Score(x, out) }); n != 0 {
			t.Errorf("scoring a row allocates %v times", n)
		}
	}
}

func TestNodesThatLoopAreRefused(t *testing.T) {
	_, err := New(1, []float32{0}, []Tree{{Nodes: []Node{{Left: 0, Right: 0}}}}, Identity)
	if !fault.Is(err, fault.Invalid) {
		t.Fatalf("got %v, want an invalid fault", err)
	}
}
