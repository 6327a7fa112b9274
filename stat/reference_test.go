// SPDX-License-Identifier: Apache-2.0

package stat

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
)

// references are the numbers of testdata/stats_refs.json by their path: what R, SciPy
// and the papers' own code gave; each entry of the file names its source.
func references(t *testing.T) map[string]float64 {
	t.Helper()
	var root any
	b, err := os.ReadFile("testdata/stats_refs.json")
	if err == nil {
		err = json.Unmarshal(b, &root)
	}
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case float64:
			out[path] = v
		case map[string]any:
			for k, x := range v {
				walk(strings.TrimPrefix(path+" "+k, " "), x)
			}
		case []any:
			for i, x := range v {
				walk(fmt.Sprintf("%s[%d]", path, i), x)
			}
		}
	}
	walk("", root)
	return out
}

// inputs are numbers of the file that are not a result.
func inputs() []string {
	return []string{"nadeau_bengio diffs", "nadeau_bengio n_test_over_n_train", "p_adjust p[", "mcnemar table_b_c"}
}

// results are what this package makes of them, with how near they must be, as a share
// of the reference.
func results(t *testing.T, ref map[string]float64) map[string][2]float64 {
	out := map[string][2]float64{}
	put := func(path string, got, near float64) { out[path] = [2]float64{got, near} }
	pair := func(path string, near float64, low, high float64) {
		put(path+"[0]", low, near)
		put(path+"[1]", high, near)
	}
	areasAndPairs(t, put, pair)
	ranks(ref, put, pair)
	splits(put)
	sequences(put)
	special := map[string]float64{
		"1-pF(4,10,5)": FTail(4, 10, 5), "pbeta(.3,2,5)": mathext.RegIncBeta(2, 5, .3), "pchisq(3.84,1)": 1 - ChiTail(3.84, 1), "pt(2.5,5)": 1 - TTail(2.5, 5),
	}
	for _, df := range []float64{4, 5, 9, 29} {
		special[fmt.Sprintf("qt(.975,%g)", df)] = distuv.StudentsT{Sigma: 1, Nu: df}.Quantile(.975)
	}
	for name, got := range special {
		put("special_functions "+name, got, 1e-12)
	}
	return out
}

func areasAndPairs(t *testing.T, put func(string, float64, float64), pair func(string, float64, float64, float64)) {
	y, a, b := fixture(t)
	u, _ := DeLong(y, a, b)
	z := (u.A - u.B) / math.Sqrt(u.VarA+u.VarB-2*u.Covar)
	low, high := Mean{Value: u.A, SE: math.Sqrt(u.VarA), DF: math.Inf(1)}.Interval(.95)
	pos := 0.0
	d := make([]float64, len(y))
	for i := range y {
		pos += y[i]
		d[i] = a[i] - b[i]
	}
	for name, got := range map[string]float64{
		"n": float64(len(y)), "pos": pos, "aucA": u.A, "aucB": u.B, "varA": u.VarA, "varB": u.VarB, "covAB": u.Covar, "Z_A_minus_B": z,
		"p_two_sided": 2 * distuv.UnitNormal.CDF(z),
	} {
		put("delong "+name, got, 1e-9)
	}
	pair("delong ciA95", 1e-12, low, high)
	m := MeanOf(d)
	low, high = m.Interval(.95)
	v, p := Wilcoxon(d)
	for name, got := range map[string]float64{"mean": m.Value, "t": m.Value / m.SE, "df": m.DF, "p": 2 * m.Below(), "wilcoxon_V": v, "wilcoxon_p_corrected": p} {
		put("paired_t "+name, got, 1e-9)
	}
	pair("paired_t ci95", 1e-9, low, high)
	x, px := McNemarChi(59, 121, false)
	cc, pc := McNemarChi(59, 121, true)
	for name, got := range map[string]float64{
		"chi2": x, "p": px, "chi2_cc": cc, "p_cc": pc, "p_exact": McNemarExact(59, 121), "exact_b3_c12": McNemarExact(3, 12), "midp_b3_c12": McNemarMidP(3, 12),
	} {
		put("mcnemar "+name, got, 1e-10)
	}
}

