// SPDX-License-Identifier: Apache-2.0

package stat

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// references are values that R, SciPy and the papers' own code gave; each entry of
// the file names its source.
type references struct {
	McNemar struct {
		MidP float64 `json:"midp_b3_c12"`
	} `json:"mcnemar"`
	Wilson         map[string][2]float64 `json:"wilson"`
	ClopperPearson map[string][2]float64 `json:"clopper_pearson"`
	NadeauBengio   struct {
		Diffs  []float64 `json:"diffs"`
		Ratio  float64   `json:"n_test_over_n_train"`
		T      float64   `json:"t"`
		P      float64   `json:"p"`
		NaiveT float64   `json:"naive_t"`
	} `json:"nadeau_bengio"`
	HanleyMcNeil    map[string]float64 `json:"hanley_mcneil_se"`
	SplitChi        map[string]float64 `json:"srm_chi2"`
	SplitSequential map[string]any     `json:"srm_sequential"`
	TwoSided        map[string]float64 `json:"asymptotic_cs_halfwidth_sigma1_alpha05_two_sided"`
	OneSided        map[string]float64 `json:"asymptotic_cs_halfwidth_one_sided_alpha05"`
	RateEvidence    map[string]float64 `json:"beta_mixture_one_sided_log_m"`
}

func readReferences(t *testing.T) (r references) {
	t.Helper()
	b, err := os.ReadFile("testdata/stats_refs.json")
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestIntervalsAndTestsAgreeWithTheReferences(t *testing.T) {
	r := readReferences(t)
	sequential := func(key string) float64 {
		entry, _ := r.SplitSequential[key].(map[string]any)
		p, ok := entry["p"].(float64)
		if !ok {
			t.Fatalf("no reference for %s", key)
		}
		return p
	}
	low, high := ClopperPearson(8, 10, 0.95)
	wl, wh := Wilson(50, 1000, 1.959963984540054)
	nb := NadeauBengio(r.NadeauBengio.Diffs, r.NadeauBengio.Ratio)
	naive := MeanOf(r.NadeauBengio.Diffs)
	half := []float64{0.5, 0.5}
	for _, c := range []struct {
		name            string
		got, want, near float64
	}{
		{"Clopper-Pearson, low end of 8 in 10", low, r.ClopperPearson["8/10"][0], 1e-12},
		{"Clopper-Pearson, high end of 8 in 10", high, r.ClopperPearson["8/10"][1], 1e-12},
		{"Wilson, low end of 50 in 1000", wl, r.Wilson["50/1000"][0], 1e-12},
		{"Wilson, high end of 50 in 1000", wh, r.Wilson["50/1000"][1], 1e-12},
		{"McNemar mid-p of 3 against 12", McNemarMidP(3, 12), r.McNemar.MidP, 1e-12},
		{"t of Nadeau and Bengio", nb.Value / nb.SE, r.NadeauBengio.T, 1e-10},
		{"p of Nadeau and Bengio", 2 * TTail(nb.Value/nb.SE, nb.DF), r.NadeauBengio.P, 1e-10},
		{"the naive t overstates", naive.Value / naive.SE, r.NadeauBengio.NaiveT, 1e-10},
		{"Hanley-McNeil of .80, 100 and 400", HanleyMcNeil(.8, 100, 400), r.HanleyMcNeil["auc0.80_pos100_neg400"], 1e-12},
		{"Hanley-McNeil of .75, 1000 and 9000", HanleyMcNeil(.75, 1000, 9000), r.HanleyMcNeil["auc0.75_pos1000_neg9000"], 1e-12},
		{"chi-square of a split by halves", SplitChi([]int{50421, 49579}, half), r.SplitChi["50421/49579 50:50"], 1e-12},
		{"chi-square of a split by a tenth", SplitChi([]int{1120, 9000}, []float64{.1, .9}), r.SplitChi["1120/9000 10:90"], 1e-12},
		{"chi-square of a large split", SplitChi([]int{821588, 815482}, half), r.SplitChi["821588/815482 50:50"], 1e-12},
		{"a split of 5100 looked at always", SplitSequential([]int{5100, 4900}, half), sequential("5100/4900"), 1e-8},
		{"a split of 50421 looked at always", SplitSequential([]int{50421, 49579}, half), sequential("50421/49579"), 1e-8},
		{"a split of 51000 looked at always", SplitSequential([]int{51000, 49000}, half), sequential("51000/49000"), 1e-14},
		{"two-sided sequence, 1000 rows", SequenceHalfWidth(1000, 1, 500, .05), r.TwoSided["n1000_nstar500"], 1e-6},
		{"two-sided sequence, 20000 rows", SequenceHalfWidth(20000, 1, 1000, .05), r.TwoSided["n20000_nstar1000"], 1e-6},
		{"one-sided sequence, 100 rows", SequenceHalfWidthOneSided(100, 1, 1000, .05), r.OneSided["n100_nstar1000"], 1e-6},
		{"one-sided sequence, 20000 rows", SequenceHalfWidthOneSided(20000, 1, 1000, .05), r.OneSided["n20000_nstar1000"], 1e-6},
		{"evidence of 30 in 1000 above .02", RateEvidence(30, 1000, .02), r.RateEvidence["s30_n1000_p0.02"], 1e-6},
	} {
		if !(math.Abs(c.got-c.want) <= c.near) || c.want == 0 {
			t.Errorf("%s: got %.15g, want %.15g", c.name, c.got, c.want)
		}
	}
}

func TestWhatCannotBeToldIsNoEvidence(t *testing.T) {
	zero, some := ClopperPearson(0, 10, .95)
	if zero != 0 || math.Abs(some-0.3084971078187608) > 1e-12 { // 1 − .025^(1/10)
		t.Errorf("no hit in ten: got %v…%v", zero, some)
	}
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"McNemar without rows that differ", McNemarMidP(0, 0), 1},
		{"McNemar of a tie", McNemarMidP(7, 7), 1},
		{"a split of nothing", SplitChi([]int{0, 0}, []float64{.5, .5}), 1},
		{"a split of one arm", SplitSequential([]int{10}, []float64{1}), 1},
		{"a split with a share of nothing", SplitSequential([]int{10, 10}, []float64{0, 1}), 1},
		{"an area of one class", HanleyMcNeil(.8, 0, 10), math.Inf(1)},
		{"a sequence before the first row", SequenceHalfWidthOneSided(0, 1, 1000, .05), math.Inf(1)},
		{"one resampling", NadeauBengio([]float64{.1}, .1).DF, 0},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, c.got, c.want)
		}
	}
}
