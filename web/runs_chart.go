// SPDX-License-Identifier: Apache-2.0

package web

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strconv"
	"strings"

	"flyball/chart"
	"flyball/experiment/compare"
	"flyball/fault"
)

// draw draws the runs over the settings that vary and a metric.
func (p *pages) draw(ctx context.Context, v *runsView) error {
	ask := v.Asked.ask(pageLines)
	ask.Columns, ask.Token = nil, ""
	if kind, key := v.Asked.sorted(); kind == "metrics" {
		ask.Metric = key
	}
	got, err := p.Finder.Parallel(ctx, ask)
	if fault.Is(err, fault.NotFound) { // no metric in common
		return nil
	}
	if err != nil || len(got.Lines) < 3 || len(got.Axes) < 2 {
		return err
	}
	v.Parallel = parallelOf(got, v.Asked.lower)
	return nil
}

// parallelOf lays the lines out; the best by the last axis is drawn on top. lower says
// whether less of a metric is better.
func parallelOf(got compare.Parallel, lower func(metric string) bool) *figure {
	last := len(got.Axes) - 1
	_, metric, _ := strings.Cut(got.Axes[last].Name, ".")
	lines := slices.Clone(got.Lines)
	slices.SortStableFunc(lines, func(a, b compare.Line) int {
		x, y := *a.Values[last], *b.Values[last] // a line has the metric
		if lower(metric) {
			return cmp.Compare(x, y)
		}
		return cmp.Compare(y, x)
	})
	axes, places := axesOf(got, lines)
	data := grid{Name: "Runs and their settings", Head: []string{"run"}}
	for _, a := range axes {
		data.Head = append(data.Head, a.Name)
	}
	paths := make([]chart.Path, len(lines))
	for i, l := range lines {
		paths[i].Rank = i
		cells := []string{short(l.Run)}
		for k, v := range l.Values {
			at, text := math.NaN(), "–"
			if v != nil {
				at, text = places[k](*v), axisText(got.Axes[k], *v)
			}
			paths[i].At, cells = append(paths[i].At, at), append(cells, text)
		}
		data.Rows = append(data.Rows, cells)
	}
	f := &figure{Finding: "The best " + metric + " is " + alone(lines[0].Values[last]) + ", of " + short(lines[0].Run) + ".", How: with(data) + "Orange is this run, strong lines are the next four.", Data: data}
	if got.More {
		f.How += " There are more runs than are drawn."
	}
	f.SVG = chart.Parallel("pc", axes, paths, "The best run by "+metric+" is "+short(lines[0].Run)+".")
	return f
}

// with are the first settings of the best run, which is the first of the data.
func with(data grid) string {
	var out []string
	for k, name := range data.Head[1:min(len(data.Head)-1, 7)] {
		out = append(out, middle(name, 36)+" "+clip(data.Rows[0][k+1], 36))
	}
	if len(out) == 0 {
		return ""
	}
	return "It has " + strings.Join(out, ", ") + ". "
}

// axesOf are the axes with their ticks, and where a value lies on each.
func axesOf(got compare.Parallel, lines []compare.Line) ([]chart.Axis, []func(float64) float64) {
	var axes []chart.Axis
	var places []func(float64) float64
	for k, a := range got.Axes {
		_, name, _ := strings.Cut(a.Name, ".")
		if len(a.Words) > 0 {
			ticks, at := chart.Words(a.Words)
			axes = append(axes, chart.Axis{Name: name, Ticks: ticks})
			places = append(places, func(v float64) float64 { return at(axisText(a, v)) })
			continue
		}
		var values []float64
		for _, l := range lines {
			if k < len(l.Values) && l.Values[k] != nil {
				values = append(values, *l.Values[k])
			}
		}
		ticks, at := chart.Scale(values)
		if k == len(got.Axes)-1 {
			ticks, at = chart.Linear(a.Low, a.High)
		}
		axes, places = append(axes, chart.Axis{Name: name, Ticks: ticks}), append(places, at)
	}
	return axes, places
}

// axisText is a value as its axis writes it.
func axisText(a compare.Axis, v float64) string {
	if i := int(v); len(a.Words) > 0 && i >= 0 && i < len(a.Words) {
		return a.Words[i]
	}
	return strconv.FormatFloat(v, 'g', 5, 64)
}
