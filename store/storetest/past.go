// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"flyball/asof"
	"flyball/data/dataset"
	"flyball/event"
	"flyball/fault"
	"flyball/governance/alert"
	"flyball/governance/approval"
	"flyball/governance/audit"
	"flyball/governance/duty"
	"flyball/governance/incident"
	"flyball/governance/maturity"
	"flyball/ident"
	"flyball/job"
	"flyball/model/registry"
	"flyball/monitoring"
	"flyball/serving/release"
	"flyball/store"
)

// readings are all that is told of the past, by name.
func readings(ctx context.Context, db *store.DB) map[string]any {
	type answer struct {
		Value any
		Err   string
	}
	out := map[string]any{}
	add := func(name string, v any, err error) {
		a := answer{Value: v}
		if err != nil {
			a = answer{Err: err.Error()}
		}
		raw, _ := json.MarshalIndent(a, "", " ")
		out[name] = string(raw)
	}
	in := func(name string, read func(context.Context) (any, error)) {
		v, err := read(ctx)
		add(name, v, err)
	}
	v := ident.Ref{Model: "churn", Version: 1}
	untouched := func(m registry.Model) registry.Model { // when it was last touched is not kept
		m.UpdatedAt = time.Time{}
		return m
	}
	in("model", func(ctx context.Context) (any, error) { m, err := db.Model(ctx, "churn"); return untouched(m), err })
	in("models", func(ctx context.Context) (any, error) {
		ms, err := db.Models(ctx)
		for i := range ms {
			ms[i] = untouched(ms[i])
		}
		return ms, err
	})
	in("version", func(ctx context.Context) (any, error) { return db.Version(ctx, v) })
	in("versions", func(ctx context.Context) (any, error) { return db.Versions(ctx, "churn") })
	in("alias", func(ctx context.Context) (any, error) { return db.Alias(ctx, "churn", registry.Live) })
	in("aliases", func(ctx context.Context) (any, error) { return db.Aliases(ctx, "churn") })
	in("moves", func(ctx context.Context) (any, error) { return db.AliasHistory(ctx, "churn") })
	in("release", func(ctx context.Context) (any, error) { s, _, err := db.Release(ctx, "churn"); return s, err })
	in("releases", func(ctx context.Context) (any, error) { return db.Releases(ctx, "churn") })
	in("release history", func(ctx context.Context) (any, error) { return db.ReleaseHistory(ctx, "churn") })
	in("loop", func(ctx context.Context) (any, error) { s, _, err := db.LoopState(ctx, "churn"); return s, err })
	in("findings", func(ctx context.Context) (any, error) { return db.Findings(ctx, "", false) })
	in("open findings", func(ctx context.Context) (any, error) { return db.Findings(ctx, "churn", true) })
	in("windows", func(ctx context.Context) (any, error) {
		return db.Windows(ctx, "churn", noon, noon.Add(1000*time.Hour))
	})
	in("events", func(ctx context.Context) (any, error) { return db.Events(ctx, 0, "", 100) })
	in("last events", func(ctx context.Context) (any, error) { return db.LastEvents(ctx, "churn", 2) })
	in("audit", func(ctx context.Context) (any, error) { return db.FindAudit(ctx, audit.Query{Object: "churn"}, 100) })
	in("acts", func(ctx context.Context) (any, error) { return db.Acts(ctx, "churn", noon) })
	in("alerts", func(ctx context.Context) (any, error) { return db.Alerts(ctx, "", false) })
	in("open alerts", func(ctx context.Context) (any, error) { return db.Alerts(ctx, "churn", true) })
	in("silences", func(ctx context.Context) (any, error) { return db.Silences(ctx) })
	in("absences", func(ctx context.Context) (any, error) { return db.Absences(ctx) })
	in("incidents", func(ctx context.Context) (any, error) { return db.Incidents(ctx, "", false) })
	in("open incidents", func(ctx context.Context) (any, error) { return db.Incidents(ctx, "churn", true) })
	in("drills", func(ctx context.Context) (any, error) { return db.Drills(ctx, "churn", noon) })
	in("approvals", func(ctx context.Context) (any, error) { return db.Approvals(ctx, "churn", false) })
	in("approval", func(ctx context.Context) (any, error) { return db.Approval(ctx, "churn", "1-1") })
	in("snapshots", func(ctx context.Context) (any, error) { return db.Snapshots(ctx, "churn") })
	in("reproductions", func(ctx context.Context) (any, error) { return db.Reproductions(ctx, "churn", 1) })
	in("pipelines", func(ctx context.Context) (any, error) { return db.Pipelines(ctx, "") })
	in("reports", func(ctx context.Context) (any, error) { return db.Reports(ctx, "churn", noon) })
	in("attestations", func(ctx context.Context) (any, error) { return db.Attestations(ctx, noon) })
	return out
}

