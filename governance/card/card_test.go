// SPDX-License-Identifier: Apache-2.0

package card

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/data/dataset"
	"flyball/experiment/evaluation"
	"flyball/experiment/gate"
	"flyball/experiment/gate/report"
	"flyball/experiment/modeltest"
	"flyball/governance/approval"
	"flyball/governance/duty"
	"flyball/ident"
	"flyball/model/registry"
	"flyball/monitoring"
	"flyball/serving/release"
)

var update = flag.Bool("update", false, "write what the cards look like to testdata")

var noon = time.Date(2017, 3, 16, 12, 0, 0, 0, time.UTC)

// facts are those of a version of hotel-cancel, as a store would hold them.
func facts(t *testing.T) Facts {
	t.Helper()
	verdict := gate.Verdict{
		Decision: gate.NonInferior, Pass: true, Summary: "is as good as v6 and better than the baseline", Rows: 4210, Blocks: 118,
		Estimates: []evaluation.Estimate{
			{Metric: "log_loss", Role: "candidate", Value: 0.41234, Low: 0.40112, High: 0.42356, Rows: 4210, Blocks: 118},
			{Metric: "log_loss", Role: "live", Value: 0.41301, Low: 0.40201, High: 0.42401, Rows: 4210, Blocks: 118},
			{Metric: "log_loss", Slice: "hotel=Resort Hotel", Role: "candidate", Value: 0.43, Low: 0.40, High: 0.46, Rows: 1502, Blocks: 118},
		},
		Differences: []evaluation.Difference{
			{Metric: "log_loss", Against: "baseline", Candidate: 0.41234, Other: 0.66, Value: 0.2477, Low: 0.241, High: 0.2544, Rows: 4210, Blocks: 118},
			{Metric: "brier", Against: "live", Candidate: 0.1311, Other: 0.1309, Value: -0.0002, Low: -0.0011, High: 0.0007, Rows: 4210, Blocks: 118},
		},
		Groups: []evaluation.GroupTable{{Column: "sex", Rows: 4000, Reference: "male", Groups: []evaluation.GroupRow{
			{Value: "male", Rows: 2500, Selection: evaluation.Range{Value: 0.3, Low: 0.28, High: 0.32}, Ratio: evaluation.Range{Value: 1, Low: 1, High: 1}, Judged: "reference"},
		}}},
		Tests: []modeltest.Result{{Name: "the same guest twice", Kind: "invariance", Required: true, Passed: true, Judged: true, Rows: 200, Text: "200 of 200 rows keep their score"}},
	}
	report, err := json.Marshal(verdict)
	if err != nil {
		t.Fatal(err)
	}
	record, err := os.ReadFile(filepath.Join("testdata", "record.json"))
	if err != nil {
		t.Fatal(err)
	}
	state := func(generation int64, phase release.Phase, candidate int, by, why string) release.State {
		at := noon.AddDate(0, 0, int(generation)-20)
		return release.State{ID: "hotel-cancel/7/1", Model: "hotel-cancel", Candidate: candidate, Generation: generation, Phase: phase, StartedAt: noon.AddDate(0, 0, -19), EnteredAt: at, By: by, Reason: why}
	}
	return Facts{
		Version: registry.Version{
			Ref: ident.Ref{Model: "hotel-cancel", Version: 7}, Bundle: "6c2ca7", Judged: "77aa01", Snapshot: "5fe0d2", Record: "0b1c2d", SeenUntil: noon.AddDate(0, 0, -21),
			Verdict: "pass", Report: report, Cause: "schedule", CreatedAt: noon.AddDate(0, 0, -20), CreatedBy: "flyball", Aliases: []string{"live"},
		},
		About: "Will a booking be cancelled?",
		Human: Human{IntendedUse: "Ask for a deposit where the chance is above one half.", Affected: "Guests who book.", Risk: "low", Owner: "ana <script>"}, SaidBy: "ana", SaidAt: noon.AddDate(0, -1, 0),
		Task: dataset.Task{Column: "is_canceled", Kind: dataset.Binary}, Trainer: "builtin/gbdt", Record: record,
		Snapshot: dataset.Made{Model: "hotel-cancel", ID: "5fe0d2", At: noon.AddDate(0, 0, -20), Rows: 69763},
		Asked: []approval.Request{
			{
				ID: "7-2", Model: "hotel-cancel", Version: 7, Digest: "ab12cd34ef567890", Risk: approval.Medium, Filed: approval.Medium, By: "bo", Authors: []string{"carl"}, AskedAt: noon.AddDate(0, 0, -19),
				Given: []approval.Given{{Kind: approval.Approve, By: "vera", Roles: []string{"validator"}, Why: "the slices | hold", Digest: "ab12cd34ef567890", At: noon.AddDate(0, 0, -18)}},
				Ended: &approval.Ended{State: approval.Approved, Why: "approved by vera (validator)", At: noon.AddDate(0, 0, -18)},
			},
			{ID: "6-1", Model: "hotel-cancel", Version: 6, By: "of another version"},
		},
		Releases: []release.State{
			state(1, release.ShadowPhase, 6, "flyball", "another version's"), state(2, release.ShadowPhase, 7, "flyball", "it passed the gate"), state(3, release.Full, 7, "bo", "the shadow did no harm"),
		},
		Findings: []monitoring.Finding{
			{Version: 7, Kind: "drift", Subject: "adr", Opened: noon.AddDate(0, 0, -3), Text: "adr is dearer than in training"},
			{Version: 7, Kind: "drift", Subject: "meal", Opened: noon.AddDate(0, 0, -40), Text: "before it was released"},
			{Version: 6, Kind: "drift", Subject: "adr", Opened: noon.AddDate(0, 0, -2), Text: "of another version"},
		},
		Remade: []registry.Reproduction{{At: noon.AddDate(0, 0, -1), By: "chen", Grade: "R3"}},
		Now:    noon,
	}
}

