// SPDX-License-Identifier: Apache-2.0

package learner

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"

	"flyball/data/dataset"
	"flyball/data/pipeline"
	"flyball/fault"
	"flyball/model/linear"
)

// reference is a table, and what scikit-learn makes of it; testdata/linear.py says how.
type reference struct {
	Name         string
	Kind         dataset.Kind
	Classes      int
	Settings     map[string]any
	Features     int
	X            []*float32
	Y, Weights   []float64
	Coefficients [][]float64
	Intercepts   []float64
}

func (r reference) data() Data {
	d := Data{X: pipeline.Matrix{Rows: len(r.Y), Cols: r.Features}, Y: r.Y, Kind: r.Kind, Classes: r.Classes, Weights: r.Weights}
	for _, v := range r.X {
		if v == nil {
			d.X.Data = append(d.X.Data, float32(math.NaN()))
		} else {
			d.X.Data = append(d.X.Data, *v)
		}
	}
	return d
}

// sameCoefficients holds the learner to every reference: to 1e-6 of a coefficient, or
// of 1 where it is smaller.
func sameCoefficients(t *testing.T, raw []byte) {
	t.Helper()
	var all []reference
	if err := json.Unmarshal(raw, &all); err != nil || len(all) < 40 {
		t.Fatalf("%d references, %v", len(all), err)
	}
	for _, r := range all {
		t.Run(r.Name, func(t *testing.T) {
			_, e := fit(t, "builtin/linear", r.Settings, r.data(), Options{Workers: 2})
			m := e.(*linear.Model)
			if (m.Link == linear.Log) != (r.Settings["objective"] == "poisson") {
				t.Errorf("the link is %q", m.Link)
			}
			far := 0.0
			for o := range r.Intercepts {
				got, want := append(m.Coefficients[o], m.Intercepts[o]), append(r.Coefficients[o], r.Intercepts[o])
				for j := range want {
					far = max(far, math.Abs(got[j]-want[j])/max(1, math.Abs(want[j])))
				}
			}
			if far > 1e-6 {
				t.Errorf("apart by %.2g:\ngot  %v %v\nwant %v %v", far, m.Coefficients, m.Intercepts, r.Coefficients, r.Intercepts)
			}
		})
	}
}

func TestTheCoefficientsAreThoseOfScikitLearn(t *testing.T) {
	raw, err := os.ReadFile("testdata/linear.json")
	if err != nil {
		t.Fatal(err)
	}
	sameCoefficients(t, raw)
}

func TestTheCoefficientsAreThoseOfScikitLearnOnOtherTables(t *testing.T) {
	python := pythonWithXGBoost(t)
	tables := [][]string{{"100", "7"}}
	if os.Getenv("FLYBALL_LONG") != "" {
		tables = append(tables, []string{"600", "8"})
	}
	for _, args := range tables {
		var failed bytes.Buffer
		cmd := exec.CommandContext(t.Context(), python, append([]string{"testdata/linear.py"}, args...)...)
		cmd.Stderr = &failed
		raw, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v\n%s", err, failed.Bytes())
		}
		sameCoefficients(t, raw)
	}
}

func TestManyFeaturesAreFittedWithoutAMatrixAsWithOne(t *testing.T) {
	for _, c := range []struct {
		kind      dataset.Kind
		objective string
	}{{dataset.Binary, ""}, {dataset.Multiclass, ""}, {dataset.Regression, "squared"}, {dataset.Regression, "poisson"}} {
		d := made(c.kind, 4, 800, 30)
		if c.objective == "poisson" {
			d = counts(d)
		}
		settings := map[string]any{"l2": 2}
		if c.objective != "" {
			settings["objective"] = c.objective
		}
		_, few := fit(t, "builtin/linear", settings, d, Options{})
		// Features that do not vary change nothing but the way the steps are found.
		wide := d
		wide.X = pipeline.Matrix{Rows: d.X.Rows, Cols: densest + 1, Data: make([]float32, d.X.Rows*(densest+1))}
		for i := range d.X.Rows {
			copy(wide.X.Row(i), d.X.Row(i))
		}
		_, many := fit(t, "builtin/linear", settings, wide, Options{})
		for o, want := range few.(*linear.Model).Coefficients {
			for j := range want {
				if got := many.(*linear.Model).Coefficients[o][j]; math.Abs(got-want[j]) > 1e-8 {
					t.Errorf("%s %s, output %d, feature %d: got %v, want %v", c.kind, c.objective, o, j, got, want[j])
				}
			}
		}
	}
}

