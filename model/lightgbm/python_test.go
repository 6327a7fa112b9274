// SPDX-License-Identifier: Apache-2.0

package lightgbm

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"flyball/data/frame"
)

// reference is a line of testdata/models.py.
type reference struct {
	Name, Library, Model              string
	Rows, Features                    int
	X, Margins, Scores, Contributions string
}

// short are the cases that run with every change: one of each kind of split and sum.
func short() []string {
	return []string{"binary", "multiclass", "regression by category", "random forest", "dart, zero as missing", "no missing values used", "nothing to learn"}
}

// run is what a script prints; the test is skipped where there is no Python for it.
func run(t *testing.T, args ...string) []byte {
	t.Helper()
	python := os.Getenv("FLYBALL_PYTHON")
	if python == "" {
		python = "../../.cache/mlflow3/bin/python"
	}
	if _, err := exec.LookPath(python); err != nil {
		t.Skip("no Python with lightgbm: set FLYBALL_PYTHON or make .cache/mlflow3")
	}
	cmd := exec.CommandContext(t.Context(), python, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAnswersEqualThoseOfLightGBM(t *testing.T) {
	args := append([]string{"testdata/models.py", "1000"}, short()...)
	if os.Getenv("FLYBALL_LONG") != "" {
		args = []string{"testdata/models.py", "10000", "--all"}
	}
	compare(t, run(t, args...))
}

func TestAnswersEqualThoseOfLightGBM3AsTheyWereRecorded(t *testing.T) {
	b, err := os.ReadFile("testdata/v3.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	compare(t, b)
}

func compare(t *testing.T, references []byte) {
	in := bufio.NewScanner(bytes.NewReader(references))
	in.Buffer(nil, len(references)+1)
	models := 0
	for ; in.Scan(); models++ {
		var ref reference
		if err := json.Unmarshal(in.Bytes(), &ref); err != nil {
			t.Fatal(err)
		}
		t.Run(ref.Name, func(t *testing.T) { ref.compare(t) })
	}
	if in.Err() != nil || models < 5 {
		t.Fatalf("%d models; %v", models, in.Err())
	}
}

func numbers(t testing.TB, packed string) []float64 {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(packed)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float64, len(b)/8)
	for i := range out {
		out[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return out
}

// frame is the rows as columns.
func (ref *reference) frame(t testing.TB, m *Model) *frame.Frame {
	x := numbers(t, ref.X)
	if len(m.Inputs()) != ref.Features || len(x) != ref.Rows*ref.Features {
		t.Fatalf("%d inputs, %d numbers", len(m.Inputs()), len(x))
	}
	cols := make([]frame.Column, ref.Features)
	for j, in := range m.Inputs() {
		v := make([]float64, ref.Rows)
		for i := range v {
			v[i] = x[i*ref.Features+j]
		}
		cols[j] = frame.NumberColumn(in.Name, v)
	}
	return frame.New(cols...)
}

func (ref *reference) compare(t *testing.T) {
	m, err := Decode([]byte(ref.Model))
	if err != nil {
		t.Fatal(err)
	}
	rows := ref.frame(t, m)
	margins, err := m.Margins(t.Context(), rows)
	if err != nil {
		t.Fatal(err)
	}
	want := numbers(t, ref.Margins)
	if len(margins.Values) != len(want) {
		t.Fatalf("got %d margins, want %d", len(margins.Values), len(want))
	}
	differ := 0
	for i, v := range margins.Values {
		if math.Float64bits(v) != math.Float64bits(want[i]) && !(v == 0 && want[i] == 0) {
			if differ++; differ < 3 {
				t.Errorf("margin %d is %v, want %v", i, v, want[i])
			}
		}
	}
	if differ > 0 {
		t.Errorf("%d of %d margins differ", differ, len(want))
	}
	ref.alone(t, m, rows, margins.Values)
	ref.explain(t, m, rows.Slice(0, 20))
	scores, err := m.Score(t.Context(), rows)
	if err != nil {
		t.Fatal(err)
	}
	far := 0.0
	for i, want := range numbers(t, ref.Scores) {
		got := scores.Values[i]
		if d := math.Abs(got-want) / max(math.Abs(want), math.SmallestNonzeroFloat64); got != want && !(d <= 1e-15) {
			far = max(far, d)
			if far == d {
				t.Errorf("score %d is %v, want %v: off by %.2g", i, got, want, d)
			}
		}
	}
}

// explain compares what each feature adds, and that it adds up.
func (ref *reference) explain(t *testing.T, m *Model, rows *frame.Frame) {
	c, err := m.ExplainRows(t.Context(), rows)
	if err != nil {
		t.Fatal(err)
	}
	want := numbers(t, ref.Contributions)
	if len(c.Values) != len(want) {
		t.Fatalf("got %d contributions, want %d", len(c.Values), len(want))
	}
	wide := c.Features + 1
	for i := range c.Margins {
		sum, size := 0.0, 1e-9
		for _, v := range want[i*wide : (i+1)*wide] {
			size = max(size, math.Abs(v)/m.divisor)
		}
		for j, v := range c.Values[i*wide : (i+1)*wide] {
			sum += v
			if want := want[i*wide+j] / m.divisor; !(math.Abs(v-want) <= 1e-10*size) {
				t.Fatalf("row and output %d, feature %d adds %v, want %v", i, j, v, want)
			}
		}
		if !(math.Abs(sum-c.Margins[i]) <= 1e-10*size) {
			t.Fatalf("row and output %d: contributions add up to %v, the margin is %v", i, sum, c.Margins[i])
		}
	}
}

// alone scores rows one by one, which is another way through the trees.
func (ref *reference) alone(t *testing.T, m *Model, rows *frame.Frame, want []float64) {
	for i := range min(ref.Rows, 300) {
		s, err := m.Margins(t.Context(), rows.Slice(i, i+1))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprint(s.Values), fmt.Sprint(want[i*m.outputs:(i+1)*m.outputs]); got != want {
			t.Fatalf("row %d alone: got %s, want %s", i, got, want)
		}
	}
}

func TestLogOfOneMoreIsNear(t *testing.T) {
	for i := range 200000 {
		x := math.Exp(float64(i)/200000*800 - 60)
		if got, want := log1p(x), math.Log1p(x); math.Abs(got-want) > 3e-16*want {
			t.Fatalf("log1p(%s) is %v, want %v", strconv.FormatFloat(x, 'g', -1, 64), got, want)
		}
	}
	for _, x := range []float64{0, math.Inf(1), 5e-324, 1} {
		if got, want := log1p(x), math.Log1p(x); got != want {
			t.Errorf("log1p(%v) is %v, want %v", x, got, want)
		}
	}
}

func TestCategoriesOfPandasAreCodedInTheOrderOfTraining(t *testing.T) {
	out := run(t, "testdata/categories.py")
	var ref struct {
		Model        string
		X, Size, Yes []float64
		Colour       []*string
		Margins      []float64
	}
	if err := json.Unmarshal(out, &ref); err != nil {
		t.Fatal(err)
	}
	m := decoded(t, ref.Model)
	if got, want := fmt.Sprint(m.Inputs()), "[{x number} {colour text} {size number} {yes number}]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	text, null := make([]string, len(ref.X)), make([]bool, len(ref.X))
	for i, s := range ref.Colour {
		if null[i] = s == nil; s != nil {
			text[i] = *s
		}
	}
	s, err := m.Margins(t.Context(), frame.New(frame.NumberColumn("yes", ref.Yes), frame.TextColumn("colour", text, null),
		frame.NumberColumn("x", ref.X), frame.NumberColumn("size", ref.Size)))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range ref.Margins {
		if s.Values[i] != want {
			t.Errorf("row %d: got %v, want %v", i, s.Values[i], want)
		}
	}
}

func BenchmarkScore(b *testing.B) {
	text, err := os.ReadFile("testdata/v3.jsonl")
	if err != nil {
		b.Fatal(err)
	}
	var ref reference
	line, _, _ := bytes.Cut(text, []byte("\n"))
	if err := json.Unmarshal(line, &ref); err != nil {
		b.Fatal(err)
	}
	m, err := Decode([]byte(ref.Model))
	if err != nil {
		b.Fatal(err)
	}
	all := ref.frame(b, m)
	for _, rows := range []int{1, ref.Rows} {
		b.Run(fmt.Sprintf("%d trees, %d rows", len(m.roots), rows), func(b *testing.B) {
			some := all.Slice(0, rows)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.Score(b.Context(), some); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/row")
		})
	}
}
