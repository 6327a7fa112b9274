// SPDX-License-Identifier: Apache-2.0

package evaluation

import (
	"cmp"
	"math"
	"slices"

	"flyball/data/dataset"
	"flyball/fault"
	"flyball/stat"
)

// Measure is the metric of one role's scores with its 95 % interval: the t over draws,
// linearised for what is no mean, with DeLong's error for the auc of independent rows that
// count the same; else the percentile bootstrap by draw with the seed. It fails, Invalid,
// where the rows cannot tell the metric.
func Measure(metric string, s Sample, role string, seed uint64) (Estimate, error) {
	e := Estimate{Metric: metric, Role: role, Rows: len(s.Truth), Blocks: s.Independent()}
	t, err := s.check(metric, role)
	if err != nil {
		return e, err
	}
	d := s.draws()
	if x, ok := s.losses(t, role); ok {
		m := d.Mean(x, s.Weight)
		e.Value = m.Value
		e.Low, e.High = m.Interval(0.95)
		return e, told(metric, m.DF >= 1)
	}
	of := s.statistic(t, role, d)
	e.Value = of.of(once(d))
	if m, ok := s.linear(t, d, e.Value, of, statistic{}); ok {
		m = s.deLong(t, role, "", m)
		e.Low, e.High = t.within(m.Interval(0.95))
		return e, told(metric, m.DF >= 1)
	}
	b, ok := d.Bootstrap(seed, of.of)
	e.Low, e.High = b.Low, b.High
	if t.name == "ece" {
		luck := s.luck(role, d)
		e.Low, e.High = max(0, e.Value-luck.most-z95*b.SE), max(e.Value, e.Value-luck.least+z95*b.SE)
	}
	return e, told(metric, ok && finite(e.Value))
}

// Value is the metric of one role's scores without an interval, in one pass. It fails
// as Measure does.
func Value(metric string, s Sample, role string) (float64, error) {
	t, err := s.check(metric, role)
	if err != nil {
		return 0, err
	}
	if x, ok := s.losses(t, role); ok {
		return stat.DrawsOf(len(x), nil).Mean(x, s.Weight).Value, nil
	}
	d := stat.DrawsOf(len(s.Truth), nil)
	v := s.statistic(t, role, d).of(once(d))
	return v, told(metric, finite(v))
}

// Compare is the improvement of candidate over other, roles of the sample, turned
// so that positive is better, by the methods of Measure on paired rows. For bias it
// is how much nearer to zero the candidate is. It fails, Invalid, where the rows
// cannot tell.
func Compare(metric string, s Sample, candidate, other string, seed uint64) (Difference, error) {
	d := Difference{Metric: metric, Against: other, Rows: len(s.Truth), Blocks: s.Independent()}
	var t term
	var err error
	for _, role := range []string{candidate, other} {
		if t, err = s.check(metric, role); err != nil {
			return d, err
		}
	}
	a, okA := s.losses(t, candidate)
	b, okB := s.losses(t, other)
	draws := s.draws()
	if okA && okB && metric != "bias" {
		x, sign := make([]float64, len(a)), better(metric)
		for i := range a {
			x[i] = sign * (a[i] - b[i])
		}
		d.Candidate, d.Other = draws.Mean(a, s.Weight).Value, draws.Mean(b, s.Weight).Value
		m := draws.Mean(x, s.Weight)
		return d.of(m), told(metric, m.DF >= 1)
	}
	f, g := s.statistic(t, candidate, draws), s.statistic(t, other, draws)
	d.Candidate, d.Other = f.of(once(draws)), g.of(once(draws))
	d.Value = gain(t, d.Candidate, d.Other)
	if m, ok := s.linear(t, draws, d.Value, f, g); ok {
		m = s.deLong(t, candidate, other, m)
		return d.of(m), told(metric, m.DF >= 1)
	}
	return s.resample(t, d, draws, candidate, seed)
}

// gain is by how much a value is better than another.
func gain(t term, value, other float64) float64 {
	if t.name == "bias" {
		value, other = math.Abs(value), math.Abs(other)
	}
	return better(t.name) * (value - other)
}

// Alone counts the rows that only the candidate decides rightly, and those that only the
// other does, for a metric such as accuracy that is 1 or 0 of each row; false for others.
func Alone(metric string, s Sample, candidate, other string) (onlyCandidate, onlyOther int, ok bool) {
	t, err := s.check(metric, candidate)
	if _, otherErr := s.check(metric, other); err != nil || otherErr != nil {
		return 0, 0, false
	}
	a, okA := s.losses(t, candidate)
	b, okB := s.losses(t, other)
	for i := range a {
		switch {
		case !okA || !okB || a[i] != 0 && a[i] != 1 || b[i] != 0 && b[i] != 1:
			return 0, 0, false
		case a[i] > b[i]:
			onlyCandidate++
		case a[i] < b[i]:
			onlyOther++
		}
	}
	return onlyCandidate, onlyOther, okA && okB
}

// draws says which rows are one draw, and which of these lie together.
func (s Sample) draws() stat.Draws { return stat.RunsOf(len(s.Truth), s.Block, s.Run) }

// Independent is how many independent draws the rows are.
func (s Sample) Independent() int { return s.draws().Independent() }

// plain reports whether each row is a draw and counts once.
func (s Sample) plain() bool { return s.Weight == nil && s.Block == nil }

