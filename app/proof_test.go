// SPDX-License-Identifier: Apache-2.0

package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"flyball/api/wire"
	"flyball/client"
	"flyball/fault"
	"flyball/governance/access"
	"flyball/governance/dossier"
)

// A prediction is asked, its truth comes, its hour is sealed, and two years pass.
func TestTheDossierOfATwoYearOldPredictionReplaysItToTheLastBit(t *testing.T) {
	s := begin(t, table(t, 1010))
	row := json.RawMessage(fmt.Sprintf(`{"id":"old","at":%q,"x":0.75,"z":0.5}`, s.at.Format(time.RFC3339)))
	if _, err := s.Predict(t.Context(), "demand", []json.RawMessage{row}); err != nil {
		t.Fatal(err)
	}
	asked := s.at
	s.pass(t, 2)
	if _, err := s.Label(t.Context(), "demand", []wire.Label{{Key: "old", Value: json.RawMessage("13.5")}}); err != nil {
		t.Fatal(err)
	}
	two := asked.AddDate(2, 0, 0)
	if err := s.Client.Advance(t.Context(), two); err != nil {
		t.Fatal(err)
	}
	if n, err := s.log.Seal(t.Context(), two, 0); err != nil || n == 0 {
		t.Fatalf("%d rows were sealed, %v", n, err)
	}
	var raw bytes.Buffer
	if err := s.PredictionDossier(t.Context(), "demand", "old", "json", &raw); err != nil {
		t.Fatal(err)
	}
	var d dossier.Dossier
	if err := json.Unmarshal(raw.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	p := d.Prediction
	switch {
	case !p.Replay.Equal || len(p.Replay.Bits) != 1 || p.Replay.Bits[0] != p.Bits[0] || p.Replay.Why != "":
		t.Errorf("the replay is %+v of %v", p.Replay, p.Bits)
	case p.Truth == nil || p.Truth.Value != "13.5":
		t.Errorf("the truth is %+v", p.Truth)
	case p.Route == nil || p.Route.Generation > p.Generation || p.Route.Candidate != 1:
		t.Errorf("the route is %+v of generation %d", p.Route, p.Generation)
	case p.Why == nil || d.Card.Ref != "demand@1" || d.Verdict == nil || d.Card.Origin.Go == "":
		t.Errorf("reasons %v, card %+v, verdict %v", p.Why, d.Card, d.Verdict)
	case len(d.Records.All) == 0 || d.Records.Withheld || len(d.Records.Changed) > 0:
		t.Errorf("the audit records are %+v", d.Records)
	case !d.Made.Equal(two):
		t.Errorf("made %s, want %s", d.Made, two)
	}
	var page bytes.Buffer
	if err := s.PredictionDossier(t.Context(), "demand", string(p.ID), "html", &page); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"equal to the last bit", p.Bits[0], "13.5", "<svg", d.Records.All[0].Hash, string(d.Card.Bundle)} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page does not say %s", want)
		}
	}
	for _, bad := range []string{"<script", "http:", "https:", "src=", "href=", "url(", "@import"} {
		if strings.Contains(page.String(), bad) {
			t.Errorf("the page has %s", bad)
		}
	}
}

// The groups of a version and the records of the audit chain are for those who may see them.
func TestADossierLeavesOutWhatWhoeverAsksMayNotSee(t *testing.T) {
	s := begin(t, table(t, 1010))
	row := json.RawMessage(fmt.Sprintf(`{"id":"new","at":%q,"x":0.75,"z":0.5}`, s.at.Format(time.RFC3339)))
	if _, err := s.Predict(t.Context(), "demand", []json.RawMessage{row}); err != nil {
		t.Fatal(err)
	}
	s.pass(t, 1)
	p := password
	if _, err := s.AddUser(t.Context(), "ana", wire.User{Grants: []access.Grant{{Role: "admin"}}, Password: &p}); err != nil {
		t.Fatal(err)
	}
	ana := s.As("ana", password)
	for _, c := range []struct {
		role          string
		rows, records bool
	}{{"viewer", false, false}, {"ml-engineer", true, false}, {"auditor", true, true}} {
		if _, err := ana.AddUser(t.Context(), c.role, wire.User{Grants: []access.Grant{{Role: c.role, Model: ""}}}); err != nil {
			t.Fatal(err)
		}
		k, err := ana.AddToken(t.Context(), wire.Token{User: c.role})
		if err != nil {
			t.Fatal(err)
		}
		asks := client.New(s.URL(), k.Secret, http.DefaultClient)
		var page, row bytes.Buffer
		if err := asks.VersionDossier(t.Context(), "demand", 1, "html", &page); err != nil {
			t.Errorf("%s asks for a version: %v", c.role, err)
		}
		if got := strings.Contains(page.String(), "was hashed again: all hold"); got != c.records {
			t.Errorf("%s sees the audit records: %t, want %t", c.role, got, c.records)
		}
		err = asks.PredictionDossier(t.Context(), "demand", "new", "html", &row)
		if c.rows && err != nil || !c.rows && !fault.Is(err, fault.Denied) {
			t.Errorf("%s asks for a prediction: %v", c.role, err)
		}
		if err := asks.Evidence(t.Context(), "demand", "nist", "markdown", &row); err != nil {
			t.Errorf("%s asks for evidence: %v", c.role, err)
		}
	}
}
