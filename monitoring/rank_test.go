// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"flyball/stat"
)

func TestOneFarWindowDoesNotHideItself(t *testing.T) {
	a := aspect{values: []float64{-1, 0, 1, 0, -1, 1, 0, 50}, signed: true, least: leastSpread}
	got := a.scores()
	// Of the seven others the mean is 0 and the spread sqrt(4/6): t is 50/(0.8165·sqrt(8/7)),
	// 57.28 with six degrees of freedom, and sqrt(6·ln(1+t²/6))·49/51 is 5.909.
	if k := len(got) - 1; math.Abs(got[k]-5.909) > 5e-3 || slices.Max(got) != got[k] {
		t.Errorf("got %.4f, want the last to be 5.909 and the furthest", got)
	}
	if got := (aspect{values: []float64{1, 2}}).scores(); !slices.Equal(got, []float64{0, 0}) {
		t.Errorf("got %v of two values, want that nothing can be said", got)
	}
}

// A p-value that is below one in all windows must be as rare as it says.
func TestTheTailBeyondTheFurthestWindowIsAsRareAsItSays(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	const windows, trials = 40, 60_000
	for _, c := range []struct {
		name string
		draw func() float64
		low  float64 // share of what is said that is got, at least
	}{
		{"exponential values, for which it is exact", r.ExpFloat64, 0.85},
		{"the furthest of 30 normal numbers", func() float64 {
			m := 0.0
			for range 30 {
				m = max(m, math.Abs(r.NormFloat64()))
			}
			return m
		}, 0},
	} {
		below := map[float64]int{0.01: 0, 0.002: 0}
		far := make([]float64, windows)
		for range trials {
			for k := range far {
				far[k] = c.draw()
			}
			now := c.draw()
			if now <= slices.Max(far) {
				continue
			}
			p := tail(far, now) / (windows + 1)
			for limit := range below {
				if p <= limit {
					below[limit]++
				}
			}
		}
		for limit, n := range below {
			if got := float64(n) / trials; got > 1.15*limit || got < c.low*limit {
				t.Errorf("%s: p at most %g in %g of trials", c.name, limit, got)
			}
		}
	}
}

func TestTheAlarmLevelIsThatOfOneFalseAlarmInSoManyWindows(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	for _, windows := range []float64{6, 26, 180} {
		level, evidence, alarms := alarmLevel(windows), 0.0, 0
		const n = 400_000
		for range n {
			if evidence = stat.ShiryaevRoberts(evidence, 1-r.Float64()); evidence >= level {
				evidence = 0
				alarms++
			}
		}
		if got := float64(n) / float64(alarms); math.Abs(got/windows-1) > 0.1 {
			t.Errorf("level %.3g for one in %g windows: got one in %.1f", level, windows, got)
		}
	}
	if got := alarmLevel(0); got < 1 {
		t.Errorf("got %g for no windows", got)
	}
}

func TestASmallShiftThatStaysAddsUpOverWindows(t *testing.T) {
	s := slow{}
	for range 12 {
		s = s.with(0.1)
	}
	if mean, share := s.mean(); math.Abs(mean-0.1) > 1e-12 || share < 1.0/7 || share > 1.0/6 {
		t.Errorf("got a mean of %g that varies as %g of a window, want 0.1 and about a seventh", mean, share)
	}
	if one := (slow{}).with(0.1); math.Abs(one.score()-0.1) > 1e-12 || s.score() < 0.23 {
		t.Errorf("got scores of %g and %g, want 0.1 after one window and far more after twelve", one.score(), s.score())
	}
}
