// SPDX-License-Identifier: Apache-2.0

package maturity

import (
	"fmt"
	"testing"
	"time"

	"flyball/governance/approval"
	"flyball/governance/duty"
	"flyball/governance/incident"
	"flyball/model/registry"
	"flyball/monitoring"
	"flyball/serving/release"
	"flyball/unit"
)

func hours(h float64) unit.Duration { return unit.Duration(h * float64(time.Hour)) }

func TestDeliveryOfFourReleases(t *testing.T) {
	f := good()
	for i := range f.Versions {
		f.Versions[i].JudgedAt = f.Versions[i].CreatedAt.Add(time.Hour)
	}
	f.Approvals = []approval.Request{leave(4, ago(8), ""), leave(3, ago(20), approval.Approved), leave(3, ago(21), approval.Rejected)}
	got := Deliver(f, Window)
	// v3: the finding 21 days ago, the version 20, leave 4 h before the release 19 days ago,
	// done 60 h later. v2: asked for 50.1 days ago; v1: 80.1, and done at once.
	for _, c := range []struct {
		got  Stage
		want Stage
	}{
		{got.Lead, Stage{"lead", 3, hours(1.1*24 + 60), hours(48 + 60)}},
		{got.Stages[0], Stage{"cause to registered", 3, hours(3.4), hours(25)}},
		{got.Stages[1], Stage{"registered to gate", 3, 0, 0}},
		{got.Stages[2], Stage{"gate to leave", 3, 0, hours(19)}},
		{got.Stages[3], Stage{"leave to traffic", 3, hours(23), hours(35)}},
		{got.Stages[4], Stage{"traffic to all", 3, hours(24), hours(24)}},
		{got.Stages[5], Stage{"all to done", 3, hours(24), hours(24)}},
		{got.Restore, Stage{"restore", 1, hours(0.05), hours(0.05)}},
		{got.Detection, Stage{"detection", 1, 0, 0}},
		{got.Action, Stage{"action", 1, hours(0.05), hours(0.05)}},
	} {
		if c.got != c.want {
			t.Errorf("got %+v, want %+v", c.got, c.want)
		}
	}
	text := fmt.Sprintf("%d deployments: %d retrained, %d changed; %.3f a week, on %d days; failed %d of %d, %.2f; caught %d and %d; rework %.2f, reliable %.3f",
		got.Deployments, got.Retrained, got.Changed, got.PerWeek, got.DaysPerWeek, got.Failed, got.Answered, *got.FailureRate, got.CaughtRelease, got.CaughtGate, *got.Rework, *got.Reliability)
	want := "3 deployments: 2 retrained, 1 changed; 0.233 a week, on 0 days; failed 1 of 4, 0.25; caught 0 and 0; rework 0.50, reliable 0.999"
	if text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
}

// leave is a request that was asked at a moment and came to a state 20 h later; one
// without a state waits.
func leave(version int, asked time.Time, state approval.State) approval.Request {
	r := approval.Request{Version: version, AskedAt: asked}
	if state != "" {
		r.Ended = &approval.Ended{State: state, At: asked.Add(20 * time.Hour)}
	}
	return r
}

func TestAVersionThatAClientRegisteredWaitsForItsGate(t *testing.T) {
	f := good()
	f.Rollouts = f.Rollouts[1:2]
	f.Versions[1].Source, f.Versions[1].JudgedAt = "mlflow", ago(20).Add(2*time.Hour)
	f.Approvals = []approval.Request{leave(3, ago(20), "")} // and it goes without an answer: nobody knows since when it may
	got := Deliver(f, Window)
	if s := got.Stages[1]; s.Count != 1 || s.Median != hours(2) {
		t.Errorf("registered to gate: got %+v", s)
	}
	if got.Stages[2].Count != 0 || got.Stages[3].Count != 0 || got.Stages[4].Count != 1 {
		t.Errorf("got %+v", got.Stages)
	}
}

