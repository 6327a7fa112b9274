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
	for _, objective := range []string{"reg:squarederror", "binary:logistic", "multi:softprob"} {
		t.Run(objective, func(t *testing.T) {
			b, err := exec.Command(python, "testdata/margins.py", objective).Output()
			if err != nil {
				t.Fatal(err)
			}
			var d struct {
				Model   json.RawMessage
				X       []uint32
				Margins []uint32
			}
			if err := json.Unmarshal(b, &d); err != nil {
				t.Fatal(err)
			}
			e, err := Decode(d.Model)
			if err != nil {
				t.Fatal(err)
			}
			k, row, out := e.Outputs(), make([]float32, 4), make([]float32, e.Outputs())
			if len(d.X) != 1200 || len(d.Margins) != 300*k {
				t.Fatalf("got %d values and %d margins", len(d.X), len(d.Margins))
			}
			differ := 0
			for i := range 300 {
				for j := range row {
					row[j] = math.Float32frombits(d.X[i*4+j])
				}
				e.(interface{ Margins(row, out []float32) }).Margins(row, out)
				for j, v := range out {
					if math.Float32bits(v) != d.Margins[i*k+j] {
						differ++
					}
				}
			}
			if differ != 0 {
				t.Errorf("%d of %d margins differ", differ, 300*k)
			}
		})
	}
}
