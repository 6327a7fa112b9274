// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"testing"
	"time"

	"flyball/experiment/gate"
	"flyball/unit"
)

func TestAModelStandsBetweenAFirstSignAndWhatIsDoneAboutIt(t *testing.T) {
	const day = 24 * time.Hour
	policy := Policy{When: []string{ByDrift, ByScore}, Wait: unit.Duration(7 * day)}
	rested := State{Phase: Steady, Trained: []time.Time{epoch.Add(-30 * day)}}
	fresh := State{Phase: Steady, Trained: []time.Time{epoch.Add(-day)}}
	stuck := rested
	stuck.Refused = &Refused{For: "auc: harm", Cause: ByDrift, Times: 2}
	held := rested
	held.Hold = "v8 was rolled back"
	signs := []string{"inputs: 62% of the evidence that an alarm asks for"}
	for _, c := range []struct {
		name     string
		state    State
		obs      Observation
		suspects []string
		want     Stand
	}{
		{"nothing is seen", rested, Observation{}, nil, Stand{Word: OK}},
		{"a sign", rested, Observation{}, signs, Stand{Word: Suspect, Why: signs[0]}},
		{"a finding", rested, Observation{Drift: "adr drifts"}, signs, Stand{Word: Confirmed, Why: "adr drifts"}},
		{"the score before the drift", rested, Observation{Drift: "adr drifts", Score: "mae is 9"}, nil, Stand{Word: Confirmed, Why: "mae is 9"}},
		{"bad data", rested, Observation{Drift: "adr drifts", BadData: "adr is missing"}, nil, Stand{Word: Confirmed, Why: "adr is missing; bad data are not learnt, so nothing is trained"}},
		{"held", held, Observation{Drift: "adr drifts"}, nil, Stand{Word: Confirmed, Why: "adr drifts; nothing is trained: v8 was rolled back"}},
		{"a person is called", stuck, Observation{Drift: "adr drifts"}, nil, Stand{Word: Confirmed, Why: "adr drifts; a person is called: auc: harm"}},
		{"training", State{Phase: Training, Cause: ByDrift}, Observation{Drift: "adr drifts"}, nil, Stand{Word: Acting, Why: "a candidate is trained by drift"}},
		{"releasing", State{Phase: Releasing}, Observation{}, nil, Stand{Word: Acting, Why: "a candidate is released"}},
		{"after a training", fresh, Observation{}, nil, Stand{Word: CoolDown, Until: epoch.Add(6 * day)}},
		{"until truths come", fresh, Observation{Drift: "adr drifts", Delay: 30 * day}, nil, Stand{Word: CoolDown, Why: "adr drifts; what the training before did must be seen first", Until: epoch.Add(29 * day)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := StandOf(policy, c.state, c.obs, c.suspects, epoch); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestWhatAVerdictHasAgainstACandidateIsTheSameWordsForTheSameReasons(t *testing.T) {
	v := gate.Verdict{Reasons: []gate.Reason{
		{Metric: "log_loss", Against: "live", Decision: gate.Inconclusive, Required: true, Text: "needs about 300 more rows"},
		{Metric: "auc", Against: "baseline", Decision: gate.Superior, Required: true},
		{Metric: "mae", Decision: gate.Harm},
		{Metric: "auc", Against: "live", Slice: "plan=free", Decision: gate.Harm, Required: true},
	}}
	want := "auc against live of plan=free: harm, log_loss against live: inconclusive"
	if got := against(v); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	r := Refused{For: want, Cause: ByDrift, Times: 2, Version: 9}
	if got, want := r.sentence("m"), "2 candidates in a row were kept out for the same reason ("+want+"), trained by drift; none is trained by drift until the model file changes, or by flyball resume m"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
