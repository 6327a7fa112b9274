// SPDX-License-Identifier: Apache-2.0

package approval

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"flyball/blob"
	"flyball/fault"
)

var noon = time.Date(2026, 5, 3, 12, 0, 0, 0, time.UTC)

const digest = blob.Digest("d1")

func asked(risk Risk, given ...Given) Request {
	return Request{
		ID: "8-3", Model: "hotel", Version: 8, Digest: digest, Risk: risk, Filed: risk, By: "ana", Authors: []string{"carl"},
		AskedAt: noon, Expires: noon.Add(Lifetime), Given: given,
	}
}

// says is what somebody with these roles said an hour after it was asked.
func says(kind Kind, by, why string, roles ...string) Given {
	return Given{Kind: kind, By: by, Roles: roles, Why: why, Digest: digest, At: noon.Add(time.Hour)}
}

func TestWhatARequestComesTo(t *testing.T) {
	vera, oskar := says(Approve, "vera", "", Validator), says(Approve, "oskar", "read it", Owner)
	both := says(Approve, "bea", "", Validator, Owner)
	late := vera
	late.At = noon.Add(Lifetime)
	elsewhere := vera
	elsewhere.Digest = "d0"
	mia, ned := says(Override, "mia", "the desk is blind", Engineer), says(Override, "ned", "seen it", Engineer)
	ana, carl := says(Override, "ana", "x", Engineer), says(Override, "carl", "x", Engineer)
	for _, c := range []struct {
		name   string
		r      Request
		digest blob.Digest
		after  time.Duration
		want   Decision
	}{
		{"low needs nobody", asked(Low), digest, 0, Decision{State: Approved, Why: "approved by "}},
		{"medium waits for a validator", asked(Medium), digest, 0, Decision{State: Waiting, Why: "it waits for a validator", Needs: []string{Validator}}},
		{"medium, and the validator agrees", asked(Medium, vera), digest, 0, Decision{State: Approved, Why: "approved by vera (validator)"}},
		{"medium, and an owner agrees", asked(Medium, oskar), digest, 0, Decision{State: Waiting, Why: "it waits for a validator", Needs: []string{Validator}}},
		{"high waits for two", asked(High), digest, 0, Decision{State: Waiting, Why: "it waits for a validator and an owner", Needs: []string{Validator, Owner}}},
		{"high, and one of two agrees", asked(High, vera), digest, 0, Decision{State: Waiting, Why: "it waits for an owner", Needs: []string{Owner}}},
		{"high, and both agree", asked(High, oskar, vera), digest, 0, Decision{State: Approved, Why: "approved by vera (validator) and oskar (owner)"}},
		{"one person of both roles is one person", asked(High, both), digest, 0, Decision{State: Waiting, Why: "it waits for an owner", Needs: []string{Owner}}},
		{"a person of both roles stands for the one that the other has not", asked(High, both, vera), digest, 0, Decision{State: Approved, Why: "approved by vera (validator) and bea (owner)"}},
		{"whoever proposes does not count", asked(Medium, says(Approve, "ana", "", Validator)), digest, 0, Decision{State: Waiting, Why: "it waits for a validator", Needs: []string{Validator}}},
		{"nor does whoever trained it, in any case of letters", asked(Medium, says(Approve, "Carl", "", Validator)), digest, 0, Decision{State: Waiting, Why: "it waits for a validator", Needs: []string{Validator}}},
		{"one no is enough", asked(High, vera, says(Reject, "oskar", "the slices", Owner)), digest, 0, Decision{State: Rejected, Why: "rejected by oskar (the slices)"}},
		{"nobody in a week", asked(High, vera), digest, Lifetime, Decision{State: Expired, Why: "it had no leave from an owner by 10 May 2026 12:00"}},
		{"a yes that came too late", asked(Medium, late), digest, Lifetime, Decision{State: Expired, Why: "it had no leave from a validator by 10 May 2026 12:00"}},
		{"a yes in time holds later", asked(Medium, vera), digest, 2 * Lifetime, Decision{State: Approved, Why: "approved by vera (validator)"}},
		{"a yes to something else", asked(Medium, elsewhere), digest, 0, Decision{State: Waiting, Why: "it waits for a validator", Needs: []string{Validator}}},
		{"changed after the yes", asked(Medium, vera), "d2", 0, Decision{State: Void, Why: "what leave was asked for was changed since"}},
		{"one overrides", asked(High, mia), digest, 0, Decision{State: Waiting, Why: "it waits for a validator and an owner, or for a second ml-engineer who overrides, as mia does", Needs: []string{Validator, Owner}}},
		{"two override", asked(High, mia, ned), digest, 0, Decision{State: Overridden, Why: "nobody's leave: overridden by mia (the desk is blind), and by ned (seen it)"}},
		{"one person overrides twice", asked(High, mia, mia), digest, 0, Decision{State: Waiting, Why: "it waits for a validator and an owner, or for a second ml-engineer who overrides, as mia does", Needs: []string{Validator, Owner}}},
		{"the author and another override", asked(High, ana, ned), digest, 0, Decision{State: Overridden, Why: "nobody's leave: overridden by ana (x), and by ned (seen it)"}},
		{"those who made it override", asked(High, ana, carl), digest, 0, Decision{State: Waiting, Why: "it waits for a validator and an owner, or for a second ml-engineer who overrides, as ana does", Needs: []string{Validator, Owner}}},
		{"a no is not overridden", asked(High, says(Reject, "vera", "no", Validator), mia, ned), digest, 0, Decision{State: Rejected, Why: "rejected by vera (no)"}},
	} {
		if d := cmp.Diff(c.want, c.r.Decide(c.digest, noon.Add(c.after))); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}

func TestWhatEndedStaysAsItEnded(t *testing.T) {
	r := asked(Medium)
	r.Ended = &Ended{State: Replaced, Why: "v9 took its place"}
	if got := r.Decide("d2", noon.Add(2*Lifetime)); got.State != Replaced || got.Why != "v9 took its place" {
		t.Errorf("got %+v", got)
	}
}

func TestWhoMaySayWhat(t *testing.T) {
	vera := says(Approve, "vera", "", Validator)
	for _, c := range []struct {
		name   string
		r      Request
		g      Given
		digest blob.Digest
		kind   fault.Kind
		want   string
	}{
		{"the one who proposed", asked(Medium), says(Approve, "ana", "", Validator), digest, fault.Denied, "nobody approves their own"},
		{"the one who trained it", asked(Medium), says(Approve, "carl", "", Validator), digest, fault.Denied, "nobody approves their own"},
		{"an owner where a validator is asked", asked(Medium), says(Approve, "oskar", "", Owner), digest, fault.Denied, "hotel@8 waits for a validator, which oskar is not"},
		{"the same person again", asked(High, vera), vera, digest, fault.Conflict, "vera said so already"},
		{"a second validator", asked(High, vera), says(Approve, "vic", "", Validator), digest, fault.Conflict, "waits for an owner"},
		{"whoever uses the machine", asked(Medium), says(Approve, "local", ""), digest, fault.Denied, "flyball users add NAME --role admin"},
		{"no reason to reject", asked(Medium), says(Reject, "vera", " ", Validator), digest, fault.Invalid, "to reject needs a reason"},
		{"no reason to override", asked(Medium), says(Override, "mia", "", Engineer), digest, fault.Invalid, "to override needs a reason"},
		{"a validator overrides", asked(Medium), says(Override, "vera", "x", Validator), digest, fault.Denied, "two of the role ml-engineer override"},
		{"a second one who made it overrides", asked(Medium, says(Override, "ana", "x", Engineer)), says(Override, "carl", "x", Engineer), digest, fault.Denied, "both who override had a hand in hotel@8"},
		{"after a change", asked(Medium), vera, "d2", fault.Conflict, "does not wait any more: what leave was asked for was changed since"},
		{"after a no", asked(Medium, says(Reject, "val", "no", Validator)), vera, digest, fault.Conflict, "does not wait any more: rejected by val (no)"},
	} {
		_, err := c.r.Add(c.g, c.digest, noon.Add(2*time.Hour))
		if !fault.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	seen := vera
	seen.Digest = "d0"
	if _, err := asked(Medium).Add(seen, digest, noon); !fault.Is(err, fault.Conflict) {
		t.Errorf("of something else: %v", err)
	}
}

func TestWhatIsSaidIsBoundToTheDigestAndTheMoment(t *testing.T) {
	before := asked(High)
	r, err := before.Add(Given{Kind: Approve, By: "vera", Roles: []string{Validator}}, digest, noon.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	want := []Given{{Kind: Approve, By: "vera", Roles: []string{Validator}, Digest: digest, At: noon.Add(time.Minute)}}
	if d := cmp.Diff(want, r.Given); d != "" || len(before.Given) != 0 {
		t.Errorf("got %s, and before %v", d, before.Given)
	}
	if r, err = r.Add(Given{Kind: Reject, By: "ana", Why: "a slip"}, digest, noon); err != nil || r.Decide(digest, noon).State != Rejected {
		t.Errorf("the one who proposed takes it back: %v", err)
	}
}

func TestALoweredRiskCountsOnlyAfterALeaveUnderTheHigherOne(t *testing.T) {
	ended := func(filed Risk, s State) Request { return Request{Filed: filed, Ended: &Ended{State: s}} }
	for _, c := range []struct {
		name  string
		filed Risk
		all   []Request // newest first
		want  Risk
	}{
		{"never asked", Low, nil, Low},
		{"raised", High, []Request{ended(Low, Approved)}, High},
		{"lowered", Low, []Request{ended(High, Approved)}, High},
		{"lowered, and that had its leave", Low, []Request{ended(Low, Approved), ended(High, Approved)}, Low},
		{"lowered, and that was refused", Low, []Request{ended(Low, Rejected), ended(High, Approved)}, High},
		{"lowered, and that was overridden", Low, []Request{ended(Low, Overridden), ended(Medium, Approved)}, Medium},
		{"lowered while it waits", Low, []Request{{Filed: High}}, High},
	} {
		if got := Needed(c.filed, c.all); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

func TestTheDigestIsOfAllThatIsReleased(t *testing.T) {
	s := Subject{Model: "hotel", Version: 8, Bundle: "b", Judged: "j", Verdict: "pass", Report: []byte(`{"a": 1}`), Plan: []byte(`{}`), Risk: High}
	first, err := s.Digest()
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Subject){
		"model": func(s *Subject) { s.Model = "bikes" }, "version": func(s *Subject) { s.Version = 9 }, "bundle": func(s *Subject) { s.Bundle = "c" },
		"judged": func(s *Subject) { s.Judged = "k" }, "verdict": func(s *Subject) { s.Verdict = "fail" }, "report": func(s *Subject) { s.Report = []byte(`{"a":2}`) },
		"plan": func(s *Subject) { s.Plan = []byte(`{"b":1}`) }, "risk": func(s *Subject) { s.Risk = Low },
	} {
		other := s
		change(&other)
		if got, err := other.Digest(); err != nil || got == first {
			t.Errorf("another %s has the same digest, %v", name, err)
		}
	}
}
