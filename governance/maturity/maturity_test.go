// SPDX-License-Identifier: Apache-2.0

package maturity

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/data/dataset"
	"flyball/fault"
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

var now = time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC)

// ago is a moment so many days before now.
func ago(days float64) time.Time { return now.Add(-time.Duration(days * 24 * float64(time.Hour))) }

// step is a state of a rollout: a phase, entered so many hours after the start.
type step struct {
	phase  release.Phase
	hours  float64
	reason string
}

// rollout is one that began so many days ago.
func rollout(n int64, live, candidate int, days float64, cause string, steps ...step) Rollout {
	s := release.State{ID: fmt.Sprintf("m/%d/%d", candidate, n), Model: "m", Live: live, Candidate: candidate, Generation: 10 * n, StartedAt: ago(days), Cause: cause, By: "flyball"}
	var out Rollout
	for _, x := range steps {
		s.Phase, s.Reason, s.EnteredAt = x.phase, x.reason, s.StartedAt.Add(time.Duration(x.hours*float64(time.Hour)))
		s.Generation++
		if s.Done() {
			s.EndedAt = s.EnteredAt
		}
		out.State, out.States = s, append(out.States, s)
	}
	return out
}

func whole(n int64, live, candidate int, days float64, cause string) Rollout {
	return rollout(n, live, candidate, days, cause, step{release.Pending, 0, ""}, step{release.Preload, 0, ""}, step{release.ShadowPhase, 0, "loaded"},
		step{release.Canary, 12, "log_loss -0.01"}, step{release.Full, 36, "log_loss -0.01"}, step{release.BakePhase, 36, ""}, step{release.Succeeded, 60, "log_loss -0.02"})
}

