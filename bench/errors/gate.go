// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"

	"flyball/data/dataset"
	"flyball/experiment/evaluation"
	"flyball/experiment/gate"
	"flyball/stat"
)

// world makes so many rows with what the live version and a worse candidate say of them.
type world struct {
	name  string
	make  func(r *rand.Rand, n int) evaluation.Sample
	worse func(metric string) (by float64, known bool) // nil: not known
}

// gateExperiments ask the gate for non-inferiority by the margin by which the candidate is
// in truth worse: to pass it is wrong, and may happen in 2.5 % of samples. The truth comes
// from so many times half a million rows.
func gateExperiments(truth int) []experiment {
	var out []experiment
	for _, c := range []struct {
		world  world
		metric string
		rows   []int
	}{
		{world{"answers of yes and no", classes(0), nil}, "log_loss", []int{200, 1000}},
		{world{"answers of yes and no", classes(0), nil}, "brier", []int{1000}},
		{world{"answers of yes and no", classes(0), nil}, "accuracy", []int{200, 1000}},
		{world{"7 % yes", classes(-3), nil}, "log_loss", []int{1000}},
		{world{"answers of yes and no", classes(0), nil}, "auc", []int{200, 1000}},
		{world{"7 % yes", classes(-3), nil}, "auc", []int{1000}},
		{world{"answers of yes and no", classes(0), nil}, "pr_auc", []int{1000}},
		{world{"7 % yes", classes(-3), nil}, "pr_auc", []int{1000}},
		{world{"answers of yes and no", classes(0), nil}, "f1", []int{1000}},
		{world{"answers of yes and no", classes(0), nil}, "recall_at_k(20%)", []int{1000}},
		{world{"answers of yes and no", classes(0), nil}, "ece", []int{1000}},
		{world{"three classes", several, nil}, "log_loss", []int{1000}},
		{world{"three classes", several, nil}, "f1_macro", []int{1000}},
		{world{"three classes", several, nil}, "auc_ovr", []int{1000}},
		{world{"numbers", numbers, worseNumbers}, "mae", []int{200, 1000}},
		{world{"numbers", numbers, worseNumbers}, "rmse", []int{1000}},
		{world{"numbers", numbers, worseNumbers}, "r2", []int{1000}},
		{world{"numbers", numbers, worseNumbers}, "pinball(0.9)", []int{1000}},
		{world{"days of 24 hours, alike within a day", days(0, 1), worseDays}, "mae", []int{14 * 24, 28 * 24}},
		{world{"days of 24 hours, alike within a day", days(0, 1), worseDays}, "rmse", []int{28 * 24}},
		{world{"days like the day before (correlation 0.5), as days", days(0.5, 1), worseDays}, "mae", []int{56 * 24}},
		{world{"days like the day before (correlation 0.5), run: 7d", days(0.5, 7), worseDays}, "mae", []int{56 * 24, 112 * 24}},
		{world{"days like the day before (correlation 0.5), run: 14d", days(0.5, 14), worseDays}, "mae", []int{112 * 24}},
	} {
		margin := sync.OnceValue(func() float64 { return c.world.margin(c.metric, truth) })
		for _, n := range c.rows {
			out = append(out, experiment{
				group: "gate: non-inferior at the margin", name: fmt.Sprintf("%s: %s on %d rows", c.world.name, c.metric, n), nominal: 0.025,
				trials: trialsOf(c.metric), wrong: c.world.passes(c.metric, margin, n),
			})
		}
	}
	return append(out, experiment{
		group: "gate: harm in a slice", name: "20 slices of 200 rows, none worse", nominal: 0.025, trials: 4000, wrong: slicesHarm,
	}, experiment{
		group: "gate: superior", name: "answers of yes and no: log_loss on 1000 rows, no difference in truth", nominal: 0.025, trials: 4000, wrong: equalIsSuperior,
	})
}

// trialsOf are fewer where each one is dear: it sorts, or resamples.
func trialsOf(metric string) int {
	switch {
	case evaluation.Resampled(metric):
		return 600
	case evaluation.IsMean(metric):
		return 12_000
	}
	return 4000
}

// margin is by how much the candidate is in truth worse: exactly where that is known, else
// from so many times half a million rows. The luck of ten times moves a rate of 2.5 % by
// about 0.1 %.
func (w world) margin(metric string, parts int) float64 {
	if w.worse != nil {
		if m, known := w.worse(metric); known {
			return m
		}
	}
	sum := 0.0
	for part := range parts {
		s := w.make(rand.New(rand.NewPCG(uint64(part), 1)), 500_000)
		a, err := evaluation.Value(metric, s, "candidate")
		if err != nil {
			fail(err)
		}
		b, err := evaluation.Value(metric, s, "live")
		if err != nil {
			fail(err)
		}
		sum += (a - b) / float64(parts)
	}
	if evaluation.LowerIsBetter(metric) {
		return sum
	}
	return -sum
}

// passes says whether the gate lets a candidate pass that is worse by the margin.
func (w world) passes(metric string, margin func() float64, n int) func(uint64) bool {
	return func(trial uint64) bool {
		m := margin()
		p := gate.Policy{Metrics: []gate.Rule{{Name: metric, Require: gate.Requirement{Word: "noninferior"}, Margin: &m}}}
		return p.Judge(gate.Input{Sample: w.make(rand.New(rand.NewPCG(trial, 2)), n)}).Pass
	}
}

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// classes is a truth of yes and no about a base, which both versions score with noise of
// their own, the candidate with more.
func classes(base float64) func(r *rand.Rand, n int) evaluation.Sample {
	return func(r *rand.Rand, n int) evaluation.Sample {
		s := evaluation.Sample{Kind: dataset.Binary, Scores: map[string][]float64{}}
		for range n {
			x := base + 1.5*r.NormFloat64()
			y := 0.0
			if r.Float64() < logistic(x) {
				y = 1
			}
			s.Truth = append(s.Truth, y)
			s.Scores["live"] = append(s.Scores["live"], logistic(x+0.4*r.NormFloat64()))
			s.Scores["candidate"] = append(s.Scores["candidate"], logistic(x+0.7*r.NormFloat64()))
		}
		return s
	}
}