func TestARowOfWeightTwoIsTwoRows(t *testing.T) {
	one := made(dataset.Binary, 3, 300, 3)
	two := one
	two.X.Data, two.Y = nil, nil
	for i := range one.X.Rows {
		one.Weights = append(one.Weights, float64(i%3))
		for range i % 3 {
			two.X.Data, two.Y = append(two.X.Data, one.X.Row(i)...), append(two.Y, one.Y[i])
		}
	}
	two.X.Rows = len(two.Y)
	_, a := fit(t, "builtin/linear", nil, one, Options{})
	_, b := fit(t, "builtin/linear", nil, two, Options{})
	for j, got := range a.(*linear.Model).Coefficients[0] {
		if want := b.(*linear.Model).Coefficients[0][j]; math.Abs(got-want) > 1e-10 {
			t.Errorf("feature %d: got %v, want %v", j, got, want)
		}
		if got, want := a.(*linear.Model).Fill[j], b.(*linear.Model).Fill[j]; math.Abs(got-want) > 1e-10 {
			t.Errorf("the mean of feature %d: got %v, want %v", j, got, want)
		}
	}
}

// TestWhatHasNoBestModelEnds asks that labels which can be told apart, or are all the
// same, give finite coefficients and not a search without end.
func TestWhatHasNoBestModelEnds(t *testing.T) {
	x := []float32{1, 2, 3, 4, 5, 6}
	for _, c := range []struct {
		name     string
		kind     dataset.Kind
		y        []float64
		settings map[string]any
	}{
		{"apart", dataset.Binary, []float64{0, 0, 0, 1, 1, 1}, map[string]any{"l2": 0}},
		{"one class", dataset.Binary, []float64{1, 1, 1, 1, 1, 1}, nil},
		{"a class without rows", dataset.Multiclass, []float64{0, 0, 0, 2, 2, 0}, map[string]any{"l2": 0}},
		{"no counts", dataset.Regression, []float64{0, 0, 0, 0, 0, 0}, map[string]any{"objective": "poisson"}},
		{"large counts", dataset.Regression, []float64{0, 0, 1e9, 0, 0, 1e9}, map[string]any{"objective": "poisson", "l2": 0}},
	} {
		d := Data{X: pipeline.Matrix{Rows: 6, Cols: 1, Data: x}, Y: c.y, Kind: c.kind, Classes: 3}
		_, e := fit(t, "builtin/linear", c.settings, d, Options{})
		out := make([]float64, 6*e.Outputs())
		e.Score(d.X, out)
		for i, y := range c.y {
			got := out[i]
			if c.kind == dataset.Multiclass {
				got, y = out[i*3+int(y)], 1
			}
			if c.name != "large counts" && c.name != "a class without rows" && !(math.Abs(got-y) < 1e-6) || got != got {
				t.Errorf("%s, row %d: got %v, want %v", c.name, i, got, y)
			}
		}
	}
}

func TestALabelBelowZeroIsNoCount(t *testing.T) {
	d := made(dataset.Regression, 1, 20, 2)
	d.Y[4] = -1
	l, err := New("builtin/linear", map[string]any{"objective": "poisson"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.Fit(context.Background(), d, Options{})
	if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "row ") || !strings.Contains(err.Error(), "takes no label below 0") {
		t.Errorf("got %v", err)
	}
}
