// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"flyball/data/dataset"
	"flyball/experiment/gate"
	"flyball/experiment/online"
	"flyball/serving"
	"flyball/serving/prediction"
	"flyball/serving/release"
)

// canary is a release whose candidate had a quarter of the traffic from generation 5 on
// and a half from 9 on.
var canary = release.State{
	Model: "m", Live: 1, Candidate: 2, Phase: release.Canary, Generation: 10, Seed: "m/2",
	Shares: []release.Share{{Generation: 5, Share: 0.25}, {Generation: 9, Share: 0.5}},
	Plan:   release.Plan{BackIf: release.BackIf{Loss: "worse", LatencyP99: &release.Above{Above: 0.05}}},
}

// loan is a task whose truth is learned of granted loans alone.
func loan() dataset.Task {
	return dataset.Task{
		Kind: dataset.Binary, Decide: &dataset.Decision{Above: 0.5, Then: "refuse", Else: "grant"},
		Cost:                   dataset.Costs{"1": {"0": 5}, "0": {"0": -1}},
		LabelDependsOnDecision: true,
	}
}

// routed is the record of a key as the route of the generation has it answered.
func routed(s release.State, generation int64, key string) prediction.Joined {
	share, _ := s.ShareAt(generation)
	j := prediction.Joined{Record: prediction.Record{
		ID: "p1", Key: key, Generation: generation, Version: s.Live, Arm: prediction.Live, Scores: []float64{0.2}, Decision: "grant",
		Others: []prediction.Other{{Role: prediction.Candidate, Version: s.Candidate, Scores: []float64{0.2}}},
	}}
	if release.Assign(s.Seed, key, share) {
		j.Version, j.Arm = s.Candidate, prediction.Candidate
		j.Others = []prediction.Other{{Role: prediction.Live, Version: s.Live, Scores: []float64{0.2}}}
	}
	return j
}

func tallyOf(task dataset.Task) *tally {
	s := canary
	return &tally{
		state: s, task: task, now: time.Unix(1e6, 0).UTC(), rule: gate.Rule{Name: "log_loss"}, judged: true,
		split: split{task: &task, state: &s},
	}
}

func TestTheVersionThatAnsweredIsHeldAgainstTheRoute(t *testing.T) {
	key := func(drawn bool) string { // a key of generation 5 that is drawn for the candidate, or not
		for i := 0; ; i++ {
			if k := strconv.Itoa(i); release.Assign(canary.Seed, k, 0.25) == drawn {
				return k
			}
		}
	}
	for _, c := range []struct {
		name   string
		drawn  bool
		change func(j *prediction.Joined)
		wrong  int
	}{
		{"as the route has it", true, func(*prediction.Joined) {}, 0},
		{"the live version took the candidate's", true, func(j *prediction.Joined) { j.Version, j.Arm, j.Others = 1, prediction.Live, nil }, 1},
		{"the live version answered for a candidate that failed", true, func(j *prediction.Joined) {
			j.Version, j.Arm, j.Others = 1, prediction.Live, []prediction.Other{{Role: prediction.Candidate, Version: 2, Error: "late"}}
		}, 0},
		{"the candidate took what is not its", false, func(j *prediction.Joined) { j.Version, j.Arm = 2, prediction.Candidate }, 1},
		{"a version that is in no arm", false, func(j *prediction.Joined) { j.Version = 7 }, 1},
		{"the baseline answered for the live version", false, func(j *prediction.Joined) { j.Version, j.Arm = 1, prediction.Baseline }, 0},
		{"the caller asked for the live version", true, func(j *prediction.Joined) {
			j.Version, j.Arm, j.Others, j.Flags = 1, prediction.Live, nil, []string{serving.FlagAsked}
		}, 0},
		{"before the candidate had a share", true, func(j *prediction.Joined) { j.Version, j.Arm, j.Generation = 1, prediction.Live, 4 }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			y := tallyOf(dataset.Task{Kind: dataset.Regression})
			j := routed(canary, 5, key(c.drawn))
			c.change(&j)
			if err := y.add(j); err != nil {
				t.Fatal(err)
			}
			if y.split.wrong != c.wrong {
				t.Fatalf("got %d wrong, want %d", y.split.wrong, c.wrong)
			}
			var f release.Facts
			y.into(&f)
			if got := f.Online == release.Invalid; got != (c.wrong > 0) {
				t.Errorf("got the verdict %q: %s", f.Online, f.OnlineText)
			}
		})
	}
}

