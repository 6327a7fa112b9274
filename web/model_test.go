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
	"flyball/blob"
	"flyball/control"
	"flyball/data/dataset"
	columns "flyball/data/frame"
	"flyball/event"
	"flyball/experiment"
	"flyball/experiment/compare"
	"flyball/experiment/evaluation"
	"flyball/experiment/gate"
	"flyball/fault"
	"flyball/governance/audit"
	"flyball/governance/maturity"
	"flyball/ident"
	"flyball/loop"
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
		Course: []monitoring.CoursePart{
			{From: noon.Add(-48 * time.Hour), To: noon.Add(-25 * time.Hour), Rows: 250, Known: 250, True: &monitoring.Figure{Value: 0.5, Half: 0.02}, PSI: map[string]float64{"adr": 0.1}},
			{From: noon.Add(-24 * time.Hour), To: noon, Rows: 250, Known: 50, Estimated: &monitoring.Figure{Value: 0.52}, PSI: map[string]float64{"adr": 0.4}},
		},
		Features: []monitoring.ShiftSeen{{Shift: monitoring.Shift{Feature: "adr", Rows: 500, PSI: 0.4}, Blind: monitoring.Blind{SD: 0.3}}},
	}, nil
}

func (h *hotel) Reproductions(context.Context, string, int) ([]registry.Reproduction, error) {
	return []registry.Reproduction{{At: time.Date(2017, 3, 2, 9, 0, 0, 0, time.UTC), By: "chen", Grade: "R3", Report: json.RawMessage(`{"grade": "R3"}`)}}, nil
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
	if q.Key != "" && q.Key != "b-17" || q.ID != "" && q.ID != "p1" {
		return nil
	}
	return do(prediction.Joined{Label: &prediction.Label{Value: "1", At: noon.Add(time.Hour)}, Record: prediction.Record{
		ID: "p1", Model: "hotel", Version: 1, Arm: "live", Time: noon, At: noon, Key: "b-17", Row: json.RawMessage(`{"lead_time":41,"hotel":"<City>"}`), Scores: []float64{0.831}, Decision: "hold",
	}})
}

func (*hotel) Maturity(_ context.Context, model string) (maturity.Standing, error) {
	return maturity.Judge(&maturity.Facts{Model: model, Now: noon}), nil
}

func (*hotel) Model(_ context.Context, name string) (loop.Model, error) {
	if name != "hotel" {
		return loop.Model{}, fault.New(fault.NotFound, "there is no model %s", name)
	}
	m := loop.Model{Name: name, Files: map[string]registry.DataFile{"bookings.csv": {Digest: "abcdefabcdefabcdef", Size: 2_000_000}}}
	m.Recipe.Task.Time = "arrival"
	m.Recipe.Data.Checks = []dataset.Check{{Rows: &dataset.RowCount{AtLeast: 9000}}, {Fresh: &dataset.FreshCheck{Within: unit.Duration(48 * time.Hour)}}}
	return m, nil
}

var ids = []blob.Digest{blob.Digest(strings.Repeat("a", 64)), blob.Digest(strings.Repeat("b", 64))}

func (*hotel) Snapshots(context.Context, string) ([]control.SnapshotUse, error) {
	return []control.SnapshotUse{
		{Made: dataset.Made{Model: "hotel", ID: ids[0], At: noon, Rows: 3535, Bytes: 90_000, Cause: "schedule"}, Versions: []int{2}},
		{Made: dataset.Made{Model: "hotel", ID: ids[1], At: noon.Add(-time.Hour), Rows: 3000, Bytes: 80_000, Cause: "first"}, Versions: []int{1}},
	}, nil
}

func (*hotel) Snapshot(_ context.Context, _, id string) (dataset.Snapshot, error) {
	for _, x := range ids {
		if strings.HasPrefix(string(x), id) && (id == "" || len(id) >= 8) {
			return dataset.Snapshot{
				ID: x, Count: 3535, Labelled: 3000, Schema: []columns.Field{{Name: "arrival", Kind: columns.Time}, {Name: "agent", Kind: columns.Text}},
				Columns: []dataset.ColumnProfile{{Name: "arrival", From: noon.AddDate(-1, 0, 0), To: noon}, {Name: "agent", Missing: 35, Distinct: 7, Top: []dataset.Top{{Value: "<9>", Rows: 900}}}},
			}, nil
		}
	}
	return dataset.Snapshot{}, fault.New(fault.NotFound, "hotel has no snapshot %q", id)
}

