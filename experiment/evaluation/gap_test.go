// SPDX-License-Identifier: Apache-2.0

package evaluation

import (
	"math"
	"slices"
	"testing"

	"flyball/data/dataset"
)

// grouped is rows of a binary model in groups; a group's numbers are how many rows
// it has, how many of them are truly a yes, and how many of the yes and of the no
// each role says yes to.
func grouped(groups map[string][4]int, others map[string][4]int) Sample {
	s := Sample{Kind: dataset.Binary, Scores: map[string][]float64{}}
	var values []string
	for _, name := range []string{"a", "b", "c"} {
		g, ok := groups[name]
		if !ok {
			continue
		}
		for i := range g[0] {
			values = append(values, name)
			yes := i < g[1]
			s.Truth = append(s.Truth, map[bool]float64{true: 1}[yes])
			for role, of := range map[string][4]int{"candidate": g, "live": others[name]} {
				said := yes && i < of[2] || !yes && i-g[1] < of[3]
				s.Scores[role] = append(s.Scores[role], map[bool]float64{true: 0.9, false: 0.1}[said])
			}
		}
	}
	s.Slices = []SliceColumn{{Name: "group", Values: values}}
	return s
}

func TestAGapIsTheDistanceOfTheGroupsFurthestApart(t *testing.T) {
	s := grouped(map[string][4]int{"a": {400, 200, 160, 20}, "b": {300, 100, 60, 50}, "c": {37, 20, 20, 17}}, map[string][4]int{"a": {400, 200, 160, 20}, "b": {300, 100, 60, 20}, "c": {}})
	for metric, want := range map[string]float64{
		"selection_gap": 180./400 - 110./300,
		"tpr_gap":       0.8 - 0.6,
		"fpr_gap":       0.25 - 0.1,
	} {
		g, err := Gaps(metric, s, "group", "candidate", 1)
		if err != nil || math.Abs(g.Value-want) > 1e-12 || !(g.Low <= want && want <= g.High) {
			t.Errorf("%s: got %+v, %v, want %v", metric, g, err, want)
		}
		if !slices.Equal(g.Small, []string{"group=c (n=37)"}) || len(g.Groups) != 2 || g.Missing != 0 || g.Rows != 700 {
			t.Errorf("%s: a group of 37 rows was judged: %+v", metric, g)
		}
	}
	d, err := Widening("fpr_gap", s, "group", "candidate", "live", 1)
	if err != nil || math.Abs(d.Candidate-0.15) > 1e-12 || math.Abs(d.Other-0) > 1e-12 || math.Abs(d.Value+0.15) > 1e-12 || !(d.High < 0) {
		t.Errorf("a wider gap is an improvement below zero: got %+v, %v", d, err)
	}
}

func TestAnIntervalOfTwoRatesAgreesWithTheNormalOne(t *testing.T) {
	s := grouped(map[string][4]int{"a": {2000, 1000, 500, 300}, "b": {2000, 1000, 500, 100}}, nil)
	g, err := Gaps("fpr_gap", s, "group", "candidate", 1)
	se := math.Sqrt(0.3*0.7/1000 + 0.1*0.9/1000)
	low, high := 0.2-2.2414*se, 0.2+1.96*se // the low end holds for a gap of either sign
	if err != nil || math.Abs(g.Low-low) > 0.003 || math.Abs(g.High-high) > 0.003 {
		t.Errorf("got %v…%v, %v, want %v…%v", g.Low, g.High, err, low, high)
	}
	for _, e := range g.Groups {
		if e.Metric != "fpr" || e.Rows != 1000 || !(e.Low < e.Value && e.Value < e.High) {
			t.Errorf("got %+v", e)
		}
	}
	s.Block = make([]uint64, len(s.Truth))
	for i := range s.Block {
		s.Block[i] = uint64(i / 50) // alike rows in one draw, so that much less is known
	}
	blocked, err := Gaps("fpr_gap", s, "group", "candidate", 1)
	if err != nil || blocked.Value != g.Value || blocked.High-blocked.Low < 2*(g.High-g.Low) || blocked.Blocks != 80 {
		t.Errorf("blocks are not respected: got %+v, %v", blocked, err)
	}
}

func TestGroupsTooSmallSayHowManyRowsWouldDo(t *testing.T) {
	for name, c := range map[string]struct {
		groups map[string][4]int
		metric string
		want   int
	}{
		"one group has 50 rows of the 100":          {map[string][4]int{"a": {350, 100, 50, 50}, "b": {50, 25, 5, 5}}, "fpr_gap", 400},
		"one group has 5 of the 10 that are a yes":  {map[string][4]int{"a": {350, 100, 50, 50}, "b": {150, 5, 5, 5}}, "tpr_gap", 500},
		"one group has none that is a yes":          {map[string][4]int{"a": {350, 100, 50, 50}, "b": {150, 0, 0, 5}}, "tpr_gap", 0},
		"there is one group":                        {map[string][4]int{"a": {350, 100, 50, 50}}, "fpr_gap", 0},
		"both are small, and the smaller is scarce": {map[string][4]int{"a": {80, 40, 50, 5}, "b": {20, 10, 5, 5}}, "selection_gap", 400},
	} {
		g, err := Gaps(c.metric, grouped(c.groups, nil), "group", "candidate", 1)
		if err == nil || g.Missing != c.want {
			t.Errorf("%s: got %d more rows, %v, want %d", name, g.Missing, err, c.want)
		}
	}
	s := grouped(map[string][4]int{"a": {350, 100, 50, 50}}, nil)
	for name, c := range map[string][2]string{"a gap of another kind": {"mae_gap", "group"}, "a column that is not there": {"fpr_gap", "age"}} {
		if _, err := Gaps(c[0], s, c[1], "candidate", 1); err == nil {
			t.Errorf("%s was measured", name)
		}
	}
}

func TestErrorsOfGroupsAreCompared(t *testing.T) {
	s := Sample{Kind: dataset.Regression, Scores: map[string][]float64{}}
	var values []string
	for i := range 400 {
		s.Truth = append(s.Truth, 10)
		values = append(values, []string{"a", "b"}[i%2])
		s.Scores["candidate"] = append(s.Scores["candidate"], []float64{11, 7, 11, 9}[i%4])
	}
	s.Slices = []SliceColumn{{Name: "group", Values: values}}
	for metric, want := range map[string]float64{"mae_gap": 1, "bias_gap": 3} {
		if g, err := Gaps(metric, s, "group", "candidate", 1); err != nil || g.Value != want {
			t.Errorf("%s: got %+v, %v, want %v", metric, g, err, want)
		}
	}
}

func TestACandidateThatClosesAGapDoesNotWidenIt(t *testing.T) {
	open := map[string][4]int{"a": {800, 400, 300, 40}, "b": {800, 400, 300, 120}}
	closed := map[string][4]int{"a": {800, 400, 300, 80}, "b": {800, 400, 300, 80}}
	for name, c := range map[string]struct {
		candidate, live map[string][4]int
		low, high       float64 // what the interval must lie within
	}{
		"closed":   {closed, open, 0.05, 0.4},
		"opened":   {open, closed, -0.4, -0.05},
		"the same": {open, open, 0, 0},
	} {
		d, err := Widening("fpr_gap", grouped(c.candidate, c.live), "group", "candidate", "live", 1)
		if err != nil || d.Low < c.low || d.High > c.high || d.Low > d.Value || d.Value > d.High {
			t.Errorf("%s: got %+v, %v", name, d, err)
		}
	}
}
