// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"math"
	"path/filepath"
	"testing"
	"time"

	"flyball/serving/prediction"
)

// TestReasonsComeWithAnAnswerAndAreKeptWithItsRecord asks for a row with its reasons and
// for others without, and finds the reasons of all in the log.
func TestReasonsComeWithAnAnswerAndAreKeptWithItsRecord(t *testing.T) {
	past, coming := history(t)
	past = past[len(past)-150*24:]
	dir := folder(t, past, coming[0].row(nil))
	s := start(t, t.TempDir())
	command{args: "apply " + filepath.Join(dir, "model.yaml"), says: "applied"}.check(t, s.url)
	if err := s.Advance(t.Context(), coming[0].at); err != nil {
		t.Fatal(err)
	}
	got, err := s.PredictExplained(t.Context(), bike, []json.RawMessage{coming[0].row(nil)})
	if err != nil {
		t.Fatal(err)
	}
	p := got.Predictions[0]
	if len(p.Reasons) == 0 || len(p.Reasons) > 5 || p.Base == nil || p.Rest == nil || p.Space != "value" {
		t.Fatalf("got %+v", p)
	}
	sum := *p.Base + *p.Rest
	for i, r := range p.Reasons {
		sum += r.Contribution
		if i > 0 && math.Abs(r.Contribution) > math.Abs(p.Reasons[i-1].Contribution) {
			t.Errorf("%s comes after what adds less", r.Feature)
		}
		if len(r.Value) == 0 {
			t.Errorf("%s has no value", r.Feature)
		}
	}
	if math.Abs(sum-*p.Value) > 1e-3 {
		t.Errorf("the reasons add up to %v, the answer is %v", sum, *p.Value)
	}
	if _, err := s.Predict(t.Context(), bike, []json.RawMessage{coming[1].row(nil), coming[2].row(nil)}); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); ; {
		kept := 0
		for _, key := range []string{coming[0].key(), coming[1].key(), coming[2].key()} {
			x, err := s.Explain(t.Context(), bike, key, "", false)
			if err != nil {
				t.Fatal(err)
			}
			if !x.Replay.Equal || x.Reasons == nil {
				t.Fatalf("%s: %+v", key, x)
			}
			if x.Kept != nil {
				kept++
				same(t, *x.Kept, *x.Reasons)
			}
		}
		if kept == 3 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d of 3 predictions keep their reasons", kept)
		}
	}
}

// same compares what was kept with what is worked out now.
func same(t *testing.T, kept, now prediction.Reasons) {
	t.Helper()
	for i, r := range kept.Top {
		if r.Feature != now.Top[i].Feature || r.Contribution != now.Top[i].Contribution {
			t.Errorf("kept %s %v, now %s %v", r.Feature, r.Contribution, now.Top[i].Feature, now.Top[i].Contribution)
		}
	}
	if kept.Margin != now.Margin || kept.Base != now.Base {
		t.Errorf("kept the margin %v from %v, now %v from %v", kept.Margin, kept.Base, now.Margin, now.Base)
	}
}
