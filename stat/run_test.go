// SPDX-License-Identifier: Apache-2.0

package stat

import (
	"math"
	"math/rand/v2"
	"os"
	"testing"
)

// weekly is so many days of which each is much like the one before (correlation 0.6).
func weekly(r *rand.Rand, days int) []float64 {
	x := make([]float64, days)
	last := r.NormFloat64()
	for i := range x {
		last = 0.6*last + 0.8*r.NormFloat64()
		x[i] = last
	}
	return x
}

func TestDaysInRunsAreDrawnInRuns(t *testing.T) {
	d := RunsOf(6, []uint64{30, 10, 20, 10, 40, 50}, 2)
	if d.Count != 5 || d.Of[0] != 2 || d.Of[1] != 0 || d.Of[4] != 3 || d.Independent() != 2 {
		t.Errorf("got %+v", d)
	}
	times := make([]float64, 5)
	d.Draw(rand.New(rand.NewPCG(1, 1)), times)
	sum := 0.0
	for _, n := range times {
		sum += n
	}
	if sum != 5 {
		t.Errorf("a resample has %v draws", sum)
	}
	one := RunsOf(4, []uint64{1, 1, 2, 2}, 1)
	if got, want := one.Mean([]float64{1, 1, 3, 3}, nil), ClusterMean([]float64{1, 1, 3, 3}, []uint64{1, 1, 2, 2}); got != want {
		t.Errorf("runs of one: got %+v, want %+v", got, want)
	}
	if m := RunsOf(4, []uint64{1, 2, 3, 4}, 4).Mean([]float64{1, 2, 3, 4}, nil); m.DF != 0 || m.Value != 2.5 {
		t.Errorf("one run: got %+v", m)
	}
}

// Where a day is much like the one before, intervals by days are too narrow, and those by
// runs of days hold nearly what they say: 95 %, here at least 90 % where by days it is
// below 80 %.
func TestRunsHoldTheirLevelWhereDaysDependOnEachOther(t *testing.T) {
	const days, run = 112, 14
	trials := 400
	if os.Getenv("FLYBALL_LONG") != "" {
		trials = 4000
	}
	r := rand.New(rand.NewPCG(5, 7))
	block := make([]uint64, days)
	for i := range block {
		block[i] = uint64(i)
	}
	byDay, byRun, again := 0, 0, 0
	for i := range trials {
		x := weekly(r, days)
		low, high := RunsOf(days, block, 1).Mean(x, nil).Interval(.95)
		if low <= 0 && 0 <= high {
			byDay++
		}
		low, high = RunsOf(days, block, run).Mean(x, nil).Interval(.95)
		if low <= 0 && 0 <= high {
			byRun++
		}
		if i < trials/10 {
			s, _ := RunsOf(days, block, run).Bootstrap(uint64(i), func(times []float64) float64 {
				sum := 0.0
				for k, n := range times {
					sum += n * x[k]
				}
				return sum / days
			})
			if s.Low <= 0 && 0 <= s.High {
				again++
			}
		}
	}
	share := func(n, of int) float64 { return float64(n) / float64(of) }
	if share(byDay, trials) > 0.8 || share(byRun, trials) < 0.9 || share(again, trials/10) < 0.75 {
		t.Errorf("by days %.3f, by runs %.3f, by resampled runs %.3f", share(byDay, trials), share(byRun, trials), share(again, trials/10))
	}
	if math.IsNaN(share(byRun, trials)) {
		t.Error("no trial")
	}
}

// The sum of moving averages over two days has twice the variance that it would have of days
// that stand alone, 1 and twice ½ for the neighbour. Runs of four see 1 + 2·¾·½ of that, and
// runs of two 1 + 2·½·½.
func TestWhatReachesFromOneRunIntoTheNextIsAdded(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	const days = 40_000
	x, last := make([]float64, days), r.NormFloat64()
	for i := range x {
		next := r.NormFloat64()
		x[i], last = (last+next)/math.Sqrt2/math.Sqrt(days), next
	}
	near(t, "runs of four", runs(x, 4), 1.75, 0.06)
	near(t, "with what reaches across", longRun(x, 4), 1.75+1.5*0.25, 0.1)
	near(t, "days alone", longRun(x, 1), 1, 0.03)
}

func TestFewDrawsThatMakeTheVarianceLeaveFewDegreesOfFreedom(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 9))
	x := make([]float64, 20_000)
	for i := range x {
		x[i] = r.NormFloat64()
	}
	near(t, "normal draws", freedom(x)/20_000, 1, 0.05)
	near(t, "ten of a thousand that count", freedom(append(make([]float64, 990), 1, -1, 1, -1, 1, -1, 1, -1, 1, -1)), 2*100/(10-100./1000), 1e-9)
	if d := DrawsOf(4, nil).Linear(0, []float64{1, -1, 1, -1}); d.DF != 3 {
		t.Errorf("draws that are alike: got %v degrees of freedom", d.DF)
	}
}