func TestAnIncidentIsHeldAgainstTheReleaseBeforeIt(t *testing.T) {
	opened := good().Rollouts[1].Traffic() // of v3
	for _, c := range []struct {
		name   string
		i      incident.Incident
		failed int // besides v4, which was taken back
	}{
		{"of the version, within a week", incident.Incident{Version: 3, Opened: opened.Add(167 * time.Hour)}, 1},
		{"a week later", incident.Incident{Version: 3, Opened: opened.Add(168 * time.Hour)}, 0},
		{"before it answered", incident.Incident{Version: 3, Opened: opened.Add(-time.Second)}, 0},
		{"of no version, it is of the newest", incident.Incident{Opened: opened}, 1},
		{"of another version that answered long ago", incident.Incident{Version: 2, Opened: opened}, 0},
		{"of the one that was taken back, it counts once", incident.Incident{Version: 4, Opened: good().Rollouts[0].Retreated()}, 0},
		{"a broken glass", incident.Incident{Kind: incident.Glass, Opened: opened}, 0},
	} {
		f := good()
		f.Incidents = []incident.Incident{c.i, c.i} // two are one failure
		if got := Deliver(f, Window); got.Failed != 1+c.failed {
			t.Errorf("%s: %d failed", c.name, got.Failed)
		}
	}
}

func TestAReleaseThatAnIncidentAskedForIsRework(t *testing.T) {
	f := good()
	for change, want := range map[string]float64{"m@2": 0.75, "m@3": 0.5, "c0ffee1": 0.5, "other@2": 0.5} { // drift and score began v3 and v4
		f.Incidents[0].Change = change
		if got := Deliver(f, Window); *got.Rework != want {
			t.Errorf("changed %s: %v, want %v", change, *got.Rework, want)
		}
	}
}

