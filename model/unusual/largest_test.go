// SPDX-License-Identifier: Apache-2.0

package unusual

import (
	"slices"
	"testing"
)

func TestTheLargestFallAfterRounding(t *testing.T) {
	t.Parallel()
	values := []float64{9.123460, 9.123454, 1} // the second is rounded up beyond the first
	got := largest(slices.Clone(values))
	for i, x := range got {
		if x < values[i] || i > 0 && x > got[i-1] {
			t.Errorf("%v became %v", values, got)
		}
	}
}