// past: what every reading said at a moment it says as of that moment, whatever came since;
// and what knows only the present refuses.
func past(t *testing.T, open Open) {
	db, _ := open(t)
	ctx, now := t.Context(), noon
	db.KeepTime(func() time.Time { return now })
	rec := func(action string) *audit.Record {
		r := record(action, "churn")
		r.At = now
		return &r
	}
	told := func(text string) event.Event {
		e := happening("churn", text)
		e.At = now
		return e
	}
	f := monitoring.Finding{ID: "f1", Model: "churn", Version: 1, Kind: "drift", Opened: noon, Text: "moved"}
	a := alert.Open(alert.Cause{Key: "f1", Model: "churn", Kind: "drift", Severity: "warn", Duty: "monitor", Opened: noon, Text: "moved"})
	a.Generation = 1
	ask := approval.Request{ID: "1-1", Model: "churn", Version: 1, Risk: approval.Medium, By: "ana", AskedAt: noon, Expires: noon.Add(approval.Lifetime), Authors: []string{"bo"}}
	file := registry.Model{Name: "churn", File: "kind: Model", Data: map[string]registry.DataFile{"a.csv": {Digest: "d1", Size: 3}}, AppliedBy: "ana"}
	apply := func() {
		file.AppliedAt = now
		_, _, err := db.ApplyModel(ctx, file, *rec("apply"), told("applied"))
		check(t, err)
	}
	states := int64(0)
	rel := func(phase release.Phase, aliases map[string]int) {
		states++
		s := state("churn/1/1", states, phase)
		check(t, db.SaveRelease(ctx, states-1, s, aliases, rec("release"), told(string(phase))))
	}
	steps := []func(){
		apply,
		func() {
			v := version("churn", "k1")
			v.CreatedAt = noon.Add(-time.Hour) // it was begun before
			must(db.AddVersion(ctx, v, told("trained")))(t)
			check(t, db.AddSnapshot(ctx, dataset.Made{Model: "churn", ID: "s", At: now, Rows: 3, Bytes: 4, Cause: "first"}))
			check(t, db.SaveLoop(ctx, "churn", 0, json.RawMessage(`{"phase":"releasing"}`), nil))
			check(t, db.AskApproval(ctx, ask, *rec("ask approval"), told("v1 waits")))
		},
		func() {
			check(t, db.ChangeApproval(ctx, "churn", "1-1", func(r approval.Request) (approval.Request, *audit.Record, []event.Event, error) {
				r.Given = append(r.Given, approval.Given{Kind: approval.Approve, By: "vera", At: now})
				r.Ended = &approval.Ended{State: approval.Approved, At: now}
				return r, rec("approve"), nil, nil
			}))
			rel(release.Pending, map[string]int{registry.Candidate: 1})
		},
		func() { rel(release.Succeeded, map[string]int{registry.Candidate: 0, registry.Live: 1}) },
		func() {
			file.File = "kind: Model # anew"
			apply()
			check(t, db.SaveLoop(ctx, "churn", 1, json.RawMessage(`{"phase":"steady"}`), nil))
			w := monitoring.Window{Model: "churn", Version: 1, Start: noon, End: now, Features: []monitoring.Counts{}}
			f.Opened = now
			check(t, db.SaveMonitoring(ctx, "churn", json.RawMessage(`{"suspects":["x"],"more":1}`), []monitoring.Finding{f}, []monitoring.Window{w}, told("moved")))
			check(t, db.SaveAlert(ctx, a, nil, nil, told("ana is told")))
			check(t, db.KeepSilence(ctx, alert.Silence{Model: "churn", Until: now, By: "ana", At: now, Why: "known"}, *rec("silence"), told("silence")))
			check(t, db.KeepAbsence(ctx, duty.Absence{Person: "bo", From: now, To: now.Add(time.Hour)}, *rec("away"), told("bo is away")))
			check(t, db.OpenIncident(ctx, incident.Incident{ID: "i1", Model: "churn", Opened: now, By: "ana"}, "it answers nonsense"))
		},
		func() {
			f.Closed = now
			check(t, db.SaveMonitoring(ctx, "churn", json.RawMessage(`{"more":2}`), []monitoring.Finding{f}, nil, told("as before")))
			next, _ := a.Acknowledge("ana", "on it", now)
			next.Generation, next.Closed = 2, now
			check(t, db.SaveAlert(ctx, next, nil, rec("acknowledge")))
			check(t, db.KeepAbsence(ctx, duty.Absence{Person: "bo", From: now, To: now.Add(2 * time.Hour)}, *rec("away"), told("bo is away longer")))
			check(t, db.ChangeIncident(ctx, "i1", func(i incident.Incident) (incident.Incident, audit.Record, event.Event, error) {
				i.Resolved = now
				r := *rec("close incident")
				return i, r, told("closed"), nil
			}))
			check(t, db.KeepSilence(ctx, alert.Silence{Model: "churn", Until: now.Add(time.Hour), By: "bo", At: now, Why: "still"}, *rec("silence"), told("silence")))
			check(t, db.AddReproduction(ctx, registry.Reproduction{Ref: ident.Ref{Model: "churn", Version: 1}, ID: "r1", At: now, Grade: "R3", Report: json.RawMessage(`{}`)}))
			_, _, err := db.AddPipeline(ctx, registry.Pipeline{Name: "p", File: "kind: Pipeline", AppliedAt: now, AppliedBy: "ana"})
			check(t, err)
			check(t, db.AddReport(ctx, maturity.Report{ID: "report 1", Model: "churn", At: now, By: "ci"}, *rec("report"), told("reported")))
			check(t, db.AddDrill(ctx, maturity.Drill{ID: "drill 1", Model: "churn", At: now, By: "ana"}, *rec("drill"), told("tried")))
			check(t, db.AddAttestation(ctx, maturity.Attestation{ID: "attestation 1", Model: "churn", At: now, Until: now.Add(time.Hour), By: "ana"}, *rec("attest"), told("attested")))
		},
		func() { rel(release.RolledBack, map[string]int{registry.Live: 0}) },
	}
	type moment struct {
		at   time.Time
		said map[string]any
	}
	var moments []moment
	for _, step := range steps {
		step()
		moments = append(moments, moment{now.Add(time.Minute), readings(ctx, db)})
		now = now.Add(time.Hour)
	}
	for i, m := range moments {
		if diff := cmp.Diff(m.said, readings(asof.With(ctx, m.at), db)); diff != "" {
			t.Errorf("after step %d: said then (-) and as of then (+):\n%.2000s", i+1, diff)
		}
	}
	at := func(i int) context.Context { return asof.With(ctx, moments[i].at) }
	equal(t, "suspects", string(must(db.MonitorState(at(4), "churn"))(t)), `{"suspects":["x"]}`)
	equal(t, "no suspects", string(must(db.MonitorState(at(6), "churn"))(t)), `{}`)
	equal(t, "the first record", must(db.FirstKept(ctx))(t), noon)

	now = now.Add(time.Hour)
	j := must(db.AddJob(ctx, job.Job{Kind: "train", Model: "churn", Input: json.RawMessage(`{}`), AddedAt: now}))(t)
	check(t, db.CancelJob(ctx, j.ID, now.Add(time.Hour), nil))
	wants(t, second(db.Job(at(6), j.ID)), fault.NotFound)
	equal(t, "under way", must(db.Job(asof.With(ctx, now), j.ID))(t).State, job.Running)
	equal(t, "over", must(db.Job(asof.With(ctx, now.Add(time.Hour)), j.ID))(t).State, job.Canceled)

	for name, err := range map[string]error{
		"tokens":    second(db.Tokens(at(3))),
		"a change":  db.AddEvents(at(3), told("no")),
		"the chain": second(db.VerifyAudit(at(3))),
	} {
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%s of the past: got %v, want a refusal", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }
