// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"flyball/fault"
	"flyball/governance/audit"
	"flyball/job"
	"flyball/store"
)

func queued(t *testing.T, db *store.DB, kind, key string) job.Job {
	t.Helper()
	return must(db.AddJob(t.Context(), job.Job{Kind: kind, Key: key, Model: "churn", Input: json.RawMessage(`{"seed":7}`), AddedAt: noon}))(t)
}

// claim claims a train job for a lease; an empty one when there is none.
func claim(t *testing.T, db *store.DB, lease time.Duration) job.Job {
	t.Helper()
	j, ok, err := db.ClaimJob(t.Context(), []string{"other", "train"}, "w", lease, 3)
	check(t, err)
	if ok != (j.ID != "") {
		t.Errorf("got %+v with %v", j, ok)
	}
	return j
}

func jobsAdded(t *testing.T, open Open) {
	db, _ := open(t)
	a := queued(t, db, "train", "k1")
	want := job.Job{ID: a.ID, Kind: "train", Key: "k1", Model: "churn", Input: json.RawMessage(`{"seed":7}`), State: job.Queued, AddedAt: noon}
	equal(t, "the job", a, want)
	if a.ID == "" {
		t.Error("the job has no id")
	}
	equal(t, "the same key again", queued(t, db, "train", "k1"), a)
	b := queued(t, db, "reproduce", "k1")
	c := queued(t, db, "train", "")
	d := queued(t, db, "train", "")
	if b.ID == a.ID || c.ID == d.ID {
		t.Errorf("jobs share an id: %s %s %s %s", a.ID, b.ID, c.ID, d.ID)
	}
	equal(t, "by id", must(db.Job(t.Context(), a.ID))(t), a)
	equal(t, "newest first", must(db.Jobs(t.Context(), "churn", 2))(t), []job.Job{d, c})
	equal(t, "of all models", len(must(db.Jobs(t.Context(), "", 10))(t)), 4)
	equal(t, "of another model", len(must(db.Jobs(t.Context(), "hotel", 10))(t)), 0)
	_, err := db.Job(t.Context(), "none")
	wants(t, err, fault.NotFound)
	atOnce(8, func(int) {
		if j, err := db.AddJob(t.Context(), job.Job{Kind: "train", Key: "k9", AddedAt: noon}); err != nil || j.Key != "k9" {
			t.Errorf("got %+v, %v", j, err)
		}
	})
	equal(t, "added at once", len(must(db.Jobs(t.Context(), "", 10))(t)), 5)
}

func jobsClaimed(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	if j := claim(t, db, time.Minute); j.ID != "" {
		t.Errorf("got %+v from an empty queue", j)
	}
	if _, ok, err := db.ClaimJob(ctx, nil, "w", time.Minute, 3); ok || err != nil {
		t.Errorf("without kinds: got %v, %v", ok, err)
	}
	reproduce, first, second := queued(t, db, "reproduce", "0"), queued(t, db, "train", "1"), queued(t, db, "train", "2")
	a, b := claim(t, db, time.Minute), claim(t, db, time.Minute)
	if a.ID != first.ID || b.ID != second.ID || claim(t, db, time.Minute).ID != "" {
		t.Errorf("got %s and %s, want %s and %s", a.Key, b.Key, first.Key, second.Key)
	}
	if a.State != job.Running || a.Attempt != 1 || b.Fence <= a.Fence {
		t.Errorf("got %+v and %+v", a, b)
	}
	check(t, db.RenewJob(ctx, a.ID, a.Fence, time.Minute, "40 of 100 trees"))
	if got := must(db.Job(ctx, a.ID))(t); got.Progress != "40 of 100 trees" {
		t.Errorf("got %+v", got)
	}
	check(t, db.EndJob(ctx, a.ID, a.Fence, job.Done, json.RawMessage(`{"version":1}`), "", noon))
	check(t, db.EndJob(ctx, b.ID, b.Fence, job.Failed, nil, "half a rune \xc3 and a zero \x00", noon))
	got := must(db.Job(ctx, a.ID))(t)
	if got.State != job.Done || string(got.Result) != `{"version":1}` || !got.EndedAt.Equal(noon) {
		t.Errorf("got %+v", got)
	}
	if got := must(db.Job(ctx, b.ID))(t); got.State != job.Failed || got.Error != "half a rune \uFFFD and a zero \uFFFD" {
		t.Errorf("got %+v", got)
	}
	wants(t, db.EndJob(ctx, reproduce.ID, 0, job.Done, nil, "", noon), fault.Conflict)
	wants(t, db.EndJob(ctx, reproduce.ID, 0, job.Running, nil, "", noon), fault.Invalid)
}

