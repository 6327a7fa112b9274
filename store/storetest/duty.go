// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"testing"
	"time"

	"flyball/governance/duty"
)

// turns are noted once, and absences one for each person.
func turns(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	a := duty.Absence{Person: "bo", From: noon, To: noon.Add(time.Hour), By: "ana", At: noon, Why: "a holiday"}
	check(t, db.KeepAbsence(ctx, a, record("away", "bo"), happening("", "bo is away")))
	a.To = noon.Add(2 * time.Hour)
	check(t, db.KeepAbsence(ctx, a, record("away", "bo"), happening("", "bo is away")))
	equal(t, "absences", must(db.Absences(ctx))(t), []duty.Absence{a})

	ana := duty.Turn{Model: "hotel", Duty: "fix", Who: "ana", Since: noon}
	bo := duty.Turn{Model: "hotel", Duty: "fix", Who: "bo", Before: "ana", Since: noon.Add(time.Hour)}
	for _, next := range []duty.Turn{ana, ana, bo, bo} {
		check(t, db.TakeTurn(ctx, next, happening("hotel", next.Who+" has it")))
	}
	bo.Before = ""
	equal(t, "turns", must(db.Turns(ctx))(t), []duty.Turn{bo})
	told := 0
	for _, e := range must(db.LastEvents(ctx, "hotel", 100))(t) {
		if e.Text == "ana has it" || e.Text == "bo has it" {
			told++
		}
	}
	equal(t, "times that a hand-over was told", told, 2)
}
