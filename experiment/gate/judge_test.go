// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"flyball/data/dataset"
	"flyball/experiment/evaluation"
	"flyball/experiment/modeltest"
)

// bikes is the policy of the example bike-demand.
func bikes() Policy {
	margin := 1.5
	return Policy{
		Baseline: Baseline{With: "builtin/constant", Settings: map[string]any{"by": []any{"hr", "workingday"}}},
		Metrics: []Rule{
			{Name: "mae", Require: Requirement{Word: "noninferior"}, Margin: &margin},
			{Name: "mae", Against: "baseline", Require: Requirement{Word: "superior"}},
			{Name: "bias", Require: Requirement{Word: "report"}},
		},
		Slices:    []dataset.Slice{{Column: "workingday"}, {Column: "weathersit"}},
		Reproduce: "required",
	}
}

// hires is so many days of 24 hours, a day a block. Each version is off by its figure
// in every hour, up and down in turns; the candidate also by the luck of the day, up
// to swing.
func hires(days int, swing float64, off map[string]float64) evaluation.Sample {
	r := rand.New(rand.NewPCG(1, 2))
	s := evaluation.Sample{
		Kind: dataset.Regression, Scores: map[string][]float64{},
		Slices: []evaluation.SliceColumn{{Name: "workingday"}, {Name: "weathersit"}, {Name: "district"}},
	}
	for day := range days {
		luck := swing * (2*r.Float64() - 1)
		for hour := range 24 {
			s.Truth, s.Block = append(s.Truth, 200), append(s.Block, uint64(day))
			s.Slices[0].Values = append(s.Slices[0].Values, map[bool]string{true: "0", false: "1"}[day%7 >= 5])
			s.Slices[1].Values = append(s.Slices[1].Values, map[bool]string{true: "3", false: "1"}[day == 0])
			s.Slices[2].Values = append(s.Slices[2].Values, []string{"north", "south"}[hour%2])
			for role, e := range off {
				if role == "candidate" {
					e += luck
				}
				s.Scores[role] = append(s.Scores[role], 200+e*float64(1-2*(hour%2)))
			}
		}
	}
	return s
}

// worse makes the candidate worse by more on the rows of a slice.
func worse(s evaluation.Sample, column int, value string, more float64) evaluation.Sample {
	for i, v := range s.Slices[column].Values {
		if v == value {
			s.Scores["candidate"][i] += more * (1 - 2*float64(i%2))
		}
	}
	return s
}

func rebuilt(same bool) *bool { return &same }

// judged is one case of a policy: what goes in, and what is said of it. A case
// without reasons asks for the decision and the summary alone.
type judged struct {
	name    string
	in      Input
	want    Decision
	summary string
	reasons []string
}

// said is a line for each reason: the decision, whether it is only reported, the text,
// and how many more rows it needs.
func said(v Verdict, only string) (lines []string) {
	for _, r := range v.Reasons {
		if only != "" && r.Metric != only {
			continue
		}
		word := string(r.Decision)
		switch {
		case r.NotJudged && !r.Required:
			word = "not judged, reported"
		case r.NotJudged:
			word = "not judged"
		case !r.Required:
			word += ", reported"
		}
		if r.Needs > 0 {
			word += fmt.Sprintf(", needs %d", r.Needs)
		}
		lines = append(lines, word+": "+r.Text)
	}
	return lines
}

// check judges; of the reasons, it looks at those of the metric only, if that is given.
func (c judged) check(t *testing.T, p Policy, only string) {
	t.Helper()
	v := p.Judge(c.in)
	if v.Decision != c.want || v.Summary != c.summary || v.Pass != (c.want == Superior || c.want == NonInferior) {
		t.Errorf("got %s, pass %v, %q\nwant %s, %q", v.Decision, v.Pass, v.Summary, c.want, c.summary)
	}
	if n := len([]rune(v.Summary)); n > 56 {
		t.Errorf("the feed has no room for %d characters: %q", n, v.Summary)
	}
	if got := said(v, only); len(c.reasons) > 0 && !slices.Equal(got, c.reasons) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.reasons, "\n"))
	}
	if only != "" {
		return // judged again in the other cases
	}
	if again := p.Judge(c.in); again.Summary != v.Summary || !slices.Equal(again.Reasons, v.Reasons) || !slices.Equal(again.Estimates, v.Estimates) {
		t.Error("judged again, the same rows give another verdict")
	}
}

