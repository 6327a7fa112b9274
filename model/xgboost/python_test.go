// SPDX-License-Identifier: Apache-2.0

package xgboost

import (
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"testing"
)

func TestMarginsEqualThoseOfXGBoostBitForBit(t *testing.T) {
	python := os.Getenv("FLYBALL_PYTHON")
	if python == "" {
		python = "../../.cache/venv/bin/python"
	}
	if _, err := exec.LookPath(python); err != nil {
		t.Skip("no Python with xgboost: set FLYBALL_PYTHON or make .cache/venv")
	}
	objectives := []string{
		"reg:squarederror", "reg:absoluteerror", "reg:squaredlogerror", "reg:pseudohubererror", "binary:logistic", "multi:softprob",
	}
	b, err := exec.CommandContext(t.Context(), python, append([]string{"testdata/margins.py"}, objectives...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]struct {
		Model   json.RawMessage
		UBJ     []byte
		X       []uint32
		Margins []uint32
		First   []uint32 // of seven iterations of the twenty
	}
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	for _, objective := range objectives {
		t.Run(objective, func(t *testing.T) {
			d := all[objective]
			fromUBJ, err := FromUBJSON(d.UBJ)
			if err != nil {
				t.Fatal(err)
			}
			sameMargins(t, "JSON", d.Model, d.X, d.Margins)
			sameMargins(t, "UBJSON", fromUBJ, d.X, d.Margins)
			first, err := Cut(fromUBJ, 7)
			if err != nil {
				t.Fatal(err)
			}
			sameMargins(t, "seven iterations", first, d.X, d.First)
			old, err := edit(fromUBJ, []string{"learner", "gradient_booster", "model"}, func(m object) error {
				delete(m, "iteration_indptr") // as XGBoost 1 writes it
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if first, err = Cut(old, 7); err != nil {
				t.Fatal(err)
			}
			sameMargins(t, "seven iterations of an old model", first, d.X, d.First)
			if all, err := Cut(fromUBJ, 20); err != nil {
				t.Error(err)
			} else {
				sameMargins(t, "all iterations", all, d.X, d.Margins)
			}
		})
	}
}

// sameMargins compares the margins of 300 rows with XGBoost's, bit for bit.
func sameMargins(t *testing.T, name string, model []byte, x, want []uint32) {
	t.Helper()
	e, err := Decode(model)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	k, row, out := e.Outputs(), make([]float32, 4), make([]float32, e.Outputs())
	if len(x) != 1200 || len(want) != 300*k {
		t.Fatalf("%s: got %d values and %d margins", name, len(x), len(want))
	}
	differ := 0
	for i := range 300 {
		for j := range row {
			row[j] = math.Float32frombits(x[i*4+j])
		}
		e.(interface{ Margins(row, out []float32) }).Margins(row, out)
		for j, v := range out {
			if math.Float32bits(v) != want[i*k+j] {
				differ++
			}
		}
	}
	if differ != 0 {
		t.Errorf("%s: %d of %d margins differ", name, differ, 300*k)
	}
}
