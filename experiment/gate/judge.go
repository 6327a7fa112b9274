// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"slices"

	"flyball/data/dataset"
	"flyball/experiment/modeltest"
)

// Judge is the verdict on the role candidate of the sample. It is pure: the same
// input gives the same verdict, resamples included. Each required rule must pass, at
// a one-sided level of 2.5 %; a rule that cannot be judged is inconclusive, never
// passed. All must pass together, which needs no correction for their number; the
// search of the slices has Holm's.
func (p Policy) Judge(in Input) Verdict {
	n := len(in.Sample.Truth)
	j := &judging{policy: p, in: in, seed: in.Sample.Seed(), verdict: Verdict{Rows: n, Blocks: in.Sample.Independent()}}
	for _, r := range p.Metrics {
		j.add(j.rule(r))
	}
	if len(in.Mix) > 0 && !slices.ContainsFunc(p.Metrics, func(r Rule) bool { return r.Name == "mix" }) {
		j.add(j.mix(nil, finding{Reason: Reason{Rule: "mix report", Metric: "mix", Decision: Inconclusive}}))
	}
	j.verdict.Changed = changed(in)
	if p.Reproduce == "required" || in.Rebuilt != nil && !*in.Rebuilt {
		j.add(reproduced(in.Rebuilt))
	}
	j.groups()
	if p.Fairness != nil {
		j.add(j.fairness(*p.Fairness)...)
	}
	if len(p.Slices) > 0 {
		j.add(j.slices()...)
	}
	j.verdict.Tests = in.Tests
	for _, t := range in.Tests {
		j.add(tested(t))
	}
	return j.decide()
}

// judging is one verdict on its way.
type judging struct {
	policy   Policy
	in       Input
	seed     uint64
	verdict  Verdict
	findings []finding
}

// finding is a reason with what the summary says where it decides.
type finding struct {
	Reason
	short      func(room int) string // nil: the text
	comparison bool                  // of two versions, over all rows
	part       bool                  // of a slice, not of all rows
}

func (j *judging) add(f ...finding) { j.findings = append(j.findings, f...) }

// decide takes the worst of the required comparisons, or of any required finding that
// does not pass: one that only holds, such as a limit, leaves superior as it is. The
// summary is what the deciding finding says: where the verdict passes, the first
// comparison; else the worst over all rows, and a slice only where nothing else failed.
// It goes into events and mails, so it names a rule about groups without its figures.
func (j *judging) decide() Verdict {
	v := j.verdict
	var why *finding
	for i, f := range j.findings {
		v.Reasons = append(v.Reasons, f.Reason)
		if !f.Required {
			continue
		}
		if (f.comparison || rank(f.Decision) >= 2) && rank(f.Decision) > rank(v.Decision) {
			v.Decision = f.Decision
		}
		if why == nil || weight(f) > weight(*why) {
			why = &j.findings[i]
		}
	}
	if why == nil {
		v.Decision, v.Summary = Inconclusive, "kept out: nothing is required, so nothing is shown"
		return v
	}
	if v.Decision == "" {
		v.Decision = NonInferior
	}
	v.Pass = v.Decision == Superior || v.Decision == NonInferior
	v.Summary = "kept out: "
	if v.Pass {
		v.Summary = "passes: "
	}
	switch room := longest - len(v.Summary); {
	case ofColumn(j.in.Groups, why.Slice) && !why.NotJudged:
		v.Summary += cut(fit(room, why.Rule+" by "+why.Slice, why.Rule), room)
	case why.short != nil:
		v.Summary += cut(why.short(room), room)
	default:
		v.Summary += cut(why.Text, room)
	}
	return v
}

// weight orders findings by how much they have to do with the verdict.
func weight(f finding) int {
	w := 0
	switch r := rank(f.Decision); {
	case r >= 2 && !f.part:
		w = 10 * r
	case r >= 2:
		w = r
	case f.comparison:
		w = 1
	}
	return w
}

// rank is 0 and 1 for what passes, 2 and 3 for what does not; −1: nothing said yet.
func rank(d Decision) int {
	return slices.Index([]Decision{Superior, NonInferior, Inconclusive, Harm}, d)
}

func reproduced(rebuilt *bool) finding {
	r := Reason{Rule: "reproduce required", Required: true, Decision: Inconclusive, NotJudged: true, Text: "not made a second time yet"}
	if rebuilt != nil {
		r.NotJudged = false
		r.Decision, r.Text = Superior, "made twice, came out the same"
		if !*rebuilt {
			r.Decision, r.Text = Harm, "made twice, came out different"
		}
	}
	return finding{Reason: r}
}

// changed is how many rows candidate and live version decide differently; nil where they
// decide nothing.
func changed(in Input) *int {
	a, b := in.Sample.Scores["candidate"], in.Sample.Scores["live"]
	if in.First || in.Sample.Kind != dataset.Binary || len(a) != len(in.Sample.Truth) || len(b) != len(a) {
		return nil
	}
	above, n := 0.5, 0
	if d := in.Sample.Decide; d != nil {
		above = d.Above
	}
	for i := range a {
		if (a[i] > above) != (b[i] > above) {
			n++
		}
	}
	return &n
}

// tested is what a test of the model says of it.
func tested(t modeltest.Result) finding {
	r := Reason{Rule: testRule + t.Name, Required: t.Required, Decision: NonInferior, Text: t.Text, NotJudged: !t.Judged}
	switch {
	case !t.Judged:
		r.Decision = Inconclusive
	case !t.Passed:
		r.Decision = Harm
	}
	return finding{Reason: r, short: func(room int) string { return fit(room, t.Name+": "+t.Text, t.Name) }}
}

// Refit takes in what the tests say of the recipe fitted again on all mature rows, which
// is what would go live: one that fails there keeps it out.
func (v *Verdict) Refit(tests []modeltest.Result) {
	for _, t := range tests {
		if t.Passed || !t.Required {
			continue
		}
		f := tested(t)
		f.Rule = "refit, " + f.Rule
		v.Reasons = append(v.Reasons, f.Reason)
		if v.Pass {
			v.Summary = "kept out: " + cut(fit(longest-len("kept out: "), "after the refit, "+t.Name+": "+t.Text, "after the refit, "+t.Name), longest-len("kept out: "))
		}
		v.Pass, v.Decision = false, f.Decision
	}
}