func TestBikeDemandIsJudgedByItsPolicy(t *testing.T) {
	version := func(candidate, live, baseline float64) map[string]float64 {
		return map[string]float64{"candidate": candidate, "live": live, "baseline": baseline}
	}
	first := map[string]float64{"candidate": 35.3, "baseline": 60.8}
	for _, c := range []judged{
		{"better with the whole interval", Input{Sample: hires(14, 5, version(40, 44.8, 60.8)), Rebuilt: rebuilt(true)}, Superior, "passes: mae 40.8, live 44.8 (+2.6…+5.5 better)", []string{
			"superior: mae 40.8, live 44.8: better by 4.0 (+2.6…+5.5) on 336 rows in 14 blocks",
			"superior: mae 40.8, baseline 60.8: better by 20.0 (+18.6…+21.5) on 336 rows in 14 blocks",
			"inconclusive, reported: bias 0.0, live 0.0: no different (+0.0…+0.0) on 336 rows in 14 blocks",
			"superior: made twice, came out the same",
			"noninferior: workingday=1 mae: better by 3.8 (+2.1…+5.5) on 240 rows in 10 blocks",
			"not judged, reported: workingday=0 is not judged (n=96)",
			"not judged, reported: weathersit=3 is not judged (n=24)",
			"noninferior: weathersit=1 mae: better by 4.1 (+2.5…+5.7) on 312 rows in 13 blocks",
		}},
		{"worse within the margin", Input{Sample: hires(14, 1, version(45.5, 44.8, 60.8)), Rebuilt: rebuilt(true)}, NonInferior, "passes: mae 45.7, live 44.8 (−1.1…−0.6 worse)", []string{
			"noninferior: mae 45.7, live 44.8: worse by 0.9 (−1.1…−0.6) on 336 rows in 14 blocks, within the margin of 1.5",
			"superior: mae 45.7, baseline 60.8: better by 15.1 (+14.9…+15.4) on 336 rows in 14 blocks",
			"inconclusive, reported: bias 0.0, live 0.0: no different (+0.0…+0.0) on 336 rows in 14 blocks",
			"superior: made twice, came out the same",
			"noninferior: workingday=1 mae: worse by 0.9 (−1.2…−0.6) on 240 rows in 10 blocks",
			"not judged, reported: workingday=0 is not judged (n=96)",
			"not judged, reported: weathersit=3 is not judged (n=24)",
			"noninferior: weathersit=1 mae: worse by 0.8 (−1.2…−0.5) on 312 rows in 13 blocks",
		}},
		{"worse beyond the margin", Input{Sample: hires(14, 1, version(48, 44.8, 60.8)), Rebuilt: rebuilt(true)}, Harm, "kept out: mae 48.2, live 44.8 (−3.6…−3.1 worse)", []string{
			"harm: mae 48.2, live 44.8: worse by 3.4 (−3.6…−3.1) on 336 rows in 14 blocks, beyond the margin of 1.5",
			"superior: mae 48.2, baseline 60.8: better by 12.6 (+12.4…+12.9) on 336 rows in 14 blocks",
			"inconclusive, reported: bias 0.0, live 0.0: no different (+0.0…+0.0) on 336 rows in 14 blocks",
			"superior: made twice, came out the same",
			"harm: workingday=1 mae: worse by 3.4 (−3.7…−3.1) on 240 rows in 10 blocks: harm, Holm p < 0.0001",
			"not judged, reported: workingday=0 is not judged (n=96)",
			"not judged, reported: weathersit=3 is not judged (n=24)",
			"harm: weathersit=1 mae: worse by 3.3 (−3.7…−3.0) on 312 rows in 13 blocks: harm, Holm p < 0.0001",
		}},
		{"better only by luck", Input{Sample: hires(14, 10, version(45, 44.8, 60.8)), Rebuilt: rebuilt(true)}, Inconclusive, "kept out: mae 46.6, live 44.8 (−4.7…+1.1)", []string{
			"inconclusive, needs 38756: mae 46.6, live 44.8: worse by 1.8 (−4.7…+1.1) on 336 rows in 14 blocks; about 39,000 more rows in 1,700 blocks would tell",
			"superior: mae 46.6, baseline 60.8: better by 14.2 (+11.3…+17.1) on 336 rows in 14 blocks",
			"inconclusive, reported: bias 0.0, live 0.0: no different (+0.0…+0.0) on 336 rows in 14 blocks",
			"superior: made twice, came out the same",
			"noninferior: workingday=1 mae: worse by 2.2 (−5.6…+1.2) on 240 rows in 10 blocks",
			"not judged, reported: workingday=0 is not judged (n=96)",
			"not judged, reported: weathersit=3 is not judged (n=24)",
			"noninferior: weathersit=1 mae: worse by 1.6 (−4.7…+1.5) on 312 rows in 13 blocks",
		}},
		{"better than the baseline only in the mean", Input{Sample: hires(14, 10, version(40, 46, 43.5)), Rebuilt: rebuilt(true)}, NonInferior, "passes: mae 41.6, live 46.0 (+1.5…+7.3 better)", []string{
			"superior: mae 41.6, live 46.0: better by 4.4 (+1.5…+7.3) on 336 rows in 14 blocks",
			"noninferior: mae 41.6, baseline 43.5: better in the mean by 1.9 (−1.0…+4.8) on 336 rows in 14 blocks",
			"inconclusive, reported: bias 0.0, live 0.0: no different (+0.0…+0.0) on 336 rows in 14 blocks",
			"superior: made twice, came out the same",
			"noninferior: workingday=1 mae: better by 4.0 (+0.6…+7.4) on 240 rows in 10 blocks",
			"not judged, reported: workingday=0 is not judged (n=96)",
			"not judged, reported: weathersit=3 is not judged (n=24)",
			"noninferior: weathersit=1 mae: better by 4.6 (+1.5…+7.7) on 312 rows in 13 blocks",
		}},
		{"no better than the baseline", Input{Sample: hires(14, 10, version(40, 46, 41)), Rebuilt: rebuilt(true)}, Inconclusive, "kept out: mae 41.6, baseline 41.0 (−3.5…+2.3)", nil},
		{"clearly worse than the baseline", Input{Sample: hires(14, 1, version(40, 46, 38)), Rebuilt: rebuilt(true)}, Harm, "kept out: mae 40.2, baseline 38.0 (−2.4…−1.9)", nil},
		{"too few rows", Input{Sample: hires(6, 1, version(40, 44.8, 60.8)), Rebuilt: rebuilt(true)}, Inconclusive, "kept out: mae not judged, 144 of 200 rows", []string{
			"not judged, needs 56: mae is not judged (n=144); 56 more rows would do",
			"not judged, needs 56: mae is not judged (n=144); 56 more rows would do",
			"not judged, reported, needs 56: bias is not judged (n=144); 56 more rows would do",
			"superior: made twice, came out the same",
			"noninferior: workingday=1 mae: better by 4.7 (+4.3…+5.0) on 120 rows in 5 blocks",
			"not judged, reported: workingday=0 is not judged (n=24)",
			"not judged, reported: weathersit=3 is not judged (n=24)",
			"noninferior: weathersit=1 mae: better by 4.8 (+4.4…+5.2) on 120 rows in 5 blocks",
		}},
		{"made twice and different", Input{Sample: hires(14, 1, version(40, 44.8, 60.8)), Rebuilt: rebuilt(false)}, Harm, "kept out: made twice, came out different", nil},
		{"not made twice yet", Input{Sample: hires(14, 1, version(40, 44.8, 60.8))}, Inconclusive, "kept out: not made a second time yet", nil},
		{"harm in one slice", Input{Sample: worse(hires(28, 3, version(42, 44.8, 60.8)), 0, "0", 7), Rebuilt: rebuilt(true)}, Harm, "kept out: workingday=0 mae worse by 4.7", []string{
			"noninferior: mae 44.7, live 44.8: better by 0.1 (−1.2…+1.4) on 672 rows in 28 blocks, within the margin of 1.5",
			"superior: mae 44.7, baseline 60.8: better by 16.1 (+14.8…+17.4) on 672 rows in 28 blocks",
			"inconclusive, reported: bias 0.0, live 0.0: no different (+0.0…+0.0) on 672 rows in 28 blocks",
			"superior: made twice, came out the same",
			"noninferior: workingday=1 mae: better by 2.1 (+1.5…+2.7) on 480 rows in 20 blocks",
			"harm: workingday=0 mae: worse by 4.7 (−5.8…−3.5) on 192 rows in 8 blocks: harm, Holm p = 0.00055",
			"not judged, reported: weathersit=3 is not judged (n=24)",
			"noninferior: weathersit=1 mae: better by 0.1 (−1.3…+1.4) on 648 rows in 27 blocks",
		}},
		{"worse in a slice, perhaps by luck", Input{Sample: worse(hires(28, 9, version(38, 44.8, 60.8)), 0, "0", 7), Rebuilt: rebuilt(true)}, Superior, "passes: mae 42.0, live 44.8 (+1.0…+4.7 better)", nil},
		{"groups are not searched for harm", Input{Sample: worse(hires(28, 1, version(38, 44.8, 60.8)), 2, "north", 9), Groups: []string{"district"}, Rebuilt: rebuilt(true)}, Superior, "passes: mae 42.7, live 44.8 (+1.9…+2.2 better)", nil},
		{"a first release", Input{First: true, Sample: hires(14, 5, first), Rebuilt: rebuilt(true)}, Superior, "passes: mae 36.1, baseline 60.8 (+23.3…+26.2)", []string{
			"not judged, reported: mae: no version is live yet",
			"superior: mae 36.1, baseline 60.8: better by 24.7 (+23.3…+26.2) on 336 rows in 14 blocks",
			"inconclusive, reported: bias 0.0 (0.0…0.0) on 336 rows in 14 blocks",
			"superior: made twice, came out the same",
		}},
		{"a first release that beats the baseline only in the mean", Input{First: true, Sample: hires(14, 20, map[string]float64{"candidate": 55, "baseline": 60.8}), Rebuilt: rebuilt(true)}, Inconclusive, "kept out: mae 58.1, baseline 60.8 (−3.1…+8.4)", []string{
			"not judged, reported: mae: no version is live yet",
			"inconclusive, needs 1238: mae 58.1, baseline 60.8: better by 2.7 (−3.1…+8.4) on 336 rows in 14 blocks; about 1,300 more rows in 52 blocks would tell",
			"inconclusive, reported: bias 0.0 (0.0…0.0) on 336 rows in 14 blocks",
			"superior: made twice, came out the same",
		}},
	} {
		t.Run(c.name, func(t *testing.T) { c.check(t, bikes(), "") })
	}
}

