// SPDX-License-Identifier: Apache-2.0

// Package storetest is the one suite that the store passes on every engine. Only
// tests import it.
package storetest

import (
	"database/sql"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"flyball/event"
	"flyball/fault"
	"flyball/governance/audit"
	"flyball/ident"
	"flyball/model/registry"
	"flyball/store"
)

// Open gives a test an empty database and, for what is done behind the store's back,
// a connection to the same one.
type Open func(t *testing.T) (*store.DB, *sql.DB)

// Run runs the suite.
func Run(t *testing.T, open Open) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, open Open)
	}{
		{"a model rises in generation only when something changed", models},
		{"a pipeline has a version for each text, and its models move with it", pipelines},
		{"each time that a version was made again is kept once", reproductions},
		{"a version of another server is brought in once, under its number where that is free", brought},
		{"a snapshot is noted once for a model, and forgotten when nothing needs it", snapshots},
		{"versions are numbered for each model, once for each key", versions},
		{"registering at once gives each version its number", versionsAtOnce},
		{"a model that a client registers is kept with its tags until it is deleted", registered},
		{"a registered model that is applied keeps its versions and aliases", adopted},
		{"a renamed model keeps everything", renamed},
		{"versions that clients register count on from the highest ever used", registeredVersions},
		{"versions are found with the gate's report, or in brief", reports},
		{"clients that register at once get different numbers", registeredAtOnce},
		{"clients that change a model at once hinder nobody for long", registryAtOnce},
		{"a stage archives its predecessors", stages},
		{"a registered version takes its verdict once", judged},
		{"every move of an alias is kept with who, when, from and to", aliasHistory},
		{"what decides traffic is not for clients to move or delete", careful},
		{"a source's run and logged model are found where they lie", sources},
		{"a release is kept with its aliases, its record and its events, or not at all", releases},
		{"of releases decided on the same state one wins", releasesAtOnce},
		{"the loop's state is compared before it is set", loops},
		{"what monitoring found is kept, and kept anew", monitored},
		{"a job is added once for its key", jobsAdded},
		{"a job goes to one worker at a time", jobsClaimed},
		{"a worker whose lease ended cannot end the job", jobsFenced},
		{"the jobs of workers that are known dead are taken over at once", jobsOfTheDead},
		{"jobs claimed at once are each claimed once", jobsAtOnce},
		{"a job is given back, canceled, and failed when it never ends", jobsEnded},
		{"events are read in order and from the end", events},
		{"events written at once are all read by one that follows", eventsAtOnce},
		{"the audit chain holds, also when written at once", auditAtOnce},
		{"an audit chain that was touched is found", auditTouched},
		{"a hundred edits of the audit chain are all found", auditEdited},
		{"records that were cut off are found by an anchor", auditCutOff},
		{"audit records are found by who, what and when", auditFound},
		{"what happened to a sealed file is recorded once", sealedFiles},
		{"users are changed one after the other, each with its record", users},
		{"tokens and sessions end once", tokens},
		{"a request for leave is asked once, and changed one after the other", approvals},
		{"an absence takes the place of the one before, and a hand-over is told once", turns},
		{"the authors of a version are all who had a hand in it", authors},
		{"what people and programs say is found while it counts, with its record", statements},
		{"who changed a model or its versions is found", acts},
		{"an alert changes with its messages, its record and its events, or not at all", alerts},
		{"a message goes to one sender at a time until it is sent", outbox},
		{"one leads at a time, and whoever was followed by another changes nothing", leads},
		{"a replica is counted on while it reports", replicasReport},
		{"what replicas are to serve has a version for each change", desiredChanges},
		{"what a process counted of an hour is kept in the place of what it kept before", hoursKept},
		{"the newest checkpoint is the one that was set last", checkpoints},
		{"what processes share is what was offered first", shares},
		{"events go into the outbox once, and what a subscriber took is kept", tellings},
		{"what was said then is what is said as of then", past},
		{"an incident is opened once, and changed one after the other, each time with its record", incidents},
		{"what no engine keeps is said, or kept as near as can be", odd},
		{"files are kept under their paths, in their folders", artifacts},
		{"a tree of files is removed without its neighbours", artifactsRemoved},
		{"files put and removed at once stay in their folders and within their quota", artifactsAtOnce},
		{"what was deleted long ago is found, and removed unless it is used", expired},
		{"every digest of a record is in its documents", documents},
		{"a check finds a whole database whole", health},
		{"tracking", tracking},
		{"logging", loggingTests},
		{"history", histories},
		{"keeping", keeping},
		{"records are brought in once, and taken out as they were", archives},
		{"what is here and different is named and left as it is", archivesDiffer},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open) })
	}
}