// good are facts by which every check holds.
func good() *Facts {
	version := func(n int, days float64, cause string) Version {
		return Version{
			Version: registry.Version{
				Ref: ident.Ref{Model: "m", Version: n}, Record: "r", Snapshot: "s", Verdict: "pass", Cause: cause, CreatedAt: ago(days), CreatedBy: "bo",
				Key: fmt.Sprintf("m/%d", n),
			},
			Commit: &registry.Commit{ID: "c0ffee"}, Environment: "flyball v1", Recorded: "p1", Served: "p1", Params: 3, Metrics: 4, Inputs: 1, Required: true, Tests: 2,
		}
	}
	f := &Facts{
		Model: "m", Now: now, Fresh: 48 * time.Hour, Programs: []string{"ci-bot"},
		Versions: []Version{version(4, 9, "score"), version(3, 20, "drift"), version(2, 50, "schedule"), version(1, 80, "first")},
		Rollouts: []Rollout{
			rollout(4, 3, 4, 8, "score", step{release.Pending, 0, ""}, step{release.Preload, 0, ""}, step{release.ShadowPhase, 0, "loaded"},
				step{release.Canary, 12, "log_loss -0.01"}, step{release.Aborting, 20, "log_loss +0.2, more than the margin"}, step{release.Aborted, 20.05, "log_loss +0.2"}),
			whole(3, 2, 3, 19, "drift"), whole(2, 1, 2, 49, "schedule"),
			rollout(1, 0, 1, 79, "first", step{release.Pending, 0, ""}, step{release.Preload, 0, ""}, step{release.Full, 0, "loaded"}, step{release.BakePhase, 0, ""}, step{release.Succeeded, 0, "nothing to compare it with"}),
		},
		Snapshots: []dataset.Made{{ID: "s3", At: ago(20), Cause: "drift"}, {ID: "s2", At: ago(50), Cause: "schedule"}, {ID: "s1", At: ago(80), Cause: "first"}},
		Trainings: []Training{
			{ID: "j4", Key: "m/4", Cause: "score", At: ago(0.5), Ended: true},
			{ID: "j3", Key: "m/3", Cause: "drift", At: ago(20.1), Ended: true},
			{ID: "j2", Key: "m/2", Cause: "schedule", At: ago(50.1), Ended: true},
			{ID: "j1", Key: "m/1", Cause: "first", At: ago(80.1), Ended: true},
		},
		Findings: []monitoring.Finding{{ID: "f1", Version: 2, Kind: monitoring.Drift, Severity: "warn", Trigger: true, Opened: ago(21), Closed: ago(18), Text: "x drifts"}},
		Alerts:   []alert.Alert{{ID: "a1", Cause: alert.Cause{Severity: "warn", Opened: ago(21)}, Acked: &alert.Ack{By: "ana", At: ago(20.9)}}},
		Acts: []audit.Record{
			{Seq: 1, At: ago(81), Actor: "ana", Action: "apply", Object: "m"},
			{Seq: 2, At: ago(70), Actor: "bo", Action: "apply", Object: "m"},
			{Seq: 3, At: ago(60), Actor: "ci-bot", Action: "apply", Object: "m"},
			{Seq: 4, At: ago(20), Actor: "ci-bot", Action: "import", Object: "m@3"},
			{Seq: 5, At: ago(19), Actor: "chen", Action: "approve", Object: "m@3"},
			{Seq: 6, At: ago(8), Actor: "dora", Action: "approve", Object: "m@4"},
		},
		Traced: []Trace{{ID: "p1"}, {ID: "p2"}},
		Drift:  []Span{{Start: ago(40), End: ago(10), Inputs: true, Scores: true}, {Start: ago(12), End: now, Inputs: true, Scores: true}},

		Deliveries: []Delivery{{ID: "d1", Kind: "trained", At: ago(3)}},
		Incidents:  []incident.Incident{{ID: "i1", Opened: ago(7), Resolved: ago(5), Owner: "bo", Cause: "a join", Change: "a check"}},
	}
	f.Hours = append(f.Hours, release.Hour{Start: ago(35), Generation: 27, Answered: 100, Failed: 100}) // longer ago
	for at := ago(30); at.Before(now); at = at.Add(time.Hour) {
		f.Hours = append(f.Hours, release.Hour{Start: at, Generation: 37, Answered: 100})
	}
	f.Hours[1].Answered, f.Hours[1].Failed = 28_097, 3
	day := duty.Duty{Owner: "ana", Backup: "bo", Within: unit.Duration(4 * time.Hour)}
	f.Duties = duty.Duties{Feed: day, Monitor: day, Retrain: duty.Duty{Owner: "bo", Backup: "ana"}, Fix: day}
	f.Versions[1].Reproductions = []registry.Reproduction{{ID: "again", Grade: "R3", At: ago(30)}}
	said := func(id, suite, target, model string, version int, days float64) Report {
		return Report{ID: id, Suite: suite, Target: target, Status: Pass, Model: model, Version: version, By: "ci-bot", Program: true, At: ago(days)}
	}
	f.Reports = []Report{said("t1", "unit", App, "", 0, 1), said("t2", "unit", Pipeline, "", 0, 1), said("t3", "unit", Scoring, "", 0, 1), said("t4", "deploy", App, "", 0, 2), said("t5", "deploy", App, "", 0, 3), said("t6", "deploy", App, "", 0, 4)}
	for n := range 4 {
		f.Reports = append(f.Reports, said("", "integration", Scoring, "m", n+1, 10))
	}
	return f
}

func TestFactsByWhichEveryCheckHoldsAreLevelFour(t *testing.T) {
	s := Judge(good())
	for _, r := range s.Results {
		if r.Verdict != Met {
			t.Errorf("%s: %s: %s", r.ID, r.Verdict, r.Text)
		}
	}
	if _, more := s.Next(); s.Level != 4 || more || len(s.Results) != 37 {
		t.Errorf("level %d of %d checks, more to come: %t", s.Level, len(s.Results), more)
	}
	counts := make([]int, 4)
	for i, p := range s.Levels {
		counts[i] = p.Of
	}
	if want := []int{7, 12, 10, 8}; !slices.Equal(counts, want) {
		t.Errorf("checks of the levels: got %v, want %v", counts, want)
	}
}

