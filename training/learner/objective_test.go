// SPDX-License-Identifier: Apache-2.0

package learner

import (
	"context"
	"math"
	"strings"
	"testing"

	"flyball/data/dataset"
	"flyball/data/pipeline"
	"flyball/fault"
)

func TestEachObjectiveIsWeighedAndStoppedAndScored(t *testing.T) {
	d := made(dataset.Regression, 1, 1000, 5)
	for i, y := range d.Y {
		d.Y[i] = math.Abs(y)
		d.Weights = append(d.Weights, float64(i%3))
	}
	mean := 0.0
	for _, y := range d.Y {
		mean += y / float64(len(d.Y))
	}
	for _, objective := range []string{"squared", "absolute", "quantile", "poisson"} {
		_, e := fit(t, "builtin/gbdt", map[string]any{"trees": 60, "depth": 4, "objective": objective, "early_stopping": 10}, d, Options{Seed: 1})
		out := make([]float64, d.X.Rows)
		e.Score(d.X, out)
		off, floor := 0.0, 0.0
		for i, y := range d.Y {
			off, floor = off+math.Abs(out[i]-y), floor+math.Abs(mean-y)
		}
		if off > 0.6*floor {
			t.Errorf("%s: the trees are off by %.3f, the mean by %.3f", objective, off, floor)
		}
	}
}

func TestACategoricalFeatureIsSplitBySets(t *testing.T) {
	d := Data{Kind: dataset.Regression, X: pipeline.Matrix{Names: []string{"c"}, Rows: 600, Cols: 1, Data: make([]float32, 600)}, Y: make([]float64, 600)}
	for i := range d.Y {
		d.X.Data[i], d.Y[i] = float32(i%12), float64(i%12%2)
	}
	_, e := fit(t, "builtin/gbdt", map[string]any{"trees": 1, "depth": 1, "learning_rate": 1, "lambda": 0, "categorical": []any{"c"}}, d, Options{})
	out := make([]float64, 600)
	e.Score(d.X, out)
	for i, y := range d.Y {
		if math.Abs(out[i]-y) > 1e-6 {
			t.Fatalf("category %d: got %v, want %v", i%12, out[i], y)
		}
	}
}

func TestAMonotoneFeatureNeverTurnsBack(t *testing.T) {
	d := made(dataset.Regression, 4, 1500, 3)
	_, e := fit(t, "builtin/gbdt", map[string]any{"trees": 40, "monotone": map[string]any{"f0": 1}}, d, Options{})
	x := pipeline.Matrix{Rows: 200, Cols: 3, Data: make([]float32, 600)}
	for i := range 200 {
		copy(x.Row(i), []float32{float32(i-100) / 30, 0.2, -0.4})
	}
	out := make([]float64, 200)
	e.Score(x, out)
	for i := 1; i < len(out); i++ {
		if out[i] < out[i-1]-1e-6 {
			t.Fatalf("the score falls from %v to %v at %v", out[i-1], out[i], x.Row(i)[0])
		}
	}
}

func TestTheLastValueIsThePredictionAndTheMeanWhereThereIsNone(t *testing.T) {
	nan := float32(math.NaN())
	d := Data{Kind: dataset.Regression, X: pipeline.Matrix{Names: []string{"a", "before"}, Rows: 2, Cols: 2, Data: []float32{1, 7, 2, nan}}, Y: []float64{4, 10}, Weights: []float64{1, 3}}
	_, e := fit(t, "builtin/last", map[string]any{"column": "before"}, d, Options{})
	out := make([]float64, 2)
	if e.Score(d.X, out); out[0] != 7 || out[1] != 8.5 {
		t.Errorf("got %v, want 7 and 8.5", out)
	}
	d.Kind, d.Y = dataset.Binary, []float64{0, 1}
	l, err := New("builtin/last", map[string]any{"column": "before"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Fit(context.Background(), d, Options{}); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "builtin/last predicts numbers") {
		t.Errorf("got %v", err)
	}
}
