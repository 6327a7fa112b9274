// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"flyball/data/frame"
	"flyball/fault"
)

func TestRowsThatNothingCanBeLearnedFromAreRefused(t *testing.T) {
	huge := frame.New(frame.NumberColumn("x", []float64{1.7e308, 1.7e308, -1.7e308}))
	empty := frame.New(frame.NumberColumn("x", []float64{math.NaN(), math.Inf(1)}))
	var many []string
	for i := range maxKept + 1 {
		many = append(many, strings.Repeat("x", i))
	}
	ids := frame.New(frame.TextColumn("x", many, nil))
	for _, c := range []struct {
		name string
		rows *frame.Frame
		step Step
		want string
	}{
		{"a mean that is not finite", huge, Step{Op: "impute"}, `the values of column "x" are too large to learn from`},
		{"a spread that is not finite", huge, Step{Op: "scale", Strategy: "minmax"}, `the values of column "x" are too large to learn from`},
		{"quartiles that are not finite", huge, Step{Op: "scale", Strategy: "robust"}, `the values of column "x" are too large to learn from`},
		{"a column without a value", empty, Step{Op: "impute"}, `column "x" has no value at all in the training rows; use strategy: constant`},
		{"a column for each of too many words", ids, Step{Op: "one_hot"}, `column "x" has 1001 categories, more than 1000; set at_least, or use ordinal`},
		{"no rows", frame.New(frame.NumberColumn("x", nil)), Step{Op: "impute"}, `cannot be fitted on no rows`},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.step.In = []string{"x"}
			_, err := Fit(context.Background(), Spec{Inputs: c.rows.Fields(), Steps: []Step{c.step}}, c.rows, Options{Workers: 2})
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestAFitEndsWithItsContext(t *testing.T) {
	ctx, stop := context.WithCancelCause(context.Background())
	why := errors.New("the server stops")
	stop(why)
	if _, err := Fit(ctx, everything(), randomRows(1, 100), Options{Workers: 2}); !errors.Is(err, why) {
		t.Errorf("got %v, want the cause", err)
	}
}

func TestACategoryCalledOtherSharesTheColumnOfTheOthers(t *testing.T) {
	rows := frame.New(frame.TextColumn("c", []string{"other", "b", "other", "b"}, nil))
	f := mustFit(t, Spec{Inputs: rows.Fields(), Steps: []Step{{Op: "one_hot", In: []string{"c"}}}}, rows)
	if want := []string{"c=b", "c=other"}; !slices.Equal(f.Names(), want) {
		t.Fatalf("names: got %q, want %q", f.Names(), want)
	}
	m, unseen, err := f.Transform(rows)
	if want := []float32{0, 1, 1, 0, 0, 1, 1, 0}; err != nil || !slices.Equal(m.Data, want) || len(unseen) != 0 {
		t.Errorf("got %v, unseen %v, %v; want %v", m.Data, unseen, err, want)
	}
}

func TestWordsThatAreNotUTF8ComeBackFromTheFile(t *testing.T) {
	rows := frame.New(frame.TextColumn("c", []string{"\xff", "\xfe", "a", "\ufffd"}, nil))
	f := mustFit(t, Spec{Inputs: rows.Fields(), Steps: []Step{{Op: "ordinal", In: []string{"c"}}}}, rows)
	again, err := Decode(f.Encode())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []*Fitted{f, again} {
		m, unseen, err := p.Transform(rows)
		if want := []float32{1, 1, 0, 1}; err != nil || !slices.Equal(m.Data, want) || len(unseen) != 0 {
			t.Errorf("got %v, unseen %v, %v; want %v", m.Data, unseen, err, want)
		}
	}
}

func TestInfinityIsMissingAndSoIsWhatFloat32CannotHold(t *testing.T) {
	inf := math.Inf(1)
	train := frame.New(frame.NumberColumn("x", []float64{1, 3}), frame.NumberColumn("y", []float64{1, 2}))
	f := mustFit(t, Spec{Inputs: train.Fields(), Steps: []Step{
		{Op: "impute", In: []string{"x"}, As: "filled"},
		{Op: "expr", As: "ratio", Expr: "x / y"},
		{Op: "bucketize", In: []string{"ratio"}, Edges: []float64{1}},
	}}, train)
	m, _, err := f.Transform(frame.New(frame.NumberColumn("x", []float64{inf, 1, 1e39}), frame.NumberColumn("y", []float64{1, 0, -inf})))
	n := float32(math.NaN())
	want := []float32{
		n, 1, 2, n, // x y filled ratio: what is missing in the rows is filled
		1, 0, 1, n, // 1/0 is missing, not above every edge
		n, n, n, n, // 1e39 is a float64 but no float32
	}
	if err != nil || !slices.EqualFunc(m.Data, want, func(a, b float32) bool { return a == b || a != a && b != b }) {
		t.Errorf("got %v, %v; want %v", m.Data, err, want)
	}
	for i, x := range m.Data {
		if x != x && math.Float32bits(x) != 0x7fc00000 {
			t.Errorf("value %d: a missing value has the bits %#x", i, math.Float32bits(x))
		}
	}
}

func TestASpecMayBeChangedAfterTheFit(t *testing.T) {
	spec := everything()
	rows := randomRows(1, 300)
	f := mustFit(t, spec, rows)
	before := f.Digest()
	spec.Inputs[0].Name, spec.Steps[4].In[0], *spec.Steps[9].Min = "changed", "changed", 7
	m, _, err := f.Transform(rows)
	want, _, _ := mustFit(t, everything(), rows).Transform(rows)
	if err != nil || f.Digest() != before || !slices.EqualFunc(m.Data, want.Data, sameBits) {
		t.Errorf("the pipeline changed with the spec it was fitted from: %v", err)
	}
}

func TestAColumnThatOnlyTheFitWillMakeMayBeNamed(t *testing.T) {
	rows := frame.New(frame.TextColumn("c", []string{"a", "b"}, nil))
	spec := Spec{Inputs: rows.Fields(), Steps: []Step{{Op: "one_hot", In: []string{"c"}}, {Op: "select", In: []string{"c=b"}}}}
	if err := Validate(spec); err != nil {
		t.Error(err)
	}
	m, _, err := mustFit(t, spec, rows).Transform(rows)
	if err != nil || !slices.Equal(m.Data, []float32{0, 1}) {
		t.Errorf("got %v, %v", m.Data, err)
	}
	spec.Steps[1].In = []string{"c=z"}
	if _, err := Fit(context.Background(), spec, rows, Options{Workers: 1}); err == nil || !strings.Contains(err.Error(), `reads the column "c=z"`) {
		t.Errorf("a category that the rows do not have: got %v", err)
	}
}

func TestAFileThatDoesNotHoldTogetherIsRefused(t *testing.T) {
	train := frame.New(frame.NumberColumn("x", []float64{1, 2, 4}), frame.TextColumn("c", []string{"a", "b", "b"}, nil))
	good := mustFit(t, Spec{Inputs: train.Fields(), Steps: []Step{
		{Op: "impute", In: []string{"x"}},
		{Op: "scale", In: []string{"x"}, As: "s", Strategy: "minmax"},
		{Op: "bucketize", In: []string{"x"}, Bins: 3, As: "k"},
		{Op: "one_hot", In: []string{"c"}},
	}}, train).Encode()
	for _, c := range []struct{ name, old, new, want string }{
		{"another format", "pipeline/v1", "pipeline/v2", "has format"},
		{"other semantics", `"semantics": 1`, `"semantics": 2`, "semantics 2"},
		{"an unknown key", `"format"`, `"more": 1, "format"`, "unknown field"},
		{"something after it", "\n}", "\n} {}", "more after the value"},
		{"a scale of zero", "\"scale\": [\n    3\n   ]", "\"scale\": [\n    0\n   ]", "must be above zero"},
		{"two fills for a column", "\"fill\": [", "\"fill\": [ 5,", "learned 2 values where it needs 1"},
		{"what another step learns", "\"center\": [", "\"fill\": [1], \"center\": [", "learned 1 values where it needs 0"},
		{"edges that do not rise", "2.6", "0.6", "do not rise"},
		{"categories out of order", "\"a\",\n     \"b\"", "\"b\",\n     \"a\"", "not in order"},
		{"a category twice", "\"a\",\n     \"b\"", "\"a\",\n     \"a\"", "stands twice"},
		{"a category called other", "\"a\",\n     \"b\"", "\"a\",\n     \"other\"", `one of them is "other"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad := bytes.Replace(good, []byte(c.old), []byte(c.new), 1)
			if c.name == "something after it" {
				bad = append(slices.Clone(good), "{}"...)
			} else if bytes.Equal(bad, good) {
				t.Fatalf("the file does not hold %q:\n%s", c.old, good)
			}
			_, err := Decode(bad)
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// The inputs and steps of the two examples.
func TestTheExamplesGoThroughAsTheyAre(t *testing.T) {
	t.Run("numbers without steps", func(t *testing.T) {
		rows := budgetRows(50)
		names := []string{"n0", "n1", "n2", "n3", "n4", "n5"}
		numbers, err := rows.Select(names...)
		if err != nil {
			t.Fatal(err)
		}
		f := mustFit(t, Spec{Inputs: numbers.Fields()}, numbers)
		m, _, err := f.Transform(rows) // the texts are passed over
		if err != nil || !slices.Equal(f.Names(), names) {
			t.Fatalf("names %q, %v", f.Names(), err)
		}
		for k, name := range names {
			for i, x := range rows.Column(name).Num {
				if y := m.Row(i)[k]; y != float32(x) && (x == x || y == y) {
					t.Fatalf("%s, row %d: got %v, want %v", name, i, y, x)
				}
			}
		}
	})
	t.Run("hotel", func(t *testing.T) {
		number := func(name string, v ...float64) frame.Column { return frame.NumberColumn(name, v) }
		rows := frame.New(
			frame.TextColumn("hotel", []string{"City Hotel", "Resort Hotel", "City Hotel"}, nil), number("adults", 2, 1, 0), number("children", 1, math.NaN(), 0),
			frame.TextColumn("agent", []string{"9", "240", "9"}, nil), number("adr", 90, 80, 70), number("weekend", 1, 0, 2), number("week", 2, 5, 0))
		f := mustFit(t, Spec{Inputs: rows.Fields(), Steps: []Step{
			{Op: "one_hot", In: []string{"hotel"}, AtLeast: 2},
			{Op: "ordinal", In: []string{"agent"}, AtLeast: 1, By: "frequency"},
			{Op: "expr", As: "nights", Expr: "weekend + week"},
			{Op: "expr", As: "adr_per_guest", Expr: "adr / max(1, adults + children)"},
		}}, rows)
		names := []string{"hotel=City Hotel", "hotel=other", "adults", "children", "agent", "adr", "weekend", "week", "nights", "adr_per_guest"}
		n := float32(math.NaN())
		want := []float32{
			1, 0, 2, 1, 0, 90, 1, 2, 3, 30,
			0, 1, 1, n, 1, 80, 0, 5, 5, n, // a guest too few is not one guest
			1, 0, 0, 0, 0, 70, 2, 0, 2, 70,
		}
		m, _, err := f.Transform(rows)
		if err != nil || !slices.Equal(f.Names(), names) || !slices.EqualFunc(m.Data, want, func(a, b float32) bool { return a == b || a != a && b != b }) {
			t.Errorf("got %q %v, %v; want %q %v", f.Names(), m.Data, err, names, want)
		}
	})
}
