// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"fmt"
	"math"
	"slices"

	"flyball/data/dataset"
	"flyball/experiment/evaluation"
	"flyball/stat"
	"flyball/unit"
)

// The least that a slice is judged on: rows, and rows of each class.
const leastSlice, leastSliceClass = 100, 10

// slices searches the parts of the policy's columns for harm, on the first rule
// against the live version. A part fails only by harm beyond the margin that is
// significant after Holm over all parts; one too small is not judged and neither
// passes nor fails. At a first release the parts are measured, and nothing more.
func (j *judging) slices() []finding {
	if j.in.First {
		j.measureSlices()
		return nil
	}
	rule := j.searched("live")
	if rule == nil {
		return []finding{{Reason: Reason{
			Rule: "slices", Decision: Inconclusive, NotJudged: true,
			Text: "slices are not judged: nothing is required against the live version",
		}}}
	}
	margin := 0.0
	if rule.Margin != nil {
		margin = *rule.Margin
	}
	var out []finding
	var at []int
	var p []float64
	for _, part := range j.parts() {
		n := len(part.Sample.Truth)
		f := finding{part: true, Reason: Reason{
			Rule: "slice " + part.Name, Metric: rule.Name, Against: "live", Slice: part.Name,
			Decision: Inconclusive, NotJudged: true, Text: fmt.Sprintf("%s is not judged (n=%d)", part.Name, n),
		}}
		if Enough(part.Sample) {
			d, err := evaluation.Compare(rule.Name, part.Sample, "candidate", "live", j.seed)
			if err == nil {
				d.Slice = part.Name
				j.verdict.Differences = append(j.verdict.Differences, d)
				f = sliceFinding(f, d)
				at, p = append(at, len(out)), append(p, d.Worse(margin))
			}
		}
		out = append(out, f)
	}
	for k, q := range stat.Holm(p) {
		if f := &out[at[k]]; q < 0.025 {
			f.Decision = Harm
			f.Text += ": harm, " + holm(q)
		}
	}
	return out
}

// holm is an adjusted p-value in words.
func holm(p float64) string {
	if p < 0.0001 {
		return "Holm p < 0.0001"
	}
	return fmt.Sprintf("Holm p = %.2g", p)
}

// sliceFinding says what was found of a part that can be judged.
func sliceFinding(f finding, d evaluation.Difference) finding {
	f.NotJudged, f.Decision, f.Required = false, NonInferior, true
	f.Text = fmt.Sprintf("%s %s: %s %s", d.Slice, d.Metric, change(d, ""), on(d.Rows, d.Blocks))
	digits := unit.Digits(d.Value)
	if m := max(math.Abs(d.Candidate), math.Abs(d.Other)); m >= 10 {
		digits = unit.Digits(m)
	}
	f.short = func(int) string {
		return fmt.Sprintf("%s %s worse by %s", d.Slice, d.Metric, unit.Fixed(-d.Value, digits))
	}
	return f
}

// searched is the first rule that is judged against a version; nil: none.
func (j *judging) searched(against string) *Rule {
	for i, r := range j.policy.Metrics {
		to := r.Against
		if to == "" {
			to = "live"
		}
		if judged := r.Require.Word == "noninferior" || r.Require.Word == "superior"; judged && to == against {
			return &j.policy.Metrics[i]
		}
	}
	return nil
}

// parts are the sample's parts by the columns that the policy names.
func (j *judging) parts() []evaluation.Part {
	s := j.in.Sample
	s.Slices = slices.DeleteFunc(slices.Clone(s.Slices), func(c evaluation.SliceColumn) bool {
		return !slices.ContainsFunc(j.policy.Slices, func(p dataset.Slice) bool { return p.Column == c.Name })
	})
	return evaluation.Slices(s)
}

// measureSlices adds the candidate's value in each part that holds enough rows.
func (j *judging) measureSlices() {
	rule := j.searched("live")
	if rule == nil {
		rule = j.searched("baseline")
	}
	if rule == nil {
		return
	}
	for _, part := range j.parts() {
		if !Enough(part.Sample) {
			continue
		}
		if e, err := evaluation.Measure(rule.Name, part.Sample, "candidate", j.seed); err == nil {
			e.Slice = part.Name
			j.verdict.Estimates = append(j.verdict.Estimates, e)
		}
	}
}

// Enough reports whether a part of a sample holds what a slice is judged on at least:
// 100 rows, and 10 of each class.
func Enough(s evaluation.Sample) bool {
	return len(s.Truth) >= leastSlice && leastClass(s) >= leastSliceClass
}
