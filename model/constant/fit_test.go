// SPDX-License-Identifier: Apache-2.0

package constant

import (
	"math"
	"testing"

	"flyball/data/pipeline"
)

func TestAFitWritesTheMeanOfEachGroupAndTheOverallMean(t *testing.T) {
	nan := float32(math.NaN())
	f, err := Fit(pipeline.Matrix{Rows: 4, Cols: 1, Data: []float32{nan, 1, 1, nan}}, []float64{1, 0, 1, 1}, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"format":"flyball.constant/1","features":1,"overall":[0.75],"groups":[{"key":[1],"scores":[0.5]},{"key":[null],"scores":[1]}]}` + "\n"
	if string(f.Bytes) != want {
		t.Fatalf("got %s", f.Bytes)
	}
	if _, err := Decode(f.Bytes); err != nil {
		t.Fatal(err)
	}
}
