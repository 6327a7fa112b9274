// SPDX-License-Identifier: Apache-2.0

package online

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"flyball/serving/release"
	"flyball/unit"
)

func TestHowFastFailuresAreFoundOutIsKnownBefore(t *testing.T) {
	// From simulations, which hold to about a tenth.
	for _, c := range []struct {
		limit, rate float64
		half, most  int
	}{
		{0.01, 0.20, 12, 31},
		{0.01, 0.05, 166, 376},
		{0.01, 0.02, 2246, 4000},
		{0.001, 0.02, 176, 457},
		{0.001, 0.005, 2226, 4657},
	} {
		half, most := RowsToFind(c.rate, c.limit)
		near := func(got, want int) bool { return math.Abs(float64(got-want)) <= 0.15*float64(want)+1 }
		if !near(half, c.half) || !near(most, c.most) {
			t.Errorf("a rate of %g above %g: got %d and %d rows, want about %d and %d", c.rate, c.limit, half, most, c.half, c.most)
		}
	}
	var took []int
	for seed := range uint64(2001) {
		r, failed := rand.New(rand.NewPCG(seed, 11)), 0
		for n := 1; ; n++ {
			if r.Float64() < 0.2 {
				failed++
			}
			if ErrorsAbove(failed, n, 0.01) {
				took = append(took, n)
				break
			}
		}
	}
	slices.Sort(took)
	if half, most := RowsToFind(0.2, 0.01); max(half-took[1000], took[1000]-half) > 1 || max(most-took[1800], took[1800]-most) > 2 {
		t.Errorf("got %d and %d rows, and in %d runs it took %d and %d", half, most, len(took), took[1000], took[1800])
	}
	if half, most := RowsToFind(0.01, 0.01); half != 0 || most != 0 {
		t.Errorf("a rate at its limit is found out in %d and %d rows", half, most)
	}
}

func TestHowManyPairsFindAWorseLossIsKnownBefore(t *testing.T) {
	n := PairsToFind(1, 0.2, 0.1)
	found := 0
	const all = 100
	for seed := range uint64(all) {
		r := rand.New(rand.NewPCG(seed, 10))
		pairs := make([]Pair, 0, n)
		for len(pairs) < n {
			pairs = append(pairs, Pair{Live: 0, Candidate: 0.2 + r.NormFloat64()})
		}
		if Compare(pairs, Policy{Margin: 0.1}).Verdict == release.Harm {
			found++
		}
	}
	if found < 35 || found > 65 {
		t.Errorf("%d of %d are found out after %d pairs, half of them should be", found, all, n)
	}
	if got := PairsToFind(1, 0.1, 0.1); got != 0 {
		t.Errorf("what the margin allows is found out after %d pairs", got)
	}
}

func TestWhatAPlanCanFindOutIsSaidBeforeItStarts(t *testing.T) {
	const day = unit.Duration(24 * time.Hour)
	plan := release.Plan{
		Shadow: release.Shadow{For: 3 * day}, Canary: []release.Step{{Share: 0.25, For: 2 * day}, {Share: 1}}, Bake: release.Bake{For: 7 * day},
		BackIf: release.BackIf{Errors: &release.Above{Above: 0.01}, Loss: "worse"},
	}
	pass := plan
	pass.Require = "pass"
	quiet := release.Plan{Bake: plan.Bake}
	failing := "failing in 20% of rows is found out in about 12 rows, ≈ 17 minutes at the present rate, failing in 2% of rows is found out in about 2,118 rows, ≈ 2 days at the present rate"
	for _, c := range []struct {
		name string
		a    Ahead
		want []string
	}{
		{"with traffic", Ahead{Plan: plan, Metric: "log_loss", Margin: 0.005, SD: 0.1, PerDay: 1000, Delay: 48 * time.Hour}, []string{
			failing, "log_loss worse by 0.01 needs about 4,335 rows with their truth, ≈ 6 days at the present rate",
			"the plan sees about 10,000 rows with their truth in ≈ 12 days: enough for log_loss worse by 0.00841",
		}},
		{"with a pass asked for", Ahead{Plan: pass, Metric: "log_loss", Margin: 0.005, SD: 0.1, PerDay: 1000, Delay: 30 * 24 * time.Hour}, []string{
			failing, "log_loss worse by 0.01 needs about 4,335 rows with their truth, ≈ 34 days at the present rate",
			"the plan asks for a pass: an equal candidate needs about 4,335 rows, ≈ 34 days at the present rate",
			"the plan is over in ≈ 12 days, before 100 truths are due: its losses are not judged",
		}},
		{"the first", Ahead{Plan: quiet, First: true}, []string{"nothing is live, so its losses are compared with nobody's"}},
		{"nothing takes it back", Ahead{Plan: quiet}, []string{"worse losses are shown and take nothing back: the plan has no back_if.loss"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Foresee(c.a); !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}