// hotel is the policy of the example hotel-cancel, with what its groups must hold.
func hotel(fair FairnessRequirement) Policy {
	margin, within, limit := 0.005, Limit(0.10), Limit(0.020)
	return Policy{
		Baseline: Baseline{With: "builtin/constant"},
		Metrics: []Rule{
			{Name: "log_loss", Require: Requirement{Word: "noninferior"}, Margin: &margin},
			{Name: "log_loss", Against: "baseline", Require: Requirement{Word: "superior"}},
			{Name: "mean_score", Require: Requirement{Within: &within}},
			{Name: "latency_p99", Require: Requirement{AtMost: &limit}},
		},
		Slices:   []dataset.Slice{{Column: "hotel"}},
		Fairness: &Fairness{Metric: "fpr_gap", Require: fair},
	}
}

// bookings is n bookings, four in ten cancelled. The better the eye of a version, the
// further its scores lie from the base rate on the right side. Of guests with children, the
// candidate holds so many more of those who come for cancellations.
func bookings(n int, eye map[string]float64, unfair float64) evaluation.Sample {
	r := rand.New(rand.NewPCG(3, 4))
	s := evaluation.Sample{
		Kind: dataset.Binary, Scores: map[string][]float64{},
		Slices: []evaluation.SliceColumn{{Name: "hotel"}, {Name: "children"}}, Decide: &dataset.Decision{Above: 0.5},
	}
	for i := range n {
		y := 0.0
		if r.Float64() < 0.4 {
			y = 1
		}
		s.Truth = append(s.Truth, y)
		s.Slices[0].Values = append(s.Slices[0].Values, []string{"City Hotel", "Resort Hotel"}[i%2])
		children := []string{"<1", "<1", "≥1"}[i%3]
		s.Slices[1].Values = append(s.Slices[1].Values, children)
		luck, tell := r.NormFloat64(), r.Float64()
		for role, e := range eye {
			x := -0.4 + e*(2*y-1) + 0.8*luck
			if role == "candidate" && children != "<1" && y == 0 && tell < unfair {
				x = 0.3
			}
			s.Scores[role] = append(s.Scores[role], 1/(1+math.Exp(-x)))
		}
	}
	return s
}

