// SPDX-License-Identifier: Apache-2.0

package dossier

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flyball/data/dataset"
	"flyball/experiment/evaluation"
	"flyball/experiment/gate"
	"flyball/experiment/gate/report"
	"flyball/governance/audit"
	"flyball/governance/card"
	"flyball/ident"
	"flyball/model/registry"
	"flyball/serving/prediction"
	"flyball/serving/release"
)

var update = flag.Bool("update", false, "write what the dossier looks like to testdata")

var noon = time.Date(2019, 3, 16, 12, 0, 0, 0, time.UTC)

// chain are audit records as a store would hold them.
func chain(t *testing.T, all ...audit.Record) []audit.Record {
	t.Helper()
	prev := audit.Start
	for i := range all {
		all[i].Seq, all[i].At = int64(i+1), noon.AddDate(-2, 0, i)
		r, err := audit.Seal(prev, all[i])
		if err != nil {
			t.Fatal(err)
		}
		all[i], prev = r, r.Hash
	}
	return all
}

// held is the dossier of a prediction.
func held(t *testing.T) Dossier {
	t.Helper()
	raw, err := json.Marshal(gate.Verdict{
		Decision: gate.Superior, Pass: true, Summary: "is better than the baseline", Rows: 4210, Blocks: 118,
		Reasons:     []gate.Reason{{Rule: "log_loss against baseline: superior", Metric: "log_loss", Against: "baseline", Decision: gate.Superior, Required: true, Text: "better"}},
		Differences: []evaluation.Difference{{Metric: "log_loss", Against: "baseline", Candidate: 0.41, Other: 0.66, Value: 0.25, Low: 0.24, High: 0.26, Rows: 4210, Blocks: 118}},
		Groups:      []evaluation.GroupTable{{Column: "sex", Reference: "male", Groups: []evaluation.GroupRow{{Value: "female", Judged: evaluation.GroupLower}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	v := registry.Version{Ref: ident.Ref{Model: "hotel-cancel", Version: 7}, Bundle: "6c2ca7", Snapshot: "5fe0d2", Verdict: "pass", Report: raw, CreatedAt: noon.AddDate(-2, 0, 0), CreatedBy: "flyball", Cause: "first"}
	if v, err = report.Withhold(v); err != nil {
		t.Fatal(err)
	}
	history := []release.State{
		{ID: "hotel-cancel/7/1", Model: "hotel-cancel", Candidate: 7, Generation: 3, Phase: release.Full, StartedAt: noon.AddDate(-2, 0, 0), EnteredAt: noon.AddDate(-2, 0, 1), By: "bo", Cause: "first", Reason: "the shadow did no harm"},
		{ID: "hotel-cancel/8/2", Model: "hotel-cancel", Candidate: 8, Generation: 9},
	}
	c, err := card.Of(card.Facts{Version: v, Releases: history, Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	verdict, err := Judged(v)
	if err != nil {
		t.Fatal(err)
	}
	scores := []float64{0.6667088623269608}
	return Dossier{
		Subject: "01946b3c-9a52-7c31-9f0d-2b8f3c1d7e60", Model: "hotel-cancel", Made: noon, By: "chen", Card: &c, Verdict: verdict,
		Records: Gather(chain(t, audit.Record{Actor: "ana", Action: "apply", Object: "hotel-cancel", Why: "model file applied"}, audit.Record{Actor: "bo", Action: "promote", Object: "hotel-cancel", Why: "<b>tested</b>"})),
		Prediction: &Prediction{
			Record: prediction.Record{
				ID: "01946b3c-9a52-7c31-9f0d-2b8f3c1d7e60", Model: "hotel-cancel", Version: 7, Arm: prediction.Live, Generation: 5, Key: "b-17",
				At: noon.AddDate(-2, 0, 3), Time: noon.AddDate(-2, 0, 3), Due: noon.AddDate(-2, 0, 30), Row: json.RawMessage(`{"lead_time":167,"agent":"<script>alert(1)</script>","meal":"HB"}`),
				Scores: scores, Decision: "ask for a deposit", Flags: []string{"unseen:agent"},
				Others: []prediction.Other{{Role: prediction.Baseline, Version: 1, Scores: []float64{0.37}}},
			},
			Bits: Bits(scores), Decide: &dataset.Decision{Above: 0.5, Then: "ask for a deposit", Else: "sell"},
			Truth: &prediction.Label{Value: "1", At: noon.AddDate(-2, 0, 20), Received: noon.AddDate(-2, 0, 21)},
			Why: &prediction.Reasons{
				Method: "trees", Space: "log-odds", Version: 7, Margin: 0.693, Base: 0.283,
				Top: []prediction.Reason{{Feature: "lead_time", Value: json.RawMessage("167"), Contribution: 0.749}, {Feature: "meal", Value: json.RawMessage(`"HB"`), Contribution: -0.339}},
			},
			Kept: true, Route: RouteAt(history, 5),
			Replay: Replay{Equal: true, Bundle: "6c2ca7", Scores: scores, Bits: Bits(scores)},
		},
	}
}

func page(t *testing.T, d Dossier) string {
	t.Helper()
	var b bytes.Buffer
	if err := d.HTML(&b, "h1{font-weight:600}"); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestADossierLooksAsItDid(t *testing.T) {
	got := page(t, held(t))
	path := filepath.Join("testdata", "dossier.html")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the dossier is another; see what -update makes of it:\n%s", got)
	}
}

func TestADossierHoldsNothingThatRunsOrThatIsElsewhere(t *testing.T) {
	got := page(t, held(t))
	for _, bad := range []string{"<script", "http://", "https://", "src=", "href=", "url(", "@import", "<b>tested"} {
		if strings.Contains(got, bad) {
			t.Errorf("the page has %s", bad)
		}
	}
}

func TestADossierSaysWhatIsNotAsItWas(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Dossier)
		want   string
	}{
		{"another score", func(d *Dossier) {
			d.Prediction.Replay = Replay{Scores: []float64{0.5}, Bits: Bits([]float64{0.5}), Why: Differ(d.Prediction.Scores, []float64{0.5})}
		}, "it is not equal: score 0 was 0.6667088623269608 and is 0.5 now."},
		{"a bundle that is gone", func(d *Dossier) { d.Prediction.Replay = Replay{Why: "the blob is not here"} }, "It could not be scored again: the blob is not here."},
		{"a truth that did not come", func(d *Dossier) { d.Prediction.Truth = nil }, "the truth is not known"},
		{"no reasons", func(d *Dossier) { d.Prediction.Why, d.Prediction.Unexplained = nil, "it is no tree" }, "There are no reasons: it is no tree."},
		{"a route that is not known", func(d *Dossier) { d.Prediction.Route = nil }, "does not hold this route"},
		{"the fallback", func(d *Dossier) { d.Card, d.Verdict = nil, nil }, "the fallback of the model file said 0.666709"},
		{"a record that was changed", func(d *Dossier) { d.Records.All[1].Why = "nothing"; d.Records = Gather(d.Records.All) }, "past Flyball: records 2 do not have"},
		{"records that are not shown", func(d *Dossier) { d.Records = Gather(nil) }, "may not read the audit records"},
		{"a version that was not judged", func(d *Dossier) { d.Verdict = nil }, "The gate has not judged this version."},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := held(t)
			c.change(&d)
			if got := page(t, d); !strings.Contains(got, c.want) {
				t.Errorf("the page does not say %q", c.want)
			}
		})
	}
}

func TestADossierOfAVersionHasNoRow(t *testing.T) {
	d := held(t)
	d.Prediction, d.Subject = nil, "hotel-cancel@7"
	got := page(t, d)
	if strings.Contains(got, "lead_time") || !strings.Contains(got, "Its model card.") {
		t.Error("the page has a row, or no card")
	}
}

func TestARouteIsThatOfItsGeneration(t *testing.T) {
	history := []release.State{{Generation: 2}, {Generation: 5}, {Generation: 9}}
	for generation, want := range map[int64]int64{2: 2, 4: 2, 5: 5, 8: 5, 100: 9} {
		if got := RouteAt(history, generation); got == nil || got.Generation != want {
			t.Errorf("generation %d: got %+v, want %d", generation, got, want)
		}
	}
	for _, generation := range []int64{0, 1} {
		if got := RouteAt(history, generation); got != nil {
			t.Errorf("generation %d: got %+v, want none", generation, got)
		}
	}
}

func TestOnlyTheNewestRecordsAreHeldAndTheOthersCounted(t *testing.T) {
	all := chain(t, make([]audit.Record, Most+3)...)
	if got := Gather(all); len(got.All) != Most || got.Earlier != 3 || len(got.Changed) != 0 || got.All[Most-1].Seq != Most+3 {
		t.Errorf("got %d records, %d earlier, %v changed", len(got.All), got.Earlier, got.Changed)
	}
}

func TestARowIsShownInTheOrderInWhichItWasSent(t *testing.T) {
	got := inputs(json.RawMessage(`{"b": 1, "a": {"c": [2]}, "b": 3}`))
	if len(got) != 2 || got[0][0] != "b" || got[0][1] != "3" || got[1][1] != `{"c": [2]}` {
		t.Errorf("got %v", got)
	}
	if got := inputs(json.RawMessage(`[1`)); got != nil {
		t.Errorf("no row: got %v", got)
	}
}
