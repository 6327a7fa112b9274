// SPDX-License-Identifier: Apache-2.0

package learner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"flyball/data/dataset"
	"flyball/data/pipeline"
	"flyball/experiment/evaluation"
	"flyball/fault"
	"flyball/model"
)

// made is data whose label depends on three features, one with missing values.
func made(kind dataset.Kind, seed uint64, rows, cols int) Data {
	r := rand.New(rand.NewPCG(seed, 3))
	d := Data{Kind: kind, X: pipeline.Matrix{Rows: rows, Cols: cols, Data: make([]float32, rows*cols)}, Y: make([]float64, rows)}
	for j := range cols {
		d.X.Names = append(d.X.Names, fmt.Sprint("f", j))
	}
	if kind == dataset.Multiclass {
		d.Classes = 3
	}
	for i := range rows {
		row := d.X.Row(i)
		for j := range row {
			row[j] = float32(r.NormFloat64())
			if j%4 == 3 {
				row[j] = float32(r.IntN(5))
			}
			if r.IntN(10) == 0 {
				row[j] = float32(math.NaN())
			}
		}
		z := 0.5 * r.NormFloat64()
		if row[0] == row[0] {
			z += 2 * float64(row[0])
		} else {
			z += 1.5
		}
		if row[1] == row[1] && row[1] > 0.3 {
			z -= 1
		}
		switch kind {
		case dataset.Regression:
			d.Y[i] = 10 + 3*z
		case dataset.Binary:
			if z > 0 {
				d.Y[i] = 1
			}
		case dataset.Multiclass:
			d.Y[i] = float64(min(2, max(0, int(math.Floor(z/2+1.5)))))
		}
	}
	return d
}

