// SPDX-License-Identifier: Apache-2.0

package app

import (
	"testing"

	"flyball/api/wire"
	"flyball/client"
	"flyball/fault"
	"flyball/governance/access"
	"flyball/governance/maturity"
)

// TestWhoSaysWhatOfWorkElsewhere goes the way of docs/maturity.md.
func TestWhoSaysWhatOfWorkElsewhere(t *testing.T) {
	a, ana, tokens := guarded(t)
	as := func(role string) *client.Client { return client.New(a.URL(), tokens[role], nil) }
	report := wire.ReportTest{Suite: "unit", Target: maturity.App, Status: maturity.Pass}
	if r, err := as("ci").ReportTest(t.Context(), report); err != nil || !r.Program || r.By != "ci" || r.At.IsZero() {
		t.Errorf("a program reports: got %+v, %v", r, err)
	}
	if r, err := as("data-scientist").ReportTest(t.Context(), report); err != nil || r.Program {
		t.Errorf("a person reports: got %+v, %v", r, err)
	}
	for name, change := range map[string]func(r *wire.ReportTest){
		"a model that there is not": func(r *wire.ReportTest) { r.Model = "bikes" },
		"a version of it":           func(r *wire.ReportTest) { r.Model, r.Version = "bikes", 7 },
	} {
		r := report
		change(&r)
		if _, err := as("ci").ReportTest(t.Context(), r); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	report.Status = "perhaps"
	if _, err := as("ci").ReportTest(t.Context(), report); !fault.Is(err, fault.Invalid) {
		t.Errorf("perhaps: got %v", err)
	}
	word := wire.Attest{Check: "L1.app-tests", Why: "they run in the shop's own CI"}
	if x, err := as("owner").Attest(t.Context(), word); err != nil || x.By != "owner" || x.Until.Sub(x.At) != maturity.Long {
		t.Errorf("an owner attests: got %+v, %v", x, err)
	}
	word.Check = "L3.rollback-proven"
	if _, err := as("owner").Attest(t.Context(), word); !fault.Is(err, fault.Refused) {
		t.Errorf("what records decide: got %v", err)
	}
	for _, role := range []string{"viewer", "ci", "admin"} {
		if _, err := as(role).Attest(t.Context(), word); !fault.Is(err, fault.Denied) {
			t.Errorf("%s attests: got %v", role, err)
		}
	}
	records, err := ana.Events(t.Context(), 0, "")
	if err != nil {
		t.Fatal(err)
	}
	said := 0
	for _, e := range records {
		if e.Kind == "report" || e.Kind == "attest" {
			said++
		}
	}
	if said != 3 {
		t.Errorf("%d events tell of it, want 3", said)
	}
	if o, err := as("viewer").Maturities(t.Context()); err != nil || o.Minimum != 0 || len(o.Models) != 0 {
		t.Errorf("got %+v, %v", o, err)
	}
	if _, err := as("viewer").Maturity(t.Context(), "bikes"); !fault.Is(err, fault.NotFound) {
		t.Errorf("a model that there is not: got %v", err)
	}
	if _, err := as("viewer").Deliveries(t.Context(), "1d"); !fault.Is(err, fault.Invalid) {
		t.Errorf("delivery of a day: got %v", err)
	}
}

func TestNobodyAttestsWithoutAName(t *testing.T) {
	a := start(t, config(t))
	_, err := client.New(a.URL(), "", nil).Attest(t.Context(), wire.Attest{Check: "L1.app-tests", Why: "I know"})
	if !fault.Is(err, fault.Refused) {
		t.Errorf("%s attests: got %v", access.Local, err)
	}
}
