// SPDX-License-Identifier: Apache-2.0

// Package alert brings what is wrong with a model to whoever has the duty: the owner,
// then the backup, then who answers for the model, until somebody acknowledges it or it
// is over. Next decides and is pure; Router looks, asks Next, and keeps the alerts with
// the messages that they send, in one transaction. It sends nothing itself (package
// notify), and finds nothing (packages monitoring and loop).
package alert

import (
	"encoding/json"
	"slices"
	"time"

	"flyball/event"
	"flyball/governance/duty"
	"flyball/monitoring"
	"flyball/notify"
	"flyball/unit"
)

// The kinds of cause besides those of findings.
const (
	Training = "training" // a training failed
	Release  = "release"  // a release was taken back, or its comparison does not hold
	Serving  = "serving"  // the baseline answers in the place of the live version, or nothing does
	Leave    = "leave"    // a release waits for leave
)

// Fix is the duty whose alerts nobody sleeps through.
const Fix = "fix"

// Approve is the duty of who gives leave: whoever has the role, not whom the model file names.
const Approve = "approve"

// Note is the severity of what is worth a look and calls nobody.
const Note = "note"

// Within is the limit of a duty that says none.
const Within = 4 * time.Hour

// Cause is something that is wrong, now.
type Cause struct {
	Key      string             `json:"key"` // the same as long as it is the same thing; of a finding its id
	Model    string             `json:"model"`
	Version  int                `json:"version,omitempty"`
	Kind     string             `json:"kind"`    // of a finding, or training, release or serving
	Subject  string             `json:"subject"` // the column, the metric, the version
	Severity string             `json:"severity"`
	Duty     string             `json:"duty"` // feed, monitor, retrain or fix; approve for Leave
	Opened   time.Time          `json:"opened"`
	Text     string             `json:"text"` // one sentence with its figures
	Data     json.RawMessage    `json:"data,omitempty"`
	Advice   *monitoring.Advice `json:"advice,omitempty"`

	// Asked are those who are called where it is no duty of the model file; nil: it is one.
	Asked *duty.Duty `json:"-"`

	Again bool `json:"-"`              // the key comes back: each time is another alert
	Once  bool `json:"once,omitempty"` // it happened, and does not end by itself: it is over when it is acknowledged
}

// Finding is a finding as a cause.
func Finding(f monitoring.Finding) Cause {
	return Cause{
		Key: f.ID, Model: f.Model, Version: f.Version, Kind: f.Kind, Subject: f.Subject, Severity: f.Severity, Duty: f.Duty,
		Opened: f.Opened, Text: f.Text, Data: f.Data, Advice: f.Advice,
	}
}

// Ack says that somebody has taken the alert.
type Ack struct {
	By  string    `json:"by"`
	At  time.Time `json:"at"`
	Why string    `json:"why,omitempty"`
}

// Step is one time that somebody was told.
type Step struct {
	At   time.Time `json:"at"`
	Who  string    `json:"who"`
	As   string    `json:"as"`   // owner, backup, lead; over: that it is over
	Ways []string  `json:"ways"` // webhook, slack, mail
}

// Over is what a Step is as when it tells that the alert is over.
const Over = "over"

// Alert is a cause on its way to people. It is immutable: a change makes another, of the
// next generation.
type Alert struct {
	ID string `json:"id"`
	Cause
	Owner      string        `json:"owner"`
	Backup     string        `json:"backup"`
	Within     unit.Duration `json:"within"`          // time to acknowledge before the next is told
	Closed     time.Time     `json:"closed,omitzero"` // zero: open
	Acked      *Ack          `json:"acknowledged,omitempty"`
	Told       []Step        `json:"told"`
	Silenced   time.Time     `json:"silenced_until,omitzero"` // made when it is shown, and never kept
	Settled    bool          `json:"settled"`                 // it is over, and all who were told know
	Generation int64         `json:"generation"`
}

// Open is the alert of a cause, before anybody is told.
func Open(c Cause) Alert {
	id := []string{c.Key}
	if c.Again {
		id = append(id, c.Opened.UTC().Format(time.RFC3339Nano))
	}
	return Alert{ID: notify.ID(id...)[:10], Cause: c, Told: []Step{}}
}

