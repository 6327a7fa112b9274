// SPDX-License-Identifier: Apache-2.0

// Package incident keeps what went wrong until somebody has said why, and what was
// changed because of it: a version that was taken back after it answered, an alert that
// nobody took, what a person opens by hand, and every time that somebody breaks the
// glass. It is pure: what is opened by itself is a function of a record, and nothing here
// is closed by itself. It keeps nothing (package store) and tells nobody (package alert).
package incident

import (
	"fmt"
	"strings"
	"time"

	"flyball/event"
	"flyball/fault"
	"flyball/governance/audit"
	"flyball/notify"
	"flyball/serving/release"
)

// Kind is what opened an incident.
type Kind string

// The kinds.
const (
	Retreat Kind = "taken back"  // a version went back after it had answered
	Untaken Kind = "untaken"     // nobody took an alert in time
	Hand    Kind = "by hand"     // a person says so
	Glass   Kind = "break-glass" // somebody took leave without asking for it
)

// Incident is one. It is immutable: a change makes another. The zero value is none.
type Incident struct {
	ID      string `json:"id"`
	Model   string `json:"model"`
	Version int    `json:"version,omitempty"` // that it is about; 0: none
	Kind    Kind   `json:"kind"`
	Signal  string `json:"signal"` // what opened it: a release, an alert; the same signal opens one incident
	Text    string `json:"text"`   // one sentence
	By      string `json:"by"`     // who opened it; flyball: by itself

	Opened       time.Time `json:"opened"`
	Acknowledged time.Time `json:"acknowledged,omitzero"` // somebody took it; zero: nobody did
	Resolved     time.Time `json:"resolved,omitzero"`     // zero: open
	Owner        string    `json:"owner,omitempty"`       // who took it
	Cause        string    `json:"cause,omitempty"`
	Change       string    `json:"change,omitempty"` // what was changed because of it: a version, as MODEL@N, or a commit

	Until time.Time `json:"until,omitzero"` // of break-glass: until when it holds
}

// mostWords bounds what a person says of an incident, in bytes.
const mostWords = 2000

// New is an incident that was opened at a moment.
func New(kind Kind, model, signal, text, by string, at time.Time) Incident {
	return Incident{ID: notify.ID("incident", model, signal)[:10], Model: model, Kind: kind, Signal: signal, Text: text, By: by, Opened: at.UTC()}
}

// OfRelease is the incident of a release that was taken back after its candidate had
// answered somebody; false where it was not.
func OfRelease(s release.State) (Incident, bool) {
	if len(s.Shares) == 0 || s.Phase != release.Aborting && s.Phase != release.RollingBack {
		return Incident{}, false
	}
	i := New(Retreat, s.Model, "release "+s.ID, fmt.Sprintf("v%d was taken back after it had answered: %s", s.Candidate, s.Reason), "flyball", s.EnteredAt)
	i.Version = s.Candidate
	return i, true
}

// ByHand is an incident that a person opens, and so takes. An Invalid fault where it
// does not say why.
func ByHand(model, by, why string, now time.Time) (Incident, error) {
	why = strings.TrimSpace(why)
	if why == "" || len(why) > mostWords {
		return Incident{}, fault.New(fault.Invalid, "an incident says what went wrong, in at most %d bytes", mostWords).Do("say --why \"…\"")
	}
	i := New(Hand, model, fmt.Sprintf("%s at %s", by, now.UTC().Format(time.RFC3339Nano)), why, by, now)
	return i.Take(by, now), nil
}

// Take is the incident after somebody took it. The first who does has it.
func (i Incident) Take(by string, now time.Time) Incident {
	if i.Acknowledged.IsZero() {
		i.Acknowledged, i.Owner = now.UTC(), by
	}
	return i
}

// Close is the incident with its cause and what was changed because of it; whoever
// closes what nobody took has it. It is a Conflict fault where it is closed, and an
// Invalid one where something is missing.
func (i Incident) Close(by, cause, change string, now time.Time) (Incident, error) {
	cause, change = strings.TrimSpace(cause), strings.TrimSpace(change)
	switch {
	case !i.Resolved.IsZero():
		return i, fault.New(fault.Conflict, "the incident %s is closed already", i.ID)
	case cause == "" || len(cause) > mostWords:
		return i, fault.New(fault.Invalid, "an incident is closed by its cause, in at most %d bytes", mostWords).Do("say --cause \"…\"")
	case change == "" || len(change) > mostWords:
		return i, fault.New(fault.Invalid, "an incident is closed by what was changed because of it").Do("say --change VERSION, or the commit of the new check, gate or trigger")
	}
	i = i.Take(by, now)
	i.Cause, i.Change, i.Resolved = cause, change, now.UTC()
	return i.End(now), nil
}

// Told is the record of the chain and the line in the feed of what somebody did to it.
func (i Incident) Told(action, by, why string, at time.Time) (audit.Record, event.Event) {
	mark := event.Warn
	if !i.Resolved.IsZero() {
		mark = event.OK
	}
	rec := audit.Record{At: at, Actor: by, Action: action + " incident", Object: i.Model, Why: why, Data: []byte(`{"incident":"` + i.ID + `"}`)}
	ev := event.Event{At: at, Model: i.Model, By: by, Mark: mark, Kind: "incident", Text: "incident " + i.ID + ": " + i.Text, Command: "flyball incidents " + i.Model}
	if !i.Resolved.IsZero() {
		ev.Text = fmt.Sprintf("incident %s is closed: %s; changed: %s", i.ID, i.Cause, i.Change)
	}
	return rec, ev
}
