// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"math/rand/v2"

	"flyball/experiment/online"
	"flyball/serving/release"
)

// each is how many rows lie between two looks.
const each = 50

// onlineExperiments are what is decided while a release is under way, looked at after
// every fiftieth row. One look that is wrong makes a trial wrong.
func onlineExperiments() []experiment {
	return []experiment{
		{"online: paired losses", "equal, 0/1 of which 10 % differ, 5,000 pairs: harm", 0.025, 2000, pairs(5000, rightOrWrong)},
		{"online: paired losses", "equal, log loss with 7 % positives, 5,000 pairs: harm", 0.025, 2000, pairs(5000, logLoss)},
		{"online: paired losses", "equal, squared error with t₃ residuals, 5,000 pairs: harm", 0.025, 2000, pairs(5000, squares)},
		{"online: failures", "exactly 1 % fail, 20,000 rows: above 1 %", 0.01, 4000, failures},
		{"online: split", "as meant, 5 % then 25 %, 10,000 units: not as meant", 0.001, 4000, split},
		{"online: truths", "as often in both arms, 5 % then 50 %, 10,000 units: less often in one", 0.001, 4000, truths},
		{"online: outcomes", "equal costs that rise for both, 10, 25 and 50 %, 24,000 units: harm", 0.025, 1000, outcomes},
	}
}

func pairs(n int, draw func(r *rand.Rand) (live, candidate float64)) func(uint64) bool {
	return func(trial uint64) bool {
		r := rand.New(rand.NewPCG(trial, 21))
		seen := make([]online.Pair, 0, n)
		for i := 1; i <= n; i++ {
			a, b := draw(r)
			seen = append(seen, online.Pair{Live: a, Candidate: b})
			if i%each == 0 && online.Compare(seen, online.Policy{Metric: "loss"}).Verdict == release.Harm {
				return true
			}
		}
		return false
	}
}

func rightOrWrong(r *rand.Rand) (live, candidate float64) {
	if r.Float64() >= 0.1 {
		return 0, 0
	}
	live = float64(r.IntN(2))
	return live, 1 - live
}

func logLoss(r *rand.Rand) (live, candidate float64) {
	score := func() float64 { return 1 / (1 + math.Exp(2.6+0.4*r.NormFloat64())) }
	a, b := score(), score()
	if r.Float64() < 0.07 {
		return -math.Log(a), -math.Log(b)
	}
	return -math.Log(1 - a), -math.Log(1 - b)
}

func squares(r *rand.Rand) (live, candidate float64) {
	square := func(x float64) float64 { return x * x }
	chi := square(r.NormFloat64()) + square(r.NormFloat64()) + square(r.NormFloat64())
	e := r.NormFloat64() / math.Sqrt(chi/3)
	return square(e + 0.3*r.NormFloat64()), square(e + 0.3*r.NormFloat64())
}

func failures(trial uint64) bool {
	r, failed := rand.New(rand.NewPCG(trial, 22)), 0
	for i := 1; i <= 20_000; i++ {
		if r.Float64() < 0.01 {
			failed++
		}
		if i%each == 0 && online.ErrorsAbove(failed, i, 0.01) {
			return true
		}
	}
	return false
}

func split(trial uint64) bool {
	r := rand.New(rand.NewPCG(trial, 23))
	steps := []online.Step{{Share: 0.05}, {Share: 0.25}}
	for i := range 10_000 {
		arm(r, &steps[i/5000]).Units++
		if i%each == each-1 && online.CheckSplit(steps) != "" {
			return true
		}
	}
	return false
}

func truths(trial uint64) bool {
	r := rand.New(rand.NewPCG(trial, 24))
	steps := []online.Step{{Share: 0.05}, {Share: 0.5}}
	for i := range 10_000 {
		k := &arm(r, &steps[i/5000]).Strata[0]
		if k.Due++; r.Float64() < 0.6+0.3*float64(i/5000) {
			k.Labelled++
		}
		if i%each == each-1 && online.CheckKnown(steps) != "" {
			return true
		}
	}
	return false
}

// arm draws the arm of the next unit.
func arm(r *rand.Rand, s *online.Step) *online.Arm {
	if r.Float64() < s.Share {
		return &s.Candidate
	}
	return &s.Rest
}

func outcomes(trial uint64) bool {
	r := rand.New(rand.NewPCG(trial, 25))
	steps := []online.Step{{Share: 0.1}, {Share: 0.25}, {Share: 0.5}}
	for i := range 24_000 {
		k := i / 8000
		cost := 0.0
		if r.Float64() < 0.05*float64(1+2*k) {
			cost = 5
		}
		switch u := r.Float64(); {
		case u < steps[k].Share:
			steps[k].Candidate.Outcomes.Add(cost)
		case u >= 1-steps[k].Share:
			steps[k].Control.Outcomes.Add(cost)
		}
		if i%each == each-1 && online.Outcomes(steps, online.Policy{Metric: "cost"}).Verdict == release.Harm {
			return true
		}
	}
	return false
}
