// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/data/frame"
	"flyball/fault"
)

// stepsReference is testdata/steps.json; null is missing.
type stepsReference struct {
	City         []*string `json:"city"`
	Seen         []*string `json:"seen"`
	Folds        []int     `json:"folds"`
	TargetEncode []struct {
		Target  string      `json:"target"`
		Classes int         `json:"classes"`
		Smooth  float64     `json:"smooth"`
		Y       []float64   `json:"y"`
		Seen    [][]float64 `json:"seen"`
		Folded  [][]float64 `json:"folded"`
	} `json:"target_encode"`
	Words []string    `json:"words"`
	Hash  [][]float64 `json:"hash"`
	Texts []string    `json:"texts"`
	Fresh []string    `json:"fresh"`
	Text  []struct {
		Words   []int       `json:"ngrams"`
		Rows    [][]float64 `json:"rows"`
		Weights []float64   `json:"weights"`
	} `json:"text"`
	X            [][]float64 `json:"x"`
	Interactions [][]float64 `json:"interactions"`
	Positive     []float64   `json:"positive"`
	Log          []float64   `json:"log"`
	Log1p        []float64   `json:"log1p"`
}

func readSteps(t *testing.T) stepsReference {
	t.Helper()
	b, err := os.ReadFile("testdata/steps.json")
	if err != nil {
		t.Fatal(err)
	}
	var r stepsReference
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func texts(name string, words []*string) *frame.Frame {
	text, null := make([]string, len(words)), make([]bool, len(words))
	for i, w := range words {
		if null[i] = w == nil; !null[i] {
			text[i] = *w
		}
	}
	return frame.New(frame.TextColumn(name, text, null))
}

func checkRows(t *testing.T, m Matrix, want [][]float64) {
	t.Helper()
	if m.Rows != len(want) {
		t.Fatalf("%d rows, want %d", m.Rows, len(want))
	}
	for i, row := range want {
		for k, w := range row {
			if got := m.Row(i)[k]; !near(got, w) {
				t.Errorf("row %d, %s: got %v, scikit-learn %v", i, m.Names[k], got, w)
			}
		}
	}
}

func TestTargetEncodeGivesWhatScikitLearnGives(t *testing.T) {
	r := readSteps(t)
	city := texts("city", r.City)
	for _, c := range r.TargetEncode {
		t.Run(fmt.Sprintf("%s smooth=%v", c.Target, c.Smooth), func(t *testing.T) {
			spec := Spec{Inputs: city.Fields(), Steps: []Step{{Op: "target_encode", In: []string{"city"}, Smooth: c.Smooth, Folds: 4}}}
			o := Options{Target: c.Y, Classes: c.Classes}
			f, err := Fit(t.Context(), spec, city, o)
			if err != nil {
				t.Fatal(err)
			}
			m, unseen, err := f.Transform(texts("city", r.Seen))
			if err != nil || !slices.Equal(unseen, []Unseen{{1, "city"}, {5, "city"}}) {
				t.Errorf("unseen %v, %v", unseen, err)
			}
			checkRows(t, m, c.Seen)
			// Its folds are dealt by another generator: the same ones are given here.
			all := target{folds: 4, smooth: c.Smooth, fold: r.Folds, of: [][]float64{c.Y}}
			if c.Classes > 2 {
				tt, err := (&step{spec: spec.Steps[0]}).targetOf(&batch{n: len(c.Y)}, o)
				if err != nil {
					t.Fatal(err)
				}
				all.of = tt.of
			}
			kept, codes := codesOf(words{city.Columns()[0].Text, city.Columns()[0].Null}, nil)
			for j := range all.of {
				_, folded := all.encode(j, codes, len(kept))
				for i, x := range folded {
					if !near(float32(x), c.Folded[i][j]) {
						t.Errorf("row %d, class %d out of fold: got %v, scikit-learn %v", i, j, x, c.Folded[i][j])
					}
				}
			}
		})
	}
}

func TestHashAndTextGiveWhatScikitLearnGives(t *testing.T) {
	r := readSteps(t)
	words := frame.New(frame.TextColumn("w", r.Words, nil))
	f := mustFit(t, Spec{Inputs: words.Fields(), Steps: []Step{{Op: "hash", In: []string{"w"}, Features: 7}}}, words)
	m, _, err := f.Transform(words)
	if err != nil {
		t.Fatal(err)
	}
	checkRows(t, m, r.Hash)
	train, fresh := frame.New(frame.TextColumn("t", r.Texts, nil)), frame.New(frame.TextColumn("t", r.Fresh, nil))
	for _, c := range r.Text {
		f := mustFit(t, Spec{Inputs: train.Fields(), Steps: []Step{{Op: "text", In: []string{"t"}, Features: 16, Words: c.Words}}}, train)
		for at, w := range f.states[0].Weights[0] {
			if math.Abs(w-c.Weights[at]) > 1e-14*w {
				t.Errorf("%v: weight %d: got %v, scikit-learn %v", c.Words, at, w, c.Weights[at])
			}
		}
		m, _, err := f.Transform(fresh)
		if err != nil {
			t.Fatal(err)
		}
		checkRows(t, m, c.Rows)
	}
}

func TestInteractionsAndLogarithmsGiveWhatScikitLearnGives(t *testing.T) {
	r := readSteps(t)
	var cols []frame.Column
	for k, name := range []string{"a", "b", "c"} {
		v := make([]float64, len(r.X))
		for i, row := range r.X {
			v[i] = row[k]
		}
		cols = append(cols, frame.NumberColumn(name, v))
	}
	rows := frame.New(cols...)
	f := mustFit(t, Spec{Inputs: rows.Fields(), Steps: []Step{{Op: "interactions", In: []string{"a", "b", "c"}}}}, rows)
	m, _, err := f.Transform(rows)
	if want := []string{"a", "b", "c", "a*b", "a*c", "b*c"}; err != nil || !slices.Equal(m.Names, want) {
		t.Fatalf("names: got %q, want %q (%v)", m.Names, want, err)
	}
	checkRows(t, m, r.Interactions)
	x := frame.New(frame.NumberColumn("x", r.Positive))
	for strategy, want := range map[string][]float64{"": r.Log, "log1p": r.Log1p} {
		f := mustFit(t, Spec{Inputs: x.Fields(), Steps: []Step{{Op: "log", In: []string{"x"}, Strategy: strategy}}}, x)
		m, _, err := f.Transform(x)
		if err != nil {
			t.Fatal(err)
		}
		for i, w := range want {
			if !near(m.Data[i], w) {
				t.Errorf("log %s of %v: got %v, NumPy %v", strategy, r.Positive[i], m.Data[i], w)
			}
		}
	}
}

func TestALogarithmOutsideItsRangeIsMissing(t *testing.T) {
	x := frame.New(frame.NumberColumn("x", []float64{0, -2, math.NaN(), math.Inf(1), 1}))
	for _, c := range []struct {
		strategy string
		want     []float32
	}{{"log", []float32{float32(nan), float32(nan), float32(nan), float32(nan), 0}}, {"log1p", []float32{0, float32(nan), float32(nan), float32(nan), math.Ln2}}} {
		f := mustFit(t, Spec{Inputs: x.Fields(), Steps: []Step{{Op: "log", In: []string{"x"}, Strategy: c.strategy}}}, x)
		m, _, err := f.Transform(x)
		if err != nil || !allSame(m.Data, c.want) {
			t.Errorf("%s: got %v, want %v (%v)", c.strategy, m.Data, c.want, err)
		}
	}
}

func TestATimeOnACircleIsItsSineAndCosine(t *testing.T) {
	at := func(s string) int64 {
		us, err := frame.ParseTime(s)
		if err != nil {
			t.Fatal(err)
		}
		return us
	}
	rows := frame.New(frame.TimeColumn("at", []int64{at("2024-12-31T18:00"), at("2023-03-06T00:30"), frame.NoTime}))
	spec := Spec{Inputs: rows.Fields(), Steps: []Step{{Op: "datetime", In: []string{"at"}, Parts: []string{"hour", "yearday", "month"}, Cyclic: true}}}
	m, _, err := mustFit(t, spec, rows).Transform(rows)
	if want := []string{"at_hour_sin", "at_hour_cos", "at_yearday_sin", "at_yearday_cos", "at_month_sin", "at_month_cos"}; err != nil || !slices.Equal(m.Names, want) {
		t.Fatalf("names: got %q, want %q (%v)", m.Names, want, err)
	}
	n := float32(nan)
	third := 65 * 2 * math.Pi / 366
	want := []float32{
		-1, 0, 0, 1, 0, 1,
		0, 1, float32(math.Sin(third)), float32(math.Cos(third)), 1, 0,
		n, n, n, n, n, n,
	}
	if !allSame(m.Data, want) {
		t.Errorf("got %v, want %v", m.Data, want)
	}
}

// Whoever computes the circles with another sine must come to the same float32: none is so
// near to the middle between two that an error of 1e-12 would tell.
func TestNoValueOfACircleHangsOnTheLibrary(t *testing.T) {
	for part, n := range periods {
		for v := range n + 1 {
			angle := 2 * math.Pi * float64(v) / float64(n)
			for _, x := range []float64{math.Sin(angle), math.Cos(angle)} {
				if rounded(x*(1-1e-12)) != rounded(x*(1+1e-12)) {
					t.Errorf("%s %d: %v lies between two float32", part, v, x)
				}
			}
		}
	}
}

func TestAFittedPipelineOfEveryStepIsTheSameForAnyNumberOfWorkersAndAnyChunks(t *testing.T) {
	rows, spec, o := complete(3000)
	want, m, err := FitTransform(t.Context(), spec, rows, o)
	if err != nil {
		t.Fatal(err)
	}
	chunked, err := frame.Concat(rows.Slice(0, 17), rows.Slice(17, 2049), rows.Slice(2049, 3000))
	if err != nil {
		t.Fatal(err)
	}
	for _, workers := range []int{1, 2, 7} {
		for _, some := range []*frame.Frame{rows, chunked} {
			o.Workers = workers
			f, again, err := FitTransform(t.Context(), spec, some, o)
			if err != nil || f.Digest() != want.Digest() || !allSame(again.Data, m.Data) {
				t.Errorf("%d workers gave another pipeline (%v)", workers, err)
			}
		}
	}
	o.Seed++
	f, other, err := FitTransform(t.Context(), spec, rows, o)
	if err != nil || allSame(other.Data, m.Data) {
		t.Errorf("another seed deals the rows to the same folds (%v)", err)
	}
	if !slices.Equal(f.Names(), want.Names()) {
		t.Error("another seed gives other features")
	}
}

func TestABatchAndItsRowsGiveTheSameBitsAtEveryStep(t *testing.T) {
	train, spec, o := complete(1000)
	f, err := Fit(t.Context(), spec, train, o)
	if err != nil {
		t.Fatal(err)
	}
	rows := randomRows(3, 700)
	m, _, err := f.Transform(rows)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := Decode(f.Encode())
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows.Rows() {
		for _, p := range []*Fitted{f, decoded} {
			one, _, err := p.Transform(rows.Slice(i, i+1))
			if err != nil || !allSame(one.Data, m.Row(i)) {
				t.Fatalf("row %d alone: got %v, in a batch %v (%v)", i, one.Data, m.Row(i), err)
			}
		}
	}
}

// complete is a pipeline of every operation with a target. What hash and text make is read
// by a later step in one place and goes to the matrix at once in another.
func complete(n int) (*frame.Frame, Spec, Options) {
	rows := randomRows(2, n)
	spec := everything()
	spec.Steps = slices.Insert(spec.Steps, 2,
		Step{Op: "target_encode", In: []string{"city"}, As: "mean"},
		Step{Op: "scale", In: []string{"mean_1"}, As: "unit_mean"},
		Step{Op: "target_encode", In: []string{"meal"}, As: "meal_mean", Smooth: 2, Folds: 3},
		Step{Op: "interactions", In: []string{"x", "y", "mean_0"}},
		Step{Op: "log", In: []string{"y"}, As: "log_y", Strategy: "log1p"},
		Step{Op: "hash", In: []string{"city"}, As: "hashed", Features: 5},
		Step{Op: "hash", In: []string{"agent"}, As: "read", Features: 3},
		Step{Op: "text", In: []string{"agent"}, As: "words", Features: 4, Words: []int{1, 2}},
		Step{Op: "text", In: []string{"agent"}, As: "reread", Features: 4},
		Step{Op: "expr", As: "of_hashed", Expr: "read_0 + read_1 - reread_2"},
		Step{Op: "datetime", In: []string{"seen"}, As: "circle", Parts: []string{"month", "day", "weekday", "hour", "minute", "yearday"}, Cyclic: true},
	)
	last := &spec.Steps[len(spec.Steps)-1]
	last.In = append(slices.Clone(last.In), "mean_0", "mean_1", "mean_2", "unit_mean", "meal_mean_0", "x*y", "x*mean_0", "y*mean_0",
		"log_y", "hashed_0", "hashed_4", "of_hashed", "words_1", "words_3", "reread_0", "circle_month_sin", "circle_yearday_cos")
	o := Options{Target: make([]float64, n), Classes: 3, Seed: 5}
	for i := range o.Target {
		o.Target[i] = float64(i * 7 % 11 % 3)
	}
	return rows, spec, o
}

func TestATrainingRowIsNotEncodedByItsOwnLabel(t *testing.T) {
	// Each category has one row, so its mean is the label itself.
	const n = 50
	var words []string
	y := make([]float64, n)
	for i := range n {
		words = append(words, fmt.Sprint("only ", i))
		y[i] = float64(i % 2)
	}
	rows := frame.New(frame.TextColumn("c", words, nil))
	spec := Spec{Inputs: rows.Fields(), Steps: []Step{{Op: "target_encode", In: []string{"c"}}}}
	f, m, err := FitTransform(t.Context(), spec, rows, Options{Target: y, Classes: 2})
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range m.Data {
		if x != 0.5 { // each fold has as many of either class
			t.Errorf("row %d with label %v is encoded as %v", i, y[i], x)
		}
	}
	if plain, _, err := f.Transform(rows); err != nil || plain.Data[1] != 1 || plain.Data[0] != 0 {
		t.Errorf("online: got %v, %v", plain.Data[:2], err)
	}
}

func TestATargetThatCannotBeReadIsTold(t *testing.T) {
	rows := frame.New(frame.TextColumn("c", []string{"a", "b", "a", "b", "a"}, nil))
	spec := Spec{Inputs: rows.Fields(), Steps: []Step{{Op: "target_encode", In: []string{"c"}}}}
	for _, c := range []struct {
		name string
		o    Options
		want string
	}{
		{"none", Options{}, "target_encode needs the target, and there is none here"},
		{"too short", Options{Target: []float64{1}}, "target_encode has 5 rows and 1 values of the target"},
		{"missing", Options{Target: []float64{0, 1, math.NaN(), 1, 0}}, "row 2: target_encode cannot read the target NaN"},
		{"no class", Options{Target: []float64{0, 1, 2, 1, 0}, Classes: 2}, "row 2: target_encode cannot read the target 2"},
	} {
		if _, err := Fit(t.Context(), spec, rows, c.o); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	few := rows.Slice(0, 3)
	if _, err := Fit(t.Context(), spec, few, Options{Target: []float64{0, 1, 0}}); err == nil || !strings.Contains(err.Error(), "3 rows, fewer than its 5 folds") {
		t.Errorf("got %v", err)
	}
}

func TestAStepThatIsSetWrongIsTold(t *testing.T) {
	in := []frame.Field{{Name: "n", Kind: frame.Number}, {Name: "s", Kind: frame.Text}, {Name: "t", Kind: frame.Time}}
	for _, c := range []struct {
		name string
		step Step
		want string
	}{
		{"a hash without features", Step{Op: "hash", In: []string{"s"}}, "hash needs features, how many columns it makes: 1 to 4096"},
		{"too many features", Step{Op: "text", In: []string{"s"}, Features: 5000}, "text needs features"},
		{"runs the wrong way round", Step{Op: "text", In: []string{"s"}, Features: 8, Words: []int{2, 1}}, "ngrams are the fewest and the most words"},
		{"one number for runs", Step{Op: "text", In: []string{"s"}, Features: 8, Words: []int{2}}, "such as [1, 2]"},
		{"a smooth below zero", Step{Op: "target_encode", In: []string{"s"}, Smooth: -1}, "smooth is a number of rows"},
		{"a smooth that is none", Step{Op: "target_encode", In: []string{"s"}, Smooth: math.NaN()}, "smooth is a number of rows"},
		{"one fold", Step{Op: "target_encode", In: []string{"s"}, Folds: 1}, "folds are 2 to 100, not 1"},
		{"the mean of a number", Step{Op: "target_encode", In: []string{"n"}}, `target_encode does not take "n", which is a number`},
		{"a year on a circle", Step{Op: "datetime", In: []string{"t"}, Parts: []string{"year"}, Cyclic: true}, "a year does not come again"},
		{"one column with itself", Step{Op: "interactions", In: []string{"n"}}, "interactions needs two columns or more"},
		{"a name for many", Step{Op: "interactions", In: []string{"n", "m"}, As: "p"}, "interactions names nothing and takes no as"},
		{"a logarithm to another base", Step{Op: "log", In: []string{"n"}, Strategy: "log2"}, `log does not know the strategy "log2"`},
		{"cyclic elsewhere", Step{Op: "log", In: []string{"n"}, Cyclic: true}, `log knows no key "cyclic"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := Validate(Spec{Inputs: in, Steps: []Step{c.step}}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestFewWordsCannotAskForManyColumns(t *testing.T) {
	var steps []Step
	for i := range 8 {
		steps = append(steps, Step{Op: "hash", In: []string{"s"}, As: fmt.Sprint("h", i), Features: 4096}, Step{Op: "select", In: []string{"s"}})
	}
	err := Validate(Spec{Inputs: []frame.Field{{Name: "s", Kind: frame.Text}}, Steps: steps})
	if err == nil || !strings.Contains(err.Error(), "the pipeline has 12288 columns, more than 10000") {
		t.Errorf("got %v", err)
	}
}

func TestEveryStepSaysWhichInputsItIsMadeOf(t *testing.T) {
	train, spec, o := complete(300)
	f, err := Fit(t.Context(), spec, train, o)
	if err != nil {
		t.Fatal(err)
	}
	of := map[string][]int{}
	for k, from := range f.Sources() {
		of[f.Names()[k]] = from
	}
	for name, want := range map[string][]int{"mean_2": {4}, "x*mean_0": {0, 4}, "hashed_4": {4}, "words_3": {5}, "circle_yearday_cos": {8}, "of_hashed": {5}, "log_y": {1}} {
		if !slices.Equal(of[name], want) {
			t.Errorf("%s: got %v, want %v", name, of[name], want)
		}
	}
}

func TestTimesBeforeThisAgeStandOnTheCircleToo(t *testing.T) {
	c := cyclesOf([]string{"yearday"})[0]
	sin, cos := make([]float64, 1), make([]float64, 1)
	c.apply(sin, cos, []int64{time.Date(-44, 12, 31, 0, 0, 0, 0, time.UTC).UnixMicro()})
	if sin[0] != 0 || cos[0] != 1 { // a leap year
		t.Errorf("got %v, %v", sin[0], cos[0])
	}
}

func TestAPipelineCarriesRowsThatItMustReproduce(t *testing.T) {
	train, spec, o := complete(1000)
	f, err := Fit(t.Context(), spec, train, o)
	if err != nil {
		t.Fatal(err)
	}
	g := f.golden
	if g == nil || g.Rows != goldenRows || len(g.Features) != 4*g.Rows*len(f.Names()) {
		t.Fatalf("golden rows: %+v", g)
	}
	of := func(change func(golden map[string]any, states []any)) []byte {
		var doc map[string]json.RawMessage // the inputs stay in their order
		var golden map[string]any
		var states []any
		err := errors.Join(json.Unmarshal(f.Encode(), &doc), json.Unmarshal(doc["golden"], &golden), json.Unmarshal(doc["states"], &states))
		change(golden, states)
		var wrong [2]error
		doc["golden"], wrong[0] = json.Marshal(golden)
		doc["states"], wrong[1] = json.Marshal(states)
		b, err2 := json.Marshal(doc)
		if err := errors.Join(err, wrong[0], wrong[1], err2); err != nil {
			t.Fatal(err)
		}
		return b
	}
	var step int
	for i, s := range f.spec.Steps {
		if s.Op == "scale" && s.As == "unit" {
			step = i
		}
	}
	for _, c := range []struct {
		name   string
		change func(golden map[string]any, states []any)
		want   string
	}{
		{"a scale that is a bit off", func(_ map[string]any, states []any) {
			scale := states[step].(map[string]any)["scale"].([]any)
			scale[0] = scale[0].(float64) * (1 + 1e-6)
		}, `feature "unit" is`},
		{"features that are too few", func(g map[string]any, _ []any) { g["features"] = "AAAA" }, "3 bytes of features, not"},
		{"texts that are too few", func(g map[string]any, _ []any) { g["inputs"].([]any)[4] = []any{"a"} }, `do not have 64 values of "city"`},
		{"numbers for texts", func(g map[string]any, _ []any) { g["inputs"].([]any)[4] = "AAAA" }, `do not have 64 values of "city"`},
		{"texts for numbers", func(g map[string]any, _ []any) { g["inputs"].([]any)[0] = []any{"a"} }, `do not have 64 values of "x"`},
		{"a column less", func(g map[string]any, _ []any) { g["inputs"] = g["inputs"].([]any)[1:] }, "have 8 columns, not 9"},
		{"no rows", func(g map[string]any, _ []any) { g["rows"] = 0 }, "the golden rows"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Decode(of(c.change)); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestAPipelineOfBeforeGoldenRowsIsReadAsItStands(t *testing.T) {
	old := []byte(`{"format":"flyball.pipeline/v1","semantics":1,"spec":{"inputs":{"x":"number"},"steps":[{"op":"scale","in":"x"}]},"states":[{"center":[1],"scale":[2]}]}`)
	f, err := Decode(old)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(f.Encode(), []byte("golden")) {
		t.Error("reading it gave it golden rows, and another digest")
	}
}

func TestARowThatThePipelineRefusesIsNoGoldenRow(t *testing.T) {
	rows := frame.New(frame.TextColumn("s", []string{"a", "b"}, nil))
	f := mustFit(t, Spec{Inputs: rows.Fields(), Steps: []Step{{Op: "expr", As: "e", Expr: `let n = len(s) - 5; 1 % n`}, {Op: "select", In: []string{"e"}}}}, rows)
	if f.golden == nil {
		t.Fatal("it has no golden rows")
	}
	if _, err := Decode(f.Encode()); err != nil {
		t.Error(err)
	}
}

func allSame(a, b []float32) bool { return slices.EqualFunc(a, b, sameBits) }
