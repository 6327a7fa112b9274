// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"testing"
	"time"

	"flyball/asof"
	"flyball/event"
	"flyball/governance/audit"
	"flyball/governance/maturity"
)

// statements are found by whom they are of and by when, and leave a record.
func statements(t *testing.T, open Open) {
	db, _ := open(t)
	a := maturity.Attestation{ID: "a1", Check: "L1.app-tests", Why: "they run in the shop's CI", By: "ana", At: noon, Until: noon.Add(time.Hour)}
	r := maturity.Report{ID: "r1", Suite: "unit", Target: "app", Status: "pass", Model: "hotel", Version: 3, By: "shop", Program: true, At: noon}
	all := maturity.Report{ID: "r2", Suite: "deploy", Target: "app", Status: "fail", By: "ana", At: noon.Add(time.Minute)}
	ev := event.Event{At: noon, By: "ana", Mark: event.OK, Kind: "report", Text: "said"}
	check(t, db.AddAttestation(t.Context(), a, record("attest", a.Check), ev))
	for _, x := range []maturity.Report{r, all} {
		check(t, db.AddReport(t.Context(), x, record("report", "hotel@3"), ev))
	}
	equal(t, "attestations", must(db.Attestations(t.Context(), noon))(t), []maturity.Attestation{a})
	equal(t, "attestations that are over", must(db.Attestations(t.Context(), noon.Add(time.Hour)))(t), []maturity.Attestation(nil))
	equal(t, "reports of a model", must(db.Reports(t.Context(), "hotel", noon))(t), []maturity.Report{all, r})
	equal(t, "reports of another", must(db.Reports(t.Context(), "bikes", noon))(t), []maturity.Report{all})
	equal(t, "reports since", must(db.Reports(t.Context(), "hotel", noon.Add(time.Second)))(t), []maturity.Report{all})
	d := maturity.Drill{ID: "d1", Model: "hotel", From: 3, Back: 2, Rows: 9, Took: 0.25, By: "ana", At: noon}
	check(t, db.AddDrill(t.Context(), d, record("drill", "hotel@2"), ev))
	equal(t, "drills", must(db.Drills(t.Context(), "hotel", noon))(t), []maturity.Drill{d})
	equal(t, "drills of another", must(db.Drills(t.Context(), "bikes", noon))(t), []maturity.Drill(nil))
	equal(t, "drills since", must(db.Drills(t.Context(), "hotel", noon.Add(time.Second)))(t), []maturity.Drill(nil))
	equal(t, "drills as of before", must(db.Drills(asof.With(t.Context(), noon.Add(-time.Second)), "hotel", time.Time{}))(t), []maturity.Drill(nil))
	equal(t, "records that hold", must(db.VerifyAudit(t.Context()))(t), int64(4))
}

// acts are the records of one model and its versions.
func acts(t *testing.T, open Open) {
	db, _ := open(t)
	for i, object := range []string{"hotel", "hotel@1", "hotel.baseline@1", "hotels", "größe@2", "hotel@2"} {
		rec := record("apply", object)
		rec.At = noon.Add(time.Duration(i) * time.Minute)
		must(db.AddAudit(t.Context(), rec))(t)
	}
	objects := func(model string, since time.Time) []string {
		var out []string
		for _, r := range must(db.Acts(t.Context(), model, since))(t) {
			out = append(out, r.Object)
		}
		return out
	}
	equal(t, "acts", objects("hotel", noon), []string{"hotel", "hotel@1", "hotel@2"})
	equal(t, "acts since", objects("hotel", noon.Add(time.Minute)), []string{"hotel@1", "hotel@2"})
	equal(t, "acts of a name beyond ASCII", objects("größe", noon), []string{"größe@2"})
	equal(t, "acts of nothing", must(db.Acts(t.Context(), "bikes", noon))(t), []audit.Record(nil))
}
