// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"fmt"
	"testing"

	"flyball/data/dataset"
	"flyball/experiment/evaluation"
)

// chosen are rows of groups that a candidate decides yes for so many in ten.
func chosen(n int, tenths ...int) evaluation.Sample {
	s := evaluation.Sample{Kind: dataset.Binary, Scores: map[string][]float64{}, Slices: []evaluation.SliceColumn{{Name: "sex"}}}
	for k, yes := range tenths {
		for i := range n {
			score := 0.3
			if i%10 < yes {
				score = 0.7
			}
			s.Truth = append(s.Truth, float64(i%2))
			s.Scores["candidate"], s.Scores["baseline"] = append(s.Scores["candidate"], score), append(s.Scores["baseline"], 0.5)
			s.Slices[0].Values = append(s.Slices[0].Values, fmt.Sprint("g", k))
		}
	}
	return s
}

func TestARatioOfSelectionRatesIsHeldAgainstItsLeast(t *testing.T) {
	least := 0.8
	for _, c := range []struct {
		name    string
		sample  evaluation.Sample
		require FairnessRequirement
		want    Decision
		text    string
	}{
		{"alike", chosen(1000, 5, 5), FairnessRequirement{AtLeast: &least}, Superior, "selection_ratio by sex 1.00 (0.92…1.09) for g1 against g0, on 2000 rows, at least 0.8"},
		{"surely lower", chosen(1000, 5, 3), FairnessRequirement{AtLeast: &least}, Harm, "selection_ratio by sex 0.60 (0.54…0.67) for g1 against g0, on 2000 rows, at least 0.8"},
		{"too few to tell", chosen(50, 5, 5), FairnessRequirement{AtLeast: &least}, Inconclusive, "selection_ratio by sex 1.00 (0.68…1.48) for g1 against g0, on 100 rows, at least 0.8; about 59 more rows of a group would tell"},
		{"only told", chosen(1000, 5, 3), FairnessRequirement{Word: "report"}, Inconclusive, "selection_ratio by sex 0.60 (0.54…0.67) for g1 against g0, on 2000 rows"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := Policy{Fairness: &Fairness{Metric: selectionRatio, Require: c.require}}
			v := p.Judge(Input{Sample: c.sample, Groups: []string{"sex"}, First: true})
			if len(v.Groups) != 1 || len(v.Groups[0].Groups) != 2 {
				t.Fatalf("got the table %+v", v.Groups)
			}
			for _, r := range v.Reasons {
				if r.Metric != selectionRatio {
					continue
				}
				if r.Decision != c.want || r.Text != c.text {
					t.Errorf("got %s: %s", r.Decision, r.Text)
				}
				return
			}
			t.Error("no reason names it")
		})
	}
}
