// SPDX-License-Identifier: Apache-2.0

package xgboost

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"flyball/data/pipeline"
	"flyball/model"
)

// contribs are what XGBoost's pred_contribs says of rows.
type contribs struct {
	Name                    string
	Rows, Features, Outputs int
}

func float32s(t *testing.T, path string) []float32 {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float32, len(raw)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return out
}

func TestContributionsAreThoseOfXGBoost(t *testing.T) {
	python := os.Getenv("FLYBALL_PYTHON")
	if python == "" {
		python = "../../.cache/venv/bin/python"
	}
	if _, err := exec.LookPath(python); err != nil {
		t.Skip("no Python with xgboost: set FLYBALL_PYTHON or make .cache/venv")
	}
	rows := 200
	if os.Getenv("FLYBALL_LONG") != "" {
		rows = 1500
	}
	folder := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), python, "-W", "ignore", "testdata/contribs.py", folder, strconv.Itoa(rows)).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	raw, err := os.ReadFile(filepath.Join(folder, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []contribs
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		t.Run(c.Name, func(t *testing.T) { c.check(t, folder) })
	}
}

func (c contribs) check(t *testing.T, folder string) {
	file, err := os.ReadFile(filepath.Join(folder, c.Name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	e, err := Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	x := pipeline.Matrix{Rows: c.Rows, Cols: c.Features, Data: float32s(t, filepath.Join(folder, c.Name+".rows"))}
	got, err := e.(model.Explainer).Explain(x)
	if err != nil {
		t.Fatal(err)
	}
	want := float32s(t, filepath.Join(folder, c.Name+".contribs"))
	if len(got.Values) != len(want) || got.Outputs != c.Outputs {
		t.Fatalf("got %d values of %d outputs, want %d of %d", len(got.Values), got.Outputs, len(want), c.Outputs)
	}
	wide := c.Features + 1
	for from := 0; from < len(want); from += wide {
		size, sum := 0.0, 0.0 // of the row: XGBoost reckons in float32
		for j := range wide {
			size = max(size, math.Abs(float64(want[from+j])))
			sum += got.Values[from+j]
		}
		for j := range wide {
			if d := math.Abs(got.Values[from+j] - float64(want[from+j])); d > 1e-5*size {
				t.Fatalf("row %d, feature %d: got %v, want %v", from/wide, j, got.Values[from+j], want[from+j])
			}
		}
		if margin := got.Margins[from/wide]; math.Abs(sum-margin) > 1e-5*max(size, math.Abs(margin)) {
			t.Fatalf("row %d: the contributions add up to %v, the margin is %v", from/wide, sum, margin)
		}
	}
}
