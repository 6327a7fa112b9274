// SPDX-License-Identifier: Apache-2.0

package onnx

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"testing"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/model"
)

// python is the interpreter of scripts/requirements/onnx.txt; the test is left out where
// there is none.
func python(t testing.TB) string {
	t.Helper()
	p := os.Getenv("FLYBALL_PYTHON_ONNX")
	if p == "" {
		p = "../../.cache/onnx/bin/python"
	}
	if _, err := exec.LookPath(p); err != nil {
		t.Skip("no Python with onnxruntime: set FLYBALL_PYTHON_ONNX or make .cache/onnx")
	}
	return p
}

// scripted is what a script of testdata prints.
func scripted(t testing.TB, script string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), python(t), append([]string{script}, args...)...)
	cmd.Env = append(os.Environ(), "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1")
	b, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// example is a line of testdata/models.py.
type example struct {
	Name, Kind, Failed string
	ONNX               []byte
	Columns            []struct {
		Name string
		Num  []byte
		Text []string
	}
	Want, ORT []byte
	Width     int
	Loses     bool // the converter does not say what the library does: only onnxruntime counts
	Ops       []string
}

func reals(b []byte) []float64 {
	out := make([]float64, len(b)/8)
	for i := range out {
		out[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return out
}

func (x *example) frame() *frame.Frame {
	var cols []frame.Column
	for _, c := range x.Columns {
		if c.Text != nil {
			cols = append(cols, frame.TextColumn(c.Name, c.Text, nil))
		} else {
			cols = append(cols, frame.NumberColumn(c.Name, reals(c.Num)))
		}
	}
	return frame.New(cols...)
}

func TestScoresEqualThoseOfScikitLearnAndOnnxruntime(t *testing.T) {
	names := []string{
		"logistic_regression", "random_forest", "gradient_boosting_regressor", "hist_gradient_boosting", "mlp_many", "keras_like",
		"transformer_one_hot", "xgboost_binary", "lightgbm_many",
	}
	if os.Getenv("FLYBALL_LONG") != "" {
		names = []string{"all"}
	}
	b := scripted(t, "testdata/models.py", names...)
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, 1<<28)
	for lines.Scan() {
		var x example
		if err := json.Unmarshal(lines.Bytes(), &x); err != nil {
			t.Fatal(err)
		}
		t.Run(x.Name, func(t *testing.T) {
			if x.Failed != "" {
				t.Fatalf("it was not converted: %s", x.Failed)
			}
			sameScores(t, &x)
		})
	}
}

func sameScores(t *testing.T, x *example) {
	t.Helper()
	m, err := read(x.ONNX, model.Manifest{Kind: dataset.Kind(x.Kind)})
	if err != nil {
		t.Fatalf("%v\n%v", err, x.Ops)
	}
	rows := x.frame()
	got, err := m.Score(t.Context(), rows)
	if err != nil {
		t.Fatalf("%v\n%v", err, x.Ops)
	}
	want, ort := reals(x.Want), reals(x.ORT)
	if got.Outputs != x.Width || len(got.Values) != len(want) {
		t.Fatalf("got %d scores a row, want %d", got.Outputs, x.Width)
	}
	differ := func(name string, want []float64, tolerance float64) {
		worst, at, count, scale := 0.0, 0, 0, 1.0
		for _, v := range want {
			scale = max(scale, math.Abs(v))
		}
		for i, v := range got.Values {
			d := math.Abs(v-want[i]) / scale
			if d > tolerance || d != d {
				count++
			}
			if d > worst || d != d {
				worst, at = d, i
			}
		}
		if count > 0 {
			t.Errorf("%s: %d of %d differ, the worst by %.3g: %v, want %v (%v)", name, count, len(want), worst, got.Values[at], want[at], x.Ops)
		}
	}
	if !x.Loses {
		differ("the library itself", want, 1e-6)
	}
	differ("onnxruntime", ort, 1e-6)
	for _, i := range []int{0, 7, rows.Rows() - 1} { // a row by itself has the same bits
		one, err := m.Score(t.Context(), rows.Slice(i, i+1))
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range one.Values {
			if math.Float64bits(v) != math.Float64bits(got.Row(i)[k]) {
				t.Fatalf("row %d by itself: got %v, want %v", i, v, got.Row(i)[k])
			}
		}
	}
}
