// SPDX-License-Identifier: Apache-2.0

package tree

import "testing"

func TestTheTreesForExplanationsSumToTheMargins(t *testing.T) {
	for _, seed := range []uint64{1, 2} { // without and with categories
		base, trees, x := made(seed, 5, 3, 17, 6, 60)
		e, err := New(5, base, trees, Identity)
		if err != nil {
			t.Fatal(err)
		}
		told, got, want := e.Trees(), make([]float32, 3), make([]float32, 3)
		var left [1 << 7]bool
		for i := range x.Rows {
			row := x.Row(i)
			copy(got, e.Base())
			for n, tr := range told {
				e.Goes(row, n, left[:])
				at := int32(0)
				for tr.Nodes[at].Left >= 0 {
					if left[at] {
						at = tr.Nodes[at].Left
					} else {
						at = tr.Nodes[at].Right
					}
				}
				got[tr.Output] += float32(tr.Nodes[at].Value)
			}
			e.Margins(row, want)
			for o := range want {
				if got[o] != want[o] {
					t.Fatalf("row %d, output %d: got %v, want %v", i, o, got[o], want[o])
				}
			}
		}
	}
}

func TestACategoryInTheSetGoesRightAndWhatIsNoneGoesLeft(t *testing.T) {
	nodes := []Node{{Left: 1, Right: 2, Set: 1, Cover: 5}, {Left: -1, Value: -1, Cover: 3}, {Left: -1, Value: 2, Cover: 2}}
	e, err := New(1, []float32{0}, []Tree{{Nodes: nodes, Sets: [][]uint32{{3, 33}}}}, Identity)
	if err != nil {
		t.Fatal(err)
	}
	for x, want := range map[float32]float32{3: 2, 33: 2, 3.9: 2, 2: -1, 64: -1, -3: -1, -0.5: -1, 1 << 24: -1, 3e38: -1} {
		got := []float32{0}
		if e.Margins([]float32{x}, got); got[0] != want {
			t.Errorf("category %v: got %v, want %v", x, got[0], want)
		}
	}
	if n := e.Trees()[0].Nodes; n[0].Cover != 5 || n[1].Cover != 3 || n[2].Cover != 2 {
		t.Errorf("got the covers of %+v", n)
	}
}
