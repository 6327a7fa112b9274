// SPDX-License-Identifier: Apache-2.0

package online

import (
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"flyball/serving/release"
)

// runs is how many simulations a rate is told from: all of them with FLYBALL_LONG=1.
func runs(all int) int {
	if os.Getenv("FLYBALL_LONG") != "" {
		return all
	}
	return all / 20
}

// atMost fails where so many of n runs cannot be if the rate is alpha: three standard
// deviations above it.
func atMost(t *testing.T, wrong, n int, alpha float64) {
	t.Helper()
	mean := alpha * float64(n)
	if float64(wrong) > mean+3*math.Sqrt(mean)+1 {
		t.Errorf("%d of %d runs are wrong, %.2g of them may be", wrong, n, alpha)
	}
}

func TestASplitThatIsAsMeantIsNotDoubtedThoughLookedAtEveryFiftiethRow(t *testing.T) {
	n, wrong := runs(4000), 0
	for seed := range n {
		r := rand.New(rand.NewPCG(uint64(seed), 3))
		steps := []Step{{Share: 0.05}, {Share: 0.25}}
		for i := 1; i <= 10000; i++ {
			s := &steps[i/5001]
			if r.Float64() < s.Share {
				s.Candidate.Units++
			} else {
				s.Rest.Units++
			}
			if i%50 == 0 && CheckSplit(steps) != "" {
				wrong++
				break
			}
		}
	}
	atMost(t, wrong, n, splitAlpha)
}

func TestASplitThatLosesAFifthOfTheCandidatesRowsIsFound(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 4))
	steps := []Step{{Share: 0.25}}
	for i := 1; ; i++ {
		switch {
		case r.Float64() >= 0.25:
			steps[0].Rest.Units++
		case r.Float64() >= 0.2:
			steps[0].Candidate.Units++
		}
		if why := CheckSplit(steps); why != "" {
			if i > 12000 || i < 1000 {
				t.Errorf("after %d rows: %s", i, why)
			}
			return
		}
		if i > 20000 {
			t.Fatal("not within 20,000 rows")
		}
	}
}

func TestTruthsThatComeAlikeAreNotDoubtedThoughLookedAtEveryFiftiethRow(t *testing.T) {
	n, wrong := runs(4000), 0
	for seed := range n {
		r := rand.New(rand.NewPCG(uint64(seed), 5))
		// More is known in the second step and of the second decision, on both sides.
		steps := []Step{{Share: 0.05}, {Share: 0.5}}
		for i := 1; i <= 10000; i++ {
			step, decided := i/5001, r.IntN(2)
			arm := &steps[step].Rest
			if r.Float64() < steps[step].Share {
				arm = &steps[step].Candidate
			}
			arm.Strata[decided].Due++
			if r.Float64() < 0.3+0.3*float64(step)+0.3*float64(decided) {
				arm.Strata[decided].Labelled++
			}
			if i%50 == 0 && CheckKnown(steps) != "" {
				wrong++
				break
			}
		}
	}
	atMost(t, wrong, n, knownAlpha)
}

func TestTruthsThatComeLessOftenForTheCandidateAreFound(t *testing.T) {
	steps := []Step{{Share: 0.25}}
	steps[0].Candidate.Strata[0] = Known{Due: 1000, Labelled: 780}
	steps[0].Rest.Strata[0] = Known{Due: 3000, Labelled: 2700}
	if got, want := CheckKnown(steps), "78% of the candidate's due truths are known, and 90% of the others'"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	// statsmodels 0.14.5: StratifiedTable([[[780, 220], [2700, 300]], [[40, 10], [300, 60]]]).test_null_odds()
	// gives the statistic 91.85125.
	steps = append(steps, Step{Share: 0.5})
	steps[1].Candidate.Strata[1] = Known{Due: 50, Labelled: 40}
	steps[1].Rest.Strata[1] = Known{Due: 360, Labelled: 300}
	sum, spread := knownApart(steps)
	if got := sum * sum / spread; math.Abs(got-91.85125) > 1e-5 {
		t.Errorf("got the statistic %.5f", got)
	}
}

// outcomes fills the steps with costs of units, looking at every fiftieth.
func outcomes(r *rand.Rand, steps []Step, each int, cost func(step int, candidate bool) float64, look func() bool) bool {
	for i := range steps {
		for k := range each {
			switch u := r.Float64(); {
			case u < steps[i].Share:
				steps[i].Candidate.Outcomes.Add(cost(i, true))
			case u >= max(steps[i].Share, 1-steps[i].Share):
				steps[i].Control.Outcomes.Add(cost(i, false))
			}
			if k%50 == 49 && look() {
				return true
			}
		}
	}
	return false
}

func TestEqualOutcomesAreRarelyCalledHarmThoughTheWorldChangesBetweenTheSteps(t *testing.T) {
	n, wrong := runs(2000), 0
	for seed := range n {
		r := rand.New(rand.NewPCG(uint64(seed), 6))
		steps := []Step{{Share: 0.1}, {Share: 0.25}, {Share: 0.5}}
		found := outcomes(r, steps, 8000, func(step int, _ bool) float64 {
			if r.Float64() < 0.05*float64(1+2*step) { // it gets worse for all
				return 5
			}
			return 0
		}, func() bool {
			v := Outcomes(steps, Policy{Metric: "cost"})
			return v.Verdict == release.Harm || v.Low > 0
		})
		if found {
			wrong++
		}
	}
	atMost(t, wrong, n, alpha)
}