func jobsFenced(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	queued(t, db, "train", "1")
	lost := claim(t, db, 0) // its lease ends as it begins
	taken := claim(t, db, time.Minute)
	if taken.ID != lost.ID || taken.Attempt != 2 || taken.Fence <= lost.Fence {
		t.Fatalf("got %+v after %+v, want the job taken over", taken, lost)
	}
	wants(t, db.RenewJob(ctx, lost.ID, lost.Fence, time.Hour, "still here"), fault.Conflict)
	wants(t, db.EndJob(ctx, lost.ID, lost.Fence, job.Done, json.RawMessage(`"late"`), "", noon), fault.Conflict)
	wants(t, db.ReturnJob(ctx, lost.ID, lost.Fence), fault.Conflict)
	if got := must(db.Job(ctx, lost.ID))(t); got.State != job.Running || got.Result != nil || got.Progress != "" {
		t.Errorf("the lost worker wrote: %+v", got)
	}
	check(t, db.EndJob(ctx, taken.ID, taken.Fence, job.Done, nil, "", noon))
	wants(t, db.EndJob(ctx, taken.ID, taken.Fence, job.Failed, nil, "twice", noon), fault.Conflict)
}

func jobsOfTheDead(t *testing.T, open Open) {
	db, _ := open(t)
	queued(t, db, "train", "k1")
	first := claim(t, db, time.Hour)
	equal(t, "while its worker may live", claim(t, db, time.Hour), job.Job{})
	equal(t, "leases ended", must(db.EndLeases(t.Context()))(t), 1)
	equal(t, "and again", must(db.EndLeases(t.Context()))(t), 0)
	next := claim(t, db, time.Hour)
	if next.ID != first.ID || next.Attempt != 2 || next.Fence <= first.Fence {
		t.Errorf("got %+v after %+v", next, first)
	}
	wants(t, db.EndJob(t.Context(), first.ID, first.Fence, job.Done, nil, "", noon), fault.Conflict)
	check(t, db.EndJob(t.Context(), next.ID, next.Fence, job.Done, nil, "", noon))
	equal(t, "a job that ended", must(db.EndLeases(t.Context()))(t), 0)
}

func jobsAtOnce(t *testing.T, open Open) {
	db, _ := open(t)
	const n = 12
	for i := range n {
		queued(t, db, "train", strconv.Itoa(i))
	}
	var mu sync.Mutex
	times, fences := map[string]int{}, map[int64]bool{}
	atOnce(6, func(int) {
		for {
			j, ok, err := db.ClaimJob(t.Context(), []string{"train"}, "w", time.Minute, 3)
			if err != nil {
				t.Error(err)
			}
			if !ok || err != nil {
				return
			}
			mu.Lock()
			times[j.ID]++
			fences[j.Fence] = true
			mu.Unlock()
		}
	})
	for id, k := range times {
		if k != 1 {
			t.Errorf("job %s was claimed %d times", id, k)
		}
	}
	if len(times) != n || len(fences) != n {
		t.Errorf("got %d jobs with %d fences, want %d", len(times), len(fences), n)
	}
}

func jobsEnded(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	queued(t, db, "train", "1")
	j := claim(t, db, time.Minute)
	check(t, db.ReturnJob(ctx, j.ID, j.Fence))
	if got := must(db.Job(ctx, j.ID))(t); got.State != job.Queued || got.Attempt != 0 {
		t.Errorf("given back: got %+v", got)
	}
	for attempt := 1; attempt <= 3; attempt++ {
		if got := claim(t, db, 0); got.Attempt != attempt {
			t.Errorf("got attempt %d, want %d", got.Attempt, attempt)
		}
	}
	second := queued(t, db, "train", "2")
	if got := claim(t, db, time.Minute); got.ID != second.ID {
		t.Errorf("got %+v, want the job behind the one that never ends", got)
	}
	if got := must(db.Job(ctx, j.ID))(t); got.State != job.Failed || !strings.HasPrefix(got.Error, "started 3 times and never ended") || got.EndedAt.IsZero() {
		t.Errorf("got %+v, want it failed", got)
	}
	running := must(db.Job(ctx, second.ID))(t)
	rec := audit.Record{At: noon, Actor: "bo", Action: "cancel", Object: second.ID}
	check(t, db.CancelJob(ctx, second.ID, noon, &rec, happening("churn", "canceled")))
	wants(t, db.RenewJob(ctx, second.ID, running.Fence, time.Minute, ""), fault.Conflict)
	wants(t, db.CancelJob(ctx, second.ID, noon, &rec, happening("churn", "again")), fault.Conflict)
	wants(t, db.CancelJob(ctx, "none", noon, nil), fault.NotFound)
	if got := must(db.Job(ctx, second.ID))(t); got.State != job.Canceled || !got.EndedAt.Equal(noon) {
		t.Errorf("got %+v, want it canceled", got)
	}
	equal(t, "events", texts(t, db), []string{"canceled"})
}
