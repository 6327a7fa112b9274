// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"flyball/api"
	"flyball/api/wire"
	"flyball/control"
	"flyball/event"
	"flyball/fault"
	"flyball/governance/alert"
	"flyball/governance/approval"
)

// tray is an inbox with a release that waits and an alert that is open, or empty.
type tray struct {
	empty bool
	said  string
}

func (d *tray) Approvals(context.Context, string) ([]control.Approval, error) {
	if d.empty {
		return nil, nil
	}
	return []control.Approval{{
		Request:  approval.Request{ID: "r1", Model: "hotel", Version: 3, Digest: "d3", Risk: "medium", By: "ana", Summary: "passes: <b>", AskedAt: noon, Expires: noon},
		Decision: approval.Decision{State: approval.Waiting, Why: "a validator must approve"},
	}}, nil
}

func (d *tray) Approve(_ context.Context, model, id string, say control.Say) (wire.Changed, error) {
	d.said = "approve " + model + " " + id + " " + string(say.Digest) + " " + say.Why
	return wire.Changed{}, nil
}

func (d *tray) Linked(context.Context, approval.Link) (control.Approval, error) {
	return control.Approval{}, approval.Forged()
}

func (d *tray) Reject(_ context.Context, model, id string, say control.Say) (wire.Changed, error) {
	if say.Why == "" {
		return wire.Changed{}, fault.New(fault.Invalid, "who rejects says why")
	}
	d.said = "reject " + model + " " + id
	return wire.Changed{}, nil
}

func (d *tray) Open(context.Context) ([]alert.Alert, error) {
	if d.empty {
		return nil, nil
	}
	return []alert.Alert{{
		ID: "a1", Cause: alert.Cause{Model: "hotel", Duty: "feed", Opened: noon, Text: "agent unseen in 61 % of rows"}, Owner: "lake-team", Backup: "ana",
		Told: []alert.Step{{At: noon, Who: "lake-team", As: "owner"}},
	}}, nil
}

func (d *tray) Find(_ context.Context, id string) (alert.Alert, error) {
	if id != "a1" {
		return alert.Alert{}, fault.New(fault.NotFound, "there is no alert %s", id)
	}
	return alert.Alert{ID: id, Cause: alert.Cause{Model: "hotel"}}, nil
}

func (d *tray) Acknowledge(_ context.Context, id, by, _ string) (alert.Alert, error) {
	d.said = by + " takes " + id
	return alert.Alert{}, nil
}

func inboxSite(t *testing.T, d *tray) string {
	t.Helper()
	routes := api.NewRoutes(nil)
	if err := New(routes, Options{
		Statuses:   func(context.Context) ([]wire.Status, error) { return nil, nil },
		LastEvents: func(context.Context, string, int) ([]event.Event, error) { return nil, nil },
		Changed:    never, Logger: slog.New(slog.DiscardHandler), Waiting: d, Alerts: d,
	}); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(routes)
	t.Cleanup(func() { http.DefaultClient.CloseIdleConnections(); s.Close() })
	return s.URL
}

func TestTheInboxShowsWhatWaitsForWhom(t *testing.T) {
	for _, c := range []struct {
		name  string
		empty bool
		holds []string
	}{
		{"full", false, []string{
			"<h1><b>1 release</b> for leave; <b>1 alert</b> open.</h1>", "a validator must approve", "passes: &lt;b&gt;", "Approve v3", `value="d3"`, "lake-team 12:00", "Take a1",
		}},
		{"empty", true, []string{"<h1><b>Nothing waits</b> for anybody.</h1>", "flyball owners"}},
	} {
		_, got := get(t, inboxSite(t, &tray{empty: c.empty})+"/inbox")
		for _, want := range c.holds {
			if !strings.Contains(got, want) {
				t.Errorf("%s lacks %q:\n%s", c.name, want, got[strings.Index(got, "<main"):])
			}
		}
		wellFormed(t, got)
	}
}

func TestTheInboxAnswers(t *testing.T) {
	for _, c := range []struct {
		path   string
		form   url.Values
		status int
		said   string
	}{
		{"/inbox/approve", url.Values{"model": {"hotel"}, "id": {"r1"}, "digest": {"d3"}, "why": {"watched"}}, 200, "approve hotel r1 d3 watched"},
		{"/inbox/reject", url.Values{"model": {"hotel"}, "id": {"r1"}, "why": {"no"}}, 200, "reject hotel r1"},
		{"/inbox/reject", url.Values{"model": {"hotel"}, "id": {"r1"}}, 400, ""},
		{"/inbox/take", url.Values{"id": {"a1"}}, 200, "local takes a1"},
		{"/inbox/take", url.Values{"id": {"a2"}}, 404, ""},
	} {
		d := &tray{}
		res, err := http.PostForm(inboxSite(t, d)+c.path, c.form)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != c.status || d.said != c.said {
			t.Errorf("%s %v: %s, %q", c.path, c.form, res.Status, d.said)
		}
	}
}
