// SPDX-License-Identifier: Apache-2.0

package evaluation

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"flyball/data/dataset"
)

// The wanted values come from testdata/reference.py.
func TestMetricsAgreeWithScikitLearn(t *testing.T) {
	b, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	agree(t, b)
}

// agree holds the metrics to what reference.py wrote.
func agree(t *testing.T, b []byte) {
	t.Helper()
	var cases []struct {
		Name    string
		Kind    dataset.Kind
		Classes []string
		Costs   dataset.Costs
		Truth   []float64
		Scores  []float64
		Weight  []float64
		Above   float64
		Want    map[string]float64
	}
	if err := json.Unmarshal(b, &cases); err != nil || len(cases) < 20 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	checked := 0
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			s := Sample{Kind: c.Kind, Classes: c.Classes, Costs: c.Costs, Truth: c.Truth, Weight: c.Weight, Scores: map[string][]float64{"candidate": c.Scores}}
			if c.Kind == dataset.Binary {
				s.Decide = &dataset.Decision{Above: c.Above}
			}
			for metric, want := range c.Want {
				e, _ := Measure(metric, s, "candidate", 1) // few rows may have no interval: the value is what counts here
				if !(math.Abs(e.Value-want) <= 1e-10*max(1, math.Abs(want))) {
					t.Errorf("%s: got %.15g, want %.15g", metric, e.Value, want)
				}
				if v, err := Value(metric, s, "candidate"); err == nil && !(math.Abs(v-want) <= 1e-10*max(1, math.Abs(want))) || err != nil && metric != "mape" {
					t.Errorf("%s without an interval: got %.15g, %v, want %.15g", metric, v, err, want)
				}
				checked++
			}
			for _, metric := range ForKind(c.Kind) {
				if _, ok := c.Want[metric]; ok || beyond(metric, s) {
					continue
				}
				if e, err := Measure(metric, s, "candidate", 1); err == nil {
					t.Errorf("%s: got %+v where scikit-learn has no answer", metric, e)
				}
			}
		})
	}
	if checked < 450 {
		t.Errorf("only %d values were checked", checked)
	}
}

// beyond reports whether scikit-learn cannot be asked: it has no areas of pairs of
// classes for rows that count differently, and loses the digits of large numbers.
func beyond(metric string, s Sample) bool {
	return metric == "auc_ovo" && s.Weight != nil || metric == "poisson_deviance" && s.Truth[0] > 1e7
}
