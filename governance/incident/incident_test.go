// SPDX-License-Identifier: Apache-2.0

package incident

import (
	"strings"
	"testing"
	"time"

	"flyball/fault"
	"flyball/serving/release"
)

var noon = time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC)

func TestAReleaseThatAnsweredNobodyIsNoIncident(t *testing.T) {
	answered := []release.Share{{Generation: 3, Share: 0.1}}
	for _, c := range []struct {
		name   string
		phase  release.Phase
		shares []release.Share
		want   bool
	}{
		{"taken back in the shadow", release.Aborting, nil, false},
		{"taken back in the canary", release.Aborting, answered, true},
		{"rolled back", release.RollingBack, answered, true},
		{"at the end of the way back", release.RolledBack, answered, false},
		{"on its way", release.Canary, answered, false},
	} {
		s := release.State{ID: "m/4/1", Model: "m", Candidate: 4, Phase: c.phase, Shares: c.shares, Reason: "log_loss +0.2", EnteredAt: noon}
		i, got := OfRelease(s)
		if got != c.want {
			t.Errorf("%s: got %t", c.name, got)
		}
		if want := "v4 was taken back after it had answered: log_loss +0.2"; got && (i.Text != want || i.Version != 4 || i.Kind != Retreat || !i.Opened.Equal(noon)) {
			t.Errorf("%s: got %+v", c.name, i)
		}
		s.EnteredAt = noon.Add(time.Hour)
		if again, _ := OfRelease(s); again.ID != i.ID {
			t.Errorf("%s: the same release opens another incident", c.name)
		}
	}
}

func TestAnIncidentIsClosedOnceByItsCauseAndAChange(t *testing.T) {
	i := New(Retreat, "m", "release m/4/1", "it went back", "flyball", noon)
	for name, words := range map[string][2]string{"no cause": {" ", "m@5"}, "no change": {"a join", ""}, "a book": {strings.Repeat("x", 2001), "m@5"}} {
		if _, err := i.Close("bo", words[0], words[1], noon); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	at := noon.Add(time.Hour)
	got, err := i.Close("bo", "a join", "m@5", at)
	if err != nil || got.Owner != "bo" || !got.Acknowledged.Equal(at) || !got.Resolved.Equal(at) || got.Cause != "a join" || got.Change != "m@5" {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := got.Close("bo", "a join", "m@5", at); !fault.Is(err, fault.Conflict) {
		t.Errorf("again: got %v", err)
	}
	if took, err := i.Take("ana", noon).Take("bo", at).Close("bo", "a join", "m@5", at); err != nil || took.Owner != "ana" || !took.Acknowledged.Equal(noon) {
		t.Errorf("whoever takes it first has it: got %+v, %v", took, err)
	}
	if i, err := ByHand("m", "ana", " the desk complains ", noon); err != nil || i.Text != "the desk complains" || i.Owner != "ana" {
		t.Errorf("by hand: got %+v, %v", i, err)
	}
	if _, err := ByHand("m", "ana", " ", noon); !fault.Is(err, fault.Invalid) {
		t.Errorf("by hand without words: got %v", err)
	}
}

func TestABrokenGlassHoldsForTwoHoursOrUntilItIsEnded(t *testing.T) {
	if _, err := Break("m", "ana", "because", noon); !fault.Is(err, fault.Invalid) {
		t.Errorf("a reason that says nothing: got %v", err)
	}
	i, err := Break("m", "ana", "v7 refuses every booking", noon)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		after time.Duration
		want  bool
	}{{-time.Second, false}, {0, true}, {2*time.Hour - time.Microsecond, true}, {2 * time.Hour, false}} {
		if got := i.Holds(noon.Add(c.after)); got != c.want {
			t.Errorf("after %s: got %t", c.after, got)
		}
	}
	ended := i.End(noon.Add(time.Hour))
	if ended.Holds(noon.Add(time.Hour)) || !ended.Resolved.IsZero() {
		t.Errorf("ended after an hour: %+v", ended)
	}
	if late := i.End(noon.Add(3 * time.Hour)); !late.Until.Equal(i.Until) {
		t.Error("what is over is not ended again")
	}
	closed, err := i.Close("bo", "nobody had leave to give", "c0ffee1", noon.Add(time.Minute))
	if err != nil || closed.Holds(noon.Add(2*time.Minute)) {
		t.Errorf("closed while it holds: %+v, %v", closed, err)
	}
	if hand := New(Hand, "m", "x", "x", "ana", noon); hand.Holds(noon) {
		t.Error("an incident of another kind gives no leave")
	}
}
