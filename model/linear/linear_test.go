// SPDX-License-Identifier: Apache-2.0

package linear

import (
	"math"
	"strings"
	"testing"

	"flyball/data/pipeline"
	"flyball/fault"
	"flyball/internal/fuzzcheck"
	"flyball/model"
)

const (
	line  = `{"format":"flyball.linear/v1","kind":"regression","fill":[10,0],"coefficients":[[2,-1]],"intercepts":[3]}`
	three = `{"format":"flyball.linear/v1","kind":"multiclass","fill":[0],"coefficients":[[0],[1],[2]],"intercepts":[0,0,0]}`
)

func score(t *testing.T, file string, x pipeline.Matrix) []float64 {
	t.Helper()
	e, err := Decode([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float64, x.Rows*e.Outputs())
	e.Score(x, out)
	return out
}

func TestAMissingFeatureCountsAsTheMeanOfTheTraining(t *testing.T) {
	nan := float32(math.NaN())
	got := score(t, line, pipeline.Matrix{Rows: 2, Cols: 2, Data: []float32{1, 4, nan, 4}})
	if got[0] != 1 || got[1] != 19 {
		t.Errorf("got %v, want [1 19]", got)
	}
}

func TestABinaryModelGivesProbabilities(t *testing.T) {
	got := score(t, strings.Replace(line, "regression", "binary", 1), pipeline.Matrix{Rows: 2, Cols: 2, Data: []float32{0, 3, 0, 2}})
	if got[0] != 0.5 || got[1] != 0.7310585786300049 {
		t.Errorf("got %v, want [0.5 0.7310585786300049]", got)
	}
}

func TestAModelOfCountsGivesExpOfTheMarginAndIsExplainedInLogarithms(t *testing.T) {
	file := strings.Replace(line, `"fill"`, `"link":"log","fill"`, 1)
	x := pipeline.Matrix{Rows: 3, Cols: 2, Data: []float32{0, 3, 0, 2, -1000, 0}}
	got := score(t, file, x)
	if got[0] != 1 || got[1] != 2.7182818284590455 || got[2] != 0 {
		t.Errorf("got %v, want [1 e 0]", got)
	}
	e, err := Decode([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	why, err := e.(*Model).Explain(x)
	if err != nil || why.Space != model.InLog || why.Margins[1] != 1 || why.Values[2] != 23 {
		t.Errorf("got %+v, %v", why, err)
	}
}

func TestAProductIsRoundedBeforeItIsAddedOnEveryProcessor(t *testing.T) {
	const file = `{"format":"flyball.linear/v1","kind":"regression","fill":[0],"coefficients":[[0.1]],"intercepts":[-0.3]}`
	got := score(t, file, pipeline.Matrix{Rows: 1, Cols: 1, Data: []float32{3}})
	if got[0] != 0x1p-54 { // with one rounding it would be 0x1p-55
		t.Errorf("3 × 0.1 - 0.3: got %x, want 0x1p-54", got[0])
	}
}

func TestTheProbabilitiesOfAllClassesAddToOneAtAnyMargin(t *testing.T) {
	got := score(t, three, pipeline.Matrix{Rows: 2, Cols: 1, Data: []float32{float32(math.Ln2), 1000}})
	want := []float64{1. / 7, 2. / 7, 4. / 7, 0, 0, 1}
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-7 {
			t.Errorf("place %d: got %v, want %v", i, got[i], want[i])
		}
	}
}

func TestAMalformedLinearModelIsRefused(t *testing.T) {
	for _, c := range []struct{ name, old, new string }{
		{"another format", "linear/v1", "linear/v9"},
		{"another kind", "regression", "ranking"},
		{"two outputs of a regression", `"multiclass"`, `"regression"`},
		{"too few coefficients", "[2,-1]", "[2]"},
		{"no intercept", "[3]", "[]"},
		{"a link that is not known", `"fill"`, `"link":"sqrt","fill"`},
		{"a link of a class", `"kind":"regression"`, `"kind":"binary","link":"log"`},
		{"a part that is not known", `"fill"`, `"full"`},
		{"two documents", "[3]}", "[3]}{}"},
	} {
		file := line
		if !strings.Contains(file, c.old) {
			file = three
		}
		if _, err := Decode([]byte(strings.Replace(file, c.old, c.new, 1))); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v, want an invalid fault", c.name, err)
		}
	}
}

func TestEqualModelsGiveEqualBytesThatReadBackTheSame(t *testing.T) {
	m := Model{Kind: "regression", Fill: []float64{10, 0}, Coefficients: [][]float64{{2, -1}}, Intercepts: []float64{3}}
	a, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.Encode()
	if err != nil || string(a.Bytes) != string(b.Bytes) || a.Name != "linear.json" {
		t.Fatalf("got %q and %q, %v", a.Bytes, b.Bytes, err)
	}
	if got := score(t, string(a.Bytes), pipeline.Matrix{Rows: 1, Cols: 2, Data: []float32{1, 4}}); got[0] != 1 {
		t.Errorf("got %v, want 1", got[0])
	}
	if _, err := (Model{Kind: "regression", Intercepts: []float64{math.NaN()}}).Encode(); err == nil {
		t.Error("a coefficient that is no number was written")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(line))
	f.Add([]byte(three))
	f.Add([]byte(strings.Replace(line, `"fill"`, `"link":"log","fill"`, 1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzzcheck.Within(t, len(b), 1<<16, func() { _, _ = Decode(b) })
		e, err := Decode(b)
		if err != nil {
			return
		}
		x := pipeline.Matrix{Rows: 1, Cols: e.Features(), Data: make([]float32, e.Features())}
		e.Score(x, make([]float64, e.Outputs()))
	})
}
