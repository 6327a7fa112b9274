// SPDX-License-Identifier: Apache-2.0

package xgboost

import (
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"flyball/data/pipeline"
	"flyball/model/tree"
)

// recorded is a model that XGBoost trained, with what it answers to rows.
type recorded struct {
	Name, Version          string
	Rows, Outputs, Answers int
	JSON, UBJ, Bin         []byte
}

// trained has XGBoost train the models that are named, all where none is.
func trained(t *testing.T, rows int, names ...string) []recorded {
	python := os.Getenv("FLYBALL_PYTHON")
	if python == "" {
		python = "../../.cache/venv/bin/python"
	}
	if _, err := exec.LookPath(python); err != nil {
		t.Skip("no Python with xgboost: set FLYBALL_PYTHON or make .cache/venv")
	}
	folder := t.TempDir()
	cmd := exec.CommandContext(t.Context(), python, append([]string{"-W", "ignore", "testdata/models.py", folder, strconv.Itoa(rows)}, names...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var all []recorded
	if err := json.Unmarshal(read("index.json"), &all); err != nil {
		t.Fatal(err)
	}
	for i := range all {
		m := &all[i]
		m.JSON, m.UBJ, m.Bin = read(m.Name+".json"), read(m.Name+".ubj"), read(m.Name+".bin")
	}
	return all
}

func TestFreshModelsScoreAsXGBoostBitForBit(t *testing.T) {
	rows, names := 1000, []string{"depth6", "classes3", "dart", "partition", "forest", "linear"}
	if os.Getenv("FLYBALL_LONG") != "" {
		rows, names = 10_000, nil
	}
	for _, m := range trained(t, rows, names...) {
		t.Run(m.Name, func(t *testing.T) { m.check(t) })
	}
}

func TestModelsOfOldVersionsScoreAsTheseDidBitForBit(t *testing.T) {
	files, err := filepath.Glob("testdata/xgboost-*.json.gz")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded models: %v", err)
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		var all []recorded
		if err := json.NewDecoder(z).Decode(&all); err != nil {
			t.Fatal(err)
		}
		for _, m := range all {
			t.Run(m.Version+"/"+m.Name, func(t *testing.T) { m.check(t) })
		}
	}
}

// check scores the rows and compares: margins bit for bit, scores to float32's ends.
func (m recorded) check(t *testing.T) {
	all := make([]float32, len(m.Bin)/4)
	for i := range all {
		all[i] = math.Float32frombits(binary.LittleEndian.Uint32(m.Bin[4*i:]))
	}
	cols := len(all)/m.Rows - 2*m.Outputs - m.Answers
	next := func(n int) []float32 {
		part := all[:m.Rows*n]
		all = all[m.Rows*n:]
		return part
	}
	x, margins, answers, first := next(cols), next(m.Outputs), next(m.Answers), next(m.Outputs)
	for name, raw := range map[string][]byte{"JSON": m.JSON, "UBJSON": m.UBJ} {
		if len(raw) == 0 {
			continue
		}
		m.same(t, name, raw, cols, x, margins)
		short, err := Cut(raw, 2)
		if err != nil {
			t.Fatal(err)
		}
		m.same(t, name+", two iterations", short, cols, x, first)
		if whole, err := Cut(raw, 1000); err != nil {
			t.Error(err)
		} else {
			m.same(t, name+", all iterations", whole, cols, x, margins)
		}
		about, err := ReadAbout(raw)
		if err != nil || about.Count != cols || about.Outputs != m.Outputs || about.Kind == "" {
			t.Errorf("%s: got %+v, %v", name, about, err)
		}
		m.answers(t, raw, about, x, answers)
	}
}

// same compares margins bit for bit.
func (m recorded) same(t *testing.T, name string, raw []byte, cols int, x, want []float32) {
	t.Helper()
	e, err := Decode(raw)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	k, differ, out := e.Outputs(), 0, make([]float32, e.Outputs())
	if k != m.Outputs || e.Features() != cols {
		t.Fatalf("%s: got %d outputs of %d features, want %d of %d", name, k, e.Features(), m.Outputs, cols)
	}
	for i := range m.Rows {
		e.(interface{ Margins(row, out []float32) }).Margins(x[i*cols:(i+1)*cols], out)
		for j, v := range out {
			if math.Float32bits(v) != math.Float32bits(want[i*k+j]) {
				if differ++; differ < 4 {
					t.Logf("%s: row %d, output %d: got %v, want %v", name, i, j, v, want[i*k+j])
				}
			}
		}
	}
	if differ != 0 {
		t.Errorf("%s: %d of %d margins differ", name, differ, m.Rows*k)
	}
}

// answers compares scores with what predict answers.
func (m recorded) answers(t *testing.T, raw []byte, about About, x, want []float32) {
	t.Helper()
	e, err := Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	k := e.Outputs()
	got := make([]float64, m.Rows*k)
	e.Score(pipeline.Matrix{Rows: m.Rows, Cols: e.Features(), Data: x}, got)
	one := e.(interface {
		Margins(row, out []float32)
		Link() tree.Link
	})
	margins, row := make([]float32, k), make([]float64, k)
	for i := range m.Rows { // alone as among many
		one.Margins(x[i*e.Features():(i+1)*e.Features()], margins)
		for j, v := range margins {
			row[j] = float64(v)
		}
		if one.Link().Apply(row); !slices.Equal(row, got[i*k:(i+1)*k]) {
			t.Fatalf("row %d: got %v alone and %v among others", i, row, got[i*k:(i+1)*k])
		}
	}
	if about.Label && m.Answers == 1 && k > 1 {
		for i := range m.Rows {
			best := 0
			for j := range k {
				if got[i*k+j] > got[i*k+best] {
					best = j
				}
			}
			got[i] = float64(best)
		}
		got = got[:m.Rows]
	}
	for i, v := range got {
		if w := float64(want[i]); math.Abs(v-w) > 3e-6*math.Max(math.Abs(w), 0.01) && v != w {
			t.Fatalf("answer %d: got %v, want %v", i, v, w)
		}
	}
}