// TestEachCheckSeesWhatIsMissing spoils good facts in one way, and asks one check.
func TestEachCheckSeesWhatIsMissing(t *testing.T) {
	byHand := func(f *Facts) {
		f.Acts = append(f.Acts, audit.Record{Seq: 7, At: ago(18.5), Actor: "chen", Action: "release canary", Object: "m@3"})
	}
	for _, c := range []struct {
		check, name string
		spoil       func(f *Facts)
		want        Verdict
		text        string
	}{
		{"L1.code-versioned", "something was changed beside the commit", func(f *Facts) { f.Versions[0].Commit.Changed = []string{"model.yaml"} }, NotMet, "3 of 4 versions from a clean commit"},
		{"L1.code-versioned", "no version", func(f *Facts) { f.Versions = nil }, NoEvidence, "no version was made in 90 days"},
		{"L1.build-auto", "people apply alone", func(f *Facts) { f.Programs = nil }, NoEvidence, "no program applied the model file, and none reported a build"},
		{"L1.build-auto", "a build is enough", func(f *Facts) { f.Acts = nil; f.Reports[3].Suite = "build" }, Met, "a build reported by ci-bot 2 days ago"},
		{"L1.app-tests", "nobody reported", func(f *Facts) { f.Reports = nil }, NoEvidence, "no report from the application"},
		{"L1.app-tests", "a person says so, and no program", func(f *Facts) { f.Reports[0].Program = false }, NoEvidence, "no report from the application"},
		{"L1.app-tests", "they failed last", func(f *Facts) { f.Reports[0].Status = Fail }, NotMet, "they failed yesterday"},
		{"L1.model-integration-test", "golden rows were not replayed", func(f *Facts) { f.Rollouts[1].States = f.Rollouts[1].States[3:] }, NotMet, "1 of 4 releases did not replay their golden rows"},
		{"L1.model-integration-test", "nothing began to answer lately", func(f *Facts) { f.Now = now.AddDate(1, 0, 0) }, NotApplicable, "no version began to answer in 90 days"},
		{"L1.data-pipeline-auto", "one snapshot twice is one", func(f *Facts) { f.Snapshots = f.Snapshots[:1] }, NotMet, "1 made by a trigger"},
		{"L1.data-pipeline-auto", "one by hand", func(f *Facts) { f.Snapshots[2].Cause = "hand" }, NotMet, "2 made by a trigger, 1 by hand"},
		{"L1.scoring-code-versioned", "the bundle has another pipeline", func(f *Facts) { f.Versions[1].Served = "p2" }, NotMet, "the bundle of m@3 holds another pipeline than its record"},
		{"L1.scoring-code-versioned", "no record", func(f *Facts) { f.Versions[1].Recorded = "" }, NotMet, "m@3 has no record of its pipeline"},
		{"L1.scoring-code-versioned", "nothing is live", func(f *Facts) { f.Rollouts = nil }, NoEvidence, "no version is live"},
		{"L1.app-release-auto", "one by a person", func(f *Facts) { f.Reports[4].Program, f.Reports[4].By = false, "ana" }, NotMet, "one was made by ana, who is no program"},
		{"L1.app-release-auto", "two alone", func(f *Facts) { f.Reports[4].Suite = "other" }, NoEvidence, "2 of 3 deployments of the application reported in 180 days"},

		{"L2.training-auto", "triggers that only fail do not count", func(f *Facts) { f.Versions = f.Versions[3:] }, NotMet, "triggers began 3 trainings, and none brought forth a version"},
		{"L2.training-auto", "no trigger", func(f *Facts) { f.Versions, f.Trainings = f.Versions[3:], nil }, NotMet, "no trigger began a training in 90 days"},
		{"L2.env-managed", "one environment is lost", func(f *Facts) { f.Versions[0].Environment = "" }, NotMet, "3 of 4 versions with an environment that can be had again"},
		{"L2.reproducible", "it came out different", func(f *Facts) { f.Versions[1].Reproductions[0].Grade = "R0" }, NotMet, "m@3 came out different 30 days ago"},
		{"L2.reproducible", "long ago", func(f *Facts) { f.Versions[1].Reproductions[0].At = ago(200) }, NotMet, "m@3 was made again last 200 days ago"},
		{"L2.reproducible", "never", func(f *Facts) { f.Versions[1].Reproductions = nil }, NoEvidence, "m@3 was never made again"},
		{"L2.tracking-central", "a run without datasets", func(f *Facts) { f.Versions[2].Inputs = 0 }, NotMet, "3 of 4 versions with params, metrics and datasets"},
		{"L2.model-managed", "no owner", func(f *Facts) { f.Duties.Monitor.Owner = "" }, NotMet, "nobody has the duty to monitor it"},
		{"L2.recurring-training", "once", func(f *Facts) { f.Versions = f.Versions[2:] }, NotMet, "1 by triggers in 180 days"},
		{"L2.feature-definitions", "training and serving differ", func(f *Facts) {
			f.Findings = append(f.Findings, monitoring.Finding{ID: "f2", Version: 3, Kind: monitoring.Skew, Text: "adr differs in 3 of 100 rows"})
		}, NotMet, "adr differs in 3 of 100 rows"},
		{"L2.lifecycle-events", "nobody listens", func(f *Facts) { f.Deliveries = nil }, NotMet, "no subscriber took anything of a version in 90 days"},
		{"L2.lifecycle-events", "of no version", func(f *Facts) { f.Deliveries[0].Kind = "drift" }, NotMet, "no subscriber took anything of a version in 90 days"},
		{"L2.lifecycle-events", "long ago", func(f *Facts) { f.Deliveries[0].At = ago(91) }, NotMet, "no subscriber took anything of a version in 90 days"},
		{"L2.compute-managed", "trained elsewhere", func(f *Facts) { f.Versions[0].Source = "s3://…" }, NotMet, "3 of 4 versions trained by a server"},
		{"L2.ds-de-work-together", "one person has both", func(f *Facts) { f.Duties.Retrain.Owner = "ana" }, NotMet, "both duties are ana's"},
		{"L2.ds-de-work-together", "one did nothing", func(f *Facts) { f.Duties.Retrain.Owner = "eve" }, NotMet, "eve applied and approved nothing in 90 days"},
		{"L2.release-low-friction", "it waits for days", func(f *Facts) {
			for i := range f.Rollouts {
				f.Rollouts[i].StartedAt = f.Rollouts[i].StartedAt.Add(-72 * time.Hour)
			}
		}, NotMet, "the median of 4 is 3.5 days"},
		{"L2.scoring-tests", "a test failed", func(f *Facts) { f.Versions[0].Failed = 1 }, NotMet, "1 of 4 versions had no tests of their own that passed"},
		{"L2.scoring-tests", "a report on the version stands in", func(f *Facts) {
			f.Versions[0].Tests = 0
			f.Reports = append(f.Reports, Report{Suite: "unit", Target: Scoring, Status: Pass, Model: "m", Version: 4, At: ago(9)})
		}, Met, "all of 4 did"},

		{"L3.release-auto", "somebody moved one on", byHand, NotMet, "moved on by hand 1 times"},
		{"L3.release-auto", "too few", func(f *Facts) { f.Rollouts = f.Rollouts[2:] }, NoEvidence, "2 of 3 releases were made"},
		{"L3.release-by-ci", "a person began one", func(f *Facts) { f.Rollouts[0].States[0].By = "chen" }, NotMet, "1 of 4 were begun by a person"},
		{"L3.ab-integrated", "nothing said", func(f *Facts) {
			f.Rollouts[2] = rollout(2, 1, 2, 49, "schedule", step{release.Preload, 0, ""}, step{release.Full, 1, "loaded"}, step{release.Succeeded, 2, "nothing to compare it with"})
		}, NotMet, "1 of 3 releases had no comparison"},
		{"L3.ab-integrated", "the first alone", func(f *Facts) { f.Rollouts = f.Rollouts[3:] }, NotApplicable, "a first release has no live version to be compared with"},
		{"L3.traceable", "a link is missing", func(f *Facts) { f.Traced[1].Broken = "v2 has no record" }, NotMet, "1 of 2 predictions lead nowhere: v2 has no record"},
		{"L3.traceable", "no prediction", func(f *Facts) { f.Traced = nil }, NoEvidence, "no prediction was logged"},
		{"L3.envs-managed", "trained where it serves", func(f *Facts) { f.Acts[3].Object = "m@2" }, NotMet, "m@3 was trained where it serves"},
		{"L3.tests-each-release", "integration was not tested", func(f *Facts) { f.Reports = f.Reports[:7] }, NotMet, "3 of 4 versions lack a pass of unit or integration tests"},
		{"L3.all-code-tested", "the pipeline says nothing", func(f *Facts) { f.Reports[1].Suite = "build" }, NoEvidence, "no report from pipeline"},
		{"L3.all-code-tested", "scoring failed", func(f *Facts) { f.Reports[2].Status = Fail }, NotMet, "1 of 3 failed last"},
		{"L3.rollback-proven", "never", func(f *Facts) { f.Rollouts = f.Rollouts[1:] }, NotMet, "nothing was ever taken back, and there was no drill"},
		{"L3.rollback-proven", "too slow", func(f *Facts) { f.Duties.Fix.Within = unit.Duration(time.Minute) }, NotMet, "the last one took 3 minutes, 7 days ago"},
		{"L3.rollback-proven", "what never answered is no proof", func(f *Facts) {
			f.Rollouts[0] = rollout(4, 3, 4, 8, "score", step{release.ShadowPhase, 0, ""}, step{release.Aborting, 1, ""}, step{release.Aborted, 1, ""})
		}, NotMet, "nothing was ever taken back, and there was no drill"},
		{"L3.rollback-proven", "a drill alone", func(f *Facts) {
			f.Rollouts, f.Drills = f.Rollouts[1:], []Drill{{ID: "d1", From: 3, Back: 2, Rows: 200, Took: 2, At: ago(10)}}
		}, Met, "a drill of the way back to v2 held in 2 seconds, 10 days ago"},
		{"L3.rollback-proven", "a drill that is old", func(f *Facts) {
			f.Rollouts, f.Drills = f.Rollouts[1:], []Drill{{ID: "d1", From: 3, Back: 2, Rows: 200, Took: 2, At: ago(212)}}
		}, NotMet, "the last one was 212 days ago"},
		{"L3.rollback-proven", "a drill that failed since", func(f *Facts) {
			f.Drills = []Drill{{ID: "d1", From: 3, Back: 2, Why: "its bytes are gone", At: ago(1)}}
		}, NotMet, "the drill found that the way back from v3 to v2 does not hold: its bytes are gone, yesterday"},
		{"L3.promotion-registry", "built anew", func(f *Facts) { f.Acts = f.Acts[:3] }, NotMet, "no version was brought in from another server in 90 days"},
		{"L3.less-reliance-on-ds", "the author alone", func(f *Facts) { f.Acts[4].Actor, f.Acts[5].Actor = "bo", "local" }, NotMet, "0 people besides the author, in 4 releases"},

		{"L4.retrain-from-production", "no finding before it", func(f *Facts) { f.Findings = nil }, NotMet, "no finding of production brought forth a version in 180 days"},
		{"L4.metrics-verbose", "a gap", func(f *Facts) { f.Drift = f.Drift[1:] }, NotMet, "inputs were watched 40 % of 30 days, predictions 40 %"},
		{"L4.metrics-verbose", "the server was away for three days", func(f *Facts) { f.Hours = slices.Delete(f.Hours, 100, 172) }, NotMet, "requests were counted in 90 % of the hours of 30 days"},
		{"L4.feature-freshness", "no limit", func(f *Facts) { f.Fresh = 0 }, NotMet, "the model file sets no limit"},
		{"L4.feature-freshness", "not looked at", func(f *Facts) { f.Trainings = f.Trainings[1:] }, NotMet, "checked last 20 days ago, by the last training"},
		{"L4.promotion-policy", "moved on by hand", func(f *Facts) { byHand(f); f.Rollouts = f.Rollouts[:2] }, NotMet, "no version of a trigger became live by its plan alone in 180 days"},
		{"L4.promotion-policy", "a gate that asks nothing", func(f *Facts) {
			for i := range f.Versions {
				f.Versions[i].Required = false
			}
		}, NotMet, "no version of a trigger became live by its plan alone in 180 days"},
		{"L4.auto-test-train", "one failed", func(f *Facts) { f.Versions[0].Key = "another" }, NotMet, "1 of 3 ended without one"},
		{"L4.auto-test-train", "a gate that asks nothing", func(f *Facts) { f.Versions[2].Required = false }, NotMet, "1 of 3 ended without one"},
		{"L4.near-zero-downtime", "some failed in a release", func(f *Facts) { f.Hours[1].Generation = 44 }, NotMet, "99.997 % of 100000 requests were answered, 3 failed during releases"},
		{"L4.near-zero-downtime", "too many failed", func(f *Facts) { f.Hours[9].Failed = 200 }, NotMet, "99.797 % of 100200 requests were answered, 0 failed during releases"},
		{"L4.near-zero-downtime", "not counted", func(f *Facts) { f.Hours = nil }, NoEvidence, "requests were counted in 0 % of the hours of 30 days, 0 in all"},
		{"L4.incident-learning", "nothing was changed", func(f *Facts) { f.Incidents[0].Change = "" }, NotMet, "1 of 1 without owner, cause or change"},
		{"L4.incident-learning", "nobody closes it", func(f *Facts) { f.Incidents[0].Opened, f.Incidents[0].Resolved = ago(31), time.Time{} }, NotMet, "1 open for more than 30 days"},
		{"L4.incident-learning", "there was none", func(f *Facts) { f.Incidents = nil }, NotApplicable, "no incident was closed in 90 days"},
		{"L4.duties-covered", "a duty without backup", func(f *Facts) { f.Duties.Fix.Backup = "" }, NotMet, "no model goes live without its four duties: fix has no backup; name an owner and a backup under duties in the model file"},
		{"L4.duties-covered", "nobody came", func(f *Facts) { f.Alerts[0].Acked = nil }, NotMet, "0 of 1 alerts were acknowledged in time"},
		{"L4.duties-covered", "too late", func(f *Facts) { f.Alerts[0].Acked.At = ago(20) }, NotMet, "0 of 1 alerts were acknowledged in time"},
	} {
		t.Run(c.check+": "+c.name, func(t *testing.T) {
			f := good()
			c.spoil(f)
			check, ok := CheckOf(c.check)
			if !ok {
				t.Fatal("there is no such check")
			}
			if got := f.judge(check); got.Verdict != c.want || got.Text != c.text {
				t.Errorf("got %q: %q, want %q: %q", got.Verdict, got.Text, c.want, c.text)
			}
		})
	}
}