func (*hotel) DiffSnapshots(context.Context, string, string, string) ([]dataset.Change, error) {
	return []dataset.Change{{Kind: "values", Column: "agent", Text: "<9> has 25 % of rows"}}, nil
}

func (*hotel) CheckSnapshot(context.Context, string, string) ([]dataset.Problem, error) {
	return []dataset.Problem{{Check: "at least 9000 rows", Severity: "stop", Text: "3535 rows, at least 9000 are asked for"}}, nil
}

func (*hotel) FindAudit(context.Context, audit.Query, int) ([]audit.Record, error) {
	return []audit.Record{{Seq: 2, At: noon, Actor: "bo", Action: "rollback", Object: "hotel", Why: "<complaints>", Hash: "h2"}, {Seq: 1, At: noon, Actor: "ana", Action: "apply", Object: "hotel", Hash: "h1"}}, nil
}

func (*hotel) AuditEnd(context.Context) (audit.End, error) { return audit.End{Seq: 2, Hash: "h2"}, nil }

func (*hotel) WalkAudit(context.Context, int64, func(audit.Record) error) (audit.End, error) {
	return audit.End{Hash: audit.Start}, nil
}

// judged finds the curves of one comparison.
type judged struct {
	Finder
	Experiments
}

func (judged) Run(_ context.Context, ref string) (compare.Detail, error) {
	return compare.Detail{}, fault.New(fault.NotFound, "there is no run %s", ref)
}

func (judged) SearchExperiments(context.Context, experiment.Ask) ([]experiment.Experiment, string, error) {
	return []experiment.Experiment{{Name: "hotel-search"}, {Name: "other"}}, "", nil
}

func (judged) Compare(context.Context, compare.Question) (compare.Report, error) {
	curves := func(off float64) *compare.Curves {
		var c compare.Curves
		for _, share := range []float64{0.01, 0.25, 0.5, 0.75, 0.99} {
			c.Errors = append(c.Errors, compare.Quantile{Share: share, Value: 100*share - 50 + off})
		}
		return &c
	}
	return compare.Report{Pairs: []compare.Pair{{Name: "hotel@2", Against: "baseline", Curves: map[string]*compare.Curves{"hotel@2": curves(0), "baseline": curves(9)}}}}, nil
}

// house is all that the pages of a model ask.
type house interface {
	Models
	Care
	Predictions
	Proof
	Data
	Audit
	audit.Store
}

