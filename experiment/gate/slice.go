// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"fmt"

	"gonum.org/v1/gonum/stat/distuv"

	"flyball/data/dataset"
	"flyball/experiment/evaluation"
	"flyball/stat"
)

const leastSlice, leastClass = 100, 10

// searchHarm compares each slice with the live version on the first rule against
// it. A slice fails only by harm beyond the margin that is significant after Holm;
// one too small is not judged and neither passes nor fails.
func searchHarm(p Policy, in Input, v *Verdict) []Reason {
	var rule *Rule
	for i, r := range p.Metrics {
		if rule == nil && (r.Require.Word == "noninferior" || r.Require.Word == "superior") && (r.Against == "" || r.Against == "live") {
			rule = &p.Metrics[i]
		}
	}
	if rule == nil || in.First {
		return []Reason{{Rule: "slices", Decision: Inconclusive, NotJudged: true, Text: "slices are not judged: nothing to compare with"}}
	}
	margin := 0.0
	if rule.Margin != nil {
		margin = *rule.Margin
	}
	var reasons []Reason
	var at []int
	var p1 []float64
	for _, part := range evaluation.Slices(in.Sample) {
		n := len(part.Sample.Truth)
		r := Reason{Rule: "slice " + part.Name, Metric: rule.Name, Against: "live", Slice: part.Name, Decision: Inconclusive, NotJudged: true}
		d, err := evaluation.Compare(rule.Name, part.Sample, "candidate", "live", 1)
		r.Text = fmt.Sprintf("%s is not judged (n=%d)", part.Name, n)
		if err == nil && n >= leastSlice && classes(part.Sample, leastClass) {
			d.Slice = part.Name
			v.Differences = append(v.Differences, d)
			r.NotJudged, r.Decision, r.Required = false, NonInferior, true
			r.Text = fmt.Sprintf("%s %s better by %s (%s…%s) on %d rows", part.Name, rule.Name, number(d.Value), number(d.Low), number(d.High), n)
			at, p1 = append(at, len(reasons)), append(p1, harmP(d, margin))
		}
		reasons = append(reasons, r)
	}
	for k, q := range stat.Holm(p1) {
		if q < 0.025 {
			reasons[at[k]].Decision = Harm
			reasons[at[k]].Text += fmt.Sprintf(": harm, Holm p=%.2g", q)
		}
	}
	return reasons
}

// harmP is the one-sided p-value for harm beyond the margin.
func harmP(d evaluation.Difference, margin float64) float64 {
	if d.SE == 0 {
		if d.Value < -margin {
			return 0
		}
		return 1
	}
	return distuv.StudentsT{Sigma: 1, Nu: float64(max(1, d.Blocks-1))}.CDF((d.Value + margin) / d.SE)
}

// classes reports whether each class has at least so many rows.
func classes(s evaluation.Sample, least int) bool {
	if s.Kind == dataset.Regression {
		return true
	}
	counts := map[float64]int{0: 0, 1: 0}
	for _, y := range s.Truth {
		counts[y]++
	}
	for _, c := range counts {
		if c < least {
			return false
		}
	}
	return true
}