// of is the difference with its value and what follows from it.
func (d Difference) of(m stat.Mean) Difference {
	d.Value, d.SE, d.P, d.freedom = m.Value, m.SE, m.Below(), m.DF
	d.Low, d.High = m.Interval(0.95)
	return d
}

// Worse is the one-sided p-value for "the candidate is worse by more than the margin", of
// a difference that Compare has just made.
func (d Difference) Worse(margin float64) float64 {
	return stat.Mean{Value: d.Value + margin, SE: d.SE, DF: d.freedom}.Below()
}

// linear is a metric, or by how much it is better than another one, with the error of its
// influences. false: the metric has kinks, or these rows give it no slope.
func (s Sample) linear(t term, d stat.Draws, value float64, of, other statistic) (stat.Mean, bool) {
	if of.influence == nil || t.name == "bias" || !finite(value) {
		return stat.Mean{}, false
	}
	x := of.influence()
	if other.influence != nil {
		sign := better(t.name)
		for k, v := range other.influence() {
			x[k] = sign * (x[k] - v)
		}
	}
	m := d.Linear(value, x)
	return m, finite(m.SE)
}

// deLong puts DeLong's error in the place of that of the influences where it is of the auc
// of rows that are a draw each and count once; they differ by the last row of a class. No
// other role: of the one area alone. Fewer than two rows of a class leave no freedom.
func (s Sample) deLong(t term, role, other string, m stat.Mean) stat.Mean {
	if t.name != "auc" || !s.plain() {
		return m
	}
	u, ok := stat.DeLong(s.Truth, s.Scores[role], s.Scores[cmp.Or(other, role)])
	if !ok {
		return stat.Mean{Value: m.Value}
	}
	v := u.VarA
	if other != "" {
		v += u.VarB - 2*u.Covar
	}
	m.SE = math.Sqrt(max(0, v))
	return m
}

// resample compares by the bootstrap: both roles on the same resamples.
func (s Sample) resample(t term, d Difference, draws stat.Draws, candidate string, seed uint64) (Difference, error) {
	f, g := s.statistic(t, candidate, draws), s.statistic(t, d.Against, draws)
	b, ok := draws.Bootstrap(seed, func(times []float64) float64 { return gain(t, f.of(times), g.of(times)) })
	d.Low, d.High, d.SE = b.Low, b.High, b.SE
	if t.name == "ece" { // smaller is better: the other's less the candidate's
		own, others := s.luck(candidate, draws), s.luck(d.Against, draws)
		d.Low = d.Value - others.most + own.least - z95*d.SE
		d.High = d.Value - others.least + own.most + z95*d.SE
	}
	if ok {
		d.freedom = float64(d.Blocks - 1)
		d.P = d.Worse(0)
	}
	return d, told(d.Metric, ok && finite(d.Value))
}

// z95 is the normal distribution's 97.5 % quantile.
const z95 = 1.959963984540054

// better is +1 where a larger value of the metric is better, −1 where a smaller one.
func better(metric string) float64 {
	if LowerIsBetter(metric) {
		return -1
	}
	return 1
}

// once takes each draw one time: the sample as it is.
func once(d stat.Draws) []float64 { return slices.Repeat([]float64{1}, d.Count) }

func told(metric string, ok bool) error {
	if ok {
		return nil
	}
	f := fault.New(fault.Invalid, "%s is not judged: these rows cannot tell it", metric)
	switch Name(metric) {
	case "mape":
		return f.Do("give rows whose truth is not 0, or take mae")
	case "poisson_deviance":
		return f.Do("it is for truths that are not below 0 and scores above 0; take mae for others")
	}
	return f.Do("give rows of at least two draws and, where the metric needs them, of each class")
}

// check reads the metric, and says whether the rows are ones that it can be asked of.
func (s Sample) check(metric, role string) (term, error) {
	scores, width := s.Scores[role], s.width()
	t, err := parse(metric, s.Kind)
	switch {
	case err != nil:
		return t, err
	case len(s.Truth) == 0:
		return t, fault.New(fault.Invalid, "%s is not judged: no rows", metric)
	case len(scores) != width*len(s.Truth):
		return t, fault.New(fault.Invalid, "%s has %d scores for %d rows", role, len(scores), len(s.Truth))
	case s.Block != nil && len(s.Block) != len(s.Truth):
		return t, fault.New(fault.Invalid, "%d block numbers for %d rows", len(s.Block), len(s.Truth))
	case s.Weight != nil && len(s.Weight) != len(s.Truth):
		return t, fault.New(fault.Invalid, "%d weights for %d rows", len(s.Weight), len(s.Truth))
	case slices.ContainsFunc(s.Weight, func(w float64) bool { return !(w > 0) || !finite(w) }):
		return t, fault.New(fault.Invalid, "%s is not judged: a weight is not a number above 0", metric)
	case slices.ContainsFunc(scores, notFinite), slices.ContainsFunc(s.Truth, notFinite):
		return t, fault.New(fault.Invalid, "%s is not judged: a score of %s or a truth is not a number", metric, role)
	case t.name == "cost":
		return t, s.costed()
	}
	return t, nil
}

func notFinite(v float64) bool { return !finite(v) }

// width is how many scores a row has.
func (s Sample) width() int {
	if s.Kind == dataset.Multiclass {
		return len(s.Classes)
	}
	return 1
}
