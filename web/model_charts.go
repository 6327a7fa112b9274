// SPDX-License-Identifier: Apache-2.0

package web

import (
	"fmt"
	"html/template"
	"math"

	"flyball/chart"
	"flyball/experiment/compare"
	"flyball/monitoring"
	"flyball/serving/prediction"
	"flyball/serving/release"
	"flyball/unit"
)

// courseOf draws the watched metric over the newest rows, with the releases among them;
// nil: there is nothing to draw.
func courseOf(st monitoring.Standing, releases []release.State) *figure {
	if len(st.Course) == 0 || len(st.Performance) == 0 {
		return nil
	}
	metric := st.Performance[0].Metric
	data := grid{Name: metric + " over time", Head: []string{"from", "rows", "truth known", "estimated", "true"}}
	windows := make([]chart.Window, len(st.Course))
	known, rows := 0, 0
	for i, c := range st.Course {
		w := chart.Window{Label: c.From.Format("2 Jan 15:04"), Known: float64(c.Known) / float64(max(c.Rows, 1))}
		w.Estimated, w.EstLow, w.EstTop = rangeOf(c.Estimated)
		w.True, w.TrueLow, w.TrueTop = rangeOf(c.True)
		windows[i], known, rows = w, known+c.Known, rows+c.Rows
		data.Rows = append(data.Rows, []string{moment(c.From), unit.Count(c.Rows), percentOf(w.Known), figured(c.Estimated), figured(c.True)})
	}
	var events []chart.Event
	for _, s := range releases {
		for i, c := range st.Course {
			if !s.StartedAt.Before(c.From) && (i+1 == len(st.Course) || s.StartedAt.Before(st.Course[i+1].From)) && !s.StartedAt.After(st.Course[len(st.Course)-1].To) {
				events = append(events, chart.Event{Window: i, Label: fmt.Sprintf("v%d", s.Candidate)})
			}
		}
	}
	f := &figure{
		Finding: fmt.Sprintf("%s of v%d over its newest %s; the truth of %s is known.", metric, st.Version, many(rows, "row"), percentOf(float64(known)/float64(max(rows, 1)))),
		How:     "Line: estimated without labels, with its 95 % interval. Disc: true, hollow where less than half is known. Upright lines: releases.",
		SVG:     chart.Score("score", metric, windows, events), Data: data, Time: true,
	}
	if f.SVG == "" {
		return nil
	}
	return f
}

// rangeOf is a figure with the ends of its interval, NaN where it has none.
func rangeOf(f *monitoring.Figure) (value, low, high float64) {
	switch {
	case f == nil:
		return math.NaN(), math.NaN(), math.NaN()
	case f.Half == 0:
		return f.Value, math.NaN(), math.NaN()
	}
	return f.Value, f.Value - f.Half, f.Value + f.Half
}

// sparkOf draws the distance of a column from training over the course.
func sparkOf(n int, column string, course []monitoring.CoursePart) template.HTML {
	values := make([]float64, len(course))
	for i, c := range course {
		v, is := c.PSI[column]
		if values[i] = v; !is {
			values[i] = math.NaN()
		}
	}
	return chart.Sparkline(fmt.Sprint("drift", n), "distance of "+column+" from training", values, 0)
}

// reasonsChart draws what each column added; nil: the reasons are not known.
func reasonsChart(r *prediction.Reasons, rows []reason) *figure {
	if r == nil {
		return nil
	}
	steps := make([]chart.Step, 0, reasonsShown+1)
	rest := r.Rest + r.Residual
	for i, t := range r.Top {
		if i >= reasonsShown {
			rest += t.Contribution
			continue
		}
		steps = append(steps, chart.Step{Name: t.Feature + " = " + clip(string(t.Value), 20), Adds: t.Contribution})
	}
	if math.Abs(rest) > 1e-9 {
		steps = append(steps, chart.Step{Name: "all others", Adds: rest})
	}
	data := grid{Name: "What each column added", Head: []string{"column", "value", "added", "in a word"}}
	for _, x := range rows {
		data.Rows = append(data.Rows, []string{x.Feature, x.Value, x.Added, x.Word})
	}
	return &figure{
		Finding: fmt.Sprintf("From %s to %s.", plainly(r.Base), plainly(r.Margin)), How: "Filled bars raise, hollow bars lower; the sum is the score, in " + r.Space + ".",
		SVG: chart.Waterfall("reasons", "What each column added", r.Space, r.Base, steps), Data: data,
	}
}

// qualityOf draws how well a version's scores are calibrated, or how far they lie off, on
// the rows that it was judged on.
func qualityOf(r compare.Report) []figure {
	for _, p := range r.Pairs {
		this, that := p.Curves[p.Name], p.Curves[p.Against]
		switch {
		case this == nil || that == nil:
		case len(this.Calibration) > 0 && len(that.Calibration) > 0:
			return []figure{calibration("q", p, that, this)}
		case len(this.Errors) > 0 && len(this.Errors) == len(that.Errors):
			return []figure{errorsOf("q", p, that, this)}
		}
	}
	return nil
}
