// SPDX-License-Identifier: Apache-2.0

package stat

import (
	"slices"
	"testing"
)

// The expected values are scikit-learn 1.8's:
//
//	IsotonicRegression().fit_transform(range(len(v)), v, sample_weight=w)
func TestIsotonicIsScikitLearns(t *testing.T) {
	for _, c := range []struct {
		name      string
		values, w []float64
		want      []float64
	}{
		{"nothing", nil, nil, []float64{}},
		{"rising already", []float64{1, 2, 3}, nil, []float64{1, 2, 3}},
		{"falling", []float64{3, 2, 1}, nil, []float64{2, 2, 2}},
		{"one pair", []float64{1, 3, 2, 4}, nil, []float64{1, 2.5, 2.5, 4}},
		{"weights", []float64{1, 3, 2, 4}, []float64{1, 1, 3, 1}, []float64{1, 2.25, 2.25, 4}},
		{"a pool that takes in what is before it", []float64{1, 5, 4, 0}, nil, []float64{1, 3, 3, 3}},
		{"a weight of zero", []float64{1, 2}, []float64{1, 0}, nil},
		{"weights of another length", []float64{1, 2}, []float64{1}, nil},
	} {
		if got := Isotonic(c.values, c.w); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}
