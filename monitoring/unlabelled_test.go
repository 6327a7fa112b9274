// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"flyball/data/dataset"
	"flyball/experiment/evaluation"
)

// coins are scores, and truths that are yes as often as likely says of the score.
func coins(seed uint64, n int, shift float64, likely func(score float64) float64) Residuals {
	r := rand.New(rand.NewPCG(seed, 1))
	out := Residuals{}
	for range n {
		s := 1 / (1 + math.Exp(-(1.5*r.NormFloat64() + shift)))
		y := 0.0
		if r.Float64() < likely(s) {
			y = 1
		}
		out.Truth, out.Scores = append(out.Truth, y), append(out.Scores, s)
	}
	return out
}

func measured(t *testing.T, metric string, kind dataset.Kind, r Residuals) float64 {
	t.Helper()
	v, err := evaluation.Value(metric, evaluation.Sample{Kind: kind, Classes: r.Classes, Truth: r.Truth, Scores: map[string][]float64{"": r.Scores}}, "")
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestMetricsOfABinaryModelAreEstimatedWithoutLabelsAlsoWhereItsScoresAreNoProbabilities(t *testing.T) {
	steep := func(s float64) float64 { return s * s * (3 - 2*s) } // the model is too timid
	u := newUnlabelled("log_loss", dataset.Binary, coins(1, 8000, 0, steep))
	if u == nil {
		t.Fatal("got nothing from 8,000 rows")
	}
	for _, shift := range []float64{0, 1, -1.5} { // the mix of the rows moves, the concept does not
		now := coins(2, 20_000, shift, steep)
		got := u.Estimate(dataset.Binary, now.Scores)
		var names []string
		for _, e := range got {
			names = append(names, e.Metric)
			if truth := measured(t, e.Metric, dataset.Binary, now); math.Abs(e.Value-truth) > 0.015 {
				t.Errorf("shift %g: got %s %.4f, measured %.4f", shift, e.Metric, e.Value, truth)
			}
		}
		if want := []string{"log_loss", "brier", "accuracy", "auc"}; !slices.Equal(names, want) {
			t.Errorf("got %v, want %v", names, want)
		}
	}
}

func TestAnEstimateWithoutLabelsDoesNotSeeThatTheConceptChanged(t *testing.T) {
	u := newUnlabelled("accuracy", dataset.Binary, coins(1, 8000, 0, func(s float64) float64 { return s }))
	now := coins(2, 20_000, 0, func(s float64) float64 { return 1 - s })
	got := u.Estimate(dataset.Binary, now.Scores)[2]
	if truth := measured(t, "accuracy", dataset.Binary, now); got.Metric != "accuracy" || got.Value < 0.7 || truth > 0.3 {
		t.Errorf("got %+v, measured %.2f: the estimate must be the old accuracy, which is why it decides nothing", got, truth)
	}
}

func TestMetricsOfAMulticlassModelAreEstimatedWithoutLabels(t *testing.T) {
	draw := func(seed uint64, n int, tilt float64) Residuals {
		r := rand.New(rand.NewPCG(seed, 3))
		out := Residuals{Classes: []string{"a", "b", "c"}}
		for range n {
			z := []float64{math.Exp(r.NormFloat64() + tilt), math.Exp(r.NormFloat64()), math.Exp(r.NormFloat64())}
			all, u, class := z[0]+z[1]+z[2], r.Float64(), 0
			for u > z[class]/all && class < 2 {
				u -= z[class] / all
				class++
			}
			out.Truth = append(out.Truth, float64(class))
			out.Scores = append(out.Scores, z[0]/all, z[1]/all, z[2]/all)
		}
		return out
	}
	u := newUnlabelled("log_loss", dataset.Multiclass, draw(1, 8000, 0))
	now := draw(2, 20_000, 1)
	got := u.Estimate(dataset.Multiclass, now.Scores)
	if len(got) != 3 {
		t.Fatalf("got %+v, want three metrics", got)
	}
	for _, e := range got {
		if truth := measured(t, e.Metric, dataset.Multiclass, now); math.Abs(e.Value-truth) > 0.015 {
			t.Errorf("got %s %.4f, measured %.4f", e.Metric, e.Value, truth)
		}
	}
}

func TestTheErrorOfANumberIsEstimatedByItsScore(t *testing.T) {
	draw := func(seed uint64, n int, level float64) Residuals {
		r := rand.New(rand.NewPCG(seed, 5))
		out := Residuals{}
		for range n {
			s := level * (0.5 + r.Float64())
			out.Scores, out.Truth = append(out.Scores, s), append(out.Truth, s+0.1*s*r.NormFloat64())
		}
		return out
	}
	u := newUnlabelled("mae", dataset.Regression, draw(1, 4000, 100))
	now := draw(2, 4000, 70)
	got := u.Estimate(dataset.Regression, now.Scores)
	if len(got) != 2 || got[0].Metric != "mae" || got[1].Metric != "rmse" {
		t.Fatalf("got %+v, want mae and rmse", got)
	}
	for _, e := range got {
		truth := measured(t, e.Metric, dataset.Regression, now)
		if math.Abs(e.Value-truth) > 0.05*truth || e.Value > 0.85*e.HeldOut {
			t.Errorf("got %s %.3f, measured %.3f, held out %.3f", e.Metric, e.Value, truth, e.HeldOut)
		}
	}
}

func TestNothingIsSaidWithoutLabelsWhereTheHeldOutRowsCannotTell(t *testing.T) {
	half := func(float64) float64 { return 0.5 }
	for name, r := range map[string]Residuals{
		"too few rows":     coins(1, leastUnlabelled-1, 0, half),
		"no rows":          {},
		"a score missing":  {Truth: make([]float64, 300), Scores: append(make([]float64, 299), math.NaN())},
		"scores too large": {Truth: make([]float64, 300), Scores: slices.Repeat([]float64{1e308}, 300)},
	} {
		if u := newUnlabelled("mae", dataset.Regression, r); u != nil {
			t.Errorf("%s: got %+v, want nothing", name, u)
		}
	}
	var none *Unlabelled
	if got := none.Estimate(dataset.Binary, []float64{0.5}); got != nil {
		t.Errorf("got %v of a profile without it, want nothing", got)
	}
}
