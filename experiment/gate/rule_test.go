// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"math/rand/v2"
	"slices"
	"testing"

	"flyball/data/dataset"
	"flyball/experiment/evaluation"
	"flyball/unit"
)

func TestAnInconclusiveRuleSaysHowManyMoreRowsWouldTell(t *testing.T) {
	for name, c := range map[string]struct {
		d      evaluation.Difference
		margin float64
		want   int
		words  string
	}{
		"better, but not surely":       {evaluation.Difference{Value: 1, Low: -1, High: 3, Rows: 300, Blocks: 300}, 0, 900, "; about 900 more rows would tell"},
		"worse, but not surely":        {evaluation.Difference{Value: -1, Low: -3, High: 1, Rows: 300, Blocks: 300}, 0, 900, "; about 900 more rows would tell"},
		"by blocks":                    {evaluation.Difference{Value: 0, Low: -3, High: 3, Rows: 336, Blocks: 14}, 1.5, 1008, "; about 1,100 more rows in 42 blocks would tell"},
		"no difference can tell of it": {evaluation.Difference{Value: 0, Low: -3, High: 3, Rows: 336, Blocks: 14}, 0, 0, ""},
		"nearly none is bounded":       {evaluation.Difference{Value: 1e-9, Low: -3, High: 3, Rows: 336, Blocks: 336}, 0, 1e9, "; about 1,000,000,000 more rows would tell"},
	} {
		if got, words := needs(c.d, c.margin); got != c.want || words != c.words {
			t.Errorf("%s: got %d, %q", name, got, words)
		}
	}
}