func TestNoFactsAreNoEvidenceAndNoPanic(t *testing.T) {
	s := Judge(&Facts{Model: "m", Now: now})
	for _, r := range s.Results {
		if r.Verdict.Holds() {
			t.Errorf("%s holds: %s", r.ID, r.Text)
		}
		if r.Text == "" || r.Next == "" || strings.Contains(r.Next, "MODEL") {
			t.Errorf("%s says %q, next %q", r.ID, r.Text, r.Next)
		}
	}
	if s.Level != 0 {
		t.Errorf("level %d", s.Level)
	}
	Deliver(&Facts{Model: "m", Now: now}, Window)
}

func TestALevelNeedsEveryCheckUpToIt(t *testing.T) {
	f := good()
	f.Versions[1].Reproductions = nil // of level 2
	s := Judge(f)
	if next, _ := s.Next(); s.Level != 1 || next != (Progress{2, 11, 12}) {
		t.Errorf("level %d, next %+v; want 1 and 11 of 12", s.Level, next)
	}
}

func TestAPersonsWordStandsInUntilItEnds(t *testing.T) {
	for _, c := range []struct {
		name string
		a    Attestation
		want Verdict
	}{
		{"of the model", Attestation{Check: "L1.app-tests", Model: "m", At: ago(10), Until: now.Add(time.Hour)}, Attested},
		{"of all models", Attestation{Check: "L1.app-tests", At: ago(10), Until: now.Add(time.Hour)}, Attested},
		{"of another", Attestation{Check: "L1.app-tests", Model: "n", At: ago(10), Until: now.Add(time.Hour)}, NoEvidence},
		{"it ended", Attestation{Check: "L1.app-tests", At: ago(10), Until: now}, NoEvidence},
		{"of another check", Attestation{Check: "L1.build-auto", At: ago(10), Until: now.Add(time.Hour)}, NoEvidence},
	} {
		f := good()
		c.a.ID, c.a.By, c.a.Why = "attestation 1", "ana", "in the shop's CI"
		f.Reports, f.Attestations = nil, []Attestation{c.a}
		check, _ := CheckOf("L1.app-tests")
		got := f.judge(check)
		if got.Verdict != c.want || (got.Until != nil) != (c.want == Attested) {
			t.Errorf("%s: got %s until %v, want %s", c.name, got.Verdict, got.Until, c.want)
		}
		if c.want == Attested && got.Text != "ana says so: in the shop's CI" {
			t.Errorf("%s: %s", c.name, got.Text)
		}
	}
}