// several is a truth of three classes.
func several(r *rand.Rand, n int) evaluation.Sample {
	s := evaluation.Sample{Kind: dataset.Multiclass, Classes: []string{"a", "b", "c"}, Scores: map[string][]float64{}}
	for range n {
		x := []float64{1.5 * r.NormFloat64(), 1.5 * r.NormFloat64(), 1.5*r.NormFloat64() - 0.5}
		p := append([]float64{}, x...)
		stat.Softmax(p)
		u, k := r.Float64(), 0
		for ; k < 2 && u > p[k]; k++ {
			u -= p[k]
		}
		s.Truth = append(s.Truth, float64(k))
		for _, by := range []struct {
			role  string
			noise float64
		}{{"live", 0.4}, {"candidate", 0.7}} {
			q := []float64{x[0], x[1], x[2]}
			for c := range q {
				q[c] += by.noise * r.NormFloat64()
			}
			stat.Softmax(q)
			s.Scores[by.role] = append(s.Scores[by.role], q...)
		}
	}
	return s
}

// numbers is a truth with heavy tails.
func numbers(r *rand.Rand, n int) evaluation.Sample {
	s := evaluation.Sample{Kind: dataset.Regression, Scores: map[string][]float64{}}
	for range n {
		x := 10 + 5*r.NormFloat64()
		tail := math.Sqrt((square(r) + square(r) + square(r) + square(r) + square(r)) / 5)
		s.Truth = append(s.Truth, x+r.NormFloat64()/tail)
		s.Scores["live"] = append(s.Scores["live"], x+0.3*r.NormFloat64())
		s.Scores["candidate"] = append(s.Scores["candidate"], x+0.7*r.NormFloat64())
	}
	return s
}

// worseNumbers is how much worse the candidate is there: a t with five degrees of freedom
// has the variance 5/3, what both know 25, and their noise .09 and .49.
func worseNumbers(metric string) (by float64, known bool) {
	const tail = 5. / 3
	switch metric {
	case "rmse":
		return math.Sqrt(tail+.49) - math.Sqrt(tail+.09), true
	case "r2":
		return (.49 - .09) / (25 + tail), true
	}
	return 0, false
}

func square(r *rand.Rand) float64 {
	x := r.NormFloat64()
	return x * x
}

// days is hours whose errors share the luck of their day, which is like that of the day
// before by so much; run days in a row are resampled together.
func days(like float64, run int) func(r *rand.Rand, n int) evaluation.Sample {
	return func(r *rand.Rand, n int) evaluation.Sample {
		s := evaluation.Sample{Kind: dataset.Regression, Run: run, Scores: map[string][]float64{}}
		luck := r.NormFloat64()
		for i := range n {
			if i > 0 && i%24 == 0 {
				luck = like*luck + math.Sqrt(1-like*like)*r.NormFloat64()
			}
			s.Truth, s.Block = append(s.Truth, 100), append(s.Block, uint64(i/24))
			s.Scores["live"] = append(s.Scores["live"], 100+10+r.NormFloat64())
			s.Scores["candidate"] = append(s.Scores["candidate"], 100+10.5+luck+r.NormFloat64())
		}
		return s
	}
}

// worseDays is how much worse the candidate is there, whose scores lie above the truth all
// but always.
func worseDays(metric string) (by float64, known bool) {
	switch metric {
	case "mae":
		return 0.5, true
	case "rmse":
		return math.Sqrt(10.5*10.5+1+1) - math.Sqrt(10*10+1), true
	}
	return 0, false
}

// equal is two versions of which neither is better.
func equal(r *rand.Rand, n int) evaluation.Sample {
	s := classes(0)(r, n)
	for i := range n {
		if r.Float64() < 0.5 {
			s.Scores["live"][i], s.Scores["candidate"][i] = s.Scores["candidate"][i], s.Scores["live"][i]
		}
	}
	return s
}

// slicesHarm says whether the search of slices stops a candidate that is nowhere worse.
func slicesHarm(trial uint64) bool {
	r := rand.New(rand.NewPCG(trial, 3))
	s := equal(r, 4000)
	column := evaluation.SliceColumn{Name: "part"}
	for i := range s.Truth {
		column.Values = append(column.Values, fmt.Sprint(i%20))
	}
	s.Slices = []evaluation.SliceColumn{column}
	p := gate.Policy{
		Metrics: []gate.Rule{{Name: "log_loss", Require: gate.Requirement{Word: "noninferior"}, Margin: new(float64)}},
		Slices:  []dataset.Slice{{Column: "part"}},
	}
	for _, reason := range p.Judge(gate.Input{Sample: s}).Reasons {
		if reason.Slice != "" && reason.Decision == gate.Harm {
			return true
		}
	}
	return false
}

// equalIsSuperior says whether the gate calls a candidate better that is not.
func equalIsSuperior(trial uint64) bool {
	p := gate.Policy{Metrics: []gate.Rule{{Name: "log_loss", Require: gate.Requirement{Word: "superior"}}}}
	return p.Judge(gate.Input{Sample: equal(rand.New(rand.NewPCG(trial, 4)), 1000)}).Pass
}

// interval is the 95 % interval of a share.
func interval(k, n int) (low, high float64) { return stat.Wilson(k, n, 1.959963984540054) }
