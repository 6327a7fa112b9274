// SPDX-License-Identifier: Apache-2.0

package maturity

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/blob"
	"flyball/data/dataset"
	"flyball/governance/alert"
	"flyball/governance/audit"
	"flyball/governance/duty"
	"flyball/governance/incident"
	"flyball/ident"
	"flyball/model/registry"
	"flyball/monitoring"
	"flyball/serving/release"
	"flyball/unit"
)

// on is a moment so many days after the story begins.
func on(day float64) time.Time {
	return time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(day * 24 * float64(time.Hour)))
}

// story is what the records of one model hold in the end.
type story struct {
	Facts
	duties float64 // the day on which all four duties have an owner and a backup
	fresh  float64 // the day from which on the source has a limit of its age
	served float64 // the day from which on requests are counted, and watched
}

func (s *story) act(day float64, who, action, object string) {
	s.Acts = append(s.Acts, audit.Record{Seq: int64(len(s.Acts) + 1), At: on(day), Actor: who, Action: action, Object: object})
}

func (s *story) report(day float64, suite, target string, versions ...int) {
	for _, v := range append(versions, 0)[:max(1, len(versions))] {
		r := Report{ID: fmt.Sprintf("%s of %s, day %g", suite, target, day), Suite: suite, Target: target, Status: Pass, Version: v, By: "ci-bot", Program: true, At: on(day)}
		if v != 0 {
			r.Model, r.ID = "m", fmt.Sprintf("%s of v%d, day %g", suite, v, day)
		}
		s.Reports = append(s.Reports, r)
	}
}

// train is a training by its cause, with its snapshot and its version.
func (s *story) train(day float64, version int, cause string) {
	key := fmt.Sprintf("m/%d", version)
	s.Trainings = append(s.Trainings, Training{ID: key, Key: key, Cause: cause, At: on(day), Ended: true})
	s.Snapshots = append(s.Snapshots, dataset.Made{ID: blob.Digest(fmt.Sprintf("s%d", version)), At: on(day), Cause: cause})
	s.version(day, version, cause)
}

func (s *story) version(day float64, version int, cause string) {
	s.Versions = append(s.Versions, Version{
		Version: registry.Version{
			Ref: ident.Ref{Model: "m", Version: version}, Record: "r", Snapshot: "s", Verdict: "pass", Cause: cause, CreatedAt: on(day), CreatedBy: "flyball",
			Key: fmt.Sprintf("m/%d", version),
		},
		Commit: &registry.Commit{ID: "c0ffee"}, Environment: "flyball v1", Recorded: "p", Served: "p", Params: 3, Metrics: 4, Inputs: 1, Required: true,
	})
}

// release goes its way by its plan: compared in shadow and canary, over after 60 h.
func (s *story) release(day float64, live, version int, cause, by string) {
	r := whole(int64(version), live, version, 0, cause)
	if live == 0 {
		r = rollout(int64(version), live, version, 0, cause, step{release.Preload, 0, ""}, step{release.Full, 0, "loaded"}, step{release.Succeeded, 0, uncompared})
	}
	shift := on(day).Sub(now) // it was made as of now
	move := func(t time.Time) time.Time {
		if t.IsZero() {
			return t
		}
		return t.Add(shift)
	}
	for i := range r.States {
		x := &r.States[i]
		x.By, x.StartedAt, x.EnteredAt, x.EndedAt = by, move(x.StartedAt), move(x.EnteredAt), move(x.EndedAt)
	}
	s.Rollouts = append(s.Rollouts, r)
}

// bring is a version that was trained on another server, came by its archive, and went
// out: a program begins it, a person gives leave, and its tests have run.
func (s *story) bring(day float64, live, version int, cause, leave string) {
	s.version(day-1, version, cause)
	ref := fmt.Sprintf("m@%d", version)
	s.act(day, "ci-bot", "import", ref)
	s.report(day, "unit", Scoring, version)
	s.report(day, "integration", Scoring, version)
	s.act(day, leave, "approve", ref)
	s.release(day, live, version, cause, "ci-bot")
	v := &s.Versions[len(s.Versions)-1]
	v.Reproductions = []registry.Reproduction{{ID: "reproduction of " + ref, Grade: "R3", At: on(day + 3)}}
}