func modelSite(t *testing.T, h house) string {
	t.Helper()
	routes := api.NewRoutes(nil)
	if err := New(routes, Options{
		Statuses:   func(context.Context) ([]wire.Status, error) { return []wire.Status{{Model: "hotel"}}, nil },
		LastEvents: func(context.Context, string, int) ([]event.Event, error) { return nil, nil },
		Changed:    never, Logger: slog.New(slog.DiscardHandler), Experiments: judged{}, Models: h, Care: h, Predictions: h, Proof: h, Finder: judged{},
		Data: h, Audit: h, Auditor: &audit.Auditor{Store: h, Now: func() time.Time { return noon }},
		LastAnchor: func() (audit.Anchor, bool, error) {
			return audit.Anchor{At: noon, End: audit.End{Seq: 1, Hash: "h1"}}, true, nil
		},
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
			"<h1><b>v2 passed the gate</b>: 1 of 2 rules hold on 3,535 rows. It is candidate.</h1>", "flyball gate show hotel@2", "61 ms &lt;slow&gt;", "Half of what hotel@2 predicts is off by", `href="#g-stop"`, "<td>bo</td>", "against=hotel%401",
		}},
		{"/model?model=hotel", 200, []string{"<h1><b>v1</b> was not judged yet. It is live.</h1>", "flyball gate hotel@1 has it judged", "<td>carl</td>"}},
		{"/model?model=hotel&version=7", 404, []string{"hotel has no version 7"}},
		{"/model?model=hotel&version=x", 400, []string{"is no version"}},
		{"/model?model=nix", 404, []string{"there is no model nix"}},
		{"/release?model=hotel", 200, []string{
			"<h1><b>v2</b> answers 25%.</h1>", "<b>5%</b><small>for 1d</small>", `aria-current="step"`, "since 16 Mar 12:00, until 18 Mar 12:00", "Roll back to v1", "v1, 75 %", "v1 answers 75 percent, v2 answers 25.",
		}},
		{"/release?model=nix", 404, []string{"there is no model nix"}},
		{"/monitors?model=hotel", 200, []string{"<h1><b>1 finding</b> is open at hotel: adr is 0.4 PSI away.</h1>", "0.520 ± 0.01", "log_loss of v1 over its newest 500 rows; the truth of 60 % is known.", "data-end", "2 windows, the last 0.4.", "0.3", "agent unseen in 61 % of rows", "valid only if the concept has not changed"}},
		{"/predictions?model=hotel", 200, []string{"All <b>1 prediction</b> of hotel as asked", "/prediction?id=p1&amp;model=hotel", "0.831: hold", "<td>1</td>"}},
		{"/predictions?model=hotel&key=nobody", 200, []string{"No prediction of hotel is as asked.", `value="nobody"`}},
		{"/predictions?model=hotel&version=x", 400, []string{"is no version"}},
		{"/predictions?model=nix", 404, []string{"there is no model nix"}},
		{"/prediction?model=hotel&id=p1", 200, []string{"<h1><b>v1 said 0.831: hold</b> on 16 Mar 2017 12:00.</h1>", "equal to the last bit", "lead_time", "&#43;1.25", "raised it most", "From −0.610 to ", "lead_time = 41", "−0.250", "all others", "&lt;City&gt;", "flyball explain p1 -m hotel"}},
		{"/prediction?model=hotel&id=p2", 404, []string{"hotel answered no p2"}},
		{"/evidence?model=hotel", 200, []string{"<h1><b>hotel is at level 0 of 4</b>.</h1>", "L1.code-versioned", "no evidence", "profile=ai-act"}},
		{"/data?model=hotel", 200, []string{"<h1>The newest snapshot has <b>3,535 rows</b><b>: 1 of 2 checks does not hold.</b></h1>", "flyball data list hotel", "at least 9000 rows", "3535 rows, at least 9000 are asked for", "half within", `href="/model?model=hotel&amp;version=2"`}},
		{"/data?model=hotel&snapshot=bbbbbbbb", 200, []string{"<h1>Snapshot bbbbbbbbbbbb has", "flyball data show hotel bbbbbbbbbbbb", "There is none before it"}},
		{"/data?model=hotel&snapshot=cc", 404, []string{"no snapshot"}},
		{"/data?model=nix", 404, []string{"there is no model nix"}},
		{"/audit", 200, []string{"<h1><b>2 records</b> of who changed what.</h1>", "Not verified since this server began.", "<td>rollback</td>", "2017-03-16T12:00:00Z 1 h1"}},
		{"/audit?actor=ana&action=apply&object=hotel&since=2017-03-01", 200, []string{"flyball audit --actor ana --action apply --object hotel --since 2017-03-01"}},
		{"/audit?since=x", 400, []string{"is no day"}},
		{"/audit?records.after=x", 400, []string{"is no record"}},
		{"/find", 200, []string{"<h1><b>Find anything</b> by its name.</h1>"}},
		{"/find?q=HOT", 200, []string{"<h1><b>2 things</b> are called “HOT”.</h1>", "/runs?experiment=hotel-search"}},
		{"/find?q=hotel@2", 200, []string{"/model?model=hotel&amp;version=2", "<h1><b>1 thing</b> is called"}},
		{"/find?q=b-17", 200, []string{"/prediction?id=p1&amp;model=hotel"}},
		{"/find?q=%3Cnix%3E", 200, []string{"Nothing is called “&lt;nix&gt;”"}},
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
		if strings.Contains(got, "style=") || strings.Contains(got, `="https://`) || len(got) > 150_000 {
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

func TestThePageOfTheAuditSaysWhenItWasVerified(t *testing.T) {
	site := modelSite(t, &hotel{})
	res, err := http.PostForm(site+"/audit/verify", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.Request.URL.Path != "/audit" || res.StatusCode != http.StatusOK {
		t.Fatalf("got %s at %s", res.Status, res.Request.URL)
	}
	if _, got := get(t, site+"/audit"); !strings.Contains(got, "0 records held. 2 records came later.") {
		t.Errorf("the page: %s", got)
	}
}