func TestStepsAreNotPooled(t *testing.T) {
	// In each step the candidate costs 0.02 less; pooled it would cost more, for it
	// answered most when all was dear.
	fill := func(a *Arm, n int, rate float64) {
		for i := range n {
			a.Outcomes.Add(map[bool]float64{true: 1}[float64(i%100) < 100*rate])
		}
	}
	steps := []Step{{Share: 0.1}, {Share: 0.5}}
	fill(&steps[0].Candidate, 1000, 0.08)
	fill(&steps[0].Control, 9000, 0.10)
	fill(&steps[1].Candidate, 5000, 0.48)
	fill(&steps[1].Control, 5000, 0.50)
	v := Outcomes(steps, Policy{Metric: "cost"})
	if math.Abs(v.Value-0.02) > 1e-9 {
		t.Errorf("got an improvement of %.4f, want 0.02", v.Value)
	}
}

func TestACandidateWhoseAnswersCostMoreIsFound(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	steps := []Step{{Share: 0.25}, {Share: 0.5}}
	if !outcomes(r, steps, 20000, func(_ int, candidate bool) float64 {
		if r.Float64() < map[bool]float64{false: 0.1, true: 0.16}[candidate] {
			return 5
		}
		return 0
	}, func() bool { return Outcomes(steps, Policy{Metric: "cost"}).Verdict == release.Harm }) {
		t.Error("it was not found in 40,000 rows")
	}
	few := []Step{{Share: 0.5}}
	few[0].Candidate.Outcomes.Add(3)
	if v := Outcomes(few, Policy{Metric: "cost"}); v.Verdict != release.NoData || v.Text != "cost: 0 of 500 truths needed on each side to judge" {
		t.Errorf("got %q: %s", v.Verdict, v.Text)
	}
}

func TestAFailureRateAtItsLimitIsRarelyDoubtedThoughLookedAtEveryFiftiethRow(t *testing.T) {
	n, wrong := runs(4000), 0
	for seed := range n {
		r := rand.New(rand.NewPCG(uint64(seed), 8))
		failed := 0
		for i := 1; i <= 20000; i++ {
			if r.Float64() < 0.01 {
				failed++
			}
			if i%50 == 0 && ErrorsAbove(failed, i, 0.01) {
				wrong++
				break
			}
		}
	}
	atMost(t, wrong, n, 0.01)
}

func TestEqualPairsAreRarelyCalledWorseThoughLookedAtEveryFiftiethRow(t *testing.T) {
	for _, c := range []struct {
		name string
		draw func(r *rand.Rand) (live, candidate float64)
	}{
		{"right or wrong, 10 % apart", func(r *rand.Rand) (float64, float64) {
			if r.Float64() < 0.1 {
				return float64(r.IntN(2)), 0.5
			}
			return 0, 0
		}},
		{"log loss, 7 % positives", func(r *rand.Rand) (float64, float64) {
			p := 0.07
			score := func() float64 { return 1 / (1 + math.Exp(2.6+0.4*r.NormFloat64())) }
			a, b := score(), score()
			if r.Float64() < p {
				return -math.Log(a), -math.Log(b)
			}
			return -math.Log(1 - a), -math.Log(1 - b)
		}},
		{"squared error, heavy tails", func(r *rand.Rand) (float64, float64) {
			e := r.NormFloat64() / math.Sqrt((sq(r.NormFloat64())+sq(r.NormFloat64())+sq(r.NormFloat64()))/3)
			return sq(e + 0.3*r.NormFloat64()), sq(e + 0.3*r.NormFloat64())
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, wrong := runs(2000), 0
			for seed := range n {
				r := rand.New(rand.NewPCG(uint64(seed), 9))
				pairs := make([]Pair, 0, 5000)
				for i := 1; i <= cap(pairs); i++ {
					a, b := c.draw(r)
					pairs = append(pairs, Pair{Live: a, Candidate: b})
					if i%50 == 0 && Compare(pairs, Policy{Metric: "loss"}).Verdict == release.Harm {
						wrong++
						break
					}
				}
			}
			atMost(t, wrong, n, alpha/2)
		})
	}
}

func sq(x float64) float64 { return x * x }

func TestDecisionsThatMoveAreToldBeyondDoubt(t *testing.T) {
	for _, c := range []struct {
		yes, no, n int
		want       float64
	}{
		{0, 0, 1000, 0},
		{60, 40, 1000, 0},
		{300, 0, 1000, 0.2550},
		{0, 300, 1000, 0.2550},
		{40, 0, 99, 0},
	} {
		if got := SharesApart(c.yes, c.no, c.n); math.Abs(got-c.want) > 5e-4 {
			t.Errorf("%d and %d of %d: got %.4f, want %.4f", c.yes, c.no, c.n, got, c.want)
		}
	}
}