func made(t *testing.T, f Facts) Card {
	t.Helper()
	c, err := Of(f)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// golden compares with a file of testdata, or writes it.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is another; see what -update makes of it:\n%s", name, got)
	}
}

func TestACardLooksAsItDid(t *testing.T) {
	c := made(t, facts(t))
	golden(t, "card.md", []byte(c.Markdown()))
	golden(t, "card.hf.md", []byte(c.HuggingFace()))
	var b bytes.Buffer
	if err := c.HTML(&b, "h1{font-weight:600}"); err != nil {
		t.Fatal(err)
	}
	golden(t, "card.html", b.Bytes())
	raw, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "card.json", raw)
}

func TestAPageHoldsNothingThatRunsOrThatIsElsewhere(t *testing.T) {
	var b bytes.Buffer
	if err := made(t, facts(t)).HTML(&b, "h1{color:red}"); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script", "http://", "https://", "src=", "href=", "url(", "@import", " onload"} {
		if strings.Contains(b.String(), bad) {
			t.Errorf("the page has %s", bad)
		}
	}
	if err := (Page{Style: "</STYLE><script>"}).HTML(&b); err == nil {
		t.Error("a style that ends the style is taken")
	}
}

func TestACardDerivesWhatIsRecordedAndNoMore(t *testing.T) {
	c := made(t, facts(t))
	if want := []string{"card.out_of_scope", "card.limits"}; !slices.Equal(c.Missing, want) {
		t.Errorf("missing %v, want %v", c.Missing, want)
	}
	if md := c.Markdown(); len(c.Approvals) != 1 || !strings.Contains(md, "| vera | validator | approve | ab12cd34ef56 |") || !strings.Contains(md, "neither proposed nor made it") {
		t.Errorf("approvals %+v, want the one of v7", c.Approvals)
	}
	if len(c.Steps) != 2 || c.Steps[1].By != "bo" {
		t.Errorf("releases %+v, want the two steps of v7", c.Steps)
	}
	if len(c.Findings) != 1 || c.Findings[0].Subject != "adr" || c.Findings[0].Text != "adr is dearer than in training" {
		t.Errorf("findings %+v, want the one of v7 since its release", c.Findings)
	}
	if c.Origin.Commit != "4f1d0c2b" || c.Origin.Flyball != "v0.3.0" || len(c.Origin.Ingredients) != 3 || c.Origin.Machine == "" || *c.Origin.Seed != 7 {
		t.Errorf("origin %+v", c.Origin)
	}
}

func TestGroupsAreKeptFromWhoMayNotSeeThem(t *testing.T) {
	f := facts(t)
	var err error
	if f.Version, err = report.Withhold(f.Version); err != nil {
		t.Fatal(err)
	}
	c := made(t, f)
	if len(c.Groups) != 0 || !c.Withheld {
		t.Errorf("groups %v, withheld %t", c.Groups, c.Withheld)
	}
	if md := c.Markdown(); strings.Contains(md, "male") || !strings.Contains(md, "may not see it") {
		t.Error("the document tells of groups, or does not say that it leaves them out")
	}
}

func TestAVersionThatNobodyJudgedOrReleasedHasACard(t *testing.T) {
	c := made(t, Facts{Version: registry.Version{Ref: ident.Ref{Model: "m", Version: 1}}, Now: noon})
	if len(c.Missing) != 6 {
		t.Errorf("missing %v, want all six", c.Missing)
	}
	for _, want := range []string{"has not judged", "never released", "needed before production: card.intended\\_use,"} {
		if !strings.Contains(c.Markdown(), want) {
			t.Errorf("the card does not say %q:\n%s", want, c.Markdown())
		}
	}
	if !strings.Contains(c.HuggingFace(), "    metrics: []\n---\n") {
		t.Errorf("metadata without results:\n%s", c.HuggingFace())
	}
}

func TestARecordOrReportThatCannotBeReadIsAFault(t *testing.T) {
	f := facts(t)
	f.Record = []byte("{")
	if _, err := Of(f); err == nil {
		t.Error("half a record is taken")
	}
	f = facts(t)
	f.Version.Report = []byte("[]")
	if _, err := Of(f); err == nil {
		t.Error("a list is taken for a report")
	}
}

func TestTheRestOfTheModelFileFillsHoles(t *testing.T) {
	all := duty.Duty{Owner: "ana", Backup: "bo"}
	one := duty.Duties{Feed: all, Monitor: all, Retrain: all, Fix: all}
	several := one
	several.Fix.Owner = "bo"
	for _, c := range []struct {
		name     string
		settings Settings
		duties   duty.Duties
		want     Human
	}{
		{"about is the intended use", Settings{}, duty.Duties{}, Human{IntendedUse: "a model", Risk: "low"}},
		{"unless it is said", Settings{IntendedUse: " asked "}, duty.Duties{}, Human{IntendedUse: "asked", Risk: "low"}},
		{"who has all duties is the owner", Settings{}, one, Human{IntendedUse: "a model", Risk: "low", Owner: "ana"}},
		{"where several have them, nobody is", Settings{}, several, Human{IntendedUse: "a model", Risk: "low"}},
		{"who is named is the owner", Settings{Owner: "eli"}, one, Human{IntendedUse: "a model", Risk: "low", Owner: "eli"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.settings.Human("a model", "low", c.duties); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}
