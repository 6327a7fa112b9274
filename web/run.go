// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"flyball/chart"
	"flyball/experiment/compare"
	"flyball/unit"
)

// The bounds of the page of a run: charts that are drawn, and points of each.
const (
	maxCharts   = 6
	chartPoints = 500
)

// runView is what the template of a run shows.
type runView struct {
	Frame    frame
	Headline []span
	More     string
	Compare  string // address of the comparison with the baseline
	Params   []pair
	Metrics  []pair
	Tags     []pair
	Inputs   []pair
	Charts   []figure
	Hidden   int // metrics that have a course and are not drawn
}

// pair is a name with its value; metrics, which are numbers all, stand right.
type pair struct {
	Key, Value string
	Number     bool
}

// run shows one run: what went in, what came out, and the course of its metrics.
func (p *pages) run(w http.ResponseWriter, r *http.Request) {
	ref := r.URL.Query().Get("id")
	f := frame{
		Title: "Run " + short(ref), Here: "run", Command: "flyball runs show " + shell(ref), Stream: living,
		Crumbs: []crumb{{"Flyball", "/"}, {"Experiments", "/runs"}, {"Run " + short(ref), ""}},
	}
	d, err := p.Finder.Run(r.Context(), ref)
	if err != nil {
		p.refuse(w, r, f, err)
		return
	}
	f.Experiment = d.ExperimentName
	f.Crumbs = []crumb{{"Flyball", "/"}, {"Experiments", "/runs"}, {d.ExperimentName, runsOf(d.ExperimentName)}, {"Run " + short(d.ID), ""}}
	v := runView{
		Frame: f, Headline: standing(d), More: lived(d),
		Compare: "/compare?" + url.Values{"ref": {"run:" + d.ID}, "against": {"baseline"}, "experiment": {d.ExperimentName}}.Encode(),
	}
	for _, x := range d.All {
		v.Params = append(v.Params, pair{Key: x.Key, Value: x.Value})
	}
	for _, t := range d.AllTags {
		v.Tags = append(v.Tags, pair{Key: t.Key, Value: clip(t.Value, 400)})
	}
	for _, in := range d.Inputs {
		v.Inputs = append(v.Inputs, pair{Key: strings.TrimSpace(in.Name + " " + in.Context), Value: in.Digest})
	}
	if err := p.courses(r.Context(), &v, d); err != nil {
		p.broken(w, r, err)
		return
	}
	p.show(w, r, http.StatusOK, "run.html", v)
}

// standing is the sentence about a run.
func standing(d compare.Detail) []span {
	name := d.Name
	if name == "" {
		name = short(d.ID)
	}
	word := map[string]string{"RUNNING": "is running", "SCHEDULED": "is scheduled", "FINISHED": "has finished", "FAILED": "has failed", "KILLED": "was killed"}[d.Status]
	out := []span{{name, true}, {" " + word + " with " + many(len(d.All), "param") + " and " + many(len(d.AllMetrics), "metric"), false}}
	if d.Predictions != nil {
		out = append(out, span{", and keeps its predictions of " + many(d.Predictions.Rows, "row"), false})
	}
	out = append(out, span{".", false})
	if d.Deleted {
		out = append(out, span{" It is deleted.", true})
	}
	return out
}

func many(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return unit.Count(n) + " " + word + "s"
}

func lived(d compare.Detail) string {
	parts := []string{"Run " + d.ID}
	if !d.Start.IsZero() {
		parts = append(parts, "begun "+d.Start.Format("2 Jan 2006 15:04")+" UTC")
	}
	if t := took(d.Start, d.End); t != "–" {
		parts = append(parts, "took "+t)
	}
	if d.User != "" {
		parts = append(parts, "by "+d.User)
	}
	if d.Version != "" {
		parts = append(parts, "made "+d.Version)
	}
	return strings.Join(parts, " · ") + "."
}

// courses lists the metrics, and draws those that have a course.
func (p *pages) courses(ctx context.Context, v *runView, d compare.Detail) error {
	for _, m := range d.AllMetrics {
		v.Metrics = append(v.Metrics, pair{m.Key, alone(m.Value), true})
		if m.Step == 0 {
			continue // one point, as far as it tells
		}
		if len(v.Charts) == maxCharts {
			v.Hidden++
			continue
		}
		points, err := p.Finder.Curve(ctx, d.ID, m.Key, chartPoints)
		if err != nil {
			return err
		}
		if len(points) > 1 {
			v.Charts = append(v.Charts, course(len(v.Charts), m.Key, points))
		}
	}
	return nil
}

// course draws one metric over its steps.
func course(n int, key string, points []compare.Point) figure {
	line := chart.Series{Name: key, Role: chart.Other}
	data := grid{Name: key + " by step", Head: []string{"step", key}}
	every := max(1, len(points)/50)
	for i, m := range points {
		v, text := math.NaN(), alone(m.Value)
		if m.Value != nil {
			v = *m.Value
		}
		line.X, line.Y = append(line.X, float64(m.Step)), append(line.Y, v)
		if i%every == 0 || i == len(points)-1 {
			data.Rows = append(data.Rows, []string{unit.Count(int(m.Step)), text})
		}
	}
	finding, how := key+": no value is a number.", "Nothing can be drawn."
	if values := slices.DeleteFunc(slices.Clone(line.Y), math.IsNaN); len(values) > 0 {
		digits := unit.Digits(slices.Max(values))
		finding = fmt.Sprintf("%s went from %s to %s.", key, figureOf(values[0], digits), figureOf(values[len(values)-1], digits))
		how = fmt.Sprintf("Steps %s to %s.", unit.Count(int(points[0].Step)), unit.Count(int(points[len(points)-1].Step)))
		if len(points) >= chartPoints {
			how += fmt.Sprintf(" At most %d points are drawn.", chartPoints)
		}
	}
	return figure{Finding: finding, How: how, SVG: chart.Curve(fmt.Sprint("m", n), key, []chart.Series{line}), Data: data}
}
