// SPDX-License-Identifier: Apache-2.0

package prediction

import (
	"slices"
	"testing"
)

func TestWhatAVersionSaidIsFoundWhereverItStands(t *testing.T) {
	r := Record{Version: 3, Arm: Live, Scores: []float64{0.3}, Others: []Other{
		{Role: Candidate, Version: 4, Scores: []float64{0.4}},
		{Role: Candidate, Version: 5, Error: "it failed"},
		{Role: Baseline, Version: 1, Scores: []float64{0.1}},
	}}
	byBaseline := Record{Version: 1, Arm: Baseline, Scores: []float64{0.1}, Others: []Other{{Role: Live, Version: 1, Scores: []float64{0.2}}}}
	fallback := Record{Arm: Fallback, Scores: []float64{0.5}}
	for _, c := range []struct {
		name    string
		record  Record
		version int
		want    []float64
	}{
		{"the version that answered", r, 3, []float64{0.3}},
		{"one that scored beside it", r, 4, []float64{0.4}},
		{"one that failed", r, 5, nil},
		{"one that was not asked", r, 6, nil},
		{"the baseline is not a version that serves", r, 1, nil},
		{"nor when it answered, but the same version as live is", byBaseline, 1, []float64{0.2}},
		{"the fallback is no version", fallback, 0, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.record.ScoresOf(c.version); !slices.Equal(got, c.want) {
				t.Errorf("version %d said %v, want %v", c.version, got, c.want)
			}
		})
	}
	for _, c := range []struct {
		name   string
		record Record
		want   []float64
	}{
		{"beside the answer", r, []float64{0.1}},
		{"as the answer", byBaseline, []float64{0.1}},
		{"not at all", fallback, nil},
	} {
		t.Run("the baseline "+c.name, func(t *testing.T) {
			if got := c.record.BaselineScores(); !slices.Equal(got, c.want) {
				t.Errorf("the baseline said %v, want %v", got, c.want)
			}
		})
	}
}
