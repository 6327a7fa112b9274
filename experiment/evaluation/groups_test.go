// SPDX-License-Identifier: Apache-2.0

package evaluation

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"flyball/data/dataset"
	"flyball/fault"
)

// decided is a sample of groups with so many rows each, decided yes at the group's rate.
func decided(rng *rand.Rand, n int, rates ...float64) Sample {
	s := Sample{Kind: dataset.Binary, Scores: map[string][]float64{}, Slices: []SliceColumn{{Name: "sex"}}}
	for k, rate := range rates {
		for range n {
			score := 0.2
			if rng.Float64() < rate {
				score = 0.8
			}
			s.Truth = append(s.Truth, float64(rng.IntN(2)))
			s.Scores["live"] = append(s.Scores["live"], score)
			s.Slices[0].Values = append(s.Slices[0].Values, fmt.Sprint("g", k))
		}
	}
	return s
}

func lower(t *testing.T, s Sample) bool {
	t.Helper()
	got, err := Groups(s, "sex", "live", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range got.Groups {
		if g.Judged == GroupLower {
			return true
		}
	}
	return false
}

func TestGroupsThatAreAlikeAreSeldomCalledLowerAndOthersOften(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, c := range []struct {
		rates       []float64
		n           int
		least, most float64
	}{
		{[]float64{0.1, 0.1}, 100, 0, 0.035},
		{[]float64{0.1, 0.1}, 1000, 0, 0.005},
		{[]float64{0.3, 0.3}, 100, 0, 0.025},
		{[]float64{0.1, 0.1, 0.1, 0.1, 0.1}, 100, 0, 0.04},
		{[]float64{0.3, 0.18}, 300, 0.5, 0.72},
		{[]float64{0.3, 0.18}, 1000, 0.94, 1},
		{[]float64{0.1, 0.06}, 1000, 0.45, 0.7},
		{[]float64{0.1, 0.06}, 3000, 0.9, 1},
	} {
		const times = 150
		hits := 0
		for range times {
			s := decided(rng, c.n, c.rates...)
			for i := range s.Truth {
				s.Truth[i] = math.NaN() // what needs truths takes longer
			}
			if lower(t, s) {
				hits++
			}
		}
		if got := float64(hits) / times; got < c.least || got > c.most {
			t.Errorf("rates %v, %d rows: %.3f called lower, want %.3f to %.3f", c.rates, c.n, got, c.least, c.most)
		}
	}
}

// eight rows of women and twelve of men would be too few; so each is there ten times.
// The values are those of fairlearn's MetricFrame with selection_rate,
// true_positive_rate, false_positive_rate, and of scikit-learn's precision_score and
// roc_auc_score, worked out by hand.
func TestATableOfGroupsHasTheLibrariesValues(t *testing.T) {
	s := Sample{Kind: dataset.Binary, Scores: map[string][]float64{}, Slices: []SliceColumn{{Name: "sex"}}}
	add := func(group string, times int, truth, score float64) {
		for range times {
			s.Truth, s.Scores["live"] = append(s.Truth, truth), append(s.Scores["live"], score)
			s.Slices[0].Values = append(s.Slices[0].Values, group)
		}
	}
	add("men", 50, 1, 0.9)
	add("men", 10, 0, 0.8)
	add("men", 40, 0, 0.3)
	add("men", 20, 1, 0.4)
	add("women", 20, 1, 0.7)
	add("women", 40, 0, 0.1)
	add("women", 20, 1, 0.2)
	add("none", 3, 1, 0.9)
	got, err := Groups(s, "sex", "live", 0)
	if err != nil {
		t.Fatal(err)
	}
	if got.Reference != "men" || got.Rows != 203 || got.Suppress != 1 || len(got.Groups) != 2 {
		t.Fatalf("got %+v", got)
	}
	men, women := got.Groups[0], got.Groups[1]
	for _, c := range []struct {
		what      string
		got, want float64
	}{
		{"selection of men", men.Selection.Value, 60.0 / 120},
		{"selection of women", women.Selection.Value, 20.0 / 80},
		{"base rate of men", *men.Base, 70.0 / 120},
		{"tpr of men", *men.TPR, 50.0 / 70},
		{"tpr of women", *women.TPR, 20.0 / 40},
		{"fpr of men", *men.FPR, 10.0 / 50},
		{"fpr of women", *women.FPR, 0},
		{"precision of men", *men.Precision, 50.0 / 60},
		{"precision of women", *women.Precision, 1},
		{"auc of men", *men.AUC, (50*50 + 20*40.0) / (70 * 50)},
		{"auc of women", *women.AUC, 1},
		{"mean score of women", women.MeanScore, (20*0.7 + 40*0.1 + 20*0.2) / 80},
		{"calibration of women", *women.Calibration, (20*0.7+40*0.1+20*0.2)/80 - 0.5},
		{"ratio", women.Ratio.Value, (20.5 / 81) / (60.5 / 121)},
		{"share of women", women.Share, 80.0 / 203},
	} {
		if math.Abs(c.got-c.want) > 1e-12 {
			t.Errorf("%s: got %v, want %v", c.what, c.got, c.want)
		}
	}
	if women.Judged != GroupLower || men.Judged != GroupReference {
		t.Errorf("women %s, men %s", women.Judged, men.Judged)
	}
}

func TestGroupsWithoutTruthsAreToldByTheirDecisionsAlone(t *testing.T) {
	s := decided(rand.New(rand.NewPCG(2, 2)), 200, 0.3, 0.2)
	for i := range s.Truth {
		s.Truth[i] = math.NaN()
	}
	got, err := Groups(s, "sex", "live", 0)
	if err != nil {
		t.Fatal(err)
	}
	g := got.Groups[1]
	if g.TPR != nil || g.Base != nil || g.AUC != nil || g.Calibration != nil || g.Judged != GroupOpen || g.Needs == 0 {
		t.Errorf("got %+v", g)
	}
}

func TestRowsThatCountForFewerTellLess(t *testing.T) {
	s := decided(rand.New(rand.NewPCG(3, 2)), 400, 0.3, 0.18)
	s.Block = make([]uint64, len(s.Truth))
	for i := range s.Block { // ten rows decide as one
		s.Block[i] = uint64(i / 10)
		s.Scores["live"][i] = s.Scores["live"][i/10*10]
	}
	plain := s
	plain.Block = nil
	with, err := Groups(s, "sex", "live", 0)
	without, err2 := Groups(plain, "sex", "live", 0)
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	if a, b := with.Groups[1].Ratio, without.Groups[1].Ratio; a.High-a.Low < 2*(b.High-b.Low) {
		t.Errorf("by blocks %+v, by rows %+v", a, b)
	}
}

func TestATableOfNoGroupsIsRefused(t *testing.T) {
	s := decided(rand.New(rand.NewPCG(4, 2)), 5, 0.3, 0.3)
	for _, column := range []string{"sex", "age"} {
		if _, err := Groups(s, column, "live", 0); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v", column, err)
		}
	}
	s.Kind = dataset.Regression
	if _, err := Groups(s, "sex", "live", 0); !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v", err)
	}
}
