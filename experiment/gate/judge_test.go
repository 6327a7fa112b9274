// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"testing"

	"flyball/data/dataset"
	"flyball/experiment/evaluation"
)

func sample(n int, candidate float64) evaluation.Sample {
	s := evaluation.Sample{Kind: dataset.Regression, Scores: map[string][]float64{}}
	for i := range n {
		s.Truth = append(s.Truth, 0)
		s.Scores["live"] = append(s.Scores["live"], 2+float64(i%2))
		s.Scores["candidate"] = append(s.Scores["candidate"], candidate)
	}
	return s
}

func TestTheGateJudgesByTheInterval(t *testing.T) {
	margin, no, limit := 1.0, false, Limit(0.02)
	rule := []Rule{{Name: "mae", Require: Requirement{Word: "noninferior"}, Margin: &margin}}
	slow := []Rule{{Name: "latency_p99", Require: Requirement{AtMost: &limit}}}
	for name, c := range map[string]struct {
		policy Policy
		in     Input
		want   Decision
	}{
		"a better candidate is superior":         {Policy{Metrics: rule}, Input{Sample: sample(400, 1)}, Superior},
		"worse within the margin is noninferior": {Policy{Metrics: rule}, Input{Sample: sample(400, 3)}, NonInferior},
		"worse beyond the margin is harm":        {Policy{Metrics: rule}, Input{Sample: sample(400, 4)}, Harm},
		"few rows are inconclusive":              {Policy{Metrics: rule}, Input{Sample: sample(100, 1)}, Inconclusive},
		"made twice and different is harm":       {Policy{Metrics: rule}, Input{Sample: sample(400, 1), Rebuilt: &no}, Harm},
		"not made twice is inconclusive":         {Policy{Metrics: rule, Reproduce: "required"}, Input{Sample: sample(400, 1)}, Inconclusive},
		"a slow candidate fails its limit":       {Policy{Metrics: slow}, Input{Sample: sample(400, 1), Values: map[string]float64{"latency_p99": 0.03}}, Harm},
	} {
		v := c.policy.Judge(c.in)
		if v.Decision != c.want || v.Pass != (c.want == Superior || c.want == NonInferior) || len([]rune(v.Summary)) > 56 {
			t.Errorf("%s: got %s, %q", name, v.Decision, v.Summary)
		}
	}
}

func TestASliceFailsOnlyOnHarmAndASmallOneIsNotJudged(t *testing.T) {
	margin := 1.0
	s := sample(800, 1)
	part := make([]string, 800)
	for i := range part {
		part[i] = "large"
		if i < 150 {
			part[i], s.Scores["candidate"][i] = "hurt", 4
		} else if i < 187 {
			part[i] = "small"
		}
	}
	s.Slices = []evaluation.SliceColumn{{Name: "hr", Values: part}}
	v := Policy{Metrics: []Rule{{Name: "mae", Require: Requirement{Word: "noninferior"}, Margin: &margin}}, Slices: []dataset.Slice{{Column: "hr"}}}.Judge(Input{Sample: s})
	if len(v.Reasons) != 4 || v.Decision != Harm || v.Pass {
		t.Fatalf("got %+v", v)
	}
	if r := v.Reasons[1]; r.Slice != "hr=hurt" || r.Decision != Harm {
		t.Errorf("got %+v", r)
	}
	if r := v.Reasons[2]; !r.NotJudged || r.Required || r.Text != "hr=small is not judged (n=37)" {
		t.Errorf("got %+v", r)
	}
	if r := v.Reasons[3]; r.Decision != NonInferior {
		t.Errorf("got %+v", r)
	}
}

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
	} {
		if got, words := needs(c.d, c.margin); got != c.want || words != c.words {
			t.Errorf("%s: got %d, %q", name, got, words)
		}
	}
}