// until are those of a list that were there by a moment, the newest first.
func until[T any](all []T, t time.Time, at func(T) time.Time) []T {
	var out []T
	for _, x := range all {
		if !at(x).After(t) {
			out = append(out, x)
		}
	}
	slices.SortStableFunc(out, func(a, b T) int { return at(b).Compare(at(a)) })
	return out
}

// at are the facts of a day: what was recorded by then.
func (s *story) at(day float64) *Facts {
	f, t := s.Facts, on(day)
	f.Model, f.Now, f.Programs, f.Traced = "m", t, []string{"ci-bot"}, []Trace{{ID: "prediction p1"}}
	f.Versions = until(s.Versions, t, func(v Version) time.Time { return v.CreatedAt })
	for i := range f.Versions {
		v := &f.Versions[i]
		v.Reproductions = until(v.Reproductions, t, func(r registry.Reproduction) time.Time { return r.At })
	}
	var history []release.State
	for _, r := range s.Rollouts {
		history = append(history, slices.DeleteFunc(slices.Clone(r.States), func(x release.State) bool { return x.EnteredAt.After(t) })...)
	}
	f.Rollouts = Rollouts(history)
	f.Snapshots = until(s.Snapshots, t, func(m dataset.Made) time.Time { return m.At })
	f.Trainings = until(s.Trainings, t, func(x Training) time.Time { return x.At })
	f.Findings = until(s.Findings, t, func(x monitoring.Finding) time.Time { return x.Opened })
	f.Alerts = until(s.Alerts, t, func(a alert.Alert) time.Time { return a.Opened })
	f.Acts = until(s.Acts, t, func(a audit.Record) time.Time { return a.At })
	slices.Reverse(f.Acts)
	f.Reports = until(s.Reports, t, func(r Report) time.Time { return r.At })
	f.Deliveries = until(s.Deliveries, t, func(d Delivery) time.Time { return d.At })
	f.Incidents = until(s.Incidents, t, func(i incident.Incident) time.Time { return i.Opened })
	f.Drills = until(s.Drills, t, func(d Drill) time.Time { return d.At })
	if day >= s.duties {
		d := duty.Duty{Owner: "ana", Backup: "bo", Within: unit.Duration(4 * time.Hour)}
		f.Duties = duty.Duties{Feed: d, Monitor: d, Retrain: duty.Duty{Owner: "bo", Backup: "ana"}, Fix: d}
	}
	if day >= s.fresh {
		f.Fresh = 48 * time.Hour
	}
	for h := on(s.served); h.Before(t); h = h.Add(time.Hour) {
		f.Hours = append(f.Hours, release.Hour{Start: h, Generation: 1, Answered: 100})
	}
	if day > s.served {
		f.Drift = []Span{{Start: on(s.served), End: t, Inputs: true, Scores: true}}
	}
	return &f
}

