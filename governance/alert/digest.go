// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"flyball/event"
	"flyball/notify"
)

// Wait is something that goes on only when a person acts.
type Wait struct {
	Model   string `json:"model"`
	Who     string `json:"who"` // empty: nobody has it
	Text    string `json:"text"`
	Command string `json:"command"`
}

// Week is what happened to a model.
type Week struct {
	Model string        `json:"model"`
	Did   []event.Event `json:"did"`            // the newest, in their order
	More  int           `json:"more,omitempty"` // those before them
}

// Digest is what the loop did in a span of time, and what waits for whom at its end.
type Digest struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Models []Week    `json:"models"`
	Waits  []Wait    `json:"waits"`
}

// Span is how long before its end a digest begins.
const Span = 7 * 24 * time.Hour

// shown is how many happenings of a model a digest tells.
const shown = 12

// Summarise makes the digest of the span that ends at to, of events in their order, and
// of what waits besides alerts. What people did and what only repeats an alert is left
// out of what the loop did.
func Summarise(evs []event.Event, alerts []Alert, waits []Wait, to time.Time) Digest {
	d := Digest{From: to.Add(-Span), To: to, Models: []Week{}, Waits: []Wait{}}
	at := map[string]int{}
	for _, e := range evs {
		if e.Model == "" || e.By != "flyball" || e.Kind == "alert" || e.Kind == "note" || e.At.Before(d.From) || e.At.After(to) {
			continue
		}
		i, is := at[e.Model]
		if !is {
			i = len(d.Models)
			at[e.Model] = i
			d.Models = append(d.Models, Week{Model: e.Model})
		}
		e.Data = nil
		w := &d.Models[i]
		if w.Did = append(w.Did, e); len(w.Did) > shown {
			w.Did, w.More = w.Did[1:], w.More+1
		}
	}
	slices.SortFunc(d.Models, func(a, b Week) int { return strings.Compare(a.Model, b.Model) })
	for _, a := range alerts {
		if !a.Closed.IsZero() {
			continue
		}
		w := Wait{Model: a.Model, Who: a.Owner, Text: a.Text, Command: "flyball alerts ack " + a.ID}
		if a.Acked != nil {
			w.Who, w.Command = a.Acked.By, "flyball alerts "+a.Model
		}
		d.Waits = append(d.Waits, w)
	}
	d.Waits = append(d.Waits, waits...)
	slices.SortStableFunc(d.Waits, func(a, b Wait) int { return strings.Compare(a.Who, b.Who) })
	return d
}

// Of is the part of a digest about the models that are wanted.
func (d Digest) Of(want func(model string) bool) Digest {
	out := Digest{From: d.From, To: d.To, Models: []Week{}, Waits: []Wait{}}
	for _, w := range d.Models {
		if want(w.Model) {
			out.Models = append(out.Models, w)
		}
	}
	for _, w := range d.Waits {
		if want(w.Model) {
			out.Waits = append(out.Waits, w)
		}
	}
	return out
}

// String is a digest as people read it.
func (d Digest) String() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("From %s to %s UTC", d.From.UTC().Format("Mon 2 Jan 15:04"), d.To.UTC().Format("Mon 2 Jan 2006 15:04"))
	line("\nWhat waits for whom")
	if len(d.Waits) == 0 {
		line("  nothing")
	}
	for _, w := range d.Waits {
		who := w.Who
		if who == "" {
			who = "nobody"
		}
		line("  %s: %s, %s\n    %s", who, w.Model, w.Text, w.Command)
	}
	line("\nWhat the loop did")
	if len(d.Models) == 0 {
		line("  nothing")
	}
	for _, w := range d.Models {
		line("  %s", w.Model)
		for _, e := range w.Did {
			line("    %s  %-9s %s", e.At.UTC().Format("Mon 15:04"), e.Kind, e.Text)
		}
		if w.More > 0 {
			line("    and %d before them: flyball events %s", w.More, w.Model)
		}
	}
	return b.String()
}

// Monday is the newest Monday at eight in the morning that is not after now, by the clock
// of the zone.
func Monday(now time.Time, zone *time.Location) time.Time {
	now = now.In(zone)
	back := (int(now.Weekday()) + 6) % 7
	at := time.Date(now.Year(), now.Month(), now.Day()-back, 8, 0, 0, 0, zone)
	if at.After(now) {
		at = time.Date(now.Year(), now.Month(), now.Day()-back-7, 8, 0, 0, 0, zone)
	}
	return at
}

// Message is the digest to one address, the same whenever it is made for the same end.
func (d Digest) Message(to notify.Address, now time.Time) notify.Message {
	body, err := json.Marshal(struct {
		Type   string `json:"type"`
		Digest Digest `json:"digest"`
	}{"digest", d})
	if err != nil { // there is nothing in it that cannot be written
		body = nil
	}
	return notify.Message{
		ID: notify.ID("digest", d.To.UTC().Format(time.RFC3339), to.Way, to.To), Address: to, CreatedAt: now,
		Subject: fmt.Sprintf("[flyball] the week: %d wait, %d models moved", len(d.Waits), len(d.Models)), Text: d.String(), Body: body,
	}
}
