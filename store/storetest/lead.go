// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"database/sql"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"flyball/event"
	"flyball/fault"
	"flyball/governance/access"
	"flyball/serving/release"
	"flyball/serving/replica"
	"flyball/store"
)

// expire has every lease end now, as if time had gone by.
func expire(t *testing.T, raw *sql.DB, table string) {
	t.Helper()
	if _, err := raw.ExecContext(t.Context(), "UPDATE "+table+" SET until_at = 1"); err != nil {
		t.Fatal(err)
	}
}

func leads(t *testing.T, open Open) {
	db, raw := open(t)
	ctx := t.Context()
	ask := func(holder string) (store.Leader, bool) {
		t.Helper()
		l, ok, err := db.Lead(ctx, holder, "http://"+holder, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		return l, ok
	}
	change := func() error { return db.AddEvents(ctx, event.Event{At: time.Now(), Kind: "note", Text: "something"}) }
	if _, any, err := db.Leader(ctx); any || err != nil {
		t.Errorf("before anybody led: got %v, %v", any, err)
	}
	for _, c := range []struct {
		what   string
		holder string
		leader string
		fence  int64
		ok     bool
	}{
		{"the first who asks leads", "a", "a", 1, true},
		{"while it does, nobody else", "b", "a", 1, false},
		{"it renews under the same fence", "a", "a", 1, true},
	} {
		l, ok := ask(c.holder)
		if want := (store.Leader{Holder: c.leader, Address: "http://" + c.leader, Fence: c.fence}); ok != c.ok || l != want {
			t.Errorf("%s: got %+v, %v", c.what, l, ok)
		}
	}
	db.Behind(1)
	if err := change(); err != nil {
		t.Errorf("who leads may change: %v", err)
	}
	expire(t, raw, "leases")
	if _, any, err := db.Leader(ctx); any || err != nil {
		t.Errorf("after the lease: got %v, %v", any, err)
	}
	if err := change(); err != nil {
		t.Errorf("while nobody followed it, it may: %v", err)
	}
	if l, ok := ask("b"); !ok || l.Fence != 2 {
		t.Errorf("the next has a greater fence: got %+v, %v", l, ok)
	}
	if err := change(); !store.Deposed(err) || !fault.Is(err, fault.Unavailable) {
		t.Errorf("who was followed: got %v", err)
	}
	if l, ok := ask("a"); ok || l.Holder != "b" {
		t.Errorf("it stands by: got %+v, %v", l, ok)
	}
	if err := db.Resign(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if l, any, err := db.Leader(ctx); !any || l.Holder != "b" || err != nil {
		t.Errorf("who does not lead cannot resign: got %+v, %v, %v", l, any, err)
	}
	if err := db.Resign(ctx, "b"); err != nil {
		t.Fatal(err)
	}
	if l, ok := ask("a"); !ok || l.Fence != 3 {
		t.Errorf("after a resignation at once: got %+v, %v", l, ok)
	}
	db.Behind(3)
	if err := change(); err != nil {
		t.Error(err)
	}
}

func replicasReport(t *testing.T, open Open) {
	db, raw := open(t)
	ctx := t.Context()
	hour := release.Hour{Model: "m", Start: time.Unix(7200, 0).UTC(), Generation: 3, Answered: 5, Rows: 50}
	r := replica.Report{
		Name: "r1", Process: "r1/a", Build: "1", Version: 7, Hours: []release.Hour{hour},
		Models: []replica.Held{{Model: "m", Generation: 3, Candidate: 2}},
	}
	for range 2 { // a report that came twice counts once
		g, err := db.KeepReplica(ctx, r, time.Minute)
		if err != nil || g.Lease != time.Minute || time.Since(g.Now).Abs() > time.Minute {
			t.Fatalf("got %+v, %v", g, err)
		}
	}
	got, err := db.Replicas(ctx)
	if err != nil || len(got) != 1 || !got[0].Leased || time.Since(got[0].Seen).Abs() > time.Minute {
		t.Fatalf("got %+v, %v", got, err)
	}
	r.Hours = nil
	if diff := cmp.Diff(got[0].Report, r); diff != "" {
		t.Error(diff)
	}
	if got, want := got[0].Of("m"), (release.Replica{Name: "r1", Generation: 3, Candidate: 2}); got != want {
		t.Errorf("got %+v", got)
	}
	if got, want := got[0].Of("other"), (release.Replica{Name: "r1"}); got != want {
		t.Errorf("got %+v", got)
	}
	counted, err := db.Hours(ctx, "m", time.Unix(0, 0))
	if err != nil || len(counted) != 1 || counted[0] != hour {
		t.Errorf("got %+v, %v", counted, err)
	}
	if err := db.ForgetReplica(ctx, "r1", "r1/before"); err != nil {
		t.Fatal(err)
	}
	if got, err := db.Replicas(ctx); err != nil || !got[0].Leased {
		t.Errorf("a run before this one has no lease to give back: got %+v, %v", got, err)
	}
	if err := db.ForgetReplica(ctx, "r1", "r1/a"); err != nil {
		t.Fatal(err)
	}
	if got, err := db.Replicas(ctx); err != nil || len(got) != 1 || got[0].Leased {
		t.Errorf("who left is not counted on: got %+v, %v", got, err)
	}
	if _, err := db.KeepReplica(ctx, r, time.Minute); err != nil {
		t.Fatal(err)
	}
	expire(t, raw, "replicas")
	if got, err := db.Replicas(ctx); err != nil || got[0].Leased {
		t.Errorf("a lease ends by itself: got %+v, %v", got, err)
	}
}

func desiredChanges(t *testing.T, open Open) {
	db, raw := open(t)
	ctx := t.Context()
	if d, err := db.Desired(ctx); d.Version != 0 || err != nil {
		t.Errorf("at first: got %+v, %v", d, err)
	}
	save := func(d replica.Desired, version, fence int64) {
		t.Helper()
		got, err := db.SaveDesired(ctx, d)
		if err != nil || got.Version != version || got.Fence != fence {
			t.Errorf("got %+v, %v; want version %d under fence %d", got, err, version, fence)
		}
		kept, err := db.Desired(ctx)
		if err != nil || !cmp.Equal(kept, got) {
			t.Errorf("got %+v, %v", kept, err)
		}
	}
	one := replica.Desired{Models: []replica.Model{{Name: "m", Route: release.Route{Model: "m", Generation: 1, Live: 1}}}}
	two := one
	two.Users = []access.User{{Name: "bo"}}
	save(one, 1, 0)
	save(one, 1, 0) // nothing new
	save(two, 2, 0)
	save(one, 3, 0)
	if _, _, err := db.Lead(ctx, "a", "", time.Minute); err != nil {
		t.Fatal(err)
	}
	db.Behind(1)
	save(one, 4, 1) // another leads: replicas must know
	save(one, 4, 1)
	expire(t, raw, "leases")
	if _, _, err := db.Lead(ctx, "b", "", time.Minute); err != nil {
		t.Fatal(err)
	}
	if _, err := db.SaveDesired(ctx, two); !store.Deposed(err) {
		t.Errorf("who was followed by another: got %v", err)
	}
}