func ranks(ref map[string]float64, put func(string, float64, float64), pair func(string, float64, float64, float64)) {
	const z = 1.959963984540054
	low, high := Wilson(8, 10, z)
	pair("wilson 8/10", 1e-12, low, high)
	low, high = Wilson(50, 1000, z)
	pair("wilson 50/1000", 1e-12, low, high)
	low, high = ClopperPearson(8, 10, .95)
	pair("clopper_pearson 8/10", 1e-12, low, high)
	low, high = Newcombe(56, 70, 48, 80, z)
	pair("newcombe_difference 56/70 vs 48/80", 1e-12, low, high)
	var d, p []float64
	for i := range 10 {
		d = append(d, ref[fmt.Sprintf("nadeau_bengio diffs[%d]", i)])
	}
	for i := range 5 {
		p = append(p, ref[fmt.Sprintf("p_adjust p[%d]", i)])
	}
	nb, naive := NadeauBengio(d, ref["nadeau_bengio n_test_over_n_train"]), MeanOf(d)
	put("nadeau_bengio t", nb.Value/nb.SE, 1e-10)
	put("nadeau_bengio p", 2*TTail(nb.Value/nb.SE, nb.DF), 1e-10)
	put("nadeau_bengio naive_t", naive.Value/naive.SE, 1e-10)
	put("nadeau_bengio naive_p", 2*TTail(naive.Value/naive.SE, naive.DF), 1e-10)
	for i := range p {
		put(fmt.Sprintf("p_adjust holm[%d]", i), Holm(p)[i], 1e-12)
		put(fmt.Sprintf("p_adjust BH[%d]", i), BH(p)[i], 1e-12)
	}
	put("hanley_mcneil_se auc0.80_pos100_neg400", HanleyMcNeil(.8, 100, 400), 1e-12)
	put("hanley_mcneil_se auc0.75_pos1000_neg9000", HanleyMcNeil(.75, 1000, 9000), 1e-12)
}

func splits(put func(string, float64, float64)) {
	half := []float64{.5, .5}
	put("srm_chi2 50421/49579 50:50", SplitChi([]int{50421, 49579}, half), 1e-10)
	put("srm_chi2 1120/9000 10:90", SplitChi([]int{1120, 9000}, []float64{.1, .9}), 1e-10)
	put("srm_chi2 821588/815482 50:50", SplitChi([]int{821588, 815482}, half), 1e-10)
	for name, counts := range map[string][]int{"5100/4900": {5100, 4900}, "50421/49579": {50421, 49579}, "51000/49000": {51000, 49000}} {
		p := SplitSequential(counts, half)
		put("srm_sequential "+name+" p", p, 1e-8)
		put("srm_sequential "+name+" logBF", -math.Log(p), 1e-8)
	}
}

func sequences(put func(string, float64, float64)) {
	const two, one = "asymptotic_cs_halfwidth_sigma1_alpha05_two_sided ", "asymptotic_cs_halfwidth_one_sided_alpha05 "
	for _, c := range [][2]float64{{100, 500}, {100, 1000}, {1000, 500}, {1000, 1000}, {5000, 1000}, {5000, 5000}, {20000, 1000}} {
		put(fmt.Sprintf("%sn%g_nstar%g", two, c[0], c[1]), SequenceHalfWidth(c[0], 1, c[1], .05), 2e-5)
	}
	for _, n := range []float64{100, 1000, 5000, 20000} {
		put(fmt.Sprintf("%sn%g_nstar1000", one, n), SequenceHalfWidthOneSided(n, 1, 1000, .05), 2e-5)
	}
	put(two+"rho_nstar1000", math.Sqrt(sequenceRate(1000, .05)), 1e-5)
	put(one+"rho_nstar1000", math.Sqrt(sequenceRate(1000, .1)), 1e-5)
	for _, c := range []struct {
		s, n int
		p    float64
	}{{5, 100, .01}, {3, 50, .01}, {30, 1000, .02}, {12, 1000, .01}, {0, 20, .05}} {
		put(fmt.Sprintf("beta_mixture_one_sided_log_m s%d_n%d_p%g", c.s, c.n, c.p), RateEvidence(c.s, c.n, c.p), 1e-6)
	}
}

