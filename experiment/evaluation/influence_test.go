// SPDX-License-Identifier: Apache-2.0

package evaluation

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"flyball/data/dataset"
)

// some is a few rows in unequal blocks, with weights and scores that tie.
func some(kind dataset.Kind) Sample {
	r := rand.New(rand.NewPCG(3, uint64(len(kind))))
	s := Sample{Kind: kind, Scores: map[string][]float64{}}
	if kind == dataset.Multiclass {
		s.Classes = []string{"a", "b", "c"}
	}
	for i := range 120 {
		s.Block, s.Weight = append(s.Block, uint64(i*i/700)), append(s.Weight, 0.5+r.Float64())
		y := float64(r.IntN(2))
		switch kind {
		case dataset.Multiclass:
			y = float64(r.IntN(3))
			p := []float64{r.Float64(), r.Float64(), r.Float64()}
			p[int(y)] += 0.3
			for c := range p {
				p[c] = math.Round(10*p[c]) / 10
			}
			s.Scores["candidate"] = append(s.Scores["candidate"], p...)
		case dataset.Regression:
			y = 20 + 3*r.NormFloat64()
			s.Scores["candidate"] = append(s.Scores["candidate"], y+r.NormFloat64())
		default:
			s.Scores["candidate"] = append(s.Scores["candidate"], math.Round(10*(0.2*y+0.8*r.Float64()))/10)
		}
		s.Truth = append(s.Truth, y)
	}
	return s
}

func TestAnInfluenceIsByHowMuchADrawTakenOnceMoreChangesTheMetric(t *testing.T) {
	told := 0
	for _, kind := range kinds() {
		for _, metric := range append(ForKind(kind), WithParameter(kind)...) {
			s := some(kind)
			if metric == "cost" || metric == "ece" { // no table; kinks
				continue
			}
			tm, err := s.check(metric, "candidate")
			if err != nil {
				t.Fatal(err)
			}
			d := s.draws()
			of := s.statistic(tm, "candidate", d)
			if of.influence == nil {
				continue
			}
			told++
			for g, got := range of.influence() {
				const step = 1e-5
				times := once(d)
				times[g] = 1 + step
				want := of.of(times)
				times[g] = 1 - step
				want = (want - of.of(times)) / (2 * step)
				if math.Abs(got-want) > 1e-7 {
					t.Errorf("%s of %s, draw %d: got %.9f, want %.9f", metric, kind, g, got, want)
				}
			}
		}
	}
	if told < 25 {
		t.Errorf("only %d metrics have influences", told)
	}
}

// The errors of influences and those of resamples are of the same size.
func TestAMetricThatIsNoMeanHasTheErrorThatItsResamplesShow(t *testing.T) {
	for _, c := range []struct {
		metric string
		kind   dataset.Kind
		each   int
	}{
		{"auc", dataset.Binary, 0},
		{"auc", dataset.Binary, 10},
		{"pr_auc", dataset.Binary, 0},
		{"f1", dataset.Binary, 10},
		{"balanced_accuracy", dataset.Binary, 0},
		{"rmse", dataset.Regression, 10},
		{"r2", dataset.Regression, 0},
	} {
		t.Run(fmt.Sprintf("%s in blocks of %d", c.metric, c.each), func(t *testing.T) {
			s := made(c.kind, 1500, c.each)
			d, err := Compare(c.metric, s, "candidate", "live", 1)
			if err != nil {
				t.Fatal(err)
			}
			tm, _ := s.check(c.metric, "live")
			f, g := s.statistic(tm, "candidate", s.draws()), s.statistic(tm, "live", s.draws())
			b, ok := s.draws().Bootstrap(1, func(times []float64) float64 { return gain(tm, f.of(times), g.of(times)) })
			if !ok || math.Abs(d.SE/b.SE-1) > 0.07 {
				t.Errorf("got %.5f, resamples say %.5f", d.SE, b.SE)
			}
		})
	}
}

func TestARareClassMakesAnAreaLessSureThanItsRows(t *testing.T) {
	s := made(dataset.Binary, 1500, 0)
	even, _ := Compare("auc", s, "candidate", "live", 1)
	var rows []int
	yes := 0
	for i, y := range s.Truth {
		if y > 0.5 {
			yes++
		}
		if y < 0.5 || yes <= 40 {
			rows = append(rows, i)
		}
	}
	rare, err := Compare("auc", s.Take(rows), "candidate", "live", 1)
	if err != nil || even.freedom < 500 || rare.freedom > 120 || rare.freedom < 15 {
		t.Errorf("got %.0f and %.0f degrees of freedom, %v", even.freedom, rare.freedom, err)
	}
}