// noon is a moment with microseconds, in UTC.
var noon = time.Date(2016, 5, 3, 12, 0, 0, 123_456_000, time.UTC)

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func wants(t *testing.T, err error, kind fault.Kind) {
	t.Helper()
	if !fault.Is(err, kind) {
		t.Errorf("got %v, want a fault that is %s", err, kind)
	}
}

func record(action, object string) audit.Record {
	return audit.Record{At: noon, Actor: "ana", Action: action, Object: object, Data: json.RawMessage(`{"a": 1}`)}
}

func happening(model, text string) event.Event {
	return event.Event{At: noon, Model: model, By: "ana", Mark: event.OK, Kind: "apply", Text: text, Command: "flyball status", Data: json.RawMessage(`{"rows":3}`)}
}

// texts are the sentences of all events.
func texts(t *testing.T, db *store.DB) []string {
	t.Helper()
	var out []string
	for _, e := range must(db.Events(t.Context(), 0, "", 1000))(t) {
		out = append(out, e.Text)
	}
	return out
}

// atOnce runs n functions at the same moment.
func atOnce(n int, do func(i int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			do(i)
		})
	}
	close(start)
	all.Wait()
}

func models(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	_, err := db.Model(ctx, "churn")
	wants(t, err, fault.NotFound)
	m := registry.Model{
		Name: "churn", File: "kind: Model\n", Pipeline: "kind: Pipeline\n", AppliedAt: noon, AppliedBy: "ana",
		Data: map[string]registry.DataFile{"a.csv": {Digest: "aa", Size: 3}},
	}
	for _, c := range []struct {
		name       string
		change     func()
		changed    bool
		generation int64
	}{
		{"first", func() {}, true, 1},
		{"the same again", func() { m.AppliedAt, m.AppliedBy = noon.Add(time.Hour), "bo" }, false, 1},
		{"the same from another commit", func() {
			m.Commit = &registry.Commit{Repository: "https://example.com/r", ID: "c0ffee", Changed: []string{"train.py"}}
		}, false, 1},
		{"another file", func() { m.File = "kind: Model\nname: churn\n" }, true, 2},
		{"another pipeline", func() { m.Pipeline = "" }, true, 3},
		{"other data", func() { m.Data = map[string]registry.DataFile{"a.csv": {Digest: "bb", Size: 3}} }, true, 4},
	} {
		c.change()
		got, changed, err := db.ApplyModel(ctx, m, record("apply", "churn"), happening("churn", c.name))
		check(t, err)
		if changed != c.changed || got.Generation != c.generation {
			t.Errorf("%s: got generation %d, changed %v; want %d, %v", c.name, got.Generation, changed, c.generation, c.changed)
		}
		equal(t, c.name, must(db.Model(ctx, "churn"))(t), got)
	}
	m.Generation, m.CreatedAt, m.UpdatedAt = 4, noon, noon.Add(time.Hour)
	equal(t, "the model", must(db.Model(ctx, "churn"))(t), m)
	equal(t, "events", texts(t, db), []string{"first", "another file", "another pipeline", "other data"})
	if n := must(db.VerifyAudit(ctx))(t); n != 4 {
		t.Errorf("audit records: got %d, want 4", n)
	}
	a := registry.Model{Name: "a-b", File: "kind: Model\n", AppliedAt: noon}
	_, _, err = db.ApplyModel(ctx, a, record("apply", "a-b"), happening("a-b", "x"))
	check(t, err)
	a.Generation, a.CreatedAt, a.UpdatedAt = 1, noon, noon
	equal(t, "models", must(db.Models(ctx))(t), []registry.Model{a, m})
}