// No entry of the file may be without a result, and no result without an entry.
func TestAllReferenceValuesHold(t *testing.T) {
	ref := references(t)
	got := results(t, ref)
	for _, path := range slices.Sorted(maps.Keys(ref)) {
		if slices.ContainsFunc(inputs(), func(in string) bool { return strings.HasPrefix(path, in) }) {
			continue
		}
		r, ok := got[path]
		if want := ref[path]; !ok || !(math.Abs(r[0]-want) <= r[1]*math.Abs(want)) {
			t.Errorf("%s: got %.15g, want %.15g", path, r[0], want)
		}
		delete(got, path)
	}
	for path := range got {
		t.Errorf("the file has no entry %s", path)
	}
	if len(ref) < 100 {
		t.Errorf("the file has %d numbers", len(ref))
	}
}

// The wanted values are those of confseq's own unit tests (Howard, gostevehoward/confseq),
// and of R's power.prop.test.
func TestMixturesPlansAndProceduresAgreeWithTheirSources(t *testing.T) {
	two, one := MixtureAt(100, .05, false), MixtureAt(100, .05, true)
	for _, c := range []struct {
		name            string
		got, want, near float64
	}{
		{"the best spread of the mixture", two.Rho, 12.60056, 1e-5},
		{"evidence, two-sided", two.Evidence(10, 100), -0.6510052, 1e-6},
		{"bound, two-sided", two.Bound(100, .05), 30.35209, 1e-5},
		{"evidence, one-sided", one.Evidence(10, 100), -0.06502391, 1e-6},
		{"bound, one-sided", one.Bound(100, .05), 27.66071, 1e-5},
		{"rows for 2 % that differ and half a point", PairedRows(math.Sqrt(.02), .005, .05, .8), 4947, 1},
		{"rows for 6 % that differ and half a point", PairedRows(math.Sqrt(.06), .005, .05, .8), 14839, 1},
		{"rows for 6 % that differ and a point", PairedRows(math.Sqrt(.06), .01, .05, .8), 3710, 1},
		{"what 14,839 rows show", Detectable(math.Sqrt(.06), 14839, .05, .8), .005, 1e-6},
		{"rows of an arm for .80 and .79", ArmRows(.8, .79, .05, .8), 25583, 1},
	} {
		if !(math.Abs(c.got-c.want) <= c.near) {
			t.Errorf("%s: got %.15g, want %.15g", c.name, c.got, c.want)
		}
	}
}

func TestWhatCannotBeToldIsNoEvidence(t *testing.T) {
	zero, some := ClopperPearson(0, 10, .95)
	if zero != 0 || math.Abs(some-0.3084971078187608) > 1e-12 { // 1 − .025^(1/10)
		t.Errorf("no hit in ten: got %v…%v", zero, some)
	}
	_, chi := McNemarChi(0, 0, true)
	_, wilcoxon := Wilcoxon([]float64{0, 0})
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"McNemar without rows that differ", McNemarMidP(0, 0), 1},
		{"McNemar of a tie", McNemarMidP(7, 7), 1},
		{"chi-square without rows that differ", chi, 1},
		{"exact without rows that differ", McNemarExact(0, 0), 1},
		{"ranks of nothing", wilcoxon, 1},
		{"a mixture of nothing", Mixture{}.Evidence(1, 1), math.Inf(-1)},
		{"the bound of no mixture", Mixture{}.Bound(1, .05), math.Inf(1)},
		{"rows for no margin", PairedRows(1, 0, .05, .8), math.Inf(1)},
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
