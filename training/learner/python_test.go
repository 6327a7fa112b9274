// SPDX-License-Identifier: Apache-2.0

package learner

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"flyball/data/dataset"
)

// pythonWithXGBoost is a Python that can import xgboost; without one the test is
// skipped.
func pythonWithXGBoost(t *testing.T) string {
	t.Helper()
	python := os.Getenv("FLYBALL_PYTHON")
	if python == "" {
		python = "../../.cache/venv/bin/python"
	}
	if testing.Short() {
		t.Skip("Python takes long")
	}
	if _, err := exec.LookPath(python); err != nil {
		t.Skip("no Python with xgboost: set FLYBALL_PYTHON or run make test as root, which makes .cache/venv")
	}
	return python
}

// sparse takes a tenth of the values away and makes the first feature a code, of 0 to
// codes-1.
func sparse(d Data, codes int) Data {
	r := rand.New(rand.NewPCG(9, uint64(codes)))
	for i := range d.X.Rows {
		row := d.X.Row(i)
		row[0] = float32(r.IntN(codes))
		if int(row[0])%3 == 1 && d.Kind == dataset.Regression {
			d.Y[i] += 2
		}
		for j := range row {
			if r.IntN(10) == 0 {
				row[j] = float32(math.NaN())
			}
		}
	}
	return d
}

// counts makes the labels counts.
func counts(d Data) Data {
	for i, y := range d.Y {
		d.Y[i] = math.Round(math.Abs(y))
	}
	return d
}

func TestXGBoostGivesTheSameMargins(t *testing.T) {
	python := pythonWithXGBoost(t)
	for _, c := range []struct {
		name     string
		kind     dataset.Kind
		settings map[string]any
		weights  bool
	}{
		{"squared", dataset.Regression, nil, false},
		{"binary", dataset.Binary, nil, false},
		{"multiclass", dataset.Multiclass, nil, false},
		{"absolute", dataset.Regression, map[string]any{"objective": "absolute"}, true},
		{"quantile", dataset.Regression, map[string]any{"objective": "quantile", "quantile": 0.9}, false},
		{"poisson", dataset.Regression, map[string]any{"objective": "poisson"}, true},
		{"weights", dataset.Binary, map[string]any{"class_weight": "balanced"}, true},
		{"categories, squared", dataset.Regression, map[string]any{"categorical": "a"}, false},
		{"categories, binary", dataset.Binary, map[string]any{"categorical": "a"}, true},
		{"categories, multiclass", dataset.Multiclass, map[string]any{"categorical": "a"}, false},
		{"monotone", dataset.Binary, map[string]any{"monotone": map[string]any{"b": 1, "c": -1}}, false},
		{"sampled and penalized", dataset.Regression, map[string]any{"subsample": 0.7, "colsample": 0.6, "alpha": 0.5, "gamma": 0.1, "max_delta_step": 0.5}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			train, test := sparse(made(c.kind, 5, 3000, 6), 20), sparse(made(c.kind, 6, 500, 6), 24) // codes that training did not see
			train.X.Names = []string{"a", "b", "c", "d", "e", "f"}
			if c.name == "poisson" {
				train = counts(train)
			}
			if c.weights {
				r := rand.New(rand.NewPCG(7, 7))
				for range train.Y {
					train.Weights = append(train.Weights, float64(r.IntN(4)))
				}
			}
			settings := map[string]any{"trees": 30, "depth": 5, "learning_rate": 0.3}
			maps.Copy(settings, c.settings)
			f, e := fit(t, "builtin/gbdt", settings, train, Options{Seed: 3})
			want := marginsOf(t, python, f.Bytes, test)
			k := e.Outputs()
			if want.Rounds != 30 || len(want.Margins) != 500*k {
				t.Fatalf("XGBoost sees %d rounds and gives %d margins", want.Rounds, len(want.Margins))
			}
			margins := e.(interface{ Margins(row, out []float32) })
			out, differ := make([]float32, k), 0
			for i := range 500 {
				margins.Margins(test.X.Row(i), out)
				for j, m := range out {
					if math.Float32bits(m) != want.Margins[i*k+j] {
						if differ++; differ < 4 {
							t.Logf("row %d, output %d: got %v, want %v", i, j, m, math.Float32frombits(want.Margins[i*k+j]))
						}
					}
				}
			}
			if differ > 0 {
				t.Errorf("%d of %d margins differ", differ, 500*k)
			}
		})
	}
}

// told is what XGBoost says of a model: the bits of its margins, row by row.
type told struct {
	Margins []uint32
	Rounds  int
}

// marginsOf has XGBoost load the model and score the rows.
func marginsOf(t *testing.T, python string, model []byte, d Data) told {
	t.Helper()
	dir := t.TempDir()
	var raw bytes.Buffer
	if err := binary.Write(&raw, binary.LittleEndian, d.X.Data); err != nil {
		t.Fatal(err)
	}
	modelFile, rowsFile := filepath.Join(dir, "model.json"), filepath.Join(dir, "rows.f32")
	for name, b := range map[string][]byte{modelFile: model, rowsFile: raw.Bytes()} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	said, err := exec.CommandContext(t.Context(), python, "testdata/margins.py", modelFile, rowsFile, "6").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	var out told
	if err := json.Unmarshal(said[bytes.IndexByte(said, '{'):], &out); err != nil {
		t.Fatal(err)
	}
	return out
}
