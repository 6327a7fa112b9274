// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"flyball/event"
	"flyball/fault"
	"flyball/ident"
	"flyball/model/registry"
	"flyball/monitoring"
	"flyball/serving/release"
)

func state(id string, generation int64, phase release.Phase) release.State {
	return release.State{
		ID: id, Model: "churn", Live: 1, Candidate: 2, Phase: phase, Generation: generation, StartedAt: noon, EnteredAt: noon,
		Plan: release.Plan{Canary: []release.Step{{Share: 0.05}}}, Cause: "drift", By: "flyball", Reason: "because",
	}
}

func releases(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	if _, ok, err := db.Release(ctx, "churn"); ok || err != nil {
		t.Errorf("before the first: got %v, %v", ok, err)
	}
	_, err := db.Alias(ctx, "churn", registry.Live)
	wants(t, err, fault.NotFound)
	rec := record("promote", "churn@2")
	check(t, db.SaveRelease(ctx, 0, state("churn/2/1", 1, release.Pending), map[string]int{"candidate": 2, "baseline": 1}, &rec, happening("churn", "pending")))
	check(t, db.SaveRelease(ctx, 1, state("churn/2/1", 2, release.Full), map[string]int{"live": 2, "previous": 1}, nil, happening("churn", "full")))
	check(t, db.SaveRelease(ctx, 2, state("churn/2/1", 3, release.Succeeded), map[string]int{"candidate": 0}, &rec))
	before := must(db.Aliases(ctx, "churn"))(t)
	equal(t, "aliases", before, map[string]int{"live": 2, "previous": 1, "baseline": 1})
	equal(t, "live", must(db.Alias(ctx, "churn", registry.Live))(t), ident.Ref{Model: "churn", Version: 2})
	equal(t, "baseline", must(db.Alias(ctx, "churn", registry.Baseline))(t), ident.Ref{Model: "churn.baseline", Version: 1})

	moves := []registry.Move{ // the newest first; a release that says nothing of who is by the one who started it
		{Model: "churn", Alias: "candidate", At: noon, By: "ana", From: 2},
		{Model: "churn", Alias: "previous", At: noon, By: "flyball", To: 1},
		{Model: "churn", Alias: "live", At: noon, By: "flyball", To: 2},
		{Model: "churn", Alias: "candidate", At: noon, By: "ana", To: 2},
		{Model: "churn", Alias: "baseline", At: noon, By: "ana", To: 1},
	}
	equal(t, "the history of the aliases", must(db.AliasHistory(ctx, "churn"))(t), moves)

	for _, from := range []int64{0, 1, 2, 4} { // none is the generation that the model has
		err := db.SaveRelease(ctx, from, state("churn/3/2", from+1, release.Pending), map[string]int{"live": 9}, &rec, happening("churn", "lost"))
		wants(t, err, fault.Conflict)
	}
	bad := record("promote", "churn@2")
	bad.Data = json.RawMessage(`{`)
	err = db.SaveRelease(ctx, 3, state("churn/3/2", 4, release.Pending), map[string]int{"live": 9}, &bad, happening("churn", "lost"))
	wants(t, err, fault.Invalid)
	wants(t, db.SaveRelease(ctx, 3, state("churn/3/2", 3, release.Pending), nil, nil), fault.Invalid)
	wants(t, db.SaveRelease(ctx, 3, state("churn/3/2", 4, release.Pending), map[string]int{"live": -1}, nil), fault.Invalid)
	equal(t, "aliases after what failed", must(db.Aliases(ctx, "churn"))(t), before)
	equal(t, "their history after what failed", must(db.AliasHistory(ctx, "churn"))(t), moves)
	equal(t, "events", texts(t, db), []string{"pending", "full"})
	if n := must(db.VerifyAudit(ctx))(t); n != 2 {
		t.Errorf("audit records: got %d, want 2", n)
	}

	next := state("churn/3/2", 4, release.Pending)
	check(t, db.SaveRelease(ctx, 3, next, nil, nil))
	got, ok, err := db.Release(ctx, "churn")
	if err != nil || !ok {
		t.Fatalf("got %v, %v", ok, err)
	}
	equal(t, "newest", got, next)
	equal(t, "releases", must(db.Releases(ctx, "churn"))(t), []release.State{next, state("churn/2/1", 3, release.Succeeded)})
	var phases []release.Phase
	for _, s := range must(db.ReleaseHistory(ctx, "churn"))(t) {
		phases = append(phases, s.Phase)
	}
	equal(t, "history", phases, []release.Phase{release.Pending, release.Full, release.Succeeded, release.Pending})
}

func releasesAtOnce(t *testing.T, open Open) {
	db, _ := open(t)
	for from := range int64(4) {
		var won, lost atomic.Int64
		atOnce(8, func(i int) {
			rec := record("promote", "churn")
			err := db.SaveRelease(t.Context(), from, state("churn/2/1", from+1, release.Canary), map[string]int{"live": i + 1}, &rec, happening("churn", "moved"))
			switch {
			case err == nil:
				won.Add(1)
			case fault.Is(err, fault.Conflict):
				lost.Add(1)
			default:
				t.Error(err)
			}
		})
		if won.Load() != 1 || lost.Load() != 7 {
			t.Errorf("generation %d: %d won, %d lost; want 1 and 7", from, won.Load(), lost.Load())
		}
	}
	if n := must(db.VerifyAudit(t.Context()))(t); n != 4 || len(texts(t, db)) != 4 {
		t.Errorf("audit records: got %d, want 4, and as many events: %v", n, texts(t, db))
	}
}

