// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"strings"
	"testing"

	"flyball/data/dataset"
	"flyball/experiment/evaluation"
)

// found is the reason of a rule's metric.
func found(t *testing.T, v Verdict, metric string) Reason {
	t.Helper()
	for _, r := range v.Reasons {
		if r.Metric == metric {
			return r
		}
	}
	t.Fatalf("no reason speaks of %s: %+v", metric, v.Reasons)
	return Reason{}
}

func TestAVerdictSaysWhetherItsRowsAreLikeTheTraffic(t *testing.T) {
	at := func(x float64) *Limit { l := Limit(x); return &l }
	in := Input{
		Sample: bookings(1200, map[string]float64{"candidate": 1, "live": 0.9, "baseline": 0}, 0),
		Mix: []evaluation.Distance{
			{Column: "lead_time", Value: 0.31, Low: 0.27, High: 0.36, Rows: 1200, Traffic: 3400, Most: "≥90", Judged: 0.12, Asked: 0.312},
			{Column: "hotel", Value: 0.02, Low: 0, High: 0.05, Rows: 1200, Traffic: 3400, Most: "City Hotel", Judged: 0.5, Asked: 0.52},
		},
	}
	loss := Rule{Name: "log_loss", Require: Requirement{Word: "superior"}}
	const far = "lead_time 0.31 (0.27…0.36): ≥90 is 12 % of the 1,200 rows judged and 31 % of 3,400 asked"
	for _, c := range []struct {
		name     string
		require  *Requirement
		mix      []evaluation.Distance
		decision Decision
		required bool
		verdict  Decision
		text     string
	}{
		{"reported where nobody asks", nil, in.Mix, Inconclusive, false, Superior, "1 of 2 columns differ from the newest traffic by more than luck; " + far},
		{"reported where it is asked for", &Requirement{Word: "report"}, in.Mix, Inconclusive, false, Superior, "1 of 2 columns differ from the newest traffic by more than luck; " + far},
		{"near enough", &Requirement{AtMost: at(0.4)}, in.Mix, NonInferior, true, Superior, "1 of 2 columns differ from the newest traffic by more than luck, at most 0.4 in each; " + far},
		{"too far", &Requirement{AtMost: at(0.2)}, in.Mix, Harm, true, Harm, "1 of 2 columns differ from the newest traffic by more than luck, at most 0.2 in each; " + far},
		{"these rows cannot tell", &Requirement{AtMost: at(0.3)}, in.Mix, Inconclusive, true, Inconclusive, "1 of 2 columns differ from the newest traffic by more than luck, at most 0.3 in each; " + far},
		{"no traffic yet", &Requirement{AtMost: at(0.2)}, nil, Inconclusive, false, Superior, "mix is not applicable: no traffic yet to compare the rows with"},
	} {
		p := Policy{Metrics: []Rule{loss}}
		if c.require != nil {
			p.Metrics = append(p.Metrics, Rule{Name: "mix", Require: *c.require})
		}
		in.Mix = c.mix
		v := p.Judge(in)
		if r := found(t, v, "mix"); r.Decision != c.decision || r.Required != c.required || v.Decision != c.verdict || r.Text != c.text {
			t.Errorf("%s: got %s, required %v, %s: %s", c.name, r.Decision, r.Required, v.Decision, r.Text)
		}
	}
}

func TestSizeAndMemoryHaveLimits(t *testing.T) {
	at := func(x float64) *Limit { l := Limit(x); return &l }
	p := Policy{Metrics: []Rule{
		{Name: "size", Require: Requirement{AtMost: at(5e6)}}, {Name: "memory", Require: Requirement{AtMost: at(5e8)}}, {Name: "latency_p99", Require: Requirement{Word: "report"}},
	}}
	in := Input{Sample: bookings(1200, map[string]float64{"candidate": 1, "live": 0.9}, 0), Values: map[string]float64{"size": 1.234e6, "memory": 6e8, "latency_p99": 0.004}}
	v := p.Judge(in)
	for metric, want := range map[string]string{"size": "size 1.23 MB, at most 5 MB", "memory": "memory 600.0 MB, at most 500 MB", "latency_p99": "latency_p99 4.00 ms"} {
		if r := found(t, v, metric); r.Text != want {
			t.Errorf("got %q, want %q", r.Text, want)
		}
	}
	if v.Decision != Harm {
		t.Errorf("got %s", v.Decision)
	}
}

func TestAccuracyShowsWhoIsRightAlone(t *testing.T) {
	s := evaluation.Sample{Kind: dataset.Binary, Scores: map[string][]float64{}}
	for i := range 400 {
		s.Truth = append(s.Truth, float64(i%2))
		right := func(wrong bool) float64 {
			return map[bool]float64{true: float64(1 - i%2), false: float64(i % 2)}[wrong]
		}
		s.Scores["candidate"] = append(s.Scores["candidate"], right(i < 3))
		s.Scores["live"] = append(s.Scores["live"], right(i >= 100 && i < 112))
	}
	v := Policy{Metrics: []Rule{{Name: "accuracy", Require: Requirement{Word: "superior"}}}}.Judge(Input{Sample: s})
	if r := found(t, v, "accuracy"); !strings.HasSuffix(r.Text, "; right alone on 12 rows and on 3 (McNemar mid-p 0.021)") {
		t.Errorf("got %q", r.Text)
	}
	if v.Changed == nil || *v.Changed != 15 {
		t.Errorf("rows that change decision: got %v", v.Changed)
	}
}
