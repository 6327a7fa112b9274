// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"flyball/data/dataset"
	"flyball/experiment/gate"
	"flyball/experiment/online"
	"flyball/serving/prediction"
	"flyball/serving/release"
)

// answered is a row that both versions scored, with its truth.
func answered(key string, live, candidate float64, truth string) prediction.Joined {
	return prediction.Joined{
		Record: prediction.Record{
			Key: key, Version: 1, Arm: prediction.Live, Scores: []float64{live}, Row: json.RawMessage("{}"),
			Others: []prediction.Other{{Role: prediction.Candidate, Version: 2, Scores: []float64{candidate}}},
		},
		Label: &prediction.Label{Key: key, Value: truth},
	}
}

func TestARowThatIsAskedForAgainIsOnePair(t *testing.T) {
	t.Parallel()
	y := &tally{
		state: release.State{Live: 1, Candidate: 2}, task: dataset.Task{Kind: dataset.Regression},
		rule: gate.Rule{Name: "mae"}, judged: true, now: time.Unix(0, 0).UTC(), split: split{state: &release.State{}},
	}
	for _, j := range []prediction.Joined{
		answered("a", 10, 11, "12"),
		answered("b", 5, 5, "6"),
		answered("a", 10, 12, "12"), // the first answer got lost, and the caller asked again
		answered("", 1, 2, "3"),
		answered("", 1, 2, "3"), // rows without a key are rows of their own
	} {
		if err := y.add(j); err != nil {
			t.Fatal(err)
		}
	}
	block := y.block(prediction.Joined{})
	want := []online.Pair{{Live: 2, Candidate: 0, Block: block}, {Live: 1, Candidate: 1, Block: block}, {Live: 2, Candidate: 1, Block: block}, {Live: 2, Candidate: 1, Block: block}}
	if !slices.Equal(y.pairs, want) {
		t.Errorf("got pairs %v, want %v", y.pairs, want)
	}
	if y.requests != 5 {
		t.Errorf("got %d requests, want all 5", y.requests)
	}
}

func TestPairsAreLossesOfTheRuleWhateverItIs(t *testing.T) {
	t.Parallel()
	binary := dataset.Task{Kind: dataset.Binary, Decide: &dataset.Decision{Above: 0.3}, Cost: dataset.Costs{"1": {"0": 5}, "0": {"1": 1}}}
	several := dataset.Task{Kind: dataset.Multiclass, Cost: dataset.Costs{"b": {"a": 7}}}
	for _, c := range []struct {
		name, metric, truth string
		task                dataset.Task
		live, candidate     []float64
		want                online.Pair
	}{
		{"what a decision costs", "cost", "1", binary, []float64{0.2}, []float64{0.4}, online.Pair{Live: 5, Candidate: 0}},
		{"what a decision costs where no is right", "cost", "0", binary, []float64{0.2}, []float64{0.4}, online.Pair{Live: 0, Candidate: 1}},
		{"a right decision is less loss", "accuracy", "1", binary, []float64{0.2}, []float64{0.4}, online.Pair{Live: 0, Candidate: -1}},
		{"the costs of several classes", "cost", "b", several, []float64{0.1, 0.9}, []float64{0.6, 0.4}, online.Pair{Live: 0, Candidate: 7}},
	} {
		y := &tally{state: release.State{Live: 1, Candidate: 2}, task: c.task, classes: []string{"a", "b"}, rule: gate.Rule{Name: c.metric}, judged: true, split: split{state: &release.State{}, task: &c.task}}
		j := answered("x", 0, 0, c.truth)
		j.Scores, j.Others[0].Scores = c.live, c.candidate
		if err := y.add(j); err != nil {
			t.Fatal(err)
		}
		c.want.Block = y.block(j)
		if !slices.Equal(y.pairs, []online.Pair{c.want}) {
			t.Errorf("%s: got %v, want %v", c.name, y.pairs, c.want)
		}
	}
}
