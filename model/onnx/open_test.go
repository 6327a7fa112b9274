// SPDX-License-Identifier: Apache-2.0

package onnx

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/fault"
	"flyball/internal/fuzzcheck"
	"flyball/model"
)

// files are a bundle's files in memory.
type files map[string][]byte

func (f files) Names() []string { return nil }

func (f files) Read(name string) ([]byte, error) {
	if b, ok := f[name]; ok {
		return b, nil
	}
	return nil, fault.New(fault.NotFound, "there is no %s", name)
}

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func open(t testing.TB, name string, m model.Manifest) *Model {
	t.Helper()
	s, err := Open(t.Context(), m, files{File: fixture(t, name+".onnx")})
	if err != nil {
		t.Fatal(err)
	}
	return s.(*Model)
}

// table makes a frame of rows as JSON has them, null being a missing value.
func table(fields []frame.Field, rows [][]any) *frame.Frame {
	var cols []frame.Column
	for j, f := range fields {
		var num []float64
		var text []string
		for _, r := range rows {
			v, ok := r[j].(float64)
			if !ok {
				v = math.NaN()
			}
			s, _ := r[j].(string)
			num, text = append(num, v), append(text, s)
		}
		if f.Kind == frame.Text {
			cols = append(cols, frame.TextColumn(f.Name, text, nil))
		} else {
			cols = append(cols, frame.NumberColumn(f.Name, num))
		}
	}
	return frame.New(cols...)
}

func TestSmallModelsScoreAsOnnxruntimeDoes(t *testing.T) {
	var all map[string]struct {
		Rows   [][]any
		Scores [][]float64
	}
	if err := json.Unmarshal(fixture(t, "small.json"), &all); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, columns, classes string
		outputs                int
	}{
		{"forest", "input_0 input_1 input_2", "0 1 2", 3},
		{"boosting", "input_0 input_1 input_2", "", 1},
		{"missing", "input_0 input_1 input_2", "0 1", 1},
		{"network", "input_0 input_1 input_2", "0 1 2", 3},
		{"vectors", "input_0 input_1 input_2", `"no" "yes"`, 1},
		{"table", "a b c city", `"no" "yes"`, 1},
		{"ordinal", "a b c city", "0 1", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := open(t, c.name, model.Manifest{})
			var columns, classes []string
			for _, f := range m.Inputs() {
				columns = append(columns, f.Name)
			}
			for _, l := range m.About().Classes {
				classes = append(classes, string(l))
			}
			if got := strings.Join(columns, " "); got != c.columns {
				t.Errorf("columns: got %s, want %s", got, c.columns)
			}
			if got := strings.Join(classes, " "); got != c.classes || m.About().Classifier() != (c.classes != "") {
				t.Errorf("classes: got %s, want %s", got, c.classes)
			}
			if m.Outputs() != c.outputs {
				t.Fatalf("got %d scores, want %d", m.Outputs(), c.outputs)
			}
			got, err := m.Score(t.Context(), table(m.Inputs(), all[c.name].Rows))
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range all[c.name].Scores {
				if c.outputs == 1 {
					want = want[len(want)-1:]
				}
				for k, w := range want {
					if math.Abs(got.Row(i)[k]-w) > 1e-6 {
						t.Errorf("row %d: got %v, want %v", i, got.Row(i), want)
					}
				}
			}
		})
	}
}

func TestTheSignatureNamesTheColumns(t *testing.T) {
	m := open(t, "forest", model.Manifest{Answer: &model.Answer{Signature: &model.Signature{
		Inputs: `[{"type":"double","name":"age"},{"type":"double","name":"rooms"},{"type":"double","name":"income"}]`,
	}}})
	want := []frame.Field{{Name: "age", Kind: frame.Number}, {Name: "rooms", Kind: frame.Number}, {Name: "income", Kind: frame.Number}}
	if !slices.Equal(m.Inputs(), want) {
		t.Errorf("got %v", m.Inputs())
	}
}

func TestASignatureOfOtherLengthOrOfTensorsNamesNothing(t *testing.T) {
	for _, s := range []string{
		`[{"type":"double","name":"age"}]`, `[{"type":"tensor","tensor-spec":{"dtype":"float32","shape":[-1,3]}}]`, `{`, ``,
		`[{"type":"double","name":"a"},{"type":"double","name":"a"},{"type":"double","name":"b"}]`,
	} {
		m := open(t, "forest", model.Manifest{Answer: &model.Answer{Signature: &model.Signature{Inputs: s}}})
		if got := m.Inputs()[2].Name; got != "input_2" {
			t.Errorf("%s: got %q", s, got)
		}
	}
}

