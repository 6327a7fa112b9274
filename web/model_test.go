// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"flyball/api"
	"flyball/api/wire"
	"flyball/control"
	"flyball/event"
	"flyball/experiment/evaluation"
	"flyball/experiment/gate"
	"flyball/fault"
	"flyball/governance/maturity"
	"flyball/ident"
	"flyball/model/registry"
	"flyball/monitoring"
	"flyball/serving/prediction"
	"flyball/serving/release"
	"flyball/unit"
)

// hotel is a model with two versions, a release under way and a finding.
type hotel struct{ rolledBack string }

var noon = time.Date(2017, 3, 16, 12, 0, 0, 0, time.UTC)

func (*hotel) Versions(_ context.Context, model string) ([]registry.Version, error) {
	if model != "hotel" {
		return nil, nil
	}
	verdict := gate.Verdict{
		Pass: true, Decision: gate.Superior, Rows: 3535,
		Reasons: []gate.Reason{
			{Rule: "log_loss noninferior", Metric: "log_loss", Against: "live", Required: true, Decision: gate.Superior, Text: "better"},
			{Rule: "latency_p99 at_most", Metric: "latency_p99", Required: true, Decision: gate.Harm, Text: "61 ms <slow>"},
		},
		Differences: []evaluation.Difference{{Metric: "log_loss", Against: "live", Candidate: 0.48, Other: 0.49}},
	}
	raw, err := json.Marshal(verdict)
	return []registry.Version{
		{Ref: ident.Ref{Model: "hotel", Version: 2}, Verdict: "pass", Report: raw, Aliases: []string{"candidate"}, CreatedAt: noon, CreatedBy: "flyball", Cause: "schedule"},
		{Ref: ident.Ref{Model: "hotel", Version: 1}, Verdict: "", Aliases: []string{"live"}, CreatedAt: noon.Add(-time.Hour), CreatedBy: "ana"},
	}, err
}

func (*hotel) AliasHistory(context.Context, string) ([]registry.Move, error) {
	return []registry.Move{{Model: "hotel", Alias: "candidate", At: noon, By: "bo", To: 2}, {Model: "hotel", Alias: "live", At: noon, By: "carl", To: 1}}, nil
}

func (*hotel) Releases(context.Context, string) ([]release.State, error) {
	return []release.State{{
		Model: "hotel", Live: 1, Candidate: 2, Phase: release.Canary, Step: 1, EnteredAt: noon, StartedAt: noon, Reason: "all conditions hold", By: "flyball",
		Plan: release.Plan{
			Shadow: release.Shadow{For: unit.Duration(72 * time.Hour)},
			Canary: []release.Step{{Share: 0.05, For: unit.Duration(24 * time.Hour)}, {Share: 0.25, For: unit.Duration(48 * time.Hour)}, {Share: 1}},
			Bake:   release.Bake{For: unit.Duration(14 * 24 * time.Hour)},
		},
	}}, nil
}

func (*hotel) Findings(context.Context, string, bool) ([]monitoring.Finding, error) {
	return []monitoring.Finding{
		{ID: "f1", Model: "hotel", Kind: monitoring.Drift, Subject: "adr", Severity: "warn", Duty: "monitor", Opened: noon, Text: "adr is 0.4 PSI away"},
		{ID: "f0", Model: "hotel", Kind: monitoring.Quality, Subject: "agent", Severity: "warn", Duty: "feed", Opened: noon.Add(-time.Hour), Closed: noon, Text: "agent unseen in 61 % of rows"},
	}, nil
}

func (*hotel) Status(_ context.Context, model string) (wire.Status, error) {
	if model != "hotel" {
		return wire.Status{}, fault.New(fault.NotFound, "there is no model %s", model)
	}
	return wire.Status{Model: model, Route: &release.Route{Generation: 12, Live: 1, Candidate: 2, Share: 0.25}}, nil
}

func (*hotel) Standing(context.Context, string, int) (monitoring.Standing, error) {
	return monitoring.Standing{
		Version: 1, Rows: 500, From: noon.Add(-48 * time.Hour), To: noon, Caveat: monitoring.Caveat,
		Performance: []monitoring.Performance{{Metric: "log_loss", HeldOut: 0.5, Due: &monitoring.Figure{Value: 0.52, Half: 0.01}}},
		Features:    []monitoring.ShiftSeen{{Shift: monitoring.Shift{Feature: "adr", Rows: 500, PSI: 0.4}, Blind: monitoring.Blind{SD: 0.3}}},
	}, nil
}

