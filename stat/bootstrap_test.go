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
	mean := func(times []float64) float64 {
		s := 0.0
		for i, n := range times {
			s += n * x[i]
		}
		return s / float64(len(x))
	}
	d := DrawsOf(len(x), nil)
	got, ok := d.Bootstrap(1, mean)
	again, _ := d.Bootstrap(1, mean)
	if !ok || got != again || got.Low >= got.High {
		t.Fatalf("got %+v, then %+v, ok %v", got, again, ok)
	}
	near(t, "se", got.SE, MeanOf(x).SE, 0.1*MeanOf(x).SE)
	if other, _ := d.Bootstrap(2, mean); other == got {
		t.Error("another seed drew the same")
	}
	if _, ok := DrawsOf(4, []uint64{1, 1, 1, 1}).Bootstrap(1, mean); ok {
		t.Error("one block was judged")
	}
	if _, ok := d.Bootstrap(1, func([]float64) float64 { return math.NaN() }); ok {
		t.Error("a statistic that never tells was judged")
	}
}

func TestDrawsAreNumberedAsTheyFirstAppear(t *testing.T) {
	d := DrawsOf(5, []uint64{9, 4, 9, 7, 4})
	if d.Count != 3 || d.Of[0] != 0 || d.Of[1] != 1 || d.Of[2] != 0 || d.Of[3] != 2 || d.Of[4] != 1 {
		t.Errorf("got %+v", d)
	}
}
