// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"flyball/event"
	"flyball/governance/maturity"
	"flyball/notify"
	"flyball/serving/release"
)

// hoursKept are the counts of two processes, written more than once.
func hoursKept(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	at := noon.Truncate(time.Hour)
	hour := func(start time.Time, generation, answered, failed int64) release.Hour {
		return release.Hour{Model: "hotel", Start: start, Generation: generation, Answered: answered, Failed: failed, Rows: 3 * answered}
	}
	check(t, db.KeepHours(ctx, "p1", nil))
	check(t, db.KeepHours(ctx, "p1", []release.Hour{hour(at, 3, 0, 0)}))
	for range 2 { // again, as after an answer that was lost
		check(t, db.KeepHours(ctx, "p1", []release.Hour{hour(at, 3, 10, 1), hour(at, 4, 5, 0)}))
	}
	check(t, db.KeepHours(ctx, "p2", []release.Hour{hour(at, 4, 7, 2), hour(at.Add(time.Hour), 4, 0, 0)}))
	want := []release.Hour{hour(at, 3, 10, 1), hour(at, 4, 12, 2), hour(at.Add(time.Hour), 4, 0, 0)}
	equal(t, "hours", must(db.Hours(ctx, "hotel", time.Time{}))(t), want)
	equal(t, "hours since", must(db.Hours(ctx, "hotel", at.Add(time.Minute)))(t), want[2:])
	equal(t, "of another", len(must(db.Hours(ctx, "bikes", time.Time{}))(t)), 0)
	later := hour(at.Add(3*366*24*time.Hour), 9, 1, 0)
	check(t, db.KeepHours(ctx, "p2", []release.Hour{later}))
	equal(t, "three years later", must(db.Hours(ctx, "hotel", time.Time{}))(t), []release.Hour{later})
}

// checkpoints are named one after the other.
func checkpoints(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	equal(t, "at first", must(db.Checkpoint(ctx))(t), "")
	for _, key := range []string{"checkpoints/1/manifest.json", "checkpoints/2/manifest.json"} {
		check(t, db.SetCheckpoint(ctx, key))
		equal(t, "the newest", must(db.Checkpoint(ctx))(t), key)
	}
}

// shares are offered by several, also at once.
func shares(t *testing.T, open Open) {
	db, _ := open(t)
	var all sync.WaitGroup
	got, errs := make([][]byte, 4), make([]error, 4)
	for i := range got {
		all.Go(func() { got[i], errs[i] = db.Share(t.Context(), "key", []byte{byte(i), 0}) })
	}
	all.Wait()
	check(t, errors.Join(errs...))
	for _, g := range got {
		equal(t, "the same for all", g, got[0])
	}
	equal(t, "and for who comes later", must(db.Share(t.Context(), "key", []byte("late")))(t), got[0])
	equal(t, "another", must(db.Share(t.Context(), "other", []byte("late")))(t), []byte("late"))
}

// tellings are events on their way to a subscriber.
func tellings(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	tell := func(want int) {
		t.Helper()
		n := 0
		check(t, db.TellEvents(ctx, func(e event.Event) (notify.Message, bool, error) {
			n++
			if !notify.Lifecycle(e) {
				return notify.Message{}, false, nil
			}
			m, err := notify.Event(e, noon)
			return m, true, err
		}))
		equal(t, "events looked at", n, want)
	}
	trained := event.Event{At: noon, Model: "hotel", By: "ana", Mark: event.OK, Kind: "trained", Text: "v2 is trained", Data: []byte(`{"row":1}`)}
	check(t, db.AddEvents(ctx, trained))
	tell(0) // whoever subscribes now is told of what comes
	check(t, db.AddEvents(ctx, trained, event.Event{At: noon, Model: "hotel", Kind: "apply", Text: "applied"}))
	tell(2)
	tell(0)
	ms := must(db.ClaimMessages(ctx, noon, noon.Add(time.Minute), 10))(t)
	equal(t, "messages", len(ms), 1)
	e, ok := ms[0].Tells()
	equal(t, "told of", []any{ok, e.Seq, e.Kind, e.Model, len(e.Data)}, []any{true, int64(2), "trained", "hotel", 0})
	check(t, db.AddMessages(ctx, message("m", noon)))
	check(t, db.EndMessage(ctx, "m", noon, "")) // of an alert
	check(t, db.EndMessage(ctx, ms[0].ID, noon, "given up"))
	equal(t, "given up", len(must(db.Delivered(ctx, "hotel", noon))(t)), 0)
	check(t, db.EndMessage(ctx, ms[0].ID, noon, ""))
	check(t, db.EndMessage(ctx, ms[0].ID, noon, ""))
	equal(t, "taken", must(db.Delivered(ctx, "hotel", noon))(t), []maturity.Delivery{{ID: "delivery " + ms[0].ID, Kind: "trained", At: noon}})
	equal(t, "taken since", len(must(db.Delivered(ctx, "hotel", noon.Add(time.Second)))(t)), 0)
}