func TestACandidateWhoseRowsGetLostIsNotJudged(t *testing.T) {
	y := tallyOf(dataset.Task{Kind: dataset.Regression})
	for i := range 20000 {
		j := routed(canary, 5, strconv.Itoa(i))
		if j.Arm == prediction.Candidate && i%5 == 0 {
			continue // dropped
		}
		if err := y.add(j); err != nil {
			t.Fatal(err)
		}
		again := j
		if err := y.add(again); err != nil { // a key that comes again is one unit
			t.Fatal(err)
		}
	}
	var f release.Facts
	y.into(&f)
	if f.Online != release.Invalid || !strings.Contains(f.OnlineText, "units, 25% were meant") {
		t.Errorf("got %q: %s", f.Online, f.OnlineText)
	}
}

func TestWhereLabelsHangOnDecisionsWhatCameOfThemIsCompared(t *testing.T) {
	for _, c := range []struct {
		name string
		bad  int // of a hundred loans that the candidate grants; 10 of the live version's
		want release.Verdict
	}{
		{"it grants bad loans", 60, release.Harm},
		{"it grants good ones", 1, release.Pass},
		{"both are alike", 10, release.Inconclusive},
	} {
		t.Run(c.name, func(t *testing.T) {
			y := tallyOf(loan())
			for i := range 12000 {
				j := routed(canary, map[bool]int64{true: 5, false: 9}[i < 6000], strconv.Itoa(i))
				if i%3 == 0 {
					j.Decision = "refuse" // and nobody ever learns
				} else {
					bad := 10
					if j.Arm == prediction.Candidate {
						bad = c.bad
					}
					j.Label = &prediction.Label{Value: map[bool]string{true: "1", false: "0"}[i*7919%100 < bad]}
				}
				if err := y.add(j); err != nil {
					t.Fatal(err)
				}
			}
			if len(y.pairs) > 0 {
				t.Error("losses of decisions that nobody took were compared")
			}
			var f release.Facts
			y.into(&f)
			if f.Online != c.want || !f.Split {
				t.Errorf("got %q: %s", f.Online, f.OnlineText)
			}
		})
	}
}

func TestAUnitThatComesAgainInALaterStepIsTheSameDraw(t *testing.T) {
	y := tallyOf(loan())
	for _, at := range []struct {
		generation int64
		key        string
	}{{5, "a"}, {9, "a"}, {9, "b"}, {9, "b"}, {9, ""}, {9, ""}} {
		j := routed(canary, at.generation, at.key)
		j.Label = &prediction.Label{Value: "0"}
		if err := y.add(j); err != nil {
			t.Fatal(err)
		}
	}
	var units, due [2]int
	for i, s := range y.split.sums() {
		for _, a := range []online.Arm{s.Candidate, s.Rest} {
			units[i] += a.Units
			due[i] += a.Strata[0].Due + a.Strata[1].Due
		}
	}
	if units != [2]int{1, 4} || due != [2]int{1, 3} {
		t.Errorf("got %v units and %v with their truth due", units, due)
	}
}

func TestASlowCandidateIsSlowBeyondDoubt(t *testing.T) {
	for _, c := range []struct {
		name       string
		rows, slow int
		want       float64
	}{
		{"two of a hundred may be chance", 100, 2, 0},
		{"ten of a hundred are not", 100, 10, 0.08},
		{"few rows are not judged", 99, 99, 0},
		{"one of a hundred is allowed", 20000, 200, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			y := tallyOf(dataset.Task{Kind: dataset.Regression})
			for i := range c.rows {
				y.took = append(y.took, map[bool]float64{true: 0.08, false: 0.05}[i < c.slow])
			}
			if got := y.slow(); got != c.want {
				t.Errorf("got %g s, want %g s", got, c.want)
			}
		})
	}
}