func TestHotelCancelIsJudgedByItsPolicy(t *testing.T) {
	at := func(x float64) *float64 { return &x }
	report := FairnessRequirement{Word: "report"}
	values := map[string]float64{"mean_score_traffic": 0.41, "base_rate_mature": 0.38, "latency_p99": 0.0081}
	eyes := func(candidate, live float64) map[string]float64 {
		return map[string]float64{"candidate": candidate, "live": live, "baseline": 0}
	}
	groups := []string{"children"}
	for _, c := range []struct {
		judged
		fair FairnessRequirement
	}{
		{judged{"better and fair enough to report", Input{Sample: bookings(1200, eyes(1, 0.9), 0), Groups: groups, Values: values}, Superior, "passes: log_loss 0.356, live 0.385 (+0.028…+0.030)", []string{
			"superior: log_loss 0.356, live 0.385: better by 0.029 (+0.028…+0.030) on 1,200 rows",
			"superior: log_loss 0.356, baseline 0.731: better by 0.375 (+0.365…+0.385) on 1,200 rows",
			"noninferior: mean_score 0.410 on the newest traffic, 0.380 among mature rows: 0.030 apart, at most 0.1",
			"noninferior: latency_p99 8.10 ms, at most 20 ms",
			"inconclusive, reported: fpr_gap by children 0.0183 (0.0000…0.0454), from children=≥1 0.0258 to children=<1 0.0440, on 1,200 rows",
			"noninferior: hotel=City Hotel log_loss: better by 0.029 (+0.028…+0.030) on 600 rows",
			"noninferior: hotel=Resort Hotel log_loss: better by 0.029 (+0.027…+0.030) on 600 rows",
		}}, report},
		{judged{"no better by more than the margin can tell", Input{Sample: bookings(300, eyes(0.905, 0.9), 0.05), Groups: groups, Values: values}, Inconclusive, "kept out: log_loss 0.416, live 0.415 (−0.0057…+0.0040)", []string{
			"inconclusive, needs 118: log_loss 0.416, live 0.415: worse by 0.0009 (−0.0057…+0.0040) on 300 rows; about 120 more rows would tell",
			"superior: log_loss 0.416, baseline 0.780: better by 0.364 (+0.344…+0.383) on 300 rows",
			"noninferior: mean_score 0.410 on the newest traffic, 0.380 among mature rows: 0.030 apart, at most 0.1",
			"noninferior: latency_p99 8.10 ms, at most 20 ms",
			"inconclusive, reported: fpr_gap by children 0.019 (0.000…0.111), from children=<1 0.0593 to children=≥1 0.0784, on 300 rows",
			"noninferior: hotel=City Hotel log_loss: worse by 0.003 (−0.013…+0.006) on 150 rows",
			"noninferior: hotel=Resort Hotel log_loss: better by 0.0016 (+0.0015…+0.0017) on 150 rows",
		}}, report},
		{judged{"too slow", Input{Sample: bookings(1200, eyes(1, 0.9), 0), Groups: groups, Values: map[string]float64{"latency_p99": 0.031}}, Harm, "kept out: latency_p99 31.0 ms, at most 20 ms", []string{
			"superior: log_loss 0.356, live 0.385: better by 0.029 (+0.028…+0.030) on 1,200 rows",
			"superior: log_loss 0.356, baseline 0.731: better by 0.375 (+0.365…+0.385) on 1,200 rows",
			"not judged, reported: mean_score is not applicable: no traffic yet",
			"harm: latency_p99 31.0 ms, at most 20 ms",
			"inconclusive, reported: fpr_gap by children 0.0183 (0.0000…0.0454), from children=≥1 0.0258 to children=<1 0.0440, on 1,200 rows",
			"noninferior: hotel=City Hotel log_loss: better by 0.029 (+0.028…+0.030) on 600 rows",
			"noninferior: hotel=Resort Hotel log_loss: better by 0.029 (+0.027…+0.030) on 600 rows",
		}}, report},
		{judged{"scores that lie too high on the newest traffic", Input{
			Sample: bookings(1200, eyes(1, 0.9), 0), Groups: groups,
			Values: map[string]float64{"mean_score_traffic": 0.512, "base_rate_mature": 0.371, "latency_p99": 0.0081},
		}, Harm, "kept out: mean_score 0.512, truth 0.371, within 0.1", nil}, report},
		{judged{"a speed that nobody measured", Input{Sample: bookings(1200, eyes(1, 0.9), 0), Groups: groups}, Inconclusive, "kept out: latency_p99 is not judged: it was not measured", nil}, report},
		{judged{"a first release", Input{First: true, Sample: bookings(1200, map[string]float64{"candidate": 1, "baseline": 0}, 0), Groups: groups, Values: values}, Superior, "passes: log_loss 0.356, baseline 0.731 (+0.365…+0.385)", []string{
			"not judged, reported: log_loss: no version is live yet",
			"superior: log_loss 0.356, baseline 0.731: better by 0.375 (+0.365…+0.385) on 1,200 rows",
			"noninferior: mean_score 0.410 on the newest traffic, 0.380 among mature rows: 0.030 apart, at most 0.1",
			"noninferior: latency_p99 8.10 ms, at most 20 ms",
			"inconclusive, reported: fpr_gap by children 0.0183 (0.0000…0.0443), from children=≥1 0.0258 to children=<1 0.0440, on 1,200 rows",
		}}, report},
		{judged{"a gap within its limit", Input{Sample: bookings(3000, eyes(1, 0.9), 0), Groups: groups, Values: values}, Superior, "passes: log_loss 0.367, live 0.396 (+0.029…+0.030)", []string{
			"noninferior: fpr_gap by children 0.0112 (0.0000…0.0289), from children=≥1 0.0305 to children=<1 0.0417, on 3,000 rows, at most 0.1",
		}}, FairnessRequirement{AtMost: at(0.1)}},
		{judged{"a gap beyond its limit", Input{Sample: bookings(3000, eyes(1.2, 0.9), 0.3), Groups: groups, Values: values}, Harm, "kept out: fairness fpr_gap by children", []string{
			"harm: fpr_gap by children 0.264 (0.221…0.301), from children=<1 0.027 to children=≥1 0.292, on 3,000 rows, at most 0.1",
		}}, FairnessRequirement{AtMost: at(0.1)}},
		{judged{"a gap that these rows cannot tell from its limit", Input{Sample: bookings(1200, eyes(1, 0.9), 0), Groups: groups, Values: values}, Inconclusive, "kept out: fairness fpr_gap by children", []string{
			"inconclusive, needs 5228: fpr_gap by children 0.0183 (0.0000…0.0454), from children=≥1 0.0258 to children=<1 0.0440, on 1,200 rows, at most 0.03; about 5,300 more rows would tell",
		}}, FairnessRequirement{AtMost: at(0.03)}},
		{judged{"groups too small for a limit", Input{Sample: bookings(240, eyes(1.4, 0.9), 0), Groups: groups, Values: values}, Inconclusive, "kept out: fpr_gap not judged, groups too small", []string{
			"not judged, needs 60: fpr_gap is not judged: fewer than two groups of children have enough rows; give at least 100 rows of each group, and 10 of a class that a rate is taken over; about 60 more rows would do",
		}}, FairnessRequirement{AtMost: at(0.1)}},
		{judged{"a gap no wider than the live version's", Input{Sample: bookings(1200, eyes(1, 0.9), 0), Groups: groups, Values: values}, Superior, "passes: log_loss 0.356, live 0.385 (+0.028…+0.030)", []string{
			"noninferior: fpr_gap by children 0.0183, live 0.0245: wider by −0.0062 (−0.0189…+0.0184), at most 0.05, on 1,200 rows",
		}}, FairnessRequirement{WidensAtMost: at(0.05)}},
		{judged{"a gap wider than the live version's", Input{Sample: bookings(1200, eyes(1.2, 0.9), 0.2), Groups: groups, Values: values}, Harm, "kept out: fairness fpr_gap by children", []string{
			"harm: fpr_gap by children 0.138, live 0.024: wider by +0.113 (+0.050…+0.186), at most 0.05, on 1,200 rows",
		}}, FairnessRequirement{WidensAtMost: at(0.05)}},
		{judged{"a first release whose gap has nothing to widen from", Input{First: true, Sample: bookings(1200, map[string]float64{"candidate": 1, "baseline": 0}, 0), Groups: groups, Values: values}, Superior, "passes: log_loss 0.356, baseline 0.731 (+0.365…+0.385)", []string{
			"not judged, reported: fpr_gap by children 0.0183 (0.0000…0.0443), from children=≥1 0.0258 to children=<1 0.0440, on 1,200 rows; no version is live yet",
		}}, FairnessRequirement{WidensAtMost: at(0.05)}},
		{judged{"a limit without groups", Input{Sample: bookings(1200, eyes(1, 0.9), 0), Values: values}, Inconclusive, "kept out: fpr_gap is not judged: the rows have no groups", []string{
			"not judged: fpr_gap is not judged: the rows have no groups",
		}}, FairnessRequirement{AtMost: at(0.1)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			only := ""
			if c.fair.Word == "" {
				only = "fpr_gap"
			}
			c.check(t, hotel(c.fair), only)
		})
	}
}

