// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"flyball/data/frame"
)

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
		},
		Steps: []Step{
			{Op: "expr", As: "r", Expr: `city == "b" ? x / y : log(max(1, z))`},
			{Op: "impute", In: []string{"x", "y"}, Strategy: "median"},
			{Op: "impute", In: []string{"meal"}, Strategy: "most_frequent"},
			{Op: "scale", In: []string{"x"}},
			{Op: "scale", In: []string{"y"}, Strategy: "robust"},
			{Op: "clip", In: []string{"z"}, Min: new(-1.0), Max: new(1.0)},
			{Op: "bucketize", In: []string{"w"}, Bins: 4},
			{Op: "one_hot", In: []string{"city", "meal"}, AtLeast: 2},
			{Op: "ordinal", In: []string{"agent"}, By: "frequency", AtLeast: 2},
			{Op: "datetime", In: []string{"at"}, Parts: []string{"hour", "weekday"}},
		},
	}
}

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
				out[i] = string(rune('a' + r.IntN(kinds)))
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
	c1, n1 := text(5)
	c2, n2 := text(20)
	c3, n3 := text(3)
	return frame.New(frame.NumberColumn("x", number()), frame.NumberColumn("y", number()), frame.NumberColumn("z", number()),
		frame.NumberColumn("w", number()), frame.TextColumn("city", c1, n1), frame.TextColumn("agent", c2, n2), frame.TextColumn("meal", c3, n3), frame.TimeColumn("at", at))
}

func mustFit(t testing.TB, spec Spec, rows *frame.Frame) *Fitted {
	t.Helper()
	f, err := Fit(context.Background(), spec, rows, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestARowAloneGivesTheBitsItGivesInABatch(t *testing.T) {
	f := mustFit(t, everything(), randomRows(1, 300))
	decoded, err := Decode(f.Encode())
	if err != nil {
		t.Fatal(err)
	}
	rows := randomRows(2, 500) // with categories that the fit had not met
	all, unseen, err := f.Transform(rows)
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	for i := range rows.Rows() {
		one, u, err := decoded.Transform(rows.Slice(i, i+1))
		if err != nil {
			t.Fatal(err)
		}
		told += len(u)
		for k, x := range one.Row(0) {
			if math.Float32bits(x) != math.Float32bits(all.Row(i)[k]) {
				t.Fatalf("row %d, %s: alone %v, in a batch %v", i, all.Names[k], x, all.Row(i)[k])
			}
		}
	}
	if told != len(unseen) {
		t.Errorf("unseen: %d alone, %d in a batch", told, len(unseen))
	}
}

func TestTheFittedPipelineDoesNotDependOnWorkersAndComesBackTheSame(t *testing.T) {
	rows := randomRows(3, 1000)
	want := mustFit(t, everything(), rows).Encode()
	for _, workers := range []int{1, 2, 4} {
		f, err := Fit(context.Background(), everything(), rows, workers)
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
		{"an unknown operation", []Step{{Op: "onehot", In: []string{"s"}}}, `there is no operation "onehot"`},
		{"an unknown column", []Step{{Op: "scale", In: []string{"m"}}}, `reads the column "m"`},
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
	rows := randomRows(5, 3)
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Decode(b)
		if err != nil {
			return
		}
		if _, _, err := p.Transform(rows); err == nil {
			if again, err := Decode(p.Encode()); err != nil || !bytes.Equal(again.Encode(), p.Encode()) {
				t.Errorf("a pipeline that was read does not come back: %v", err)
			}
		}
	})
}

func BenchmarkTransform(b *testing.B) {
	spec := Spec{
		Inputs: randomRows(1, 1).Fields()[:6],
		Steps: []Step{
			{Op: "impute", In: []string{"x", "y", "z", "w"}, Strategy: "mean"},
			{Op: "scale", In: []string{"x", "y", "z", "w"}},
			{Op: "one_hot", In: []string{"city", "agent"}},
		},
	}
	rows := randomRows(6, 1<<16)
	f := mustFit(b, spec, rows)
	for _, c := range []struct {
		name string
		rows *frame.Frame
	}{{"one row", rows.Slice(0, 1)}, {"64k rows", rows}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := f.Transform(c.rows); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*c.rows.Rows()), "ns/row")
		})
	}
}
