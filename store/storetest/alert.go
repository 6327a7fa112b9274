// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"sync/atomic"
	"testing"
	"time"

	"flyball/event"
	"flyball/fault"
	"flyball/governance/alert"
	"flyball/notify"
)

func message(id string, at time.Time) notify.Message {
	return notify.Message{ID: id, Address: notify.Address{Way: notify.Mail, To: "ana@example.org"}, Subject: "hotel", Text: "worse", Body: []byte(`{"type":"alert"}`), CreatedAt: at}
}

// alerts change with their messages, record and events, each on the state it was decided on.
func alerts(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	_, err := db.Alert(ctx, "nobody")
	wants(t, err, fault.NotFound)
	a := alert.Open(alert.Cause{Key: "hotel/1/drift/lead_time", Model: "hotel", Kind: "drift", Severity: "warn", Duty: "monitor", Opened: noon, Text: "moved"})
	a.Generation = 1
	check(t, db.SaveAlert(ctx, a, []notify.Message{message("m1", noon)}, nil, happening("hotel", "ana is told")))
	wants(t, db.SaveAlert(ctx, a, []notify.Message{message("m2", noon)}, nil), fault.Conflict)
	equal(t, "the alert", must(db.Alert(ctx, a.ID))(t), a)
	equal(t, "unsettled", must(db.UnsettledAlerts(ctx))(t), []alert.Alert{a})

	next, _ := a.Acknowledge("ana", "on it", noon.Add(time.Minute))
	next.Generation = 2
	rec := record("acknowledge", "hotel")
	check(t, db.SaveAlert(ctx, next, nil, &rec))
	wants(t, db.SaveAlert(ctx, next, nil, &rec), fault.Conflict)
	equal(t, "records", must(db.VerifyAudit(ctx))(t), int64(1))
	equal(t, "open", must(db.Alerts(ctx, "", true))(t), []alert.Alert{next})
	equal(t, "of another model", len(must(db.Alerts(ctx, "bikes", false))(t)), 0)

	next.Closed, next.Settled, next.Generation = noon.Add(time.Hour), true, 3
	check(t, db.SaveAlert(ctx, next, nil, nil))
	equal(t, "unsettled after the end", len(must(db.UnsettledAlerts(ctx))(t)), 0)
	equal(t, "open after the end", len(must(db.Alerts(ctx, "hotel", true))(t)), 0)
	equal(t, "all", must(db.Alerts(ctx, "hotel", false))(t), []alert.Alert{next})
	equal(t, "messages", len(must(db.ClaimMessages(ctx, noon, noon.Add(time.Minute), 10))(t)), 1)

	s := alert.Silence{Model: "hotel", Until: noon.Add(time.Hour), By: "ana", At: noon, Why: "moving"}
	check(t, db.KeepSilence(ctx, s, record("silence", "hotel"), event.Event{At: noon}))
	s.Until = noon
	check(t, db.KeepSilence(ctx, s, record("end silence", "hotel"), event.Event{At: noon}))
	equal(t, "silences", must(db.Silences(ctx))(t), []alert.Silence{s})
}

// outbox gives each message to one sender at a time, until it is sent.
func outbox(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	check(t, db.AddMessages(ctx, message("a", noon), message("b", noon.Add(time.Second)), message("a", noon)))
	equal(t, "before it is due", len(must(db.ClaimMessages(ctx, noon.Add(-time.Second), noon, 10))(t)), 0)
	until := noon.Add(time.Minute)
	equal(t, "the longest due", must(db.ClaimMessages(ctx, noon.Add(time.Second), until, 1))(t), []notify.Message{message("a", noon)})
	equal(t, "the next", must(db.ClaimMessages(ctx, noon.Add(time.Second), until, 10))(t), []notify.Message{message("b", noon.Add(time.Second))})
	check(t, db.EndMessage(ctx, "a", noon, ""))
	check(t, db.PutOffMessage(ctx, "b", noon.Add(time.Hour), "away"))
	check(t, db.PutOffMessage(ctx, "a", noon, "too late")) // it was sent
	equal(t, "after the claim", len(must(db.ClaimMessages(ctx, until, until, 10))(t)), 0)
	again := message("b", noon.Add(time.Second))
	again.Tries = 1
	equal(t, "the try after", must(db.ClaimMessages(ctx, noon.Add(time.Hour), noon.Add(2*time.Hour), 10))(t), []notify.Message{again})
	check(t, db.EndMessage(ctx, "b", noon, "given up"))
	month := noon.Add(31 * 24 * time.Hour)
	check(t, db.AddMessages(ctx, message("a", noon), message("c", month)))
	equal(t, "a month later", len(must(db.ClaimMessages(ctx, month, month, 10))(t)), 1) // and a is forgotten

	named, waits, theirs := message("d", month), message("e", month), message("f", month)
	named.Text, waits.Text, theirs.To = "worse for b-17, too", "worse for b-17, too", "b-17"
	other := message("g", month)
	other.Text = "worse for b-170"
	check(t, db.AddMessages(ctx, named, waits, theirs, other))
	check(t, db.EndMessage(ctx, "d", month, ""))
	check(t, db.EndMessage(ctx, "g", month, ""))
	equal(t, "messages that name the key or are for it", must(db.ForgetMessages(ctx, "b-17"))(t), 2)
	equal(t, "once more", must(db.ForgetMessages(ctx, "b-17"))(t), 0)
	check(t, db.EndMessage(ctx, "e", month, "")) // it waited
	equal(t, "once it was sent", must(db.ForgetMessages(ctx, "b-17"))(t), 1)
	check(t, db.EndMessage(ctx, "c", month, ""))

	for i := range 30 {
		check(t, db.AddMessages(ctx, message(string(rune('A'+i)), noon)))
	}
	var got atomic.Int64
	atOnce(8, func(int) {
		for {
			ms, err := db.ClaimMessages(ctx, month, month.Add(time.Hour), 3)
			if err != nil {
				t.Error(err)
			}
			got.Add(int64(len(ms)))
			if len(ms) == 0 {
				return
			}
		}
	})
	equal(t, "claimed at once", got.Load(), int64(30))
}
