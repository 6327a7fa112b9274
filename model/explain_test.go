// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"context"
	"math"
	"reflect"
	"testing"

	"flyball/blob"
	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/fault"
	"flyball/model"
	"flyball/training/learner"
)

func TestTheContributionsOfColumnsAddUpToTheLogOdds(t *testing.T) {
	b := make1(t, blob.Memory())
	e, err := b.Explain(ctx, rows())
	if err != nil {
		t.Fatal(err)
	}
	if e.Method != model.ByTrees || e.Space != model.InLogOdds || !reflect.DeepEqual(e.Columns, []string{"x", "city"}) {
		t.Fatalf("got %s in %s of %v", e.Method, e.Space, e.Columns)
	}
	s, err := b.Predict(ctx, rows())
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows().Rows() {
		p := e.Row(i, 0)
		sum := p.Base + p.Columns[0] + p.Columns[1]
		if math.Abs(p.Residual) > 1e-6 || math.Abs(1/(1+math.Exp(-sum))-s.Row(i)[0]) > 1e-6 {
			t.Fatalf("row %d: the log-odds %v and the score %v", i, sum, s.Row(i)[0])
		}
		if math.Abs(p.Columns[1]) < 10*math.Abs(p.Columns[0]) { // y is the city
			t.Fatalf("row %d: x adds %v, the city %v", i, p.Columns[0], p.Columns[1])
		}
	}
}

