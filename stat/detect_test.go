// SPDX-License-Identifier: Apache-2.0

package stat

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The wanted values are exact sums and the formulas themselves, worked with Python's
// integers and math.comb.
func TestDistancesAndTailsAgreeWithExactSums(t *testing.T) {
	a, b := []int{30, 50, 20}, []int{200, 500, 300}
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"PSI smooths each bin by half a count", PSI(a, b), 0.07956211490829913},
		{"PSI of a histogram with itself is zero", PSI(a, a), 0},
		{"PSI of other bins cannot be told and is zero", PSI(a, b[:2]), 0},
		{"Jensen-Shannon is a distance in nats", JensenShannon(a, b), 0.1003382119401399},
		{"Jensen-Shannon of strangers is the root of ln 2", JensenShannon([]int{5, 0}, []int{0, 9}), math.Sqrt(math.Ln2)},
		{"KS is the largest difference at an edge", KSBins(a, b), 0.1},
		{"Wasserstein weighs the difference by the way", W1Bins([]float64{0, 1, 3}, a, b), 0.3},
		{"a tail of 3 in 500 at one in a thousand", BinomialTail(3, 500, .001), 0.014330797584368914},
		{"a tail of 12 in 40 at a tenth", BinomialTail(12, 40, .1), 0.00038083426673634285},
		{"a tail of 250 in 500 at two fifths", BinomialTail(250, 500, .4), 3.816048407975686e-06},
		{"no hits are no surprise", BinomialTail(0, 10, .1), 1},
		{"evidence of p = 0.5", EValue(.5), 0.6386739401166445},
		{"evidence of p = 0.01", EValue(.01), 4.45099226008582},
		{"evidence of p = 0.0001", EValue(1e-4), 117.76194878071969},
		{"evidence of p = 1 is a half", EValue(1), 0.5},
		{"the 95 % point of chi-square with 9 degrees", PSITail(16.918977604620448*(1./500+1./8000), 10, 500, 8000), 0.05},
		{"the 97.5 % point of t with 9 degrees", TTail(2.2621571627982, 9), 0.025},
	} {
		if math.Abs(c.got-c.want) > 1e-9*math.Max(1e-3, math.Abs(c.want)) {
			t.Errorf("%s: got %.15g, want %.15g", c.name, c.got, c.want)
		}
	}
}

func TestAFalseAlarmOfTheEDetectorIsLateOnAverage(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	alarms, windows, m := 0, 200_000, 0.0
	for range windows {
		if m = ShiryaevRoberts(m, r.Float64()); m >= 100 {
			alarms, m = alarms+1, 0
		}
	}
	if limit := windows / 100; alarms > limit {
		t.Errorf("got %d alarms, want at most %d", alarms, limit)
	}
	if alarms == 0 {
		t.Error("got no alarm at all, want some: the detector must not be deaf")
	}
}
