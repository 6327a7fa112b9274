// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"net/http"
	"strings"

	"flyball/api/wire"
	"flyball/blob"
	"flyball/control"
	"flyball/governance/access"
	"flyball/governance/alert"
	"flyball/governance/approval"
)

// Waiting is what waits for somebody.
type Waiting interface {
	Approvals(ctx context.Context, model string) ([]control.Approval, error)
	Approve(ctx context.Context, model, id string, say control.Say) (wire.Changed, error)
	Reject(ctx context.Context, model, id string, say control.Say) (wire.Changed, error)
	Linked(ctx context.Context, l approval.Link) (control.Approval, error)
}

// Alerts are what is wrong, on its way to people.
type Alerts interface {
	Open(ctx context.Context) ([]alert.Alert, error)
	Find(ctx context.Context, id string) (alert.Alert, error)
	Acknowledge(ctx context.Context, id, by, why string) (alert.Alert, error)
}

// inboxView is what the page of all that waits shows.
type inboxView struct {
	Frame     frame
	Headline  []span
	More      string
	Approvals []asking
	Alerts    []alarm
}

// asking is a release that waits for leave.
type asking struct {
	control.Approval
	May bool // the reader may say something to it
}

// Until is when it expires.
func (a asking) Until() string { return a.Expires.Format("2 Jan 15:04") }

// alarm is an open alert.
type alarm struct {
	alert.Alert
	May  bool   // the reader may take it
	Told string // whom it was told
	Mine bool
}

// Since is when its cause was found.
func (a alarm) Since() string { return a.Opened.Format("2 Jan 15:04") }

// inbox shows what waits for whom, what is the reader's first.
func (p *pages) inbox(w http.ResponseWriter, r *http.Request) {
	f := frame{Title: "Inbox", Here: "inbox", Command: "flyball alerts", Stream: living, Crumbs: []crumb{{"Flyball", "/"}, {"Inbox", ""}}}
	who := access.From(r.Context())
	v := inboxView{Frame: f}
	all, err := p.Waiting.Approvals(r.Context(), "")
	var open []alert.Alert
	if err == nil {
		open, err = p.Alerts.Open(r.Context())
	}
	if err != nil {
		p.refuse(w, r, f, err)
		return
	}
	for _, a := range all {
		if who.May(access.Read, a.Model) && a.Decision.State == approval.Waiting {
			v.Approvals = append(v.Approvals, asking{a, who.May(access.Approve, a.Model)})
		}
	}
	mine := 0
	for _, a := range open {
		if !who.May(access.Read, a.Model) {
			continue
		}
		x := alarm{Alert: a, May: a.Acked == nil && who.May(access.Ack, a.Model), Told: toldOf(a), Mine: a.Acked == nil && (a.Owner == who.Name || a.Backup == who.Name)}
		if x.Mine {
			mine++
		}
		v.Alerts = append(v.Alerts, x)
	}
	v.Headline = waitsFor(len(v.Approvals), len(v.Alerts))
	v.Approvals, v.Alerts = v.Approvals[:min(len(v.Approvals), tableRows)], v.Alerts[:min(len(v.Alerts), tableRows)]
	if mine > 0 {
		v.More = "Yours, and not taken yet: " + many(mine, "alert") + "."
	}
	p.show(w, r, http.StatusOK, "inbox.html", v)
}

// waitsFor is the sentence above the lists.
func waitsFor(approvals, alerts int) []span {
	if approvals+alerts == 0 {
		return []span{{"Nothing waits", true}, {" for anybody.", false}}
	}
	var out []span
	if approvals > 0 {
		out = join(out, span{many(approvals, "release"), true}, span{" for leave", false})
	}
	if alerts > 0 {
		out = join(out, span{many(alerts, "alert"), true}, span{" open", false})
	}
	return append(out, span{".", false})
}

func toldOf(a alert.Alert) string {
	var out []string
	for _, s := range a.Told {
		if s.As != alert.Over {
			out = append(out, s.Who+" "+s.At.Format("15:04"))
		}
	}
	if len(out) == 0 {
		return "nobody yet"
	}
	return strings.Join(out, ", ")
}

// approve says yes to a release that waits for leave, and shows the page again.
func (p *pages) approve(w http.ResponseWriter, r *http.Request) {
	_, err := p.Waiting.Approve(r.Context(), modelAsked(r), r.FormValue("id"), sayOf(r))
	p.backToInbox(w, r, err)
}

// reject says no.
func (p *pages) reject(w http.ResponseWriter, r *http.Request) {
	_, err := p.Waiting.Reject(r.Context(), modelAsked(r), r.FormValue("id"), sayOf(r))
	p.backToInbox(w, r, err)
}

// sayOf is what the form says. The digest is of the request as the page showed it.
func sayOf(r *http.Request) control.Say {
	return control.Say{Why: strings.TrimSpace(r.FormValue("why")), Digest: blob.Digest(r.FormValue("digest"))}
}

// take acknowledges an alert, and shows the page again.
func (p *pages) take(w http.ResponseWriter, r *http.Request) {
	who := access.From(r.Context())
	a, err := p.Alerts.Find(r.Context(), r.FormValue("id"))
	if err == nil {
		err = who.Allow(access.Ack, a.Model)
	}
	if err == nil {
		_, err = p.Alerts.Acknowledge(r.Context(), a.ID, access.Actor(r.Context()), strings.TrimSpace(r.FormValue("why")))
	}
	p.backToInbox(w, r, err)
}

func (p *pages) backToInbox(w http.ResponseWriter, r *http.Request, err error) {
	if err != nil {
		p.refuse(w, r, frame{Title: "Inbox", Here: "inbox", Command: "flyball alerts", Crumbs: []crumb{{"Flyball", "/"}, {"Inbox", "/inbox"}, {"Not done", ""}}}, err)
		return
	}
	protect(w)
	http.Redirect(w, r, "/inbox", http.StatusSeeOther)
}

// When is a time as tables have it.
func (a asking) When() string { return a.AskedAt.Format("2 Jan 15:04") }
