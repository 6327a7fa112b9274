// SPDX-License-Identifier: Apache-2.0

package evaluation

import (
	"math"

	"flyball/data/dataset"
	"flyball/fault"
	"flyball/stat"
)

// Measure is the metric of one role's scores with its 95 % interval: the t over
// draws for means, else the bootstrap by draw
// with the seed. It fails, Invalid, where the rows cannot tell the metric.
func Measure(metric string, s Sample, role string, seed uint64) (Estimate, error) {
	e := Estimate{Metric: metric, Role: role, Rows: len(s.Truth), Blocks: stat.Blocks(len(s.Truth), s.Block)}
	if err := check(metric, s, role); err != nil {
		return e, err
	}
	if x, ok := s.losses(metric, role); ok {
		m := stat.ClusterMean(x, s.Block)
		e.Value = m.Value
		e.Low, e.High = m.Interval(0.95)
		return e, told(metric, m.DF >= 1)
	}
	of := s.statistic(metric, role)
	e.Value = of(all(len(s.Truth)))
	var ok bool
	e.Low, e.High, _, ok = stat.Bootstrap(len(s.Truth), s.Block, seed, of)
	return e, told(metric, ok && finite(e.Value))
}

// Compare is the improvement of candidate over other, roles of the sample, turned
// so that positive is better, by the methods of Measure on paired rows. It fails,
// Invalid, where the rows cannot tell.
func Compare(metric string, s Sample, candidate, other string, seed uint64) (Difference, error) {
	d := Difference{Metric: metric, Against: other, Rows: len(s.Truth), Blocks: stat.Blocks(len(s.Truth), s.Block)}
	for _, role := range []string{candidate, other} {
		if err := check(metric, s, role); err != nil {
			return d, err
		}
	}
	sign := 1.0
	if LowerIsBetter(metric) {
		sign = -1
	}
	a, okA := s.losses(metric, candidate)
	b, okB := s.losses(metric, other)
	if okA && okB && metric != "bias" {
		x := make([]float64, len(a))
		for i := range a {
			x[i] = sign * (a[i] - b[i])
		}
		m := stat.ClusterMean(x, s.Block)
		d.Candidate, d.Other = stat.MeanOf(a).Value, stat.MeanOf(b).Value
		d.Value, d.SE, d.P = m.Value, m.SE, m.Below()
		d.Low, d.High = m.Interval(0.95)
		return d, told(metric, m.DF >= 1)
	}
	if metric == "auc" && s.Block == nil {
		u, ok := stat.DeLong(s.Truth, s.Scores[candidate], s.Scores[other])
		m := stat.Mean{Value: u.A - u.B, SE: math.Sqrt(max(0, u.VarA+u.VarB-2*u.Covar)), DF: 1e9}
		d.Candidate, d.Other, d.Value, d.SE, d.P = u.A, u.B, m.Value, m.SE, m.Below()
		d.Low, d.High = m.Interval(0.95)
		return d, told(metric, ok)
	}
	f, g, rows := s.statistic(metric, candidate), s.statistic(metric, other), all(len(s.Truth))
	d.Candidate, d.Other = f(rows), g(rows)
	gain := func(rows []int) float64 {
		p, q := f(rows), g(rows)
		if metric == "bias" {
			p, q = math.Abs(p), math.Abs(q)
		}
		return sign * (p - q)
	}
	d.Value = gain(rows)
	var ok bool
	if d.Low, d.High, d.SE, ok = stat.Bootstrap(len(rows), s.Block, seed, gain); ok {
		d.P = stat.Mean{Value: d.Value, SE: d.SE, DF: float64(d.Blocks - 1)}.Below()
	}
	return d, told(metric, ok && finite(d.Value))
}

func told(metric string, ok bool) error {
	if ok {
		return nil
	}
	return fault.New(fault.Invalid, "%s is not judged: these rows cannot tell it", metric).
		Do("give rows of at least two draws and, for auc, of both classes")
}

func check(metric string, s Sample, role string) error {
	scores, width := s.Scores[role], 1
	if s.Kind == dataset.Multiclass {
		width = len(s.Classes)
	}
	switch {
	case len(s.Truth) == 0:
		return fault.New(fault.Invalid, "%s is not judged: no rows", metric)
	case len(scores) != width*len(s.Truth):
		return fault.New(fault.Invalid, "%s has %d scores for %d rows", role, len(scores), len(s.Truth))
	case s.Block != nil && len(s.Block) != len(s.Truth):
		return fault.New(fault.Invalid, "%d block numbers for %d rows", len(s.Block), len(s.Truth))
	}
	for _, known := range ForKind(s.Kind) {
		if known == metric {
			return nil
		}
	}
	return fault.New(fault.Invalid, "%s is no metric of a %s model", metric, s.Kind)
}

func all(n int) []int {
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i
	}
	return rows
}

func (s Sample) losses(metric, role string) ([]float64, bool) {
	width, above := len(s.Scores[role])/len(s.Truth), 0.5
	if s.Decide != nil {
		above = s.Decide.Above
	}
	out := make([]float64, len(s.Truth))
	for i, y := range s.Truth {
		v, ok := rowLoss(metric, s.Kind, y, s.Scores[role][i*width:(i+1)*width], above)
		if !ok {
			return nil, false
		}
		out[i] = v
	}
	return out, true
}

// statistic gives NaN where the rows cannot tell the metric.
func (s Sample) statistic(metric, role string) func(rows []int) float64 {
	score := s.Scores[role]
	return func(rows []int) float64 {
		var y, x []float64
		sum, sse, bias := 0.0, 0.0, 0.0
		for _, r := range rows {
			e := score[r] - s.Truth[r]
			y, x = append(y, s.Truth[r]), append(x, score[r])
			sum, sse, bias = sum+s.Truth[r], sse+e*e, bias+e
		}
		n := float64(len(rows))
		switch metric {
		case "auc":
			if d, ok := stat.DeLong(y, x, x); ok {
				return d.A
			}
		case "rmse":
			return math.Sqrt(sse / n)
		case "bias":
			return bias / n
		case "r2":
			sst := 0.0
			for _, v := range y {
				sst += (v - sum/n) * (v - sum/n)
			}
			if sst > 0 {
				return 1 - sse/sst
			}
		}
		return math.NaN()
	}
}
