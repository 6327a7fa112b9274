// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"fmt"
	"math"
	"strings"

	"flyball/experiment/evaluation"
	"flyball/stat"
)

const leastRows, leastAUC = 200, 30

// Judge is the verdict on the role candidate of the sample. It is pure: the same
// input gives the same verdict. Each required rule must pass, at a one-sided level
// of 2.5 %; a rule that cannot be judged is inconclusive, never passed.
func (p Policy) Judge(in Input) Verdict {
	n := len(in.Sample.Truth)
	v := Verdict{Rows: n, Blocks: stat.Blocks(n, in.Sample.Block)}
	for _, r := range p.Metrics {
		v.Reasons = append(v.Reasons, judgeRule(r, in, &v))
	}
	if p.Reproduce == "required" || in.Rebuilt != nil && !*in.Rebuilt {
		v.Reasons = append(v.Reasons, reproduced(in.Rebuilt))
	}
	if p.Fairness != nil {
		v.Reasons = append(v.Reasons, Reason{Rule: "fairness", Metric: p.Fairness.Metric, Decision: Inconclusive,
			Required: p.Fairness.Require.Word != "report", NotJudged: true, Text: p.Fairness.Metric + " is not judged: gaps are not measured"})
	}
	if len(p.Slices) > 0 {
		v.Reasons = append(v.Reasons, searchHarm(p, in, &v)...)
	}
	v.Decision = Superior
	first := true
	for _, r := range v.Reasons {
		if r.Required && (first || rank(r.Decision) > rank(v.Decision)) {
			v.Decision, v.Summary, first = r.Decision, r.Text, false
		}
	}
	if first {
		v.Decision, v.Summary = Inconclusive, "nothing is required, so nothing is shown"
	}
	v.Pass = v.Decision == Superior || v.Decision == NonInferior
	v.Summary = map[bool]string{true: "passes: ", false: "does not pass: "}[v.Pass] + v.Summary
	if runes := []rune(v.Summary); len(runes) > 100 {
		v.Summary = string(runes[:99]) + "…"
	}
	return v
}

func rank(d Decision) int {
	return map[Decision]int{Superior: 0, NonInferior: 1, Inconclusive: 2, Harm: 3}[d]
}

func reproduced(rebuilt *bool) Reason {
	r := Reason{Rule: "reproduce required", Required: true, Decision: Inconclusive, NotJudged: true, Text: "not made a second time yet"}
	if rebuilt != nil {
		r.NotJudged = false
		r.Decision, r.Text = Superior, "made twice, came out the same"
		if !*rebuilt {
			r.Decision, r.Text = Harm, "made twice, came out different"
		}
	}
	return r
}

func judgeRule(r Rule, in Input, v *Verdict) Reason {
	out := Reason{Rule: strings.TrimSpace(r.Name + " " + r.Require.Word), Metric: r.Name, Required: r.Require.Word != "report", Decision: Inconclusive}
	if r.Require.Word == "" {
		return judgeLimit(r, in, v, out)
	}
	if out.Against = r.Against; out.Against == "" {
		out.Against = "live"
	}
	if in.First && out.Against == "live" {
		out.Required, out.NotJudged, out.Text = false, true, r.Name+": no version is live yet"
		return out
	}
	d, err := evaluation.Compare(r.Name, in.Sample, "candidate", out.Against, 1)
	if err != nil {
		out.NotJudged, out.Text = true, err.Error()
		return out
	}
	v.Differences = append(v.Differences, d)
	margin, note := 0.0, ""
	if r.Margin != nil {
		margin = *r.Margin
	} else if r.Require.Word == "noninferior" {
		note = "; default margin 0, not set by the owner"
	}
	out.Text = fmt.Sprintf("%s %s against %s, better by %s (%s…%s) on %d rows in %d blocks%s", r.Name, number(d.Candidate),
		number(d.Other), number(d.Value), number(d.Low), number(d.High), d.Rows, d.Blocks, note)
	if d.Rows < leastRows {
		out.Needs, out.Text = leastRows-d.Rows, fmt.Sprintf("%s is not judged (n=%d, needs %d)", r.Name, d.Rows, leastRows)
		out.NotJudged = true
		return out
	}
	if r.Name == "auc" && !classes(in.Sample, leastAUC) {
		out.NotJudged, out.Text = true, fmt.Sprintf("auc is not judged: needs %d rows of each class", leastAUC)
		return out
	}
	switch later := out.Against == "baseline" && !in.First; {
	case d.Low > 0, later && d.Value > 0:
		out.Decision = Superior
	case r.Require.Word != "superior" && d.Low > -margin:
		out.Decision = NonInferior
	case d.High < -margin, r.Require.Word == "superior" && d.High < 0:
		out.Decision = Harm
	default:
		out.Needs = needs(d, margin)
		if out.Needs > 0 {
			out.Text += fmt.Sprintf("; about %d more rows would tell", out.Needs)
		}
	}
	return out
}

// needs is how many more rows like these would bring the lower end above −margin
// if the difference stayed as it is; 0 where it is no better than that.
func needs(d evaluation.Difference, margin float64) int {
	room := d.Value + margin
	if room <= 0 || d.Value <= d.Low {
		return 0
	}
	ratio := (d.Value - d.Low) / room
	return int(min(1e9, math.Ceil(float64(d.Rows)*(ratio*ratio-1))))
}

func judgeLimit(r Rule, in Input, v *Verdict, out Reason) Reason {
	value, ok := in.Values[r.Name]
	if r.Name == "mean_score" && r.Require.Within != nil {
		base, known := in.Values["base_rate_mature"]
		if value, ok = in.Values["mean_score_traffic"]; !ok || !known {
			out.Required, out.NotJudged, out.Text = false, true, "mean_score is not applicable: no traffic yet"
			return out
		}
		out.Text = fmt.Sprintf("mean_score %s against a rate of %s", number(value), number(base))
		return limited(out, max(value-base, base-value) <= float64(*r.Require.Within))
	}
	if !ok {
		e, err := evaluation.Measure(r.Name, in.Sample, "candidate", 1)
		if err != nil {
			out.NotJudged, out.Text = true, err.Error()
			return out
		}
		v.Estimates = append(v.Estimates, e)
		value = e.Value
	}
	switch {
	case r.Require.AtMost != nil:
		out.Text = fmt.Sprintf("%s %s, at most %s", r.Name, number(value), number(float64(*r.Require.AtMost)))
		return limited(out, value <= float64(*r.Require.AtMost))
	case r.Require.AtLeast != nil:
		out.Text = fmt.Sprintf("%s %s, at least %s", r.Name, number(value), number(float64(*r.Require.AtLeast)))
		return limited(out, value >= float64(*r.Require.AtLeast))
	}
	out.NotJudged, out.Text = true, r.Name+" is not judged: the rule names nothing to compare with"
	return out
}

func limited(r Reason, holds bool) Reason {
	r.Decision = Harm
	if holds {
		r.Decision = NonInferior
	}
	return r
}

func number(v float64) string { return strings.ReplaceAll(fmt.Sprintf("%.3g", v), "-", "−") }