func (h *hotel) Rollback(_ context.Context, model, by, why string) (wire.Changed, error) {
	if why == "" {
		return wire.Changed{}, fault.New(fault.Invalid, "a rollback needs a reason")
	}
	h.rolledBack = model + " by " + by + ": " + why
	return wire.Changed{}, nil
}

func (*hotel) Known(_ context.Context, model string) error {
	if model != "hotel" {
		return fault.New(fault.NotFound, "there is no model %s", model)
	}
	return nil
}

func (*hotel) Explain(_ context.Context, model, name string, _ control.Ask) (wire.Explained, error) {
	if name != "p1" {
		return wire.Explained{}, fault.New(fault.NotFound, "%s answered no %s", model, name)
	}
	truth := "1"
	x := wire.Explained{
		Model: model, ID: "p1", Key: "b-17", Time: noon, At: noon, Version: 1, Arm: "live", Scores: []float64{0.831}, Decision: "hold", Truth: &truth,
		Flags: []string{"unseen:agent"}, Replay: control.Replay{Equal: true, Scores: []float64{0.831}},
	}
	x.Reasons = &prediction.Reasons{Space: "log odds", Base: -0.61, Rest: 0.5, Top: []prediction.Reason{{Feature: "lead_time", Value: json.RawMessage("41"), Contribution: 1.25}, {Feature: "adr", Value: json.RawMessage("99.5"), Contribution: -0.25}}}
	return x, nil
}

func (*hotel) Scan(_ context.Context, q prediction.Query, do func(prediction.Joined) error) error {
	if q.Key == "nobody" {
		return nil
	}
	return do(prediction.Joined{Record: prediction.Record{
		ID: "p1", Model: "hotel", Version: 1, Arm: "live", Time: noon, Key: "b-17", Row: json.RawMessage(`{"lead_time":41,"hotel":"<City>"}`), Scores: []float64{0.831}, Decision: "hold",
	}})
}

func (*hotel) Maturity(_ context.Context, model string) (maturity.Standing, error) {
	return maturity.Judge(&maturity.Facts{Model: model, Now: noon}), nil
}

func modelSite(t *testing.T, h *hotel) string {
	t.Helper()
	routes := api.NewRoutes(nil)
	if err := New(routes, Options{
		Statuses:   func(context.Context) ([]wire.Status, error) { return nil, nil },
		LastEvents: func(context.Context, string, int) ([]event.Event, error) { return nil, nil },
		Changed:    never, Logger: slog.New(slog.DiscardHandler), Models: h, Care: h, Predictions: h, Proof: h,
	}); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(routes)
	t.Cleanup(func() { http.DefaultClient.CloseIdleConnections(); s.Close() })
	return s.URL
}

