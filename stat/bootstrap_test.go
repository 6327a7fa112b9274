// SPDX-License-Identifier: Apache-2.0

package stat

import (
	"math"
	"testing"
)

func TestBootstrapIsTheSameForTheSameSeedAndAgreesWithTheT(t *testing.T) {
	x := make([]float64, 400)
	for i := range x {
		x[i] = math.Sin(float64(i))
	}
	mean := func(rows []int) float64 {
		s := 0.0
		for _, r := range rows {
			s += x[r]
		}
		return s / float64(len(rows))
	}
	low, high, se, ok := Bootstrap(len(x), nil, 1, mean)
	again, _, _, _ := Bootstrap(len(x), nil, 1, mean)
	if !ok || low != again || low >= high {
		t.Fatalf("got %v…%v, then %v, ok %v", low, high, again, ok)
	}
	near(t, "se", se, MeanOf(x).SE, 0.1*MeanOf(x).SE)
	if _, _, _, ok := Bootstrap(4, []uint64{1, 1, 1, 1}, 1, mean); ok {
		t.Error("one block was judged")
	}
}
