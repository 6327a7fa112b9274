// SPDX-License-Identifier: Apache-2.0

package evaluation

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"flyball/data/frame"
)

// guests are rows of a hotel: a lead time about so many days, and a share of groups.
func guests(n int, days, groups float64, seed uint64) *frame.Frame {
	r := rand.New(rand.NewPCG(seed, 3))
	lead, kind, gone := make([]float64, n), make([]string, n), make([]float64, n)
	for i := range n {
		lead[i] = days + 20*r.NormFloat64()
		kind[i] = "transient"
		if r.Float64() < groups {
			kind[i] = "group"
		}
		if gone[i] = 1; r.Float64() < 0.5 {
			gone[i] = math.NaN()
		}
	}
	return frame.New(frame.NumberColumn("lead", lead), frame.TextColumn("kind", kind, nil), frame.NumberColumn("gone", gone))
}

func TestTheMixOfJudgedRowsIsComparedWithTheTraffic(t *testing.T) {
	columns := []string{"kind", "lead", "gone", "nowhere"}
	same := Mix(Crowd{Rows: guests(800, 60, 0.2, 1)}, Crowd{Rows: guests(600, 60, 0.2, 2)}, columns, 1)
	if len(same) != 3 || same[0].Low > 0.03 {
		t.Errorf("of one source: got %+v", same)
	}
	moved := Mix(Crowd{Rows: guests(800, 60, 0.2, 1)}, Crowd{Rows: guests(600, 90, 0.4, 2)}, columns, 1)
	if d := moved[0]; d.Column != "lead" || !(d.Low > 0.4 && d.Value > d.Low && d.High >= d.Value) || d.Rows != 800 || d.Traffic != 600 {
		t.Errorf("furthest: got %+v", d)
	}
	if d := moved[1]; d.Column != "kind" || math.Abs(d.Value-0.2) > 0.06 || math.Abs(math.Abs(d.Judged-d.Asked)-d.Value) > 1e-9 || !(d.Low > 0.1) {
		t.Errorf("second: got %+v", d)
	}
	if again := Mix(Crowd{Rows: guests(800, 60, 0.2, 1)}, Crowd{Rows: guests(600, 90, 0.4, 2)}, columns, 1); fmt.Sprint(again) != fmt.Sprint(moved) {
		t.Error("the same rows gave other distances")
	}
	if got := Mix(Crowd{}, Crowd{Rows: guests(10, 1, 0, 1)}, columns, 1); got != nil {
		t.Errorf("without rows: got %+v", got)
	}
}

// A low end above zero is a claim that the mix moved: over all columns it may be wrong in
// 2.5 % of comparisons of rows from one source, here in at most 6 of 100.
func TestLuckIsSeldomTakenForAnotherMix(t *testing.T) {
	wrong := 0
	for i := range uint64(100) {
		d := Mix(Crowd{Rows: guests(300, 60, 0.2, 2*i)}, Crowd{Rows: guests(300, 60, 0.2, 2*i+1)}, []string{"kind", "lead", "gone"}, i)
		if d[0].Low > 0 {
			wrong++
		}
	}
	if wrong > 6 {
		t.Errorf("%d of 100", wrong)
	}
}

// Rows of one day alike: by rows the difference would be sure, by days it is not.
func TestDaysAreComparedAsDays(t *testing.T) {
	day := func(seed uint64) Crowd {
		r := rand.New(rand.NewPCG(seed, 9))
		var x []float64
		var block []uint64
		for d := range uint64(8) {
			sunny := r.Float64()
			for range 50 {
				x, block = append(x, math.Round(sunny)), append(block, d)
			}
		}
		return Crowd{Rows: frame.New(frame.NumberColumn("sun", x)), Block: block}
	}
	sure := 0
	for i := range uint64(40) {
		if Mix(day(2*i), day(2*i+1), []string{"sun"}, i)[0].Low > 0 {
			sure++
		}
	}
	if sure > 6 {
		t.Errorf("%d of 40", sure)
	}
}
