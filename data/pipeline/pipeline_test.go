// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/internal/fuzzcheck"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// everything is a pipeline of every operation, over columns of every kind.
func everything() Spec {
	return Spec{
		Inputs: []frame.Field{
			{Name: "x", Kind: frame.Number},
			{Name: "y", Kind: frame.Number},
			{Name: "z", Kind: frame.Number},
			{Name: "w", Kind: frame.Number},
			{Name: "city", Kind: frame.Text},
			{Name: "agent", Kind: frame.Text},
			{Name: "meal", Kind: frame.Text},
			{Name: "at", Kind: frame.Time},
			{Name: "seen", Kind: frame.Time},
		},
		Steps: []Step{
			{Op: "expr", As: "r", Expr: `city == "b" ? x / y : log(max(1, z))`},
			{Op: "expr", As: "machine", Expr: `let a = x; len(city) + a`},
			{Op: "ordinal", In: []string{"city"}, As: "code"},
			{Op: "scale", In: []string{"x"}, As: "unit", Strategy: "minmax"},
			{Op: "impute", In: []string{"x", "y"}, Strategy: "median"},
			{Op: "impute", In: []string{"meal"}, Strategy: "most_frequent"},
			{Op: "impute", In: []string{"agent"}, Strategy: "constant", Value: "nobody", As: "who"},
			{Op: "scale", In: []string{"x"}},
			{Op: "scale", In: []string{"y"}, Strategy: "robust"},
			{Op: "clip", In: []string{"z"}, Min: new(-1.0), Max: new(1.0)},
			{Op: "bucketize", In: []string{"w"}, Bins: 4, As: "quarter"},
			{Op: "bucketize", In: []string{"w"}, Bins: 3, Strategy: "uniform"},
			{Op: "one_hot", In: []string{"city", "meal"}, AtLeast: 2},
			{Op: "scale", In: []string{"city=a"}},
			{Op: "one_hot", In: []string{"who"}, AtLeast: 5},
			{Op: "ordinal", In: []string{"agent"}, By: "frequency", AtLeast: 2},
			{Op: "datetime", In: []string{"at", "seen"}, Parts: []string{"hour", "weekday", "year", "month", "day", "minute", "yearday"}},
			{Op: "select", In: []string{
				"r", "machine", "code", "unit", "x", "y", "z", "w", "quarter", "city=a", "city=b", "city=other", "meal=a", "meal=b", "meal=other", "agent",
				"who=other", "at_hour", "at_weekday", "at_year", "at_month", "at_day", "at_minute", "at_yearday", "seen_hour",
			}},
		},
	}
}

// randomRows are rows with missing and infinite values and words that are not UTF-8;
// those of an even seed have categories that those of an odd one have not.
func randomRows(seed uint64, n int) *frame.Frame {
	r := rand.New(rand.NewPCG(seed, 1))
	number := func() []float64 {
		out := make([]float64, n)
		for i := range out {
			switch r.IntN(12) {
			case 0:
				out[i] = math.NaN()
			case 1:
				out[i] = math.Inf(1 - 2*r.IntN(2))
			case 2:
				out[i] = 0
			default:
				out[i] = r.NormFloat64() * math.Exp(5*r.NormFloat64())
			}
		}
		return out
	}
	text := func(kinds int) ([]string, []bool) {
		out, null := make([]string, n), make([]bool, n)
		for i := range out {
			if null[i] = r.IntN(10) == 0; !null[i] {
				if out[i] = string(rune('a' + r.IntN(kinds+int(1-seed%2)*2))); r.IntN(40) == 0 {
					out[i] = "\xff" + out[i]
				}
			}
		}
		return out, null
	}
	at := make([]int64, n)
	for i := range at {
		if at[i] = r.Int64N(1 << 50); r.IntN(10) == 0 {
			at[i] = frame.NoTime
		}
	}
	seen, unknown := make([]string, n), make([]bool, n)
	for i := range seen {
		if unknown[i] = r.IntN(10) == 0; !unknown[i] {
			seen[i] = time.UnixMicro(r.Int64N(1 << 50)).UTC().Format(time.RFC3339Nano)
		}
	}
	c1, n1 := text(5)
	c2, n2 := text(20)
	c3, n3 := text(3)
	return frame.New(frame.NumberColumn("x", number()), frame.NumberColumn("y", number()), frame.NumberColumn("z", number()),
		frame.NumberColumn("w", number()), frame.TextColumn("city", c1, n1), frame.TextColumn("agent", c2, n2), frame.TextColumn("meal", c3, n3), frame.TimeColumn("at", at), frame.TextColumn("seen", seen, unknown))
}