// halfAYear is a team that begins by hand and comes to the whole loop, and then does
// nothing more but keep the server and the application running. Versions that go out are
// trained on another server; this one trains too, each day, and releases none of its own.
func halfAYear() *story {
	s := &story{duties: 31, fresh: 70, served: 66}
	s.act(0, "ana", "apply", "m")
	s.train(0, 1, "first")
	s.release(0, 0, 1, "first", "flyball")
	// Level 1: a pipeline of the application, and trainings by the clock.
	for _, day := range []float64{10, 80, 120, 160} {
		s.act(day, "ci-bot", "apply", "m")
	}
	for day := 12.0; day <= 200; day += 20 {
		s.report(day, "unit", App)
		s.report(day, "deploy", App)
		s.report(day+0.1, "deploy", App)
		s.report(day+0.2, "deploy", App)
	}
	s.train(15, 2, "schedule")
	s.release(15.5, 1, 2, "schedule", "flyball")
	s.train(22, 3, "schedule")
	s.release(22.5, 2, 3, "schedule", "flyball")
	// Level 2: people have duties, somebody listens, and what serves is made again.
	for _, day := range []float64{31, 95} {
		s.act(day, "ana", "apply", "m")
		s.act(day, "bo", "approve", "m@3")
		s.Deliveries = append(s.Deliveries, Delivery{ID: fmt.Sprintf("delivery, day %g", day), Kind: "trained", At: on(day)})
	}
	s.Versions[2].Reproductions = []registry.Reproduction{{ID: "reproduction of m@3", Grade: "R3", At: on(32)}}
	s.report(34, "unit", Scoring, 1, 2, 3)
	// Level 3: versions come from the server where they ran before, and programs release them.
	s.bring(45, 3, 4, "schedule", "chen")
	s.report(50, "integration", Scoring, 1, 2, 3)
	s.report(50, "unit", Pipeline)
	s.bring(60, 4, 5, "schedule", "dora")
	s.Drills = []Drill{{ID: "drill, day 62", From: 5, Back: 4, Rows: 200, Took: 1, At: on(62)}}
	// Level 4: production says when to train, and what went wrong is learnt from.
	for day := 70; day <= 110; day++ {
		s.train(float64(day), 100+day, "schedule")
	}
	s.Findings = []monitoring.Finding{{ID: "finding, day 80", Version: 5, Kind: monitoring.Drift, Severity: "warn", Trigger: true, Opened: on(80), Text: "x drifts"}}
	s.Alerts = []alert.Alert{{ID: "day 80", Cause: alert.Cause{Severity: "warn", Opened: on(80)}, Acked: &alert.Ack{By: "ana", At: on(80.1)}}}
	s.bring(85, 5, 6, "drift", "chen")
	s.Incidents = []incident.Incident{{ID: "day 90", Opened: on(90), Resolved: on(92), Owner: "bo", Cause: "a join", Change: "m@6"}}
	return s
}