func TestTwoProbabilitiesAreOneScoreUnlessTheModelIsNoBinaryOne(t *testing.T) {
	if got := open(t, "table", model.Manifest{Kind: dataset.Multiclass, Classes: []string{"no", "yes"}}).Outputs(); got != 2 {
		t.Errorf("multiclass: got %d scores", got)
	}
	if got := open(t, "table", model.Manifest{Kind: dataset.Binary}).Outputs(); got != 1 {
		t.Errorf("binary: got %d scores", got)
	}
}

func TestRowsThatTheModelCannotTakeAreRefused(t *testing.T) {
	m := open(t, "table", model.Manifest{})
	n := []float64{1}
	for _, c := range []struct {
		name, want string
		rows       *frame.Frame
	}{
		{"a column is absent", `there is no column "city"`, frame.New(frame.NumberColumn("a", n), frame.NumberColumn("b", n), frame.NumberColumn("c", n))},
		{
			"a number is a text", `column "b" holds texts, the model takes numbers`,
			frame.New(frame.NumberColumn("a", n), frame.TextColumn("b", []string{"x"}, nil), frame.NumberColumn("c", n), frame.TextColumn("city", []string{"x"}, nil)),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := m.Score(t.Context(), c.rows); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
			if _, err := m.Score(t.Context(), c.rows.Slice(0, 0)); !fault.Is(err, fault.Invalid) {
				t.Errorf("without rows: got %v", err)
			}
		})
	}
}

func TestACancelledRequestIsNotScored(t *testing.T) {
	m := open(t, "forest", model.Manifest{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Score(ctx, table(m.Inputs(), [][]any{{1.0, 2.0, 3.0}})); !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v", err)
	}
}

// TestManyRowsAtOnceHaveTheScoresOfEachByItself scores 2,500 rows, more than are computed
// at once, from many goroutines.
func TestManyRowsAtOnceHaveTheScoresOfEachByItself(t *testing.T) {
	for _, name := range []string{"forest", "table", "network", "vectors", "missing"} {
		m := open(t, name, model.Manifest{})
		var rows [][]any
		for i := range 2500 {
			v := math.Sin(float64(i))
			row := []any{v, 2 * v, -v, []string{"ams", "ber", "nowhere"}[i%3]}
			rows = append(rows, row[:len(m.Inputs())])
		}
		f := table(m.Inputs(), rows)
		all, err := m.Score(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for i := w; i < len(rows); i += 37 {
					one, err := m.Score(context.Background(), f.Slice(i, i+1))
					if err != nil || !slices.EqualFunc(one.Values, all.Row(i), func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }) {
						t.Errorf("%s: row %d: got %v (%v), want %v", name, i, one.Values, err, all.Row(i))
						return
					}
				}
			})
		}
		wg.Wait()
	}
}

func FuzzDecode(f *testing.F) {
	for _, name := range []string{"forest", "boosting", "missing", "network", "vectors", "table", "ordinal"} {
		f.Add(fixture(f, name+".onnx"))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzzcheck.Within(t, len(b), 1<<20, func() { _, _ = read(b, model.Manifest{}) })
		m, err := read(b, model.Manifest{})
		if err != nil {
			if fault.KindOf(err) == fault.Internal {
				t.Fatalf("no fault: %v", err)
			}
			return
		}
		cols := make([]frame.Column, len(m.Inputs()))
		for i, in := range m.Inputs() {
			if cols[i] = frame.NumberColumn(in.Name, []float64{1, math.NaN(), -2}); in.Kind == frame.Text {
				cols[i] = frame.TextColumn(in.Name, []string{"ams", "", "x"}, nil)
			}
		}
		if _, err := m.Score(t.Context(), frame.WithRows(3, cols...)); err != nil && fault.KindOf(err) == fault.Internal {
			t.Fatalf("no fault: %v", err)
		}
	})
}

func TestModelsAnswerAsPyfuncDoes(t *testing.T) {
	row := [][]any{{0.5, -1.0, 2.0, "ber"}}
	for _, c := range []struct{ name, want string }{
		{"boosting", `[{"variable": `},
		{"vectors", `[{"output_label": "no", "output_probability": {"no": `},
		{"forest", `[{"output_label": 0, "output_probability": {"0": `},
		{"table", `[{"output_label": "yes", "output_probability": {"no": `},
	} {
		m := open(t, c.name, model.Manifest{})
		got, err := m.Answer(t.Context(), model.Call{Rows: table(m.Inputs(), [][]any{row[0][:len(m.Inputs())]})})
		if err != nil || !strings.HasPrefix(string(got), c.want) || !json.Valid(got) {
			t.Errorf("%s: got %s (%v)", c.name, got, err)
		}
	}
	m := open(t, "boosting", model.Manifest{})
	got, err := m.Answer(t.Context(), model.Call{Body: json.RawMessage(`{"inputs": [[0.5, -1, 2], [0.5, -1, 2]]}`)})
	if err != nil || !strings.HasPrefix(string(got), `{"variable": [[`) || !json.Valid(got) {
		t.Errorf("got %s (%v)", got, err)
	}
}
