// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"fmt"
	"math"
	"strings"

	"flyball/experiment/evaluation"
	"flyball/unit"
)

// fairnessRule stands before the metric of a rule about groups.
const fairnessRule = "fairness "

// fairness asks of each column of groups what the policy asks of the gap between
// them. A limit must hold with the whole interval; what cannot be judged is
// inconclusive.
func (j *judging) fairness(rule Fairness) []finding {
	base := finding{Reason: Reason{
		Rule: fairnessRule + rule.Metric, Metric: rule.Metric, Decision: Inconclusive,
		Required: rule.Require.Word != "report",
	}}
	if len(j.in.Groups) == 0 {
		base.NotJudged, base.Text = true, rule.Metric+" is not judged: the rows have no groups"
		return []finding{base}
	}
	var out []finding
	for _, column := range j.in.Groups {
		f := base
		f.Slice = column
		if rule.Metric == selectionRatio {
			out = append(out, j.ratio(rule, column, f))
			continue
		}
		g, err := evaluation.Gaps(rule.Metric, j.in.Sample, column, "candidate", j.seed)
		j.verdict.Estimates = append(j.verdict.Estimates, g.Groups...)
		switch {
		case err != nil:
			f.NotJudged, f.Needs, f.Text = true, g.Missing, err.Error()
			if g.Missing > 0 {
				f.Text += fmt.Sprintf("; about %s more rows would do", unit.Fixed(unit.RoundUp(float64(g.Missing)), 0))
			}
			f.short = func(room int) string {
				return fit(room, rule.Metric+" by "+column+" not judged, groups too small", rule.Metric+" not judged, groups too small")
			}
		case rule.Require.WidensAtMost != nil:
			f = j.widening(rule, column, g, f)
		default:
			f = j.gap(rule, column, g, f)
		}
		out = append(out, f)
	}
	return out
}

// gap reports the candidate's gap, and holds it against the limit where there is one.
func (j *judging) gap(rule Fairness, column string, g evaluation.Gap, f finding) finding {
	e := evaluation.Estimate{Metric: rule.Metric, Slice: column, Role: "candidate", Value: g.Value, Low: g.Low, High: g.High, Rows: g.Rows, Blocks: g.Blocks}
	j.verdict.Estimates = append(j.verdict.Estimates, e)
	e.Metric += " by " + column
	f.Text = fmt.Sprintf("%s, %s, %s", measured(e), ends(g), on(g.Rows, g.Blocks))
	if limit := rule.Require.AtMost; limit != nil {
		tail := ""
		f.Decision, f.Needs, tail = inside(e, math.Inf(-1), *limit)
		f.Text += ", at most " + given(*limit) + tail
	}
	f.Text += left(g)
	return f
}

// widening holds against the limit by how much the gap is wider than the live
// version's.
func (j *judging) widening(rule Fairness, column string, g evaluation.Gap, f finding) finding {
	limit := *rule.Require.WidensAtMost
	if f.Against = "live"; j.in.First {
		f = j.gap(rule, column, g, f)
		f.Required, f.NotJudged = false, true
		f.Text += "; no version is live yet"
		return f
	}
	d, err := evaluation.Widening(rule.Metric, j.in.Sample, column, "candidate", "live", j.seed)
	if err != nil {
		f.NotJudged, f.Text = true, err.Error()
		return f
	}
	j.verdict.Differences = append(j.verdict.Differences, d)
	tail := ""
	switch {
	case d.Low > 0:
		f.Decision = Superior
	case d.Low >= -limit:
		f.Decision = NonInferior
	case d.High < -limit:
		f.Decision = Harm
	default:
		f.Needs, tail = needs(d, limit)
	}
	digits := unit.FineDigits(max(d.Candidate, d.Other), d.Low, d.High)
	a, b := both(d)
	f.Text = fmt.Sprintf("%s by %s %s, live %s: wider by %s (%s…%s), at most %s, %s%s%s", rule.Metric, column, a, b, unit.Signed(-d.Value, digits),
		unit.Signed(-d.High, digits), unit.Signed(-d.Low, digits), given(limit), on(d.Rows, d.Blocks), tail, left(g))
	return f
}

// ends names the groups that lie furthest apart.
func ends(g evaluation.Gap) string {
	low, high := g.Groups[0], g.Groups[0]
	for _, e := range g.Groups[1:] {
		if e.Value < low.Value {
			low = e
		}
		if e.Value > high.Value {
			high = e
		}
	}
	digits := unit.Digits(max(high.Value, -low.Value))
	return fmt.Sprintf("from %s %s to %s %s", low.Slice, unit.Fixed(low.Value, digits), high.Slice, unit.Fixed(high.Value, digits))
}

// left names the groups that are too small to be judged.
func left(g evaluation.Gap) string {
	if len(g.Small) == 0 {
		return ""
	}
	return "; not judged: " + strings.Join(g.Small, ", ")
}