// Silence keeps a model's alerts from being told, until it ends.
type Silence struct {
	Model string    `json:"model"`
	Until time.Time `json:"until"`
	By    string    `json:"by"`
	At    time.Time `json:"at"`
	Why   string    `json:"why"`
}

// Facts are what Next decides by, gathered at one moment.
type Facts struct {
	Holds    bool      // the cause is there still
	Duty     duty.Duty // as the model file has it now: a hand-over takes open alerts along
	Leads    []string  // who answers for the model, when owner and backup do not
	Quiet    Hours
	Silenced time.Time // until then nobody is told; zero: not silenced

	// Ways are those by which a person can be told; none: they cannot be.
	Ways func(name string) []string
}

// Next is the alert one step on, and whom to tell now. The owner is told at once; the
// backup when it is not acknowledged within the duty's limit, then the leads. Who cannot
// be told is passed over. In quiet hours nobody is told but for the duty fix; the limit
// counts from when somebody was told. Whoever was told is told when it is over. Asking
// again at the same moment changes nothing.
func Next(a Alert, f Facts, now time.Time) (Alert, []Step) {
	a.Owner, a.Backup, a.Within = f.Duty.Owner, f.Duty.Backup, f.Duty.Within
	if a.Within == 0 {
		a.Within = unit.Duration(Within)
	}
	if a.Closed.IsZero() && !f.Holds {
		a.Closed = now
	}
	quiet := f.Quiet.Holds(now) && a.Duty != Fix
	var steps []Step
	switch {
	case a.Settled:
	case !a.Closed.IsZero() && len(a.Told) == 0:
		a.Settled = true
	case !a.Closed.IsZero() && !quiet:
		steps = a.over(f, now)
		a.Settled = true
	case !a.Closed.IsZero(), quiet, a.Acked != nil, a.Severity == Note, now.Before(f.Silenced):
	default:
		steps = a.due(f, now)
	}
	a.Told = append(slices.Clip(a.Told), steps...)
	return a, steps
}

// due are those to tell now.
func (a Alert) due(f Facts, now time.Time) []Step {
	told := map[string]bool{}
	var last time.Time
	for _, s := range a.Told {
		told[s.Who] = true
		last = s.At
	}
	var out []Step
	late := true // the one before did not acknowledge in time, or there is none
	for _, stage := range []struct {
		as    string
		names []string
	}{{"owner", []string{a.Owner}}, {"backup", []string{a.Backup}}, {"lead", f.Leads}} {
		for _, name := range stage.names {
			switch {
			case name == "":
			case told[name]:
				late = !now.Before(last.Add(a.Within.D()))
			case late:
				if ways := f.Ways(name); len(ways) > 0 {
					told[name] = true
					out = append(out, Step{At: now, Who: name, As: stage.as, Ways: ways})
				}
			}
		}
		if len(out) > 0 {
			return out
		}
	}
	return nil
}

// over tells those who were told that it is over.
func (a Alert) over(f Facts, now time.Time) []Step {
	var out []Step
	done := map[string]bool{}
	for _, s := range a.Told {
		if ways := f.Ways(s.Who); len(ways) > 0 && !done[s.Who] {
			done[s.Who] = true
			out = append(out, Step{At: now, Who: s.Who, As: Over, Ways: ways})
		}
	}
	return out
}

// Acknowledge is the alert after somebody took it; false when somebody had already, or
// it is over.
func (a Alert) Acknowledge(by, why string, now time.Time) (Alert, bool) {
	if a.Acked != nil || !a.Closed.IsZero() {
		return a, false
	}
	a.Acked = &Ack{By: by, At: now, Why: why}
	if a.Once {
		a.Closed = now
	}
	return a, true
}

// happening is the line in the feed of a step.
func (a Alert) happening(s Step) event.Event {
	text := s.Who + " (" + s.As + " of " + a.Duty + ") is told: " + a.Text
	mark := event.Wait
	if s.As == Over {
		text, mark = s.Who+" is told that it is over: "+a.Text, event.OK
	}
	return event.Event{At: s.At, Model: a.Model, By: "flyball", Mark: mark, Kind: "alert", Text: text, Command: "flyball alerts " + a.Model}
}
