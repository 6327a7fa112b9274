// SPDX-License-Identifier: Apache-2.0

package export

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// python is the interpreter of scripts/requirements/onnx.txt; the test is left out where
// there is none.
func python(t testing.TB) string {
	t.Helper()
	p := os.Getenv("FLYBALL_PYTHON_ONNX")
	if p == "" {
		p = "../../../.cache/onnx/bin/python"
	}
	if testing.Short() {
		t.Skip("Python is left out of a short run")
	}
	if _, err := exec.LookPath(p); err != nil {
		t.Skip("no Python with onnxruntime: set FLYBALL_PYTHON_ONNX or make .cache/onnx")
	}
	return p
}

// everything is a pipeline of every operation that all consumers know.
func everything() pipeline.Spec {
	in := func(names ...string) pipeline.Columns { return names }
	return pipeline.Spec{
		Inputs: []frame.Field{
			{Name: "x", Kind: frame.Number},
			{Name: "y", Kind: frame.Number},
			{Name: "lead time", Kind: frame.Number},
			{Name: "z", Kind: frame.Number},
			{Name: "raw", Kind: frame.Number},
			{Name: "city", Kind: frame.Text},
			{Name: "agent", Kind: frame.Text},
			{Name: "meal", Kind: frame.Text},
			{Name: "at", Kind: frame.Time},
			{Name: "seen", Kind: frame.Time},
		},
		Steps: []pipeline.Step{
			{Op: "log", In: in("x"), As: "logx"},
			{Op: "log", In: in("y"), As: "log1py", Strategy: "log1p"},
			{Op: "interactions", In: in("x", "y", "z")},
			{Op: "target_encode", In: in("city"), As: "city mean", Smooth: 3},
			{Op: "target_encode", In: in("agent"), As: "agent mean"},
			{Op: "datetime", In: in("at"), As: "when", Parts: []string{"month", "day", "weekday", "hour", "minute", "yearday"}, Cyclic: true},
			{Op: "expr", As: "ratio", Expr: `city == "b" ? x / y : log(max(1, z))`},
			{Op: "expr", As: "many", Expr: `-x ** 2 + (1 < y < 3 and not (city in ["a", 'c']) ? 0.5 : mod(y, 3)) * min(x, y, 7)`},
			{Op: "expr", As: "rounded", Expr: `round(x) + floor(y) - ceil($env["lead time"]) + abs(x)`},
			{Op: "expr", As: "curves", Expr: `sin(x) * cos(y) + sqrt(abs(x)) + exp(min(y, 5))`},
			{Op: "expr", As: "small", Expr: `log1p(x / 1e6) + log1p(abs(y))`},
			{Op: "expr", As: "sign", Expr: `round(x / 100)`},
			{Op: "expr", As: "same", Expr: `city == meal || meal != "no" ? 1 : 0`},
			{Op: "expr", As: "fixed", Expr: `2 * 3 + 0x10 / 1_000`},
			{Op: "ordinal", In: in("city"), As: "code"},
			{Op: "scale", In: in("x"), As: "unit", Strategy: "minmax"},
			{Op: "impute", In: in("x", "y"), Strategy: "median"},
			{Op: "impute", In: in("meal"), Strategy: "most_frequent"},
			{Op: "impute", In: in("agent"), Strategy: "constant", Value: "nobody", As: "who"},
			{Op: "scale", In: in("x")},
			{Op: "scale", In: in("y"), Strategy: "robust"},
			{Op: "clip", In: in("z"), Min: new(-1.0), Max: new(1.0), As: "near"},
			{Op: "bucketize", In: in("z"), Bins: 4, As: "quarter"},
			{Op: "bucketize", In: in("z"), Edges: []float64{-1, 0, 0.5}},
			{Op: "one_hot", In: in("city", "meal"), AtLeast: 20},
			{Op: "scale", In: in("city=a")},
			{Op: "one_hot", In: in("who"), AtLeast: 50},
			{Op: "ordinal", In: in("agent"), By: "frequency", AtLeast: 20},
			{Op: "datetime", In: in("at", "seen"), Parts: []string{"hour", "weekday", "year", "month", "day", "minute", "yearday"}},
		},
	}
}

// words are categories with a few that are odd, in a rising order of how rare they are.
var words = []string{"a", "b", "c", "", "other", "ä ö", "x\ny", `q"uote`, "日本", "d", "e", "f", "g", "no", "yes"}