func TestWhatIsCaughtBeforeItAnswersIsNoFailure(t *testing.T) {
	f := good()
	f.Versions[3].Verdict = "fail"
	f.Rollouts[0] = rollout(4, 3, 4, 8, "score", step{release.Pending, 0, ""}, step{release.ShadowPhase, 0, ""}, step{release.Aborting, 20, "worse"}, step{release.Aborted, 20, "worse"})
	got := Deliver(f, Window)
	if got.Failed != 0 || got.Answered != 3 || got.CaughtRelease != 1 || got.CaughtGate != 1 || got.Restore.Count != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestRestoringIsCountedFromTheFirstSignOfHarm(t *testing.T) {
	f := good()
	began := f.Rollouts[0].Traffic()
	f.Findings = append(f.Findings,
		monitoring.Finding{ID: "note", Version: 4, Severity: "note", Opened: began.Add(time.Hour)},
		monitoring.Finding{ID: "before", Version: 4, Severity: "warn", Opened: began.Add(-time.Hour)},
		monitoring.Finding{ID: "another", Version: 3, Severity: "warn", Opened: began.Add(time.Hour)},
		monitoring.Finding{ID: "it", Version: 4, Severity: "warn", Opened: began.Add(5 * time.Hour)})
	got := Deliver(f, Window)
	if got.Restore.Median != hours(3.05) || got.Detection.Median != hours(3) || got.Action.Median != hours(0.05) {
		t.Errorf("restored in %s: seen in %s, done in %s; want 3.05 h, 3 h and 0.05 h", got.Restore.Median, got.Detection.Median, got.Action.Median)
	}
}

func TestHoursThatOverlapAreCountedOnce(t *testing.T) {
	f := &Facts{Model: "m", Now: now, Rollouts: []Rollout{rollout(1, 0, 1, 10, "first", step{release.Full, 0, ""}, step{release.Succeeded, 0, ""})}}
	f.Findings = []monitoring.Finding{
		{Kind: monitoring.Score, Severity: "warn", Opened: ago(12), Closed: ago(9)}, // one day of it counts
		{Kind: monitoring.Score, Severity: "page", Opened: ago(9.5), Closed: ago(8)},
		{Kind: monitoring.Score, Severity: "warn", Opened: ago(1)}, // open
		{Kind: monitoring.Drift, Severity: "warn", Opened: ago(7), Closed: ago(2)},
		{Kind: monitoring.Score, Severity: "note", Opened: ago(7), Closed: ago(2)},
	}
	if got := Deliver(f, Window); got.Reliability == nil || *got.Reliability < 0.6999 || *got.Reliability > 0.7001 {
		t.Errorf("got %v, want 0.7", got.Reliability)
	}
	f.Findings = nil
	floor := f.Rollouts[0].States[1]
	floor.Generation, floor.Floor, floor.EnteredAt = floor.Generation+1, true, ago(5)
	f.Rollouts[0].States = append(f.Rollouts[0].States, floor)
	if got := Deliver(f, Window); got.Reliability == nil || *got.Reliability != 0.5 {
		t.Errorf("while the baseline answers: got %v, want 0.5", got.Reliability)
	}
}

func TestDaysWithADeploymentAreCountedByWeek(t *testing.T) {
	f := &Facts{Model: "m", Now: now}
	for i, days := range []float64{0.5, 0.6, 1.5, 8.5, 9.5, 20.5, 21.5} { // weeks: 2, 2, 1, 1 days
		f.Rollouts = append(f.Rollouts, rollout(int64(9-i), 1, i+1, days, "hand", step{release.Full, 0, ""}))
	}
	if got := Deliver(f, 28*24*time.Hour); got.DaysPerWeek != 1 || got.Deployments != 7 || got.PerWeek != 1.75 || got.Changed != 7 {
		t.Errorf("got %+v", got)
	}
}

func TestAMedianIsOneOfTheDurations(t *testing.T) {
	for _, c := range []struct {
		ds   []time.Duration
		p    float64
		want time.Duration
	}{
		{[]time.Duration{5}, 0.5, 5},
		{[]time.Duration{5, 1}, 0.5, 1},
		{[]time.Duration{3, 1, 2}, 0.5, 2},
		{[]time.Duration{3, 1, 2}, 0.9, 3},
		{[]time.Duration{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, 0.9, 9},
		{[]time.Duration{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, 0.5, 5},
	} {
		if got := quantile(c.ds, c.p); got != c.want {
			t.Errorf("%v at %v: got %d, want %d", c.ds, c.p, got, c.want)
		}
	}
}

func TestRolloutsAreSortedFromTheirHistory(t *testing.T) {
	history := []release.State{
		{ID: "m/1/1", Generation: 1, Phase: release.Pending},
		{ID: "m/1/1", Generation: 2, Phase: release.Succeeded},
		{ID: "m/2/3", Generation: 3, Phase: release.Pending},
		{ID: "m/1/1", Generation: 4, Phase: release.RolledBack},
	}
	got := Rollouts(history)
	if len(got) != 2 || got[0].ID != "m/1/1" || len(got[0].States) != 3 || got[0].Phase != release.RolledBack || got[1].ID != "m/2/3" {
		t.Errorf("got %+v", got)
	}
}

// FuzzFacts asks every check, and for the figures, of facts that make no sense.
func FuzzFacts(f *testing.F) {
	f.Add(int64(1), int64(2), "drift", "release canary", 3, true)
	f.Add(int64(-1<<62), int64(1<<62), "", "", -1, false)
	f.Fuzz(func(t *testing.T, a, b int64, cause, action string, version int, on bool) {
		x := good()
		x.Versions[0].CreatedAt, x.Versions[0].Cause, x.Versions[0].Version.Version = time.UnixMicro(a), cause, version
		x.Rollouts[0].States[0].EnteredAt, x.Rollouts[0].Live, x.Rollouts[0].EndedAt = time.UnixMicro(b), version, time.UnixMicro(a)
		x.Rollouts[1].States[0].Generation, x.Rollouts[1].States[0].Floor = a, on
		x.Acts[0].Action, x.Alerts[0].Opened, x.Findings[0].Opened = action, time.UnixMicro(b), time.UnixMicro(a)
		x.Drift[0].Start, x.Drift[0].End = time.UnixMicro(b), time.UnixMicro(a)
		x.Incidents[0].Opened, x.Incidents[0].Version, x.Incidents[0].Change = time.UnixMicro(b), version, cause
		x.Approvals = []approval.Request{leave(3, time.UnixMicro(a), approval.State(action))}
		x.Drills = []Drill{{Took: float64(b), Why: action, At: time.UnixMicro(a)}}
		if on {
			x.Versions[1].Reproductions = []registry.Reproduction{{}}
			x.Duties = duty.Duties{}
		}
		s := Judge(x)
		if s.Level < 0 || s.Level > Levels {
			t.Errorf("level %d", s.Level)
		}
		got := Deliver(x, Window)
		if r := got.Reliability; r != nil && (*r < 0 || *r > 1) {
			t.Errorf("reliable by %v", *r)
		}
	})
}