func TestALinearModelIsExplainedByItsWeights(t *testing.T) {
	n := 200
	a, c, y := make([]float64, n), make([]float64, n), make([]float64, n)
	for i := range n {
		a[i], c[i] = float64(i%7), math.Cos(float64(i))
		y[i] = 3*a[i] - 2*c[i] + 1
	}
	f := frame.New(frame.NumberColumn("a", a), frame.NumberColumn("c", c))
	p, err := pipeline.Fit(ctx, pipeline.Spec{Inputs: f.Fields()}, f, pipeline.Options{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	x, _, err := p.Transform(f)
	if err != nil {
		t.Fatal(err)
	}
	l, err := learner.New("builtin/linear", map[string]any{})
	if err != nil {
		t.Fatal(err)
	}
	file, err := l.Fit(ctx, learner.Data{X: x, Y: y, Kind: dataset.Regression}, learner.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := model.Make(ctx, blob.Memory(), learner.Decoders(), model.Parts{Model: "m", Task: dataset.Task{Kind: dataset.Regression}, Pipeline: p, Estimator: file, Rows: f})
	if err != nil {
		t.Fatal(err)
	}
	e, err := b.Explain(ctx, f)
	if err != nil {
		t.Fatal(err)
	}
	s, err := b.Predict(ctx, f)
	if err != nil {
		t.Fatal(err)
	}
	sums := [2]float64{}
	for i := range n {
		q := e.Row(i, 0)
		if e.Space != model.InValue || e.Method != model.ByWeights || math.Abs(q.Residual) > 1e-12 || q.Margin != s.Row(i)[0] {
			t.Fatalf("row %d: %s in %s, %+v, score %v", i, e.Method, e.Space, q, s.Row(i)[0])
		}
		sums[0] += q.Columns[0]
		sums[1] += q.Columns[1]
	}
	if math.Abs(sums[0]) > 1e-4 || math.Abs(sums[1]) > 1e-4 {
		t.Errorf("over the training rows the contributions add up to %v, want 0", sums)
	}
}

// product is a model that is only scored: the first column times the second, plus 3
// times the third and nothing for the others.
type product struct{ columns int }

func (p product) Inputs() []frame.Field {
	out := make([]frame.Field, p.columns)
	for i := range out {
		out[i] = frame.Field{Name: string(rune('a' + i)), Kind: frame.Number}
	}
	return out
}

func (p product) Outputs() int { return 1 }

func (p product) Score(_ context.Context, rows *frame.Frame) (model.Scores, error) {
	s := model.Scores{Outputs: 1, Values: make([]float64, rows.Rows())}
	for i := range s.Values {
		s.Values[i] = rows.Column("a").Num[i]*rows.Column("b").Num[i] + 3*rows.Column("c").Num[i]
	}
	return s, nil
}

func scored(t *testing.T, columns int) (*model.Bundle, *frame.Frame) {
	t.Helper()
	p := product{columns}
	cols := make([]frame.Column, columns)
	for j, f := range p.Inputs() {
		v := make([]float64, 64)
		for i := range v {
			v[i] = math.Sin(float64(i*(j+3)) + float64(j))
		}
		cols[j] = frame.NumberColumn(f.Name, v)
	}
	rows := frame.New(cols...)
	d := model.Decoders{Scorers: map[string]func(context.Context, model.Manifest, model.Files) (model.Scorer, error){
		"it.bin": func(context.Context, model.Manifest, model.Files) (model.Scorer, error) { return p, nil },
	}}
	b, err := model.Make(ctx, blob.Memory(), d, model.Parts{Model: "m", Task: dataset.Task{Kind: dataset.Regression}, Estimator: model.File{Name: "it.bin"}, Rows: rows})
	if err != nil {
		t.Fatal(err)
	}
	return b, rows
}

// want are the Shapley values of product: the parts of a·b go half along each order.
func want(row, back *frame.Frame, n int) (a, b, c float64) {
	at := func(f *frame.Frame, name string, i int) float64 { return f.Column(name).Num[i] }
	xa, xb, xc := at(row, "a", 0), at(row, "b", 0), at(row, "c", 0)
	for i := range n {
		ba, bb, bc := at(back, "a", i), at(back, "b", i), at(back, "c", i)
		a += (xa - ba) * (xb + bb) / 2 / float64(n)
		b += (xb - bb) * (xa + ba) / 2 / float64(n)
		c += 3 * (xc - bc) / float64(n)
	}
	return a, b, c
}

func TestAModelThatIsOnlyScoredIsExplainedByItsGoldenRows(t *testing.T) {
	for _, c := range []struct {
		name    string
		columns int
		method  model.Method
		within  float64
	}{
		{"by all subsets of few columns", 5, model.BySubsets, 1e-12},
		{"by drawn orders of many", 20, model.ByPermutation, 0.25},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, rows := scored(t, c.columns)
			e, err := b.Explain(ctx, rows.Slice(5, 6))
			if err != nil {
				t.Fatal(err)
			}
			back := make([]int, 32)
			for i := range back {
				back[i] = 2 * i
			}
			wa, wb, wc := want(rows.Slice(5, 6), rows.Take(back), len(back))
			p := e.Row(0, 0)
			if e.Method != c.method || e.Evaluations == 0 || e.Evaluations > 4096 || math.Abs(p.Residual) > 1e-12 {
				t.Errorf("got %s with %d evaluations and the residual %v", e.Method, e.Evaluations, p.Residual)
			}
			for j, w := range []float64{wa, wb, wc, 0} {
				if math.Abs(p.Columns[j]-w) > c.within {
					t.Errorf("column %d: got %v, want %v within %v", j, p.Columns[j], w, c.within)
				}
			}
			for j, x := range p.Errors {
				if x < 0 || j > 2 && x > 1e-12 || j < 3 && x > 0.4 {
					t.Errorf("column %d: a standard error of %v", j, x)
				}
			}
			again, err := b.Explain(ctx, rows.Slice(4, 7))
			if err != nil || !reflect.DeepEqual(again.Row(1, 0), p) {
				t.Errorf("among other rows it is explained as %+v, not %+v (%v)", again.Row(1, 0), p, err)
			}
		})
	}
}

func TestAModelThatWasNeverKeptHasNothingToBeComparedWith(t *testing.T) {
	d := model.Decoders{Scorers: map[string]func(context.Context, model.Manifest, model.Files) (model.Scorer, error){
		"it.bin": func(context.Context, model.Manifest, model.Files) (model.Scorer, error) { return product{3}, nil },
	}}
	b, err := model.Hold(ctx, d, model.Manifest{Estimator: "it.bin"}, noFiles{})
	if err != nil {
		t.Fatal(err)
	}
	_, rows := scored(t, 3)
	if _, err := b.Explain(ctx, rows); !fault.Is(err, fault.Refused) {
		t.Errorf("got %v, want a refused fault", err)
	}
}

type noFiles struct{}

func (noFiles) Names() []string             { return nil }
func (noFiles) Read(string) ([]byte, error) { return nil, fault.New(fault.NotFound, "none") }

// wrong says that its features add what they do not.
type wrong struct{ model.Estimator }

func (w wrong) Explain(x pipeline.Matrix) (model.Contributions, error) {
	n := w.Features()
	return model.Contributions{
		Method: model.ByTrees, Outputs: 1, Features: n, Values: make([]float64, x.Rows*(n+1)),
		Margins: slicesOf(x.Rows, 0.001),
	}, nil
}

func slicesOf(n int, v float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = v
	}
	return out
}

func TestAModelWhoseContributionsDoNotAddUpIsNotMade(t *testing.T) {
	b := make1(t, blob.Memory())
	d := learner.Decoders()
	read := d.Estimators["constant.json"]
	d.Estimators = map[string]func([]byte) (model.Estimator, error){"constant.json": func(raw []byte) (model.Estimator, error) {
		e, err := read(raw)
		return wrong{e}, err
	}}
	f := rows()
	p, err := pipeline.Fit(ctx, pipeline.Spec{Inputs: b.Inputs()[:1]}, f, pipeline.Options{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	raw := []byte(`{"format":"flyball.constant/1","features":1,"overall":[0.5],"groups":[]}`)
	_, err = model.Make(ctx, blob.Memory(), d, model.Parts{Model: "m", Task: dataset.Task{Kind: dataset.Regression}, Pipeline: p, Estimator: model.File{Name: "constant.json", Bytes: raw}, Rows: f})
	if !fault.Is(err, fault.Refused) {
		t.Errorf("got %v, want a refused fault", err)
	}
}