// randomRows are rows with missing and infinite values, very small and very large ones,
// and times of all ages; those of an odd seed have categories that others have not.
func randomRows(seed uint64, n int) *frame.Frame {
	r := rand.New(rand.NewPCG(seed, 1))
	fields := everything().Inputs
	cols := make([]frame.Column, len(fields))
	for i, f := range fields {
		switch f.Kind {
		case frame.Number:
			cols[i] = frame.NumberColumn(f.Name, randomNumbers(r, n))
		case frame.Time:
			cols[i] = frame.TimeColumn(f.Name, randomTimes(r, n))
		default:
			cols[i] = randomTexts(r, f.Name, n, seed)
		}
	}
	return frame.New(cols...)
}

func randomNumbers(r *rand.Rand, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		switch r.IntN(16) {
		case 0:
			out[i] = math.NaN()
		case 1:
			out[i] = math.Inf(1 - 2*r.IntN(2))
		case 2:
			out[i] = math.Copysign(0, float64(1-2*r.IntN(2)))
		case 3:
			out[i] = float64(r.IntN(9)-4) / 2
		case 4:
			out[i] = r.NormFloat64() * math.Exp(60*r.NormFloat64())
		case 5:
			out[i] = -1
		default:
			out[i] = r.NormFloat64() * math.Exp(2*r.NormFloat64())
		}
	}
	return out
}

func randomTimes(r *rand.Rand, n int) []int64 {
	out := make([]int64, n)
	for i := range out {
		switch r.IntN(10) {
		case 0:
			out[i] = frame.NoTime
		case 1:
			out[i] = int64(r.Uint64()>>1)/4 - math.MaxInt64/8
		case 2:
			out[i] = (int64(r.IntN(200000)) - 100000) * 86_400_000_000
		default:
			out[i] = int64(r.IntN(1<<31))*1_000_000 + int64(r.IntN(1_000_000))
		}
	}
	return out
}

func randomTexts(r *rand.Rand, name string, n int, seed uint64) frame.Column {
	text, null := make([]string, n), make([]bool, n)
	for i := range text {
		k := int(r.ExpFloat64() * 3)
		switch {
		case r.IntN(10) == 0:
			null[i] = true
		case k < len(words):
			text[i] = words[k]
		default:
			text[i] = "rare" + strconv.Itoa(k) + strings.Repeat("!", int(seed&1))
		}
	}
	return frame.TextColumn(name, text, null)
}

// report is what consume.py prints.
type report struct {
	Python, ONNX outcome
	Names        []string
	ONNXNames    []string `json:"onnx_names"`
}

type outcome struct {
	Differ int
	First  string
}

// consume has both other consumers transform the rows.
func consume(t *testing.T, f *pipeline.Fitted, rows *frame.Frame, want []float32, graph []byte) report {
	t.Helper()
	exe := python(t)
	dir := t.TempDir()
	write := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	raw := func(name string, v any) {
		var b bytes.Buffer
		if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
		write(name, b.Bytes())
	}
	write("pipeline.json", f.Encode())
	if graph != nil {
		write("pipeline.onnx", graph)
	}
	raw("want.f32", want)
	for i, in := range f.Inputs() {
		c, name := rows.Column(in.Name), strconv.Itoa(i)
		switch in.Kind {
		case frame.Number:
			raw(name+".num", c.Num)
		case frame.Time:
			raw(name+".time", c.Time)
		default:
			codes, list := make([]int32, c.Len()), []string{}
			at := map[string]int32{}
			for k, word := range c.Text {
				if c.Missing(k) {
					codes[k] = -1
					continue
				}
				if _, ok := at[word]; !ok {
					at[word] = int32(len(list))
					list = append(list, word)
				}
				codes[k] = at[word]
			}
			raw(name+".text", codes)
			b, _ := json.Marshal(list)
			write(name+".json", b)
		}
	}
	cmd := exec.CommandContext(t.Context(), exe, "testdata/consume.py", dir, "../../../python")
	cmd.Env = append(os.Environ(), "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1", "PYTHONDONTWRITEBYTECODE=1")
	cmd.Stderr = os.Stderr
	b, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var out report
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestAllConsumersMakeTheSameBits compares Go by the batch, Go row by row, Python and
// onnxruntime.
func TestAllConsumersMakeTheSameBits(t *testing.T) {
	n := 50_000
	if os.Getenv("FLYBALL_LONG") != "" {
		n = 1_000_000
	}
	f, err := pipeline.Fit(t.Context(), everything(), randomRows(2, 5000), pipeline.Options{Target: classes(5000, 2), Classes: 2})
	if err != nil {
		t.Fatal(err)
	}
	rows := randomRows(3, n)
	m, unseen, err := f.Transform(rows)
	if err != nil {
		t.Fatal(err)
	}
	if len(unseen) == 0 {
		t.Error("no category is unseen")
	}
	for i := range n {
		one, _, err := f.Transform(rows.Slice(i, i+1))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(one.Data, m.Row(i), func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }) {
			t.Fatalf("row %d alone gives other bits than in the batch", i)
		}
	}
	graph, err := ONNX(f)
	if err != nil {
		t.Fatal(err)
	}
	got := consume(t, f, rows, m.Data, graph)
	if got.Python.Differ != 0 {
		t.Errorf("Python: %d values differ, the first: %s", got.Python.Differ, got.Python.First)
	}
	if got.ONNX.Differ != 0 {
		t.Errorf("onnxruntime: %d values differ, the first: %s", got.ONNX.Differ, got.ONNX.First)
	}
	if !slices.Equal(got.Names, f.Names()) || !slices.Equal(got.ONNXNames, f.Names()) {
		t.Errorf("the features are called %q and %q, not %q", got.Names, got.ONNXNames, f.Names())
	}
}

