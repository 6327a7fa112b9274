// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"flyball/experiment"
	"flyball/experiment/evaluation"
	"flyball/fault"
)

// The bounds of parallel coordinates: lines, and parts of an axis of words.
const maxLines, maxWords = 500, 12

// Parallel is runs as lines over axes: the params that vary, and last the metric.
type Parallel struct {
	Axes  []Axis `json:"axes"`
	Lines []Line `json:"lines" doc:"runs that have the metric"`
	More  bool   `json:"more,omitempty" doc:"there are more runs than are drawn"`
}

// Axis is a setting, or the metric. Of words the positions are 0 to n−1.
type Axis struct {
	Name  string   `json:"name" doc:"params.depth or metrics.auc"`
	Words []string `json:"words,omitempty" doc:"of an axis of words; else it is one of numbers"`
	Low   float64  `json:"low"`
	High  float64  `json:"high"`
}

// Line is one run; its values stand in the order of the axes, null where it has none.
type Line struct {
	Run    string     `json:"run"`
	Name   string     `json:"name"`
	Values []*float64 `json:"values"`
}

// Parallel finds runs and makes their lines. a.Metric is the last axis; empty: the
// usual one that most have.
func (f *Finder) Parallel(ctx context.Context, a Ask) (Parallel, error) {
	ids, _, err := f.scope(ctx, a.Experiment)
	if err != nil {
		return Parallel{}, err
	}
	if len(a.Order) == 0 {
		a.Order = []string{"attributes.start_time DESC"}
	}
	if err := checkColumns(a.Columns); err != nil {
		return Parallel{}, err
	}
	a.Limit = min(cmp.Or(a.Limit, maxLines), maxLines)
	runs, next, err := f.Tracker.SearchRuns(ctx, experiment.Ask{Experiments: ids, Filter: a.Filter, Order: a.Order, Page: a.Page})
	if err != nil {
		return Parallel{}, err
	}
	p, err := parallel(runs, a.Metric, a.Columns)
	p.More = next != ""
	return p, err
}

func parallel(runs []experiment.Run, metric string, columns []string) (Parallel, error) {
	out := Parallel{Axes: []Axis{}, Lines: []Line{}}
	chosen := Columns(runs)
	if metric == "" {
		for _, c := range chosen {
			if m, ok := strings.CutPrefix(c, "metrics."); ok {
				metric = m
				break
			}
		}
	}
	if metric == "" {
		return out, fault.New(fault.NotFound, "these runs have no metric in common to draw")
	}
	if len(columns) == 0 {
		columns = chosen
	}
	runs = slices.DeleteFunc(slices.Clone(runs), func(r experiment.Run) bool { _, ok := valueOf(r, metric); return !ok })
	values := make([][]*float64, len(runs))
	for _, c := range columns {
		key, ok := strings.CutPrefix(c, "params.")
		if !ok {
			continue
		}
		if axis, at, ok := paramAxis(runs, key); ok {
			out.Axes = append(out.Axes, axis)
			for i := range runs {
				values[i] = append(values[i], at[i])
			}
		}
	}
	var last []*float64
	for _, r := range runs {
		v, _ := valueOf(r, metric)
		last = append(last, &v)
	}
	low, high := ends(last)
	out.Axes = append(out.Axes, Axis{Name: "metrics." + metric, Low: low, High: high})
	for i, r := range runs {
		out.Lines = append(out.Lines, Line{Run: string(r.ID), Name: r.Name, Values: append(values[i], last[i])})
	}
	return out, nil
}

// paramAxis is an axis of numbers where all values are, else one of words; false where
// there are too many words, or nothing varies.
func paramAxis(runs []experiment.Run, key string) (Axis, []*float64, bool) {
	text := make([]*string, len(runs))
	words, numbers := map[string]bool{}, true
	for i, r := range runs {
		for _, p := range r.Params {
			if p.Key == key {
				text[i] = &p.Value
				words[p.Value] = true
				_, ok := decimal(p.Value)
				numbers = numbers && ok
			}
		}
	}
	at := make([]*float64, len(runs))
	axis := Axis{Name: "params." + key}
	if len(words) < 2 || !numbers && len(words) > maxWords {
		return axis, at, false
	}
	if !numbers {
		axis.Words = slices.Sorted(maps.Keys(words))
	}
	for i, t := range text {
		if t == nil {
			continue
		}
		v := float64(slices.Index(axis.Words, *t))
		if numbers {
			v, _ = strconv.ParseFloat(*t, 64)
		}
		at[i] = &v
	}
	axis.Low, axis.High = ends(at)
	return axis, at, true
}

func ends(values []*float64) (low, high float64) {
	first := true
	for _, v := range values {
		switch {
		case v == nil:
		case first:
			low, high, first = *v, *v, false
		default:
			low, high = min(low, *v), max(high, *v)
		}
	}
	return low, high
}

// Best orders lines by their last value, the best in the metric first.
func Best(metric string, lines []Line) {
	sign := 1.0
	if evaluation.LowerIsBetter(metric) {
		sign = -1
	}
	last := func(l Line) float64 {
		if n := len(l.Values); n > 0 && l.Values[n-1] != nil {
			return sign * *l.Values[n-1]
		}
		return math.Inf(-1)
	}
	slices.SortStableFunc(lines, func(a, b Line) int { return cmp.Compare(last(b), last(a)) })
}
