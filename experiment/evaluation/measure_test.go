// SPDX-License-Identifier: Apache-2.0

package evaluation

import (
	"math"
	"testing"

	"flyball/data/dataset"
)

func TestAPairedImprovementIsPositiveWhenTheCandidateErrsLess(t *testing.T) {
	s := Sample{
		Kind: dataset.Regression, Truth: []float64{10, 20, 30, 40}, Block: []uint64{1, 1, 2, 2},
		Scores: map[string][]float64{"candidate": {11, 21, 32, 42}, "live": {13, 23, 36, 46}},
	}
	d, err := Compare("mae", s, "candidate", "live", 1)
	if err != nil || d.Candidate != 1.5 || d.Other != 4.5 || d.Value != 3 || d.SE != 1 || d.Blocks != 2 {
		t.Errorf("got %+v, %v", d, err)
	}
	e, err := Measure("rmse", s, "candidate", 1) // 1.581 and 12.706 times the error 0.4743 of two blocks
	if err != nil || math.Abs(e.Value-math.Sqrt(2.5)) > 1e-12 || e.Low != 0 || math.Abs(e.High-7.608221) > 1e-5 {
		t.Errorf("got %+v, %v", e, err)
	}
}

func TestARowsLossIsItsPartOfTheMetric(t *testing.T) {
	for name, c := range map[string]struct {
		metric string
		kind   dataset.Kind
		truth  float64
		scores []float64
		want   float64
		ok     bool
	}{
		"half a chance costs ln 2":          {"log_loss", dataset.Binary, 1, []float64{0.5}, math.Ln2, true},
		"a sure mistake is clipped":         {"log_loss", dataset.Binary, 1, []float64{0}, 36.04365338911715, true},
		"the highest class decides":         {"accuracy", dataset.Multiclass, 1, []float64{0.2, 0.8}, 1, true},
		"auc is no mean":                    {"auc", dataset.Binary, 1, []float64{0.5}, 0, false},
		"a share of a truth of zero is not": {"mape", dataset.Regression, 0, []float64{1}, 0, false},
	} {
		got, ok := Loss(c.metric, c.kind, c.truth, c.scores)
		if ok != c.ok || ok && math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s: got %v, %v", name, got, ok)
		}
	}
}

func TestRowsThatCannotTellAreNotJudged(t *testing.T) {
	one := Sample{Kind: dataset.Binary, Truth: []float64{1, 1, 1}, Scores: map[string][]float64{"live": {0.1, 0.2, 0.3}}}
	for name, s := range map[string]Sample{"one class": one, "no rows": {Kind: dataset.Binary}} {
		if e, err := Measure("auc", s, "live", 1); err == nil {
			t.Errorf("%s: got %+v", name, e)
		}
	}
}

func TestTheAreaOfIndependentRowsIsComparedByDeLong(t *testing.T) {
	s := Sample{
		Kind: dataset.Binary, Truth: []float64{1, 1, 0, 0},
		Scores: map[string][]float64{"candidate": {0.9, 0.8, 0.2, 0.1}, "live": {0.9, 0.3, 0.4, 0.1}},
	}
	d, err := Compare("auc", s, "candidate", "live", 1)
	if err != nil || d.Candidate != 1 || d.Other != 0.75 || d.Value != 0.25 || math.Abs(d.SE-math.Sqrt(0.125)) > 1e-12 {
		t.Errorf("got %+v, %v", d, err)
	}
}

func TestRowsThatTieAtTheBorderOfTheHighestCountInPart(t *testing.T) {
	s := Sample{Kind: dataset.Binary, Truth: []float64{1, 0, 1, 0}, Scores: map[string][]float64{"live": {0.9, 0.5, 0.5, 0.1}}}
	for metric, want := range map[string]float64{
		"precision_at_k(1)": 1, "precision_at_k(2)": 0.75, "recall_at_k(2)": 0.75, "precision_at_k(50%)": 0.75, "recall_at_k(25%)": 0.5,
		"recall_at_k(3)": 1, "precision_at_k(4)": 0.5,
	} {
		if got, err := Value(metric, s, "live"); err != nil || math.Abs(got-want) > 1e-12 {
			t.Errorf("%s: got %v, %v", metric, got, err)
		}
	}
	if got, err := Value("precision_at_k(5)", s, "live"); err == nil {
		t.Errorf("five of four rows: got %v", got)
	}
}

func TestCostIsWhatTheOwnersTableSays(t *testing.T) {
	s := Sample{
		Kind: dataset.Binary, Truth: []float64{1, 1, 0, 0}, Decide: &dataset.Decision{Above: 0.3},
		Costs:  dataset.Costs{"1": {"0": 5}, "0": {"1": 1}},
		Scores: map[string][]float64{"candidate": {0.9, 0.4, 0.4, 0.1}, "live": {0.9, 0.2, 0.1, 0.1}},
	}
	if d, err := Compare("cost", s, "candidate", "live", 1); err != nil || d.Candidate != 0.25 || d.Other != 1.25 || d.Value != 1 {
		t.Errorf("got %+v, %v", d, err)
	}
	s.Costs = nil
	if e, err := Measure("cost", s, "live", 1); err == nil {
		t.Errorf("without a table: got %+v", e)
	}
	s.Costs = dataset.Costs{"yes": {"no": 5}}
	if e, err := Measure("cost", s, "live", 1); err == nil {
		t.Errorf("of classes that are none: got %+v", e)
	}
}

func TestAMetricsParameterMustFit(t *testing.T) {
	for metric, want := range map[string]bool{
		"pinball(0.9)": true, "pinball(1)": false, "pinball": false, "pinball(0.9": false, "pinball(x)": false, "pinball()": false, "mae(1)": false,
		"recall_at_k(5%)": true, "recall_at_k(0)": false, "recall_at_k(1.5)": false, "recall_at_k(101%)": false, "f1(0.3)": true, "f1(2)": false,
		"top_k_accuracy(3)": true, "top_k_accuracy(3%)": false, "precision_at_k(NaN)": false, "f1(Inf)": false, "": false, "(": false,
	} {
		if got := Known(metric); got != want {
			t.Errorf("%q: got %v", metric, got)
		}
	}
}