// classes are made-up labels of n rows.
func classes(n, k int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = float64(i * i % 7 % k)
	}
	return out
}

func TestPythonHashesAndWeighsWordsAsGoDoes(t *testing.T) {
	n := 20_000
	if os.Getenv("FLYBALL_LONG") != "" {
		n = 400_000
	}
	texts := func(seed uint64, n int) *frame.Frame {
		r := rand.New(rand.NewPCG(seed, 9))
		parts := []string{"Late", "arrival", "with", "a", "DOG", "ÄÖ", "ß", "İstanbul", "日本", "x_1", "²", "é", "--", "!", "\n", "room", "42", "Σας", "I"}
		text, null := make([]string, n), make([]bool, n)
		for i := range text {
			if null[i] = r.IntN(10) == 0; null[i] {
				continue
			}
			for range r.IntN(8) {
				text[i] += parts[r.IntN(len(parts))] + []string{" ", ",", "", "  "}[r.IntN(4)]
			}
		}
		return frame.New(frame.TextColumn("note", text, null), randomTexts(r, "city", n, seed))
	}
	spec := pipeline.Spec{
		Inputs: pipeline.Fields{{Name: "note", Kind: frame.Text}, {Name: "city", Kind: frame.Text}},
		Steps: []pipeline.Step{
			{Op: "target_encode", In: []string{"city"}, As: "mean"},
			{Op: "hash", In: []string{"city"}, Features: 8, As: "h"},
			{Op: "text", In: []string{"note"}, Features: 32, Words: []int{1, 3}, As: "w"},
			{Op: "scale", In: []string{"w_3", "h_2"}},
			{Op: "hash", In: []string{"city"}, Features: 5},
			{Op: "text", In: []string{"note"}, Features: 7},
		},
	}
	f, err := pipeline.Fit(t.Context(), spec, texts(2, 3000), pipeline.Options{Target: classes(3000, 3), Classes: 3})
	if err != nil {
		t.Fatal(err)
	}
	rows := texts(3, n)
	m, _, err := f.Transform(rows)
	if err != nil {
		t.Fatal(err)
	}
	if got := consume(t, f, rows, m.Data, nil); got.Python.Differ != 0 || !slices.Equal(got.Names, f.Names()) {
		t.Errorf("%d values differ, the first: %s", got.Python.Differ, got.Python.First)
	}
	if _, err := ONNX(f); !fault.Is(err, fault.Refused) || !strings.Contains(err.Error(), "step 2 (hash)") {
		t.Errorf("ONNX: %v", err)
	}
}

func TestWhatONNXCannotComputeIsRefusedByName(t *testing.T) {
	for _, c := range []struct {
		steps []pipeline.Step
		want  string
	}{
		{[]pipeline.Step{{Op: "expr", As: "f", Expr: "len(city) + x"}}, "step 1 (expr) cannot be written as ONNX: the function len"},
		{[]pipeline.Step{{Op: "expr", As: "f", Expr: `city < "b" ? 1.0 : 2.0`}}, "the operator <"},
		{[]pipeline.Step{{Op: "expr", As: "f", Expr: "let a = x; a + 1"}}, "a part of the expression"},
	} {
		spec := pipeline.Spec{Inputs: []frame.Field{{Name: "x", Kind: frame.Number}, {Name: "city", Kind: frame.Text}}}
		spec.Steps = append(c.steps, pipeline.Step{Op: "ordinal", In: []string{"city"}})
		rows := frame.New(frame.NumberColumn("x", []float64{1}), frame.TextColumn("city", []string{"a"}, nil))
		f, err := pipeline.Fit(t.Context(), spec, rows, pipeline.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ONNX(f); !fault.Is(err, fault.Refused) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the error is %v", c.steps[0].Expr, err)
		}
	}
}
