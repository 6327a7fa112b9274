// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"testing"
	"time"

	"flyball/event"
	"flyball/notify"
)

func TestMondayIsTheNewestOneAtEight(t *testing.T) {
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		now  string
		zone *time.Location
		want string
	}{
		{"2026-03-02T08:00:00Z", time.UTC, "2026-03-02T08:00:00Z"}, // a Monday
		{"2026-03-02T07:59:59Z", time.UTC, "2026-02-23T08:00:00Z"},
		{"2026-03-08T23:00:00Z", time.UTC, "2026-03-02T08:00:00Z"}, // the Sunday after
		{"2026-03-08T23:00:00Z", tokyo, "2026-03-08T23:00:00Z"},    // there it is Monday
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		if got := Monday(now, c.zone).UTC().Format(time.RFC3339); got != c.want {
			t.Errorf("%s: got %s, want %s", c.now, got, c.want)
		}
	}
}

func TestADigestTellsWhatTheLoopDidAndWhatWaitsForWhom(t *testing.T) {
	at := func(hours int) time.Time { return monday.Add(-time.Duration(hours) * time.Hour) }
	evs := []event.Event{
		{At: at(200), Model: "hotel", By: "flyball", Kind: "training", Text: "too long ago"},
		{At: at(100), Model: "hotel", By: "flyball", Kind: "training", Text: "training begins: schedule"},
		{At: at(99), Model: "hotel", By: "ana", Kind: "apply", Text: "a person did this"},
		{At: at(98), Model: "hotel", By: "flyball", Kind: "alert", Text: "ana is told"},
	}
	for range 13 {
		evs = append(evs, event.Event{At: at(2), Model: "bikes", By: "flyball", Kind: "drift", Text: "temp moved"})
	}
	taken, _ := drift("monitor").Acknowledge("bo", "", monday)
	open := drift("fix")
	open.Owner = "chen"
	over := drift("feed")
	over.Closed = monday
	d := Summarise(evs, []Alert{open, taken, over}, []Wait{{Model: "hotel", Who: "ana", Text: "nothing is retrained: moving", Command: "flyball resume hotel"}}, monday)
	d = d.Of(func(model string) bool { return model == "hotel" })
	want := `From Mon 23 Feb 10:00 to Mon 2 Mar 2026 10:00 UTC

What waits for whom
  ana: hotel, nothing is retrained: moving
    flyball resume hotel
  bo: hotel, lead_time moved
    flyball alerts hotel
  chen: hotel, lead_time moved
    flyball alerts ack ` + open.ID + `

What the loop did
  hotel
    Thu 06:00  training  training begins: schedule
`
	if got := d.String(); got != want {
		t.Errorf("got %s", got)
	}
	all := Summarise(evs, nil, nil, monday)
	if len(all.Models) != 2 || len(all.Models[0].Did) != 12 || all.Models[0].More != 1 {
		t.Errorf("got %+v", all.Models)
	}
	to := notify.Address{Way: notify.Mail, To: "ana@example.org"}
	if d.Message(to, monday).ID != d.Message(to, monday.Add(time.Hour)).ID {
		t.Error("a digest would be sent twice")
	}
}
