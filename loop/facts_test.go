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