func TestAModelComesToEachLevelByItsRecordsAndLosesItAsTheyAge(t *testing.T) {
	s := halfAYear()
	for _, c := range []struct {
		day   float64
		level int
		lacks string // of the next level and below
		says  map[string]string
	}{
		{5, 0, "L1.build-auto L1.app-tests L1.data-pipeline-auto L1.app-release-auto", nil},
		{30, 1, "L2.reproducible L2.model-managed L2.lifecycle-events L2.ds-de-work-together L2.scoring-tests", map[string]string{
			"L1.build-auto":         "met: applied by ci-bot 20 days ago (audit 2)",
			"L1.app-tests":          "met: passed 18 days ago (unit of app, day 12)",
			"L1.data-pipeline-auto": "met: 2 made by a trigger (snapshot s3; snapshot s2)",
			"L1.app-release-auto":   "met: by ci-bot, the last 17 days ago (deploy of app, day 12.2; deploy of app, day 12.1; deploy of app, day 12)",
		}},
		{40, 2, "L3.envs-managed L3.tests-each-release L3.all-code-tested L3.rollback-proven L3.promotion-registry L3.less-reliance-on-ds", map[string]string{
			"L2.reproducible":        "met: m@3 came out as R3 8 days ago (reproduction of m@3)",
			"L2.model-managed":       "met: m@3 serves, and is ana's (m@3)",
			"L2.lifecycle-events":    "met: 1 events taken (delivery, day 31)",
			"L2.ds-de-work-together": "met: ana and bo both applied or approved (audit 1; audit 7)",
			"L2.scoring-tests":       "met: all of 3 did (m/3/3; m/2/2; m/1/1)",
		}},
		{66, 3, "L4.retrain-from-production L4.metrics-verbose L4.feature-freshness L4.near-zero-downtime", map[string]string{
			"L3.envs-managed":         "met: m@5 came from another server with the same bytes (audit 12)",
			"L3.tests-each-release":   "met: both passed on all of 5 (m/5/5; m/4/4; m/3/3; m/2/2; m/1/1)",
			"L3.all-code-tested":      "met: pipeline, scoring and application passed (unit of pipeline, day 50; unit of v5, day 60; unit of app, day 52)",
			"L3.rollback-proven":      "met: a drill of the way back to v4 held in 1 seconds, 4 days ago (drill, day 62)",
			"L3.promotion-registry":   "met: 2 brought in (audit 10; audit 12)",
			"L3.less-reliance-on-ds":  "met: dora, chen, bo (audit 13; audit 11; audit 7)",
			"L4.feature-freshness":    "not met: the model file sets no limit ()",
			"L4.near-zero-downtime":   "no evidence: requests were counted in 0 % of the hours of 30 days, 0 in all ()",
			"L4.promotion-policy":     "met: v5 by schedule (m/5/5)",
			"L4.incident-learning":    "not applicable: no incident was closed in 90 days ()",
			"L2.release-low-friction": "met: the median of 5 is 12.0 hours (m/5/5; m/4/4; m/3/3; m/2/2; m/1/1)",
		}},
		{100, 4, "", map[string]string{
			"L4.retrain-from-production": "met: m@6 by drift, 16 days ago (finding, day 80; m@6)",
			"L4.metrics-verbose":         "met: inputs were watched 100 % of 30 days, predictions 100 % ()",
			"L4.feature-freshness":       "met: checked against 2.0 days, today (job m/200)",
			"L4.near-zero-downtime":      "met: 100.000 % of 72000 requests were answered ()",
			"L4.promotion-policy":        "met: v6 by drift (m/6/6)",
			"L4.incident-learning":       "met: all of 1 (incident day 90)",
			"L4.duties-covered":          "met: 1 of 1 alerts were acknowledged in time (alert day 80)",
		}},
		{112, 3, "L4.feature-freshness", map[string]string{"L4.feature-freshness": "not met: checked last 2 days ago, by the last training (job m/210)"}},
		{145, 2, "L3.all-code-tested", map[string]string{"L3.all-code-tested": "no evidence: no report from pipeline ()"}},
		{188, 1, "L2.lifecycle-events L2.ds-de-work-together", map[string]string{
			"L2.lifecycle-events":    "not met: no subscriber took anything of a version in 90 days ()",
			"L2.ds-de-work-together": "not met: ana applied and approved nothing in 90 days ()",
		}},
		{203, 0, "L1.code-versioned L1.data-pipeline-auto", map[string]string{
			"L1.code-versioned":     "no evidence: no version was made in 90 days ()",
			"L1.data-pipeline-auto": "no evidence: no trigger made a snapshot in 90 days ()",
		}},
	} {
		got := Judge(s.at(c.day))
		if have := lacking(got); got.Level != c.level || have != c.lacks {
			t.Errorf("day %g: level %d, lacks %s\nwant level %d, %s", c.day, got.Level, have, c.level, c.lacks)
		}
		for _, r := range got.Results {
			have := fmt.Sprintf("%s: %s (%s)", r.Verdict, r.Text, strings.Join(r.Evidence, "; "))
			if want, asked := c.says[r.ID]; asked && have != want {
				t.Errorf("day %g, %s:\ngot  %s\nwant %s", c.day, r.ID, have, want)
			}
		}
	}
}

// lacking are the checks of the next level and below that do not hold.
func lacking(s Standing) string {
	next, _ := s.Next()
	var out []string
	for _, r := range s.Results {
		if r.Level <= next.Level && !r.Verdict.Holds() {
			out = append(out, r.ID)
		}
	}
	return strings.Join(out, " ")
}

// One server that trains and serves comes to level 2: what went out was never elsewhere.
func TestWhatTheServerTrainsAndReleasesItselfCostsLevelThree(t *testing.T) {
	s := halfAYear()
	s.release(94, 6, 190, "schedule", "flyball")
	v := slices.IndexFunc(s.Versions, func(v Version) bool { return v.Version.Version == 190 })
	s.Versions[v].Reproductions = []registry.Reproduction{{ID: "reproduction of m@190", Grade: "R3", At: on(95)}}
	s.report(94, "unit", Scoring, 190)
	s.report(94, "integration", Scoring, 190)
	if got := Judge(s.at(100)); got.Level != 2 || lacking(got) != "L3.envs-managed" {
		t.Errorf("level %d, lacks %s", got.Level, lacking(got))
	}
}
