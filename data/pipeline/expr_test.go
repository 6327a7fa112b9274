// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"math"
	"testing"

	"flyball/data/frame"
)

var exprInputs = []frame.Field{
	{Name: "x", Kind: frame.Number}, {Name: "y", Kind: frame.Number}, {Name: "lead time", Kind: frame.Number}, {Name: "c", Kind: frame.Text},
}

// expression fits the expression alone, as the feature e.
func expression(t testing.TB, text string) *Fitted {
	t.Helper()
	rows := frame.New(frame.NumberColumn("x", []float64{1}), frame.NumberColumn("y", []float64{1}), frame.NumberColumn("lead time", []float64{1}), frame.TextColumn("c", []string{"a"}, nil))
	return mustFit(t, Spec{Inputs: exprInputs, Steps: []Step{{Op: "expr", As: "e", Expr: text}, {Op: "select", In: []string{"e"}}}}, rows)
}

func values(x, y float64, c string) *frame.Frame {
	return frame.New(frame.NumberColumn("x", []float64{x}), frame.NumberColumn("y", []float64{y}), frame.NumberColumn("lead time", []float64{y}), frame.TextColumn("c", []string{c}, nil))
}

// own says whether arith.go knows the expression.
var expressions = []struct {
	text string
	own  bool
	want float64 // for x = 7, y = -2, c = "a"
}{
	{"x + y * 2 - 1", true, 2},
	{"x / 2 / y", true, -1.75},
	{"-x ** 2", true, -49},
	{"(1 + 2) * 3 - 4", true, 5},
	{"7 / 2", true, 3.5},
	{"x / max(1, y + 3)", true, 7},
	{"min(x, y, 0.5) + abs(y)", true, 0},
	{"mod(x, 4)", true, 3},
	{"floor(x / 2) + ceil(y / 3) + round(x / 2)", true, 7},
	{"sqrt(x + 2) + log(exp(y)) + log1p(0) + sin(0) + cos(0)", true, 2},
	{"(exp(x - 6) - 2.718281828459045) * 2 ** 51", true, 1}, // 0 by math.Exp: exp is stat's
	{"let z = exp(x - 6); (z - 2.718281828459045) * 2 ** 51", false, 1},
	{`c == "a" ? x : y`, true, 7},
	{`c in ["b", "d"] ? 1 : 2`, true, 2},
	{`c not in ["b"] and x > 1 or false ? 1 : 0`, true, 1},
	{`c < "b" ? 1 : 0`, true, 1},
	{"1 < x < 8 ? 10 : 20", true, 10},
	{"!(x >= y) == false ? 1 : 0", true, 1},
	{"x <= 7 && y != 0 || y == 1 ? 3 : 4", true, 3},
	{`$env["lead time"] * 2`, true, -4},
	{"(x > 0 ? 1 : 2.5) * 2", true, 2},
	{"len(c) + x", false, 8},
	{"let z = x + 1; z * z", false, 64},
	{"9007199254740993 + 0 + x", false, 9007199254740993 + 7},
	{`c startsWith "a" ? 1 : 0`, false, 1},
	{"x in [1, 7] ? 1 : 0", false, 1},
	{"sum([x, y, 1])", false, 6},
	{"x ?? 1", false, 7},
}

func TestWhatExpressionsGive(t *testing.T) {
	for _, c := range expressions {
		f := expression(t, c.text)
		if own := f.plan.steps[0].code.own != nil; own != c.own {
			t.Errorf("%s: our own is %v, want %v", c.text, own, c.own)
		}
		m, _, err := f.Transform(values(7, -2, "a"))
		if err != nil || m.Data[0] != float32(c.want) {
			t.Errorf("%s: got %v, %v; want %v", c.text, m.Data, err, c.want)
		}
	}
}

func TestAResultOfAMissingNumberIsMissing(t *testing.T) {
	for _, text := range []string{"x + 1", "max(1, x)", "max(x, 1)", "min(1, x)", "min(x, 1)", "abs(x)", "log(y)", "1 / (y + 2)", "mod(x, 0)", "sqrt(y)", "y ** 0.5"} {
		m, _, err := expression(t, text).Transform(values(math.NaN(), -2, "a"))
		if err != nil || m.Data[0] == m.Data[0] {
			t.Errorf("%s: got %v, %v; want a missing value", text, m.Data, err)
		}
	}
}

func TestAnExpressionThatFailsOnARowNamesBoth(t *testing.T) {
	rows := func(words ...string) *frame.Frame {
		return frame.New(frame.NumberColumn("x", make([]float64, len(words))), frame.TextColumn("c", words, nil))
	}
	f := mustFit(t, Spec{Inputs: rows().Fields(), Steps: []Step{{Op: "expr", As: "e", Expr: "float(c) + x"}, {Op: "select", In: []string{"e"}}}}, rows("12"))
	_, _, err := f.Transform(rows("12", "twelve"))
	if want := `row 1: the expression "float(c) + x" fails: invalid operation: float(twelve) (1:1)`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// What arith.go knows gives the numbers that expr-lang's machine gives.
func FuzzOurExpressionsAgreeWithTheMachine(f *testing.F) {
	type pair struct{ own, machine *Fitted }
	var pairs []pair
	for _, c := range expressions {
		if c.own {
			p := pair{expression(f, c.text), expression(f, c.text)}
			p.machine.plan.steps[0].code.own = nil
			pairs = append(pairs, p)
		}
	}
	for _, x := range []float64{0, math.Copysign(0, -1), 1, -2.5, 7, 1e308, math.NaN(), math.Inf(1)} {
		f.Add(x, 2.0, "a")
		f.Add(3.0, x, "")
	}
	f.Fuzz(func(t *testing.T, x, y float64, c string) {
		for _, p := range pairs {
			rows := values(x, y, c)
			got, _, err := p.own.Transform(rows)
			want, _, wrong := p.machine.Transform(rows)
			if err != nil || wrong != nil || got.Data[0] != want.Data[0] && (got.Data[0] == got.Data[0] || want.Data[0] == want.Data[0]) {
				t.Errorf("%s of x=%v y=%v c=%q: ours %v %v, the machine %v %v", p.own.plan.steps[0].spec.Expr, x, y, c, got.Data, err, want.Data, wrong)
			}
		}
	})
}