func fit(t testing.TB, with string, settings map[string]any, d Data, o Options) (model.File, model.Estimator) {
	t.Helper()
	l, err := New(with, settings)
	if err != nil {
		t.Fatal(err)
	}
	f, err := l.Fit(context.Background(), d, o)
	if err != nil {
		t.Fatal(err)
	}
	e, err := Decoders().Estimators[f.Name](f.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return f, e
}

var kinds = []dataset.Kind{dataset.Regression, dataset.Binary, dataset.Multiclass}

func TestTheBytesDoNotDependOnTheNumberOfWorkers(t *testing.T) {
	for _, kind := range kinds {
		for _, with := range []string{"builtin/gbdt", "builtin/linear"} {
			settings := map[string]any{}
			if with == "builtin/gbdt" {
				settings = map[string]any{"trees": uint64(8), "depth": 5, "subsample": 0.8, "colsample": 0.7}
			}
			d := made(kind, 1, 2000, 7)
			want, _ := fit(t, with, settings, d, Options{Seed: 7, Workers: 1})
			for _, workers := range []int{2, 4} {
				got, _ := fit(t, with, settings, d, Options{Seed: 7, Workers: workers})
				if !bytes.Equal(got.Bytes, want.Bytes) {
					t.Errorf("%s, %s: %d workers gave other bytes", with, kind, workers)
				}
			}
		}
	}
}

// score is a metric of an estimator on rows it has not seen.
func score(t *testing.T, metric string, e model.Estimator, d Data) float64 {
	t.Helper()
	out := make([]float64, d.X.Rows*e.Outputs())
	e.Score(d.X, out)
	s := evaluation.Sample{Kind: d.Kind, Truth: d.Y, Scores: map[string][]float64{"candidate": out}}
	for c := range d.Classes {
		s.Classes = append(s.Classes, strconv.Itoa(c))
	}
	got, err := evaluation.Measure(metric, s, "candidate", 1)
	if err != nil {
		t.Fatal(err)
	}
	return got.Value
}

func TestWhatIsLearnedHoldsOnRowsThatWereNotSeen(t *testing.T) {
	for _, c := range []struct {
		kind            dataset.Kind
		metric          string
		constant, trees float64 // at least, at most
	}{
		{dataset.Regression, "rmse", 5, 2.2}, {dataset.Binary, "log_loss", 0.65, 0.30}, {dataset.Multiclass, "log_loss", 1.0, 0.45},
	} {
		train, test := made(c.kind, 1, 4000, 6), made(c.kind, 2, 2000, 6)
		_, mean := fit(t, "builtin/constant", nil, onlyLabels(train), Options{})
		if got := score(t, c.metric, mean, onlyLabels(test)); got < c.constant {
			t.Errorf("%s: the constant has a %s of %.3f, want at least %v", c.kind, c.metric, got, c.constant)
		}
		_, trees := fit(t, "builtin/gbdt", map[string]any{"trees": 60, "depth": 4}, train, Options{Seed: 1})
		if got := score(t, c.metric, trees, test); got > c.trees {
			t.Errorf("%s: the trees have a %s of %.3f, want at most %v", c.kind, c.metric, got, c.trees)
		}
		_, lin := fit(t, "builtin/linear", nil, train, Options{})
		if got := score(t, c.metric, lin, test); got > 0.9*c.constant {
			t.Errorf("%s: the linear model has a %s of %.3f", c.kind, c.metric, got)
		}
	}
}

func onlyLabels(d Data) Data {
	d.X = pipeline.Matrix{Rows: d.X.Rows}
	return d
}

// TestLeastSquaresAreExact compares with the solution on paper: y = 2a - b + 3.
func TestLeastSquaresAreExact(t *testing.T) {
	d := Data{Kind: dataset.Regression, X: pipeline.Matrix{Names: []string{"a", "b"}, Rows: 4, Cols: 2, Data: []float32{0, 0, 1, 0, 0, 1, 3, 2}}, Y: []float64{3, 5, 2, 7}}
	_, e := fit(t, "builtin/linear", map[string]any{"l2": 0}, d, Options{})
	out := make([]float64, 1)
	e.Score(pipeline.Matrix{Rows: 1, Cols: 2, Data: []float32{10, 4}}, out)
	if math.Abs(out[0]-19) > 1e-4 {
		t.Errorf("got %v, want 19", out[0])
	}
}

func TestAWrongSettingIsToldByName(t *testing.T) {
	for _, c := range []struct {
		with     string
		settings map[string]any
		want     string
	}{
		{"builtin/forest", nil, `there is no learner "builtin/forest"; use builtin/gbdt, builtin/linear, builtin/last or builtin/constant`},
		{"builtin/linear", map[string]any{"zeta": 1, "alpha": 1}, `knows no setting "alpha"; it knows l2, standardize, objective or class_weight`},
		{"builtin/gbdt", map[string]any{"tree": 10}, `knows no setting "tree"; did you mean trees? it knows trees, depth`},
		{"builtin/gbdt", map[string]any{"trees": 1.5}, "train.settings.trees of builtin/gbdt is 1.5; it is a whole number"},
		{"builtin/gbdt", map[string]any{"learning_rate": "fast"}, "train.settings.learning_rate of builtin/gbdt is fast"},
		{"builtin/constant", map[string]any{"x": 1}, `builtin/constant knows no setting "x"`},
	} {
		_, err := New(c.with, c.settings)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

func TestAWrongLabelIsTold(t *testing.T) {
	d := made(dataset.Binary, 1, 10, 2)
	d.Y[3] = 2
	for _, with := range []string{"builtin/gbdt", "builtin/linear", "builtin/constant"} {
		l, err := New(with, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Fit(context.Background(), d, Options{}); err == nil || !strings.Contains(err.Error(), "row 3: 2 is not a label") {
			t.Errorf("%s: got %v", with, err)
		}
	}
}

func TestDataThatCannotBeTrainedOnAreTold(t *testing.T) {
	for _, c := range []struct {
		name  string
		kind  dataset.Kind
		spoil func(*Data)
		want  string
	}{
		{"an infinite value", dataset.Regression, func(d *Data) { d.X.Data[5] = float32(math.Inf(1)) }, "row 2, feature 1: the value is infinite"},
		{"one class", dataset.Multiclass, func(d *Data) { d.Classes = 1 }, "10 rows of 1 classes"},
		{"names that do not fit", dataset.Binary, func(d *Data) { d.X.Names = d.X.Names[:1] }, "20 values under 1 names are not 10 rows of 2 features"},
		{"no rows", dataset.Binary, func(d *Data) { *d = Data{Kind: dataset.Binary} }, "0 rows and 0 labels"},
	} {
		for _, with := range []string{"builtin/gbdt", "builtin/linear", "builtin/constant"} {
			d := made(c.kind, 1, 10, 2)
			c.spoil(&d)
			l, err := New(with, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, err = l.Fit(context.Background(), d, Options{})
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s, %s: got %v, want %q", with, c.name, err, c.want)
			}
		}
	}
}

// TestTrainingRowsScoreAsTheyWereDivided asks that a value falls on the same side of
// a threshold in float32 as its bin did: with a rate of 1 and no penalty, one deep tree
// gives every row of a table without repeats its own label.
func TestTrainingRowsScoreAsTheyWereDivided(t *testing.T) {
	d := Data{Kind: dataset.Regression, X: pipeline.Matrix{Names: []string{"x"}, Rows: 64, Cols: 1, Data: make([]float32, 64)}, Y: make([]float64, 64)}
	x := float32(1)
	for i := range d.Y {
		d.X.Data[i], d.Y[i] = x, float64(i*i%17)
		x = math.Nextafter32(x, 2)
	}
	_, e := fit(t, "builtin/gbdt", map[string]any{"trees": 1, "depth": 16, "learning_rate": 1, "lambda": 0, "min_child_weight": 0}, d, Options{})
	out := make([]float64, 64)
	e.Score(d.X, out)
	for i, got := range out {
		if math.Abs(got-d.Y[i]) > 1e-5 {
			t.Errorf("row %d: got %v, want %v", i, got, d.Y[i])
		}
	}
}

func TestATrainingThatIsCanceledEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	l, err := New("builtin/gbdt", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Fit(ctx, made(dataset.Binary, 1, 100, 2), Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkBoosting(b *testing.B) {
	d := made(dataset.Binary, 1, 100_000, 20)
	l, err := New("builtin/gbdt", map[string]any{"trees": 200, "depth": 6})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Fit(context.Background(), d, Options{Seed: 1, Workers: 1}); err != nil {
			b.Fatal(err)
		}
	}
}
