// SPDX-License-Identifier: Apache-2.0

package constant

import (
	"math"
	"testing"

	"flyball/data/pipeline"
	"flyball/fault"
	"flyball/internal/fuzzcheck"
)

const byOne = `{"format":"flyball.constant/1","features":1,"overall":[0.5],"groups":[{"key":[1],"scores":[0.25]},{"key":[null],"scores":[0.75]}]}`

func TestARowGetsItsGroupsScoreAndAnUnknownGroupTheOverallOne(t *testing.T) {
	e, err := Decode([]byte(byOne))
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float64, 3)
	e.Score(pipeline.Matrix{Rows: 3, Cols: 1, Data: []float32{1, float32(math.NaN()), 9}}, out)
	if out[0] != 0.25 || out[1] != 0.75 || out[2] != 0.5 {
		t.Fatalf("got %v, want [0.25 0.75 0.5]", out)
	}
}

func TestAMalformedConstantModelIsRefused(t *testing.T) {
	for _, s := range []string{
		`x`, `{}`, `{"format":"flyball.constant/1","features":1,"overall":[]}`,
		`{"format":"flyball.constant/1","features":2,"overall":[1],"groups":[{"key":[1],"scores":[1]}]}`,
		`{"format":"flyball.constant/1","features":1,"overall":[1],"groups":[{"key":[1],"scores":[1]},{"key":[1],"scores":[2]}]}`,
	} {
		if _, err := Decode([]byte(s)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v", s, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(byOne))
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzzcheck.Within(t, len(b), 1<<16, func() { _, _ = Decode(b) })
		e, err := Decode(b)
		if err != nil || e.Features() > 1000 {
			return
		}
		e.Score(pipeline.Matrix{Rows: 1, Cols: e.Features(), Data: make([]float32, e.Features())}, make([]float64, e.Outputs()))
	})
}