func TestATestOfTheModelThatFailsKeepsItOut(t *testing.T) {
	p := bikes()
	p.Reproduce = ""
	in := Input{Sample: hires(60, 0, map[string]float64{"candidate": 30, "live": 36, "baseline": 60})}
	passed := modeltest.Result{Name: "warmth", Kind: "direction", Required: true, Passed: true, Judged: true, Text: "temp +0.1 never lowers the score, on 300 rows"}
	hint := modeltest.Result{Name: "a hint", Kind: "invariance", Judged: true, Text: "in 2 of 300 rows"}
	failed := modeltest.Result{Name: "rain", Kind: "direction", Required: true, Judged: true, Text: "in 7 of 300 rows; the first: weathersit from 1 to 3 raises the score by 12.0"}
	few := modeltest.Result{Name: "snow", Kind: "expectation", Required: true, Text: "not judged: 2 rows, 30 needed"}

	in.Tests = []modeltest.Result{passed, hint}
	if v := p.Judge(in); !v.Pass || v.Decision != Superior || len(v.Tests) != 2 {
		t.Errorf("a warning alone keeps nothing out: %+v", v)
	}
	in.Tests = []modeltest.Result{passed, failed}
	if v := p.Judge(in); v.Pass || v.Decision != Harm || v.Summary != "kept out: rain: in 7 of 300 rows; the first: weathersit…" && v.Summary != "kept out: rain" {
		t.Errorf("%+v", v.Summary)
	}
	in.Tests = []modeltest.Result{few}
	if v := p.Judge(in); v.Pass || v.Decision != Inconclusive {
		t.Errorf("what is not judged has not passed: %+v", v)
	}
	v := p.Judge(Input{Sample: in.Sample})
	v.Refit([]modeltest.Result{passed, hint})
	if !v.Pass {
		t.Error("a refit that says the same is let through")
	}
	v.Refit([]modeltest.Result{failed, few})
	if last := v.Reasons[len(v.Reasons)-1]; v.Pass || !strings.HasPrefix(v.Summary, "kept out: after the refit, rain") || last.Rule != "refit, test: snow" {
		t.Errorf("%q, %+v", v.Summary, last)
	}
	for want, r := range map[string]Reason{
		"passed": tested(passed).Reason, "failed (reported)": tested(hint).Reason, "failed": tested(failed).Reason, "not judged": tested(few).Reason,
	} {
		if r.Word() != want {
			t.Errorf("%s: %q", r.Rule, r.Word())
		}
	}
}
