// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"fmt"
	"math"

	"flyball/experiment/evaluation"
	"flyball/unit"
)

// mix says how far the rows judged on lie from today's traffic: a verdict holds for rows
// like those. A limit must hold in every column with the whole interval.
func (j *judging) mix(limit *Limit, out finding) finding {
	out.comparison = false
	all := j.in.Mix
	if len(all) == 0 {
		out.Required, out.NotJudged, out.Text = false, true, "mix is not applicable: no traffic yet to compare the rows with"
		return out
	}
	j.verdict.Mix = all
	worst, differ := all[0], 0
	for _, d := range all {
		if d.Low > 0 {
			differ++
		}
	}
	out.Text = fmt.Sprintf("%d of %d columns differ from the newest traffic by more than luck", differ, len(all))
	if differ == 0 {
		out.Text = fmt.Sprintf("none of %d columns differs from the newest traffic by more than luck", len(all))
	}
	if limit != nil {
		out.Decision, worst = within(all, float64(*limit))
		out.Text += ", at most " + given(float64(*limit)) + " in each"
	}
	out.Text += "; " + furthest(worst)
	out.short = func(room int) string {
		return fit(room, fmt.Sprintf("mix of %s %s from the traffic", worst.Column, unit.Fixed(worst.Value, 2)), "mix of the rows is not the traffic's")
	}
	return out
}

// within decides by all the columns, and names the one that decides.
func within(all []evaluation.Distance, limit float64) (Decision, evaluation.Distance) {
	decision, worst := NonInferior, all[0]
	for _, d := range all {
		one := Inconclusive
		switch {
		case d.High <= limit:
			one = NonInferior
		case d.Low > limit:
			one = Harm
		}
		if rank(one) > rank(decision) {
			decision, worst = one, d
		}
	}
	return decision, worst
}

// furthest says of a column what its distance is made of.
func furthest(d evaluation.Distance) string {
	return fmt.Sprintf("%s %s (%s…%s): %s is %s of the %s rows judged and %s of %s asked", d.Column, unit.Fixed(d.Value, 2), unit.Fixed(d.Low, 2), unit.Fixed(d.High, 2),
		d.Most, percent(d.Judged), unit.Count(d.Rows), percent(d.Asked), unit.Count(d.Traffic))
}

func percent(share float64) string {
	if v := 100 * share; v > 0 && v < 9.95 {
		return unit.Fixed(v, 1) + " %"
	}
	return unit.Fixed(math.Round(100*share), 0) + " %"
}
