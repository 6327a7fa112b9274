// SPDX-License-Identifier: Apache-2.0

package stat

import (
	"encoding/csv"
	"math"
	"os"
	"strconv"
	"testing"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s = %.15g, want %.15g", what, got, want)
	}
}

// fixture is 80 rows of truth and two scores (R 4.2.2, set.seed(20250101)).
func fixture(t *testing.T) (y, a, b []float64) {
	t.Helper()
	f, err := os.Open("testdata/delong_fixture.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows[1:] {
		var v [3]float64
		for i := range v {
			if v[i], err = strconv.ParseFloat(r[i], 64); err != nil {
				t.Fatal(err)
			}
		}
		y, a, b = append(y, v[0]), append(a, v[1]), append(b, v[2])
	}
	return y, a, b
}

func TestDeLongAgreesWithPROC(t *testing.T) {
	got, ok := DeLong(fixture(t))
	if !ok {
		t.Fatal("not judged")
	}
	near(t, "A", got.A, 0.883475971033575, 1e-14)
	near(t, "B", got.B, 0.984858459512837, 1e-14)
	near(t, "VarA", got.VarA, 0.00125739607571883, 1e-14)
	near(t, "VarB", got.VarB, 8.63504526022008e-05, 1e-14)
	near(t, "Covar", got.Covar, 7.99957902845141e-05, 1e-14)
	if _, ok := DeLong([]float64{1, 1}, []float64{1, 2}, []float64{1, 2}); ok {
		t.Error("one class was judged")
	}
}

func TestPairedTAgreesWithR(t *testing.T) {
	_, a, b := fixture(t)
	d := make([]float64, len(a))
	each := make([]uint64, len(a))
	for i := range a {
		d[i], each[i] = a[i]-b[i], uint64(i)
	}
	for name, m := range map[string]Mean{"rows": MeanOf(d), "blocks of one row": ClusterMean(d, each)} {
		low, high := m.Interval(0.95)
		near(t, name+" mean", m.Value, -0.076625, 1e-12)
		near(t, name+" low", low, -0.158575603779, 1e-9)
		near(t, name+" high", high, 0.005325603779, 1e-9)
		near(t, name+" p", 2*m.Below(), 0.066450215320, 1e-9)
	}
}

func TestBlocksOfEqualRowsCountOnce(t *testing.T) {
	m := ClusterMean([]float64{1, 1, 3, 3}, []uint64{7, 7, 9, 9})
	near(t, "mean", m.Value, 2, 0)
	near(t, "se", m.SE, 1, 1e-15)
	near(t, "df", m.DF, 1, 0)
}

func TestProportionsAgreeWithReferences(t *testing.T) {
	z := 1.959963984540054
	low, high := Wilson(8, 10, z)
	near(t, "wilson low", low, 0.490162471536642, 1e-12)
	near(t, "wilson high", high, 0.943317848545625, 1e-12)
	low, high = Newcombe(56, 70, 48, 80, z)
	near(t, "newcombe low", low, 0.052431472402365065, 1e-12)
	near(t, "newcombe high", high, 0.333872654036906, 1e-12)
	p := []float64{0.01, 0.04, 0.03, 0.005, 0.2}
	for i, want := range []float64{0.04, 0.09, 0.09, 0.025, 0.2} {
		near(t, "holm", Holm(p)[i], want, 1e-12)
	}
	for i, want := range []float64{0.025, 0.05, 0.05, 0.025, 0.2} {
		near(t, "bh", BH(p)[i], want, 1e-12)
	}
}

// The wanted values are NumPy's: ΣwS/Σw, and √(G/(G−1)·Σ(Σ_b w(x−m))²)/Σw.
func TestAWeightedMeanCountsRowsAsTheirWeightsSay(t *testing.T) {
	x, w := []float64{1, 2, 4, 8, -1}, []float64{1, 2, 0.5, 1, 3}
	for _, c := range []struct {
		name  string
		block []uint64
		se    float64
		df    float64
	}{
		{"rows", nil, 1.5219870053467752, 4},
		{"blocks", []uint64{1, 1, 2, 2, 3}, 1.778688655536245, 2},
	} {
		m := WeightedMean(x, w, c.block)
		if math.Abs(m.Value-1.6) > 1e-12 || math.Abs(m.SE-c.se) > 1e-12 || m.DF != c.df {
			t.Errorf("%s: got %+v", c.name, m)
		}
	}
	if got := WeightedMean(nil, nil, nil); got != (Mean{}) {
		t.Errorf("no rows: got %+v", got)
	}
}