func TestNumbersAreWrittenAsTheyAreRead(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{number(41.23), "41.2"},
		{number(9.876), "9.88"},
		{number(0.4812), "0.481"},
		{number(0.004812), "0.00481"},
		{number(0.5), "0.500"},
		{number(0), "0.0"},
		{number(1e-15), "0.0"},
		{number(-3.14159), "−3.14"},
		{number(1234567.89), "1,234,567.9"},
		{given(1.5), "1.5"},
		{given(-0.005), "−0.005"},
		{unit.Signed(2.14, 1), "+2.1"},
		{unit.Signed(-2.14, 1), "−2.1"},
		{unit.Signed(-0.01, 1), "0.0"},
		{on(336, 14), "on 336 rows in 14 blocks"},
		{on(1200, 1200), "on 1,200 rows"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestASummaryFitsTheFeed(t *testing.T) {
	for _, c := range []struct {
		d    evaluation.Difference
		want string
	}{
		{evaluation.Difference{Metric: "mae", Against: "live", Candidate: 41.2, Other: 44.8, Value: 3.6, Low: 2.1, High: 5.1}, "mae 41.2, live 44.8 (+2.1…+5.1 better)"},
		{evaluation.Difference{Metric: "mae", Against: "live", Candidate: 46.1, Other: 44.8, Value: -1.3, Low: -3.9, High: 1.3}, "mae 46.1, live 44.8 (−3.9…+1.3)"},
		{evaluation.Difference{Metric: "mae", Against: "baseline", Candidate: 36.1, Other: 60.8, Value: 24.7, Low: 11.2, High: 38.1}, "mae 36.1, baseline 60.8 (+11.2…+38.1)"},
		{evaluation.Difference{Metric: "balanced_accuracy", Against: "baseline", Candidate: 0.812, Other: 0.5, Value: 0.312, Low: 0.28, High: 0.34}, "balanced_accuracy 0.812 (+0.280…+0.340)"},
		{evaluation.Difference{Metric: "mae", Against: "live", Candidate: 41.2, Other: 41.2, Value: 0.002, Low: -0.012, High: 0.016}, "mae 41.2, live 41.2 (−0.012…+0.016)"},
	} {
		if got := short(c.d, 46); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestWhatTheRowsCannotTellIsNotJudged(t *testing.T) {
	margin, most, least := 0.01, Limit(50), Limit(0.8)
	eyes := map[string]float64{"candidate": 1, "live": 0.9}
	few := bookings(400, eyes, 0)
	for i := range few.Truth {
		few.Truth[i] = map[bool]float64{true: 1}[i%40 == 0]
	}
	none := bookings(400, eyes, 0)
	none.Truth = make([]float64, 400)
	nan := bookings(400, eyes, 0)
	nan.Scores["candidate"][7] /= 0 * nan.Scores["candidate"][7]
	week := hires(9, 1, map[string]float64{"candidate": 40, "live": 44.8})
	auc := Rule{Name: "auc", Require: Requirement{Word: "noninferior"}, Margin: &margin}
	for _, c := range []struct {
		name   string
		rule   Rule
		sample evaluation.Sample
		want   string
	}{
		{"one class", auc, none, "not judged: auc is not judged (0 rows of the rarer class, of 30)"},
		{"a class of ten rows", auc, few, "not judged, needs 800: auc is not judged (10 rows of the rarer class, of 30); about 800 more rows would do"},
		{"a score that is no number", auc, nan, "not judged: auc is not judged: a score of candidate or a truth is not a number"},
		{"a metric of another kind", Rule{Name: "mae", Require: Requirement{Word: "superior"}}, few, "not judged: mae is no metric of a binary model"},
		{
			"nine draws to resample",
			Rule{Name: "rmse", Require: Requirement{Word: "superior"}},
			week,
			"not judged, needs 24: rmse is not judged (9 blocks, of 10); about 24 more rows in 1 blocks would do",
		},
		{
			"a limit on 100 rows",
			Rule{Name: "accuracy", Require: Requirement{AtLeast: &least}},
			bookings(100, eyes, 0),
			"not judged, needs 100: accuracy is not judged (n=100); 100 more rows would do",
		},
		{
			"a lower limit that holds",
			Rule{Name: "accuracy", Require: Requirement{AtLeast: &least}},
			bookings(1000, eyes, 0),
			"noninferior: accuracy 0.895 (0.876…0.914), at least 0.8, on 1,000 rows",
		},
		{
			"an upper limit that holds with the whole interval",
			Rule{Name: "mae", Require: Requirement{AtMost: &most}},
			week,
			"noninferior: mae 40.20 (39.85…40.54), at most 50, on 216 rows in 9 blocks",
		},
		{
			"a bias within its bound",
			Rule{Name: "bias", Require: Requirement{Within: &most}},
			hires(14, 1, map[string]float64{"candidate": 40}),
			"noninferior: bias 0.0 (0.0…0.0), within 50, on 336 rows in 14 blocks",
		},
		{"a bound that means nothing", Rule{Name: "mae", Require: Requirement{Within: &most}}, week, "not judged: mae is not judged: the rule names nothing to compare with"},
	} {
		v := Policy{Metrics: []Rule{c.rule}}.Judge(Input{Sample: c.sample})
		if got := said(v, ""); len(got) != 1 || got[0] != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		if v.Pass != (v.Reasons[0].Decision == NonInferior) {
			t.Errorf("%s: what cannot be judged passed", c.name)
		}
	}
}

func TestEachMetricOfTheCandidateHasItsOwnInterval(t *testing.T) {
	margin, most := 2.0, Limit(50)
	sample := hires(28, 2, map[string]float64{"candidate": 35, "live": 36, "baseline": 60.8})
	v := Policy{Metrics: []Rule{
		{Name: "mae", Require: Requirement{Word: "noninferior"}, Margin: &margin},
		{Name: "mae", Against: "baseline", Require: Requirement{Word: "superior"}},
		{Name: "rmse", Require: Requirement{Word: "report"}},
		{Name: "bias", Require: Requirement{Within: &most}},
		{Name: "latency_p99", Require: Requirement{AtMost: &most}},
	}}.Judge(Input{Sample: sample, Values: map[string]float64{"latency_p99": 0.001}})
	var got []string
	for _, e := range v.Estimates {
		want, err := evaluation.Measure(e.Metric, sample, "candidate", sample.Seed())
		if err != nil || e != want || !(e.Low <= e.Value && e.Value <= e.High) {
			t.Errorf("got %+v, want %+v, %v", e, want, err)
		}
		got = append(got, e.Metric)
	}
	if want := []string{"mae", "rmse", "bias"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want each of %q once", got, want)
	}
}

func TestAFirstReleaseMeasuresItsSlicesAndJudgesThemNot(t *testing.T) {
	v := bikes().Judge(Input{First: true, Sample: hires(28, 2, map[string]float64{"candidate": 35, "baseline": 60.8}), Rebuilt: rebuilt(true)})
	var got []string
	for _, e := range v.Estimates {
		if e.Role != "candidate" || e.Low > e.Value || e.High < e.Value {
			t.Errorf("got %+v", e)
		}
		got = append(got, e.Metric+" "+e.Slice)
	}
	if want := []string{"mae ", "bias ", "mae workingday=1", "mae workingday=0", "mae weathersit=1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, r := range v.Reasons {
		if r.Slice != "" {
			t.Errorf("a slice was judged: %+v", r)
		}
	}
}

// A candidate that is worse by just the margin must pass no more than 2.5 % of the
// time, whatever is one draw; and where it is worse by just that in every slice, no
// more than 2.5 % of searches may find harm in any. Three standard errors are granted
// to the simulation.
func TestTheGateErrsNoMoreOftenThanItSays(t *testing.T) {
	const runs, granted = 1000, 0.025 + 3*0.005
	margin := 0.2
	policy := Policy{Metrics: []Rule{{Name: "mae", Require: Requirement{Word: "noninferior"}, Margin: &margin}}}
	search := policy
	search.Slices = []dataset.Slice{{Column: "part"}}
	for _, c := range []struct {
		name   string
		policy Policy
		worse  float64 // than the live version
		each   int     // rows of a draw
		wrong  func(Verdict) bool
	}{
		{"worse by the margin, rows alone", policy, margin, 1, func(v Verdict) bool { return v.Pass }},
		{"worse by the margin, rows in tens", policy, margin, 10, func(v Verdict) bool { return v.Pass }},
		{"worse by the margin in each of four slices", search, margin, 1, func(v Verdict) bool {
			return slices.ContainsFunc(v.Reasons, func(r Reason) bool { return r.Slice != "" && r.Decision == Harm })
		}},
	} {
		r := rand.New(rand.NewPCG(5, 6))
		wrong := 0
		for range runs {
			s := evaluation.Sample{Kind: dataset.Regression, Scores: map[string][]float64{}, Slices: []evaluation.SliceColumn{{Name: "part"}}}
			common := 0.0
			for i := range 400 {
				if i%c.each == 0 {
					common = r.NormFloat64()
				}
				own := r.NormFloat64()
				if c.each > 1 {
					own = (own + 2*common) / 2
				}
				s.Truth = append(s.Truth, 0)
				s.Block = append(s.Block, uint64(i/c.each))
				s.Scores["live"] = append(s.Scores["live"], 20)
				s.Scores["candidate"] = append(s.Scores["candidate"], 20+c.worse+own)
				s.Slices[0].Values = append(s.Slices[0].Values, []string{"a", "b", "c", "d"}[i%4])
			}
			if c.wrong(c.policy.Judge(Input{Sample: s})) {
				wrong++
			}
		}
		if rate := float64(wrong) / runs; rate > granted || rate < 0.007 {
			t.Errorf("%s: wrong in %.1f %% of runs, want about 2.5 %%", c.name, 100*rate)
		}
	}
}
