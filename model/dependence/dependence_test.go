// SPDX-License-Identifier: Apache-2.0

package dependence

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"testing"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/model"
)

// sums scores 2x, and 10 more for a; a row without x scores −1.
type sums struct{ fails bool }

func (sums) Inputs() []frame.Field {
	return []frame.Field{{Name: "kind", Kind: frame.Text}, {Name: "x", Kind: frame.Number}, {Name: "at", Kind: frame.Time}}
}

func (m sums) Predict(_ context.Context, rows *frame.Frame) (model.Scores, error) {
	if m.fails {
		return model.Scores{}, errors.New("it fell over")
	}
	x, kind := rows.Column("x").Num, rows.Column("kind").Text
	out := model.Scores{Outputs: 1, Values: make([]float64, len(x))}
	for i := range x {
		if out.Values[i] = 2 * x[i]; math.IsNaN(x[i]) {
			out.Values[i] = -1
		}
		if kind[i] == "a" {
			out.Values[i] += 10
		}
	}
	return out, nil
}

func table(n int) *frame.Frame {
	x, kind, at := make([]float64, n), make([]string, n), make([]int64, n)
	for i := range x {
		x[i], kind[i], at[i] = float64(i), []string{"b", "a", "b"}[i%3], int64(i)
	}
	x[n-1] = math.NaN()
	return frame.WithRows(n, frame.NumberColumn("x", x), frame.TextColumn("kind", kind, nil), frame.TimeColumn("at", at), frame.TextColumn("more", kind, nil))
}

func TestTheMeanScoreFollowsEachColumn(t *testing.T) {
	got, err := Measure(t.Context(), sums{}, table(4)) // x 0 1 2 and missing, kinds b a b b
	if err != nil {
		t.Fatal(err)
	}
	b, _ := json.Marshal(got)
	want := `{"format":"flyball.dependence/v1","rows":4,"outputs":1,"curves":[` +
		`{"column":"kind","kind":"text","moves":10,"points":[{"value":"b","mean":[1.25],"low":[-0.7],"high":[3.4000000000000004]},{"value":"a","mean":[11.25],"low":[9.3],"high":[13.4]}]},` +
		`{"column":"x","kind":"number","moves":5,"points":[{"value":0,"mean":[2.5],"low":[0],"high":[7.000000000000002]},{"value":1,"mean":[4.5],"low":[2],"high":[9.000000000000002]},` +
		`{"value":2,"mean":[6.5],"low":[4],"high":[11.000000000000002]},{"value":null,"mean":[1.5],"low":[-1],"high":[6.000000000000002]}]}]}`
	if string(b) != want {
		t.Errorf("got  %s\nwant %s", b, want)
	}
	back, err := Decode(b)
	if again, _ := json.Marshal(back); err != nil || string(again) != want {
		t.Errorf("%v: %s", err, again)
	}
}

func TestManyRowsAndValuesAreThinned(t *testing.T) {
	got, err := Measure(t.Context(), sums{}, table(10_000))
	if err != nil {
		t.Fatal(err)
	}
	x := got.Curves[0]
	if got.Rows != sampled || x.Column != "x" || len(x.Points) != grid+1 || string(x.Points[0].Value) != "0" || string(x.Points[grid-1].Value) != "9998" {
		t.Errorf("%d rows, %s: %d points", got.Rows, x.Column, len(x.Points))
	}
}

func TestAModelThatDoesNotScoreHasNoTable(t *testing.T) {
	if _, err := Measure(t.Context(), sums{fails: true}, table(4)); err == nil {
		t.Error("no error")
	}
	if _, err := Measure(t.Context(), sums{}, frame.WithRows(1, frame.NumberColumn("x", []float64{1}))); err == nil {
		t.Error("a column is absent, and no error")
	}
	empty, err := Measure(t.Context(), sums{}, table(4).Take(nil))
	if err != nil || len(empty.Curves) != 0 {
		t.Errorf("of no rows: %+v, %v", empty, err)
	}
	for _, bad := range []string{`{}`, `[`, `{"format":"flyball.dependence/v1","outputs":2,"curves":[{"column":"x","points":[{"mean":[1],"low":[1],"high":[1]}]}]}`} {
		if _, err := Decode([]byte(bad)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
