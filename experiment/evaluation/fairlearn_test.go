// SPDX-License-Identifier: Apache-2.0

package evaluation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os/exec"
	"testing"

	"flyball/data/dataset"
)

// ofFairlearn is what testdata/groups.py says of a sample.
type ofFairlearn struct {
	Groups map[string]struct {
		Selection, TPR, FPR, Precision, Rows, Base float64
	} `json:"groups"`
	ParityDifference float64 `json:"demographic_parity_difference"`
	ParityRatio      float64 `json:"demographic_parity_ratio"`
	Opportunity      float64 `json:"equal_opportunity_difference"`
	Odds             float64 `json:"equalized_odds_difference"`
}

// drawn is a sample of groups of some hundred rows, each with rates of its own.
func drawn(seed uint64, groups int) Sample {
	rng := rand.New(rand.NewPCG(seed, 1))
	s := Sample{Kind: dataset.Binary, Scores: map[string][]float64{}, Slices: []SliceColumn{{Name: "group"}}}
	for k := range groups {
		base, level := 0.2+0.6*rng.Float64(), rng.Float64()
		for range 120 + rng.IntN(400) {
			truth := 0.0
			if rng.Float64() < base {
				truth = 1
			}
			s.Truth = append(s.Truth, truth)
			s.Scores["candidate"] = append(s.Scores["candidate"], (rng.Float64()+level+0.4*truth)/2.4)
			s.Slices[0].Values = append(s.Slices[0].Values, fmt.Sprint("g", k))
		}
	}
	return s
}

func TestGroupsAndGapsAreThoseOfFairlearn(t *testing.T) {
	const python = "../../.cache/fairness/bin/python"
	if _, err := exec.LookPath(python); err != nil || testing.Short() {
		t.Skip("no Python with Fairlearn: make .cache/fairness")
	}
	var samples []Sample
	var rows []map[string]any
	for seed, groups := range []int{2, 3, 6} {
		s := drawn(uint64(seed), groups)
		said := make([]int, len(s.Truth))
		for i, x := range s.Scores["candidate"] {
			if x > 0.5 {
				said[i] = 1
			}
		}
		samples = append(samples, s)
		rows = append(rows, map[string]any{"truth": s.Truth, "said": said, "group": s.Slices[0].Values})
	}
	in, err := json.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "-W", "ignore", "testdata/groups.py")
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var want []ofFairlearn
	if err := json.Unmarshal(out, &want); err != nil {
		t.Fatal(err)
	}
	for i, s := range samples {
		likeFairlearn(t, s, want[i])
	}
}

func likeFairlearn(t *testing.T, s Sample, want ofFairlearn) {
	t.Helper()
	same := func(what string, got, want float64) {
		t.Helper()
		if !(math.Abs(got-want) < 1e-12) {
			t.Errorf("%s: got %v, Fairlearn has %v", what, got, want)
		}
	}
	table, err := Groups(s, "group", "candidate", 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(table.Groups) != len(want.Groups) {
		t.Fatalf("%d groups, Fairlearn has %d", len(table.Groups), len(want.Groups))
	}
	least, most := 1.0, 0.0
	for _, g := range table.Groups {
		w := want.Groups[g.Value]
		least, most = min(least, g.Selection.Value), max(most, g.Selection.Value)
		same(g.Value+" rows", float64(g.Rows), w.Rows)
		same(g.Value+" selection", g.Selection.Value, w.Selection)
		same(g.Value+" base", *g.Base, w.Base)
		same(g.Value+" tpr", *g.TPR, w.TPR)
		same(g.Value+" fpr", *g.FPR, w.FPR)
		same(g.Value+" precision", *g.Precision, w.Precision)
	}
	same("demographic parity ratio", least/most, want.ParityRatio)
	gap := func(metric string) float64 {
		p, err := s.gapParts(metric, "group", "candidate") // as Gaps, without its intervals
		if err != nil {
			t.Fatal(err)
		}
		return spread(p.means(once(p.draws)))
	}
	same("demographic parity difference", gap("selection_gap"), want.ParityDifference)
	same("equal opportunity difference", gap("tpr_gap"), want.Opportunity)
	same("equalized odds difference", max(gap("tpr_gap"), gap("fpr_gap")), want.Odds)
}