func loops(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	got, generation, err := db.LoopState(ctx, "churn")
	if got != nil || generation != 0 || err != nil {
		t.Errorf("before the first: got %s, %d, %v", got, generation, err)
	}
	check(t, db.SaveLoop(ctx, "churn", 0, json.RawMessage(`{"phase":"steady"}`), nil))
	rec := record("hold", "churn")
	check(t, db.SaveLoop(ctx, "churn", 1, json.RawMessage(`{"phase":"training"}`), &rec, happening("churn", "held")))
	for _, from := range []int64{0, 1, 3} {
		wants(t, db.SaveLoop(ctx, "churn", from, json.RawMessage(`{}`), &rec, happening("churn", "lost")), fault.Conflict)
	}
	got, generation, err = db.LoopState(ctx, "churn")
	if string(got) != `{"phase":"training"}` || generation != 2 || err != nil {
		t.Errorf("got %s, %d, %v", got, generation, err)
	}
	equal(t, "events", texts(t, db), []string{"held"})
	if n := must(db.VerifyAudit(ctx))(t); n != 1 {
		t.Errorf("audit records: got %d, want 1", n)
	}
}

func monitored(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	if got := must(db.MonitorState(ctx, "churn"))(t); got != nil {
		t.Errorf("before the first: got %s", got)
	}
	open1 := monitoring.Finding{ID: "churn/1/drift/age/1", Model: "churn", Version: 1, Kind: monitoring.Drift, Subject: "age", Opened: noon, Text: "drifts"}
	open2 := monitoring.Finding{ID: "hotel/1/score/bias/1", Model: "hotel", Version: 1, Kind: monitoring.Score, Opened: noon.Add(time.Hour), Text: "too high"}
	day := func(d int) monitoring.Window {
		return monitoring.Window{Model: "churn", Version: 1, Start: noon.AddDate(0, 0, d), End: noon.AddDate(0, 0, d+1), Rows: 100 + d}
	}
	check(t, db.SaveMonitoring(ctx, "churn", json.RawMessage(`{"n":1}`), []monitoring.Finding{open1, open2},
		[]monitoring.Window{day(0), day(1), day(2)}, happening("churn", "drifts")))
	closed := open1
	closed.Closed = noon.AddDate(0, 0, 3)
	more := day(2)
	more.Rows = 500
	check(t, db.SaveMonitoring(ctx, "churn", nil, []monitoring.Finding{closed}, []monitoring.Window{more}))
	if got := must(db.MonitorState(ctx, "churn"))(t); string(got) != `{"n":1}` {
		t.Errorf("state: got %s", got)
	}
	equal(t, "windows", must(db.Windows(ctx, "churn", noon.AddDate(0, 0, 1), noon.AddDate(0, 0, 3)))(t), []monitoring.Window{day(1), more})
	equal(t, "findings", must(db.Findings(ctx, "churn", false))(t), []monitoring.Finding{closed})
	equal(t, "open findings", len(must(db.Findings(ctx, "churn", true))(t)), 0)
	equal(t, "findings of all", must(db.Findings(ctx, "", false))(t), []monitoring.Finding{open2, closed})
	equal(t, "open findings of all", must(db.Findings(ctx, "", true))(t), []monitoring.Finding{open2})
	equal(t, "events", texts(t, db), []string{"drifts"})
}

func events(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	changed := db.Changed()
	check(t, db.AddEvents(ctx))
	select {
	case <-changed:
		t.Error("told of events that were not written")
	default:
	}
	check(t, db.AddEvents(ctx, happening("a", "1"), happening("b", "2"), happening("a", "3")))
	select {
	case <-changed:
	default:
		t.Error("not told of new events")
	}
	check(t, db.AddEvents(ctx, happening("", "4")))
	words := func(evs []event.Event) string {
		var s strings.Builder
		for _, e := range evs {
			s.WriteString(e.Text)
		}
		return s.String()
	}
	for _, c := range []struct {
		got  []event.Event
		want string
	}{
		{must(db.Events(ctx, 0, "", 10))(t), "1234"},
		{must(db.Events(ctx, 0, "", 2))(t), "12"},
		{must(db.Events(ctx, 2, "", 10))(t), "34"},
		{must(db.Events(ctx, 4, "", 10))(t), ""},
		{must(db.Events(ctx, 0, "a", 10))(t), "13"},
		{must(db.Events(ctx, 1, "a", 10))(t), "3"},
		{must(db.LastEvents(ctx, "", 2))(t), "34"},
		{must(db.LastEvents(ctx, "a", 9))(t), "13"},
		{must(db.LastEvents(ctx, "b", 1))(t), "2"},
	} {
		if words(c.got) != c.want {
			t.Errorf("got %q, want %q", words(c.got), c.want)
		}
	}
	want := happening("a", "1")
	want.Seq = 1
	equal(t, "an event", must(db.Events(ctx, 0, "", 1))(t), []event.Event{want})
}

func eventsAtOnce(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	const writers, each = 8, 10
	read := make(chan int)
	go func() { // follows until it has all, as a page does
		var last int64
		n := 0
		for n < writers*each*2 && ctx.Err() == nil {
			changed := db.Changed()
			evs, err := db.Events(ctx, last, "", 7)
			if err != nil {
				break
			}
			if len(evs) == 0 {
				select {
				case <-changed:
				case <-ctx.Done():
				}
				continue
			}
			n += len(evs)
			last = evs[len(evs)-1].Seq
		}
		read <- n
	}()
	atOnce(writers, func(int) {
		for range each {
			if err := db.AddEvents(ctx, happening("a", "x"), happening("a", "y")); err != nil {
				t.Error(err)
			}
		}
	})
	select {
	case n := <-read:
		if n != writers*each*2 {
			t.Errorf("read %d events, want %d", n, writers*each*2)
		}
	case <-time.After(20 * time.Second):
		t.Error("the follower missed events")
	}
}