func TestThePagesOfAModelBeginWithASentence(t *testing.T) {
	site := modelSite(t, &hotel{})
	for _, c := range []struct {
		path   string
		status int
		holds  []string
	}{
		{"/model?model=hotel&version=2", 200, []string{
			"<h1><b>v2 passed the gate</b>: 1 of 2 rules hold on 3,535 rows. It is candidate.</h1>", "flyball gate show hotel@2", "61 ms &lt;slow&gt;", `href="#g-stop"`, "<td>bo</td>", "against=hotel%401",
		}},
		{"/model?model=hotel", 200, []string{"<h1><b>v1</b> was not judged yet. It is live.</h1>", "flyball gate hotel@1 has it judged", "<td>carl</td>"}},
		{"/model?model=hotel&version=7", 404, []string{"hotel has no version 7"}},
		{"/model?model=hotel&version=x", 400, []string{"is no version"}},
		{"/model?model=nix", 404, []string{"there is no model nix"}},
		{"/release?model=hotel", 200, []string{
			"<h1><b>v2</b> answers 25%.</h1>", "<b>5%</b><small>for 1d</small>", `aria-current="step"`, "since 16 Mar 12:00, until 18 Mar 12:00", "Roll back to v1", "v1, 75 %",
		}},
		{"/release?model=nix", 404, []string{"there is no model nix"}},
		{"/monitors?model=hotel", 200, []string{"<h1><b>1 finding</b> is open at hotel: adr is 0.4 PSI away.</h1>", "0.520 ± 0.01", "0.3", "agent unseen in 61 % of rows", "valid only if the concept has not changed"}},
		{"/predictions?model=hotel", 200, []string{"All <b>1 prediction</b> of hotel as asked", "/prediction?id=p1&amp;model=hotel", "0.831: hold", "waits"}},
		{"/predictions?model=hotel&key=nobody", 200, []string{"No prediction of hotel is as asked.", `value="nobody"`}},
		{"/predictions?model=hotel&version=x", 400, []string{"is no version"}},
		{"/predictions?model=nix", 404, []string{"there is no model nix"}},
		{"/prediction?model=hotel&id=p1", 200, []string{"<h1><b>v1 said 0.831: hold</b> on 16 Mar 2017 12:00.</h1>", "equal to the last bit", "lead_time", "&#43;1.25", "raised it most", "−0.250", "all others", "&lt;City&gt;", "flyball explain p1 -m hotel"}},
		{"/prediction?model=hotel&id=p2", 404, []string{"hotel answered no p2"}},
		{"/evidence?model=hotel", 200, []string{"<h1><b>hotel is at level 0 of 4</b>.</h1>", "L1.code-versioned", "no evidence", "profile=ai-act"}},
		{"/settings", 200, []string{"<h1><b>There are no users</b>, so whoever"}},
		{"/monitors?model=nix", 404, []string{"there is no model nix"}},
	} {
		res, got := get(t, site+c.path)
		if res.StatusCode != c.status {
			t.Errorf("%s: %s", c.path, res.Status)
		}
		for _, want := range c.holds {
			if !strings.Contains(got, want) {
				t.Errorf("%s lacks %q:\n%s", c.path, want, got[strings.Index(got, "<main"):])
			}
		}
		wellFormed(t, got)
		if strings.Contains(got, " data-stream=") && c.status == http.StatusOK {
			livesIn(t, site, c.path, got)
		}
		if strings.Contains(got, "style=") || strings.Contains(got, "https://") || len(got) > 150_000 {
			t.Errorf("%s holds what it must not, or is %d bytes", c.path, len(got))
		}
	}
}

// livesIn checks that what the stream of a page sends is what the page has: elements with
// ids that it holds.
func livesIn(t *testing.T, site, path, page string) {
	t.Helper()
	sent := nextEvent(listen(t, site+"/stream?"+url.Values{"page": {path}}.Encode(), ""))
	_, html, _ := strings.Cut(sent, "data: ")
	root, err := parse(strings.ReplaceAll(html, "\ndata: ", "\n"))
	if err != nil || len(root.kids) == 0 {
		t.Errorf("the stream of %s sends %q: %v", path, sent, err)
		return
	}
	for _, k := range root.kids {
		if id := k.attrs["id"]; id == "" || !strings.Contains(page, ` id="`+id+`"`) {
			t.Errorf("the stream of %s sends <%s id=%q>, which the page has not", path, k.name, id)
		}
	}
}

func TestAStreamOfWhatIsNoLivingPageEndsAtOnce(t *testing.T) {
	site := modelSite(t, &hotel{})
	for page, want := range map[string]int{
		"/settings": 404, "/static/style.css": 404, "/nix": 404, "/model?model=nix": 404, "/login": 404,
		"/stream": 404, "/stream?page=/stream": 404, "https://example.org/": 400, "x": 400,
	} {
		if res, _ := get(t, site+"/stream?"+url.Values{"page": {page}}.Encode()); res.StatusCode != want {
			t.Errorf("%s: got %s, want %d", page, res.Status, want)
		}
	}
}

func TestAReaderRollsBackWithAReason(t *testing.T) {
	h := &hotel{}
	site := modelSite(t, h)
	res, err := http.PostForm(site+"/release/rollback", url.Values{"model": {"hotel"}, "why": {" "}})
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusBadRequest || h.rolledBack != "" {
		t.Errorf("without a reason: %s, %q", res.Status, h.rolledBack)
	}
	res, err = http.PostForm(site+"/release/rollback", url.Values{"model": {"hotel"}, "why": {"complaints"}})
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK || res.Request.URL.String() != site+"/release?model=hotel" || h.rolledBack != "hotel by local: complaints" {
		t.Errorf("got %s at %s, %q", res.Status, res.Request.URL, h.rolledBack)
	}
}