func mustFit(t testing.TB, spec Spec, rows *frame.Frame) *Fitted {
	t.Helper()
	f, err := Fit(context.Background(), spec, rows, Options{Workers: 0})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// checkBits compares rows in a batch, alone, and in a batch that begins elsewhere.
func checkBits(t *testing.T, f *Fitted, rows *frame.Frame) {
	t.Helper()
	all, unseen, err := f.Transform(rows)
	if err != nil {
		t.Fatal(err)
	}
	check := func(from, to int) (told []Unseen) {
		part, u, err := f.Transform(rows.Slice(from, to))
		if err != nil {
			t.Fatal(err)
		}
		for i := from; i < to; i++ {
			for k, x := range part.Row(i - from) {
				if math.Float32bits(x) != math.Float32bits(all.Row(i)[k]) {
					t.Fatalf("row %d of %d to %d, %s: %v, in the whole batch %v", i, from, to, all.Names[k], x, all.Row(i)[k])
				}
			}
		}
		for _, one := range u {
			told = append(told, Unseen{one.Row + from, one.Column})
		}
		return told
	}
	var alone []Unseen
	for i := range rows.Rows() {
		alone = append(alone, check(i, i+1)...)
	}
	if !slices.Equal(alone, unseen) {
		t.Errorf("unseen: %v alone, %v in a batch", alone, unseen)
	}
	if n := rows.Rows(); n > 2 {
		check(1, n)
		check(n/3, n-n/3)
	}
}

func TestARowAloneGivesTheBitsItGivesInABatch(t *testing.T) {
	f := mustFit(t, everything(), randomRows(1, 300))
	decoded, err := Decode(f.Encode())
	if err != nil {
		t.Fatal(err)
	}
	rows := randomRows(2, 700)
	if _, unseen, err := f.Transform(rows); err != nil || len(unseen) < 50 {
		t.Fatalf("the rows have too few categories that the fit had not met: %d, %v", len(unseen), err)
	}
	checkBits(t, decoded, rows)
	checkBits(t, f, randomRows(4, fewRows+1))
	checkBits(t, f, randomRows(6, 0))
}

func FuzzARowAloneGivesTheBitsItGivesInABatch(f *testing.F) {
	p := mustFit(f, everything(), randomRows(1, 300))
	f.Add(1.0, math.Inf(1), math.NaN(), math.Copysign(0, -1), "a", "x", "\xff", int64(0), true)
	f.Add(math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, 1e300, "", "", "b", int64(math.MaxInt64), false)
	f.Fuzz(func(t *testing.T, x, y, z, w float64, city, agent, meal string, at int64, null bool) {
		checkBits(t, p, frame.New(
			frame.NumberColumn("x", []float64{x, y, z}), frame.NumberColumn("y", []float64{y, z, w}), frame.NumberColumn("z", []float64{z, w, x}),
			frame.NumberColumn("w", []float64{w, x, y}), frame.TextColumn("city", []string{city, agent, meal}, nil),
			frame.TextColumn("agent", []string{agent, meal, city}, []bool{null, false, true}), frame.TextColumn("meal", []string{meal, city, agent}, []bool{false, null, true}),
			frame.TimeColumn("at", []int64{at, frame.NoTime, -at}), frame.TimeColumn("seen", []int64{frame.NoTime, at, at})))
	})
}

func TestManyGoroutinesMayTransformAtOnce(t *testing.T) {
	f := mustFit(t, everything(), randomRows(1, 300))
	rows := randomRows(2, 600)
	want, _, err := f.Transform(rows)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := g; i < rows.Rows(); i += 8 {
				n := min(1+i%20, rows.Rows()-i)
				got, _, err := f.Transform(rows.Slice(i, i+n))
				if err != nil || !slices.EqualFunc(got.Data, want.Data[i*want.Cols:(i+n)*want.Cols], sameBits) {
					t.Errorf("rows %d to %d: %v, or other features than alone", i, i+n, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func sameBits(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }

func TestTransformDoesNotChangeTheRowsOrKeepThem(t *testing.T) {
	f := mustFit(t, everything(), randomRows(1, 300))
	rows, same := randomRows(2, 100), randomRows(2, 100)
	first, _, err := f.Transform(rows)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range rows.Columns() {
		d := same.Column(c.Name)
		for i := range c.Len() {
			if c.Format(i) != d.Format(i) {
				t.Fatalf("column %q, row %d: %s was %s", c.Name, i, c.Format(i), d.Format(i))
			}
		}
	}
	kept := slices.Clone(first.Data)
	if _, _, err := f.Transform(randomRows(8, 100)); err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(first.Data, kept, sameBits) {
		t.Error("features that were handed out changed with the next rows")
	}
}

func TestTheFittedPipelineDoesNotDependOnWorkersAndComesBackTheSame(t *testing.T) {
	rows := randomRows(3, 1000)
	want := mustFit(t, everything(), rows).Encode()
	for _, workers := range []int{1, 2, 4} {
		f, err := Fit(context.Background(), everything(), rows, Options{Workers: workers})
		if err != nil || !bytes.Equal(f.Encode(), want) {
			t.Errorf("%d workers gave another pipeline (%v)", workers, err)
		}
	}
	f, err := Decode(want)
	if err != nil || !bytes.Equal(f.Encode(), want) {
		t.Errorf("decoded it is another: %v", err)
	}
}

func TestWhatEachOperationMakes(t *testing.T) {
	x := frame.NumberColumn("x", []float64{1, 2, math.NaN(), 5})
	c := frame.TextColumn("c", []string{"b", "a", "b", ""}, []bool{false, false, false, true})
	rows := frame.New(x, c)
	n := float32(math.NaN())
	for _, tc := range []struct {
		name  string
		steps []Step
		names []string
		want  []float32 // by row
	}{
		{"impute the mean", []Step{{Op: "select", In: []string{"x"}}, {Op: "impute", In: []string{"x"}, Strategy: "mean"}}, []string{"x"}, []float32{1, 2, 8.0 / 3, 5}},
		{"impute the median", []Step{{Op: "select", In: []string{"x"}}, {Op: "impute", In: []string{"x"}, Strategy: "median"}}, []string{"x"}, []float32{1, 2, 2, 5}},
		{"impute a constant", []Step{{Op: "select", In: []string{"x"}}, {Op: "impute", In: []string{"x"}, Strategy: "constant", Value: uint64(7)}}, []string{"x"}, []float32{1, 2, 7, 5}},
		// scikit-learn 1.x: StandardScaler over [1, 2, 5]: mean 8/3, scale 1.69967317.
		{"scale to the standard", []Step{{Op: "select", In: []string{"x"}}, {Op: "scale", In: []string{"x"}}}, []string{"x"}, []float32{-0.98058068, -0.39223227, n, 1.37281295}},
		{"scale to 0…1", []Step{{Op: "select", In: []string{"x"}}, {Op: "scale", In: []string{"x"}, Strategy: "minmax"}}, []string{"x"}, []float32{0, 0.25, n, 1}},
		{"scale by the quartiles", []Step{{Op: "select", In: []string{"x"}}, {Op: "scale", In: []string{"x"}, Strategy: "robust"}}, []string{"x"}, []float32{-0.5, 0, n, 1.5}},
		{"one column a category", []Step{{Op: "one_hot", In: []string{"c"}}}, []string{"x", "c=a", "c=b", "c=other"}, []float32{1, 0, 1, 0, 2, 1, 0, 0, n, 0, 1, 0, 5, 0, 0, 0}},
		{"a rare category is other", []Step{{Op: "one_hot", In: []string{"c"}, AtLeast: 2}}, []string{"x", "c=b", "c=other"}, []float32{1, 1, 0, 2, 0, 1, n, 1, 0, 5, 0, 0}},
		{"codes by value", []Step{{Op: "ordinal", In: []string{"c"}}}, []string{"x", "c"}, []float32{1, 1, 2, 0, n, 1, 5, n}},
		{"codes by frequency", []Step{{Op: "ordinal", In: []string{"c"}, By: "frequency"}}, []string{"x", "c"}, []float32{1, 0, 2, 1, n, 0, 5, n}},
		{"buckets at edges", []Step{{Op: "select", In: []string{"x"}}, {Op: "bucketize", In: []string{"x"}, Edges: []float64{2, 5}}}, []string{"x"}, []float32{0, 1, n, 2}},
		{"buckets of equal width", []Step{{Op: "select", In: []string{"x"}}, {Op: "bucketize", In: []string{"x"}, Strategy: "uniform", Bins: 2}}, []string{"x"}, []float32{0, 0, n, 1}},
		{"clip", []Step{{Op: "select", In: []string{"x"}}, {Op: "clip", In: []string{"x"}, Max: new(2.0)}}, []string{"x"}, []float32{1, 2, n, 2}},
		{"an expression over a text that is used up", []Step{{Op: "ordinal", In: []string{"c"}}, {Op: "expr", As: "e", Expr: "x * 2 + c"}, {Op: "select", In: []string{"e"}}}, []string{"e"}, []float32{3, 4, n, n}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := mustFit(t, Spec{Inputs: rows.Fields(), Steps: tc.steps}, rows)
			m, _, err := f.Transform(rows)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(f.Names(), tc.names) {
				t.Errorf("names: got %q, want %q", f.Names(), tc.names)
			}
			if !slices.EqualFunc(m.Data, tc.want, func(a, b float32) bool { return a == b || a != a && b != b }) {
				t.Errorf("got %v, want %v", m.Data, tc.want)
			}
		})
	}
}

func TestAnUnseenCategoryIsCountedAndAMissingOneIsNot(t *testing.T) {
	train := frame.New(frame.TextColumn("c", []string{"a", "a", "rare"}, nil))
	f := mustFit(t, Spec{Inputs: train.Fields(), Steps: []Step{{Op: "ordinal", In: []string{"c"}, AtLeast: 2}}}, train)
	m, unseen, err := f.Transform(frame.New(frame.TextColumn("c", []string{"new", "rare", ""}, []bool{false, false, true})))
	if err != nil || !slices.Equal(unseen, []Unseen{{0, "c"}}) {
		t.Errorf("got %v, %v", unseen, err)
	}
	if m.Data[0] != 1 || m.Data[1] != 1 || m.Data[2] == m.Data[2] {
		t.Errorf("codes: got %v", m.Data)
	}
}

func TestAnAbsentColumnIsAnError(t *testing.T) {
	train := frame.New(frame.NumberColumn("a", []float64{1}), frame.NumberColumn("b", []float64{1}))
	f := mustFit(t, Spec{Inputs: train.Fields()}, train)
	for _, c := range []struct {
		name string
		rows *frame.Frame
		want string
	}{
		{"absent", frame.New(frame.NumberColumn("a", []float64{1})), `column "b" is absent`},
		{"of another kind", frame.New(frame.NumberColumn("a", []float64{1}), frame.TextColumn("b", []string{"1"}, nil)), `column "b" holds text, the pipeline takes number`},
	} {
		if _, _, err := f.Transform(c.rows); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

func TestAPipelineThatCannotWorkIsToldBeforeItIsFitted(t *testing.T) {
	in := []frame.Field{{Name: "n", Kind: frame.Number}, {Name: "s", Kind: frame.Text}, {Name: "t", Kind: frame.Time}}
	for _, c := range []struct {
		name  string
		steps []Step
		want  string
	}{
		{"an unknown operation", []Step{{Op: "onehot", In: []string{"s"}}}, `there is no operation "onehot"; did you mean one_hot?`},
		{"an operation like no other", []Step{{Op: "embed_with_attention", In: []string{"s"}}}, `use impute, scale, one_hot, ordinal, target_encode, bucketize, hash, datetime, text, clip, log, interactions, expr or select`},
		{"an unknown column", []Step{{Op: "scale", In: []string{"m"}}}, `step 1 (scale) reads the column "m", which does not stand there; did you mean "n"?`},
		{"a column twice", []Step{{Op: "one_hot", In: []string{"s", "s"}}}, `one_hot reads the column "s" twice`},
		{"an unknown strategy", []Step{{Op: "scale", In: []string{"n"}, Strategy: "min_max"}}, `scale does not know the strategy "min_max"; did you mean minmax?`},
		{"a strategy where there is none", []Step{{Op: "clip", In: []string{"n"}, Strategy: "hard"}}, `clip knows no key "strategy"; it knows in, as, min or max`},
		{"an unknown part of a time", []Step{{Op: "datetime", In: []string{"t"}, Parts: []string{"hours"}}}, `did you mean hour?`},
		{"the mean of a text", []Step{{Op: "impute", In: []string{"s"}}}, `"s" is text and has no mean or median`},
		{"a text for a missing number", []Step{{Op: "impute", In: []string{"n"}, Strategy: "constant", Value: "0"}}, `"n" is a number, and value: 0 is not`},
		{"a number for a missing text", []Step{{Op: "impute", In: []string{"s"}, Strategy: "constant", Value: 0}}, `"s" is text, and value: 0 is not`},
		{"a limit that is no number", []Step{{Op: "clip", In: []string{"n"}, Min: new(math.NaN())}}, `min and max of clip must be finite`},
		{"limits the wrong way round", []Step{{Op: "clip", In: []string{"n"}, Min: new(2.0), Max: new(1.0)}}, `min not above max`},
		{"edges that do not rise", []Step{{Op: "bucketize", In: []string{"n"}, Edges: []float64{1, 1}}}, `must rise`},
		{"bins and edges", []Step{{Op: "bucketize", In: []string{"n"}, Bins: 2, Edges: []float64{1}}}, `bins (2 to 1000) or edges`},
		{"one name for two results", []Step{{Op: "scale", In: []string{"n", "s"}, As: "m"}}, `as names the result of one column, and in has 2`},
		{"a time left over", []Step{{Op: "ordinal", In: []string{"s"}}}, `the time column "t" is no feature as it stands; add a step such as {op: datetime, in: t`},
		{"an expression without end", []Step{{Op: "expr", As: "e", Expr: strings.Repeat("(", maxExpr+1)}}, `an expression of 4097 bytes is longer than 4096`},
		{"a moment in an expression", []Step{{Op: "expr", As: "e", Expr: "n + now().Unix()"}}, `unknown name now`},
		{"a text from an expression", []Step{{Op: "expr", As: "e", Expr: "s"}}, `expected float64, but got string`},
		{"a kind that does not fit", []Step{{Op: "scale", In: []string{"s"}}}, `scale does not take "s", which is a text`},
		{"a key that does not apply", []Step{{Op: "scale", In: []string{"n"}, AtLeast: 3}}, `scale knows no key "at_least"`},
		{"text left over", []Step{{Op: "datetime", In: []string{"t"}, Parts: []string{"hour"}}}, `the text column "s" is no feature`},
		{"a wrong expression", []Step{{Op: "expr", As: "e", Expr: "n + nosuch"}}, `the expression "n + nosuch" cannot be read`},
		{"a name that stands already", []Step{{Op: "expr", As: "n", Expr: "n + 1"}}, `a step makes "n", which stands there already`},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Validate(Spec{Inputs: in, Steps: c.steps})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	if err := Validate(everything()); err != nil {
		t.Errorf("everything: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(mustFit(f, everything(), randomRows(4, 50)).Encode())
	f.Add([]byte(`{"format":"flyball.pipeline/v1","semantics":1,"spec":{"inputs":[]},"states":[]}`))
	small := mustFit(f, Spec{Inputs: everything().Inputs[4:5], Steps: []Step{{Op: "hash", In: []string{"city"}, Features: 3}, {Op: "expr", As: "e", Expr: "city_0 + 1"}}}, randomRows(4, 3))
	f.Add(small.Encode())
	train, spec, o := complete(40)
	whole, err := Fit(f.Context(), spec, train, o)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole.Encode())
	rows := randomRows(5, 3)
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzzcheck.Within(t, len(b), 1<<18, func() { _, _ = Decode(b) })
		p, err := Decode(b)
		if err != nil {
			return
		}
		if again, err := Decode(p.Encode()); err != nil || !bytes.Equal(again.Encode(), p.Encode()) {
			t.Errorf("a pipeline that was read does not come back: %v", err)
		}
		if _, _, err := p.Transform(rows); err != nil && !fault.Is(err, fault.Invalid) {
			t.Error(err)
		}
	})
}