func version(model, key string) registry.Version {
	return registry.Version{
		Ref: ident.Ref{Model: model}, Bundle: "b1", Judged: "b0", Snapshot: "s", Record: "r", SeenUntil: noon, Verdict: "pass",
		Report: json.RawMessage(`{"pass":true,"x":1e-7}`), Cause: "drift", CreatedAt: noon, CreatedBy: "flyball", Key: key,
	}
}

func versions(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	one := must(db.AddVersion(ctx, version("churn", "k1"), happening("churn", "trained 1")))(t)
	want := version("churn", "k1")
	want.Version, want.Stage, want.UpdatedAt = 1, registry.None, noon
	equal(t, "the version", one, want)
	again := version("churn", "k1")
	again.Bundle = "other"
	equal(t, "the same key again", must(db.AddVersion(ctx, again, happening("churn", "trained again")))(t), want)
	for i, c := range []struct {
		v    registry.Version
		want string
	}{
		{version("churn", ""), "churn@2"},
		{version("churn", ""), "churn@3"},
		{version("churn", "k2"), "churn@4"},
		{version(registry.BaselineOf("churn"), "k1"), "churn.baseline@1"},
		{version("hotel", "k1"), "hotel@1"},
	} {
		if got := must(db.AddVersion(ctx, c.v))(t); got.String() != c.want {
			t.Errorf("%d: got %s, want %s", i, got.Ref, c.want)
		}
	}
	equal(t, "by name", must(db.Version(ctx, one.Ref))(t), one)
	_, err := db.Version(ctx, ident.Ref{Model: "churn", Version: 9})
	wants(t, err, fault.NotFound)
	bare := registry.Version{Ref: ident.Ref{Model: "bare"}, CreatedAt: noon}
	bare = must(db.AddVersion(ctx, bare))(t)
	equal(t, "one of which little is known", must(db.Version(ctx, bare.Ref))(t),
		registry.Version{Ref: ident.Ref{Model: "bare", Version: 1}, CreatedAt: noon, UpdatedAt: noon, Stage: registry.None})
	var numbers []int
	for _, v := range must(db.Versions(ctx, "churn"))(t) {
		numbers = append(numbers, v.Version)
	}
	equal(t, "numbers", numbers, []int{4, 3, 2, 1})
	equal(t, "events", texts(t, db), []string{"trained 1"})
}

func versionsAtOnce(t *testing.T, open Open) {
	db, _ := open(t)
	var mu sync.Mutex
	numbers := map[int]string{}
	atOnce(12, func(i int) {
		key := []string{"a", "b", "c"}[i%3]
		v, err := db.AddVersion(t.Context(), version("churn", key))
		if err != nil {
			t.Error(err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if have, ok := numbers[v.Version]; ok && have != key || v.Key != key {
			t.Errorf("version %d was given to %s and to %s", v.Version, have, key)
		}
		numbers[v.Version] = key
	})
	if len(numbers) != 3 || numbers[1] == "" || numbers[2] == "" || numbers[3] == "" {
		t.Errorf("got %v, want the numbers 1 to 3, one for each key", numbers)
	}
}

func odd(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	_, _, err := db.ApplyModel(ctx, registry.Model{Name: "churn"}, audit.Record{At: noon, Actor: "a\x00b", Data: json.RawMessage(`{"x":"\u0000"}`)},
		event.Event{At: noon, Text: "half a rune: \xc3"})
	check(t, err)
	equal(t, "event", texts(t, db), []string{"half a rune: \uFFFD"})
	if n := must(db.VerifyAudit(ctx))(t); n != 1 {
		t.Errorf("audit records: got %d, want 1", n)
	}
	if _, err := db.AddAudit(ctx, audit.Record{Data: json.RawMessage(`{`)}); !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v, want invalid", err)
	}
	if got := must(db.Audit(ctx, 0, 10))(t); len(got) != 1 || got[0].Actor != "a\uFFFDb" {
		t.Errorf("got %+v", got)
	}
}

func health(t *testing.T, open Open) {
	db, _ := open(t)
	h := must(db.Check(t.Context()))(t)
	if h.Schema == 0 || h.Schema != h.Newest || h.Server == "" {
		t.Errorf("got %+v", h)
	}
}