func TestOnlyWhatIsDoneElsewhereCanBeAttested(t *testing.T) {
	at := Attestation{Check: "L1.app-tests", Why: "x", At: now, Until: now.Add(Long)}
	for _, c := range []struct {
		name   string
		change func(a *Attestation)
		want   fault.Kind
	}{
		{"a check of records alone", func(a *Attestation) { a.Check = "L3.rollback-proven" }, fault.Refused},
		{"no check", func(a *Attestation) { a.Check = "L9.x" }, fault.Invalid},
		{"for ever", func(a *Attestation) { a.Until = a.Until.Add(time.Second) }, fault.Invalid},
		{"not at all", func(a *Attestation) { a.Until = a.At }, fault.Invalid},
		{"without a reason", func(a *Attestation) { a.Why = " " }, fault.Invalid},
		{"with a book", func(a *Attestation) { a.Why = strings.Repeat("x", 2001) }, fault.Invalid},
	} {
		a := at
		c.change(&a)
		if err := a.Validate(); !fault.Is(err, c.want) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
	if err := at.Validate(); err != nil {
		t.Error(err)
	}
	mixed := 0
	for _, c := range Checks() {
		if c.Kind == Mixed {
			mixed++
		}
	}
	if mixed != 6 {
		t.Errorf("%d checks can be attested, want 6", mixed)
	}
}

func TestReportsThatSayNothingAreRefused(t *testing.T) {
	for name, r := range map[string]Report{
		"target": {Suite: "unit", Target: "web", Status: Pass}, "status": {Suite: "unit", Target: App, Status: "ok"},
		"suite": {Target: App, Status: Pass}, "version of no model": {Suite: "unit", Target: App, Status: Pass, Version: 3},
		"link": {Suite: "unit", Target: App, Status: Pass, Link: "a\x00b"},
	} {
		if err := r.Validate(); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestTogetherIsTheLeastAndTheMiddle(t *testing.T) {
	for _, c := range []struct {
		levels    []int
		low, half int
	}{{nil, 0, 0}, {[]int{3}, 3, 3}, {[]int{4, 1}, 1, 1}, {[]int{4, 0, 2}, 0, 2}, {[]int{4, 1, 3, 2}, 1, 2}} {
		var all []Standing
		for _, l := range c.levels {
			all = append(all, Standing{Level: l})
		}
		if o := Together(now, all); o.Minimum != c.low || o.Median != c.half || len(o.Models) != len(c.levels) {
			t.Errorf("%v: got %d and %d, want %d and %d", c.levels, o.Minimum, o.Median, c.low, c.half)
		}
	}
}
