// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"cmp"
	"fmt"

	"flyball/data/dataset"
	"flyball/experiment/evaluation"
	"flyball/unit"
)

// selectionRatio is the rule by evaluation.Groups; the other fairness metrics are gaps.
const selectionRatio = "selection_ratio"

// groups tells what the candidate does for each group, whatever the policy asks.
func (j *judging) groups() {
	if j.in.Sample.Kind != dataset.Binary {
		return
	}
	for _, column := range j.in.Groups {
		if t, err := evaluation.Groups(j.in.Sample, column, "candidate", 0); err == nil {
			j.verdict.Groups = append(j.verdict.Groups, t)
		}
	}
}

// ratio holds each group's selection rate against the largest group's. One that is
// surely below the limit is harm; the rule holds when all are surely above.
func (j *judging) ratio(rule Fairness, column string, f finding) finding {
	limit := evaluation.FourFifths
	if rule.Require.AtLeast != nil {
		limit = *rule.Require.AtLeast
	}
	t, err := evaluation.Groups(j.in.Sample, column, "candidate", limit)
	switch {
	case err != nil:
		f.NotJudged, f.Text = true, rule.Metric+" is not judged: "+err.Error()
		return f
	case len(t.Groups) < 2:
		f.NotJudged, f.Text = true, fmt.Sprintf("%s is not judged: fewer than two groups of %s have %d rows", rule.Metric, column, evaluation.LeastShown)
		return f
	}
	worst, open := t.Groups[1], 0
	for _, g := range t.Groups[1:] {
		if before(g, worst) {
			worst = g
		}
		if g.Judged == evaluation.GroupOpen {
			open++
			f.Needs = max(f.Needs, g.Needs)
		}
	}
	f.Text = fmt.Sprintf("%s by %s %s (%s…%s) for %s against %s, on %d rows", rule.Metric, column,
		unit.Fixed(worst.Ratio.Value, 2), unit.Fixed(worst.Ratio.Low, 2), unit.Fixed(worst.Ratio.High, 2), worst.Value, t.Reference, t.Rows)
	if rule.Require.AtLeast == nil {
		f.Needs = 0
		return f
	}
	f.Text += ", at least " + given(limit)
	switch {
	case worst.Judged == evaluation.GroupLower:
		f.Decision, f.Needs = Harm, 0
	case open == 0:
		f.Decision = Superior
	case f.Needs > 0:
		f.Text += fmt.Sprintf("; about %s more rows of a group would tell", unit.Fixed(unit.RoundUp(float64(f.Needs)), 0))
	}
	if t.Suppress > 0 {
		f.Text += fmt.Sprintf("; not judged: %d groups of fewer than %d rows", t.Suppress, evaluation.LeastShown)
	}
	return f
}

// before reports whether a is the more telling group: one that is surely lower first,
// then the one with the lowest ratio.
func before(a, b evaluation.GroupRow) bool {
	surely := func(g evaluation.GroupRow) int {
		if g.Judged == evaluation.GroupLower {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(surely(a), surely(b)), cmp.Compare(a.Ratio.Value, b.Ratio.Value)) < 0
}
