// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"errors"
	"testing"
	"time"

	"flyball/event"
	"flyball/fault"
	"flyball/governance/audit"
	"flyball/governance/incident"
	"flyball/serving/release"
)

// incidents are opened once, with a record each time that somebody changes one.
func incidents(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	i := incident.New(incident.Untaken, "hotel", "alert a1", "nobody took it", "flyball", noon)
	for range 2 {
		check(t, db.OpenIncident(ctx, i, "worse", message("m1", noon)))
	}
	equal(t, "the incident", must(db.Incidents(ctx, "hotel", true))(t), []incident.Incident{i})
	equal(t, "records", must(db.VerifyAudit(ctx))(t), int64(1))
	equal(t, "messages", len(must(db.ClaimMessages(ctx, noon, noon.Add(time.Minute), 10))(t)), 1)
	no := errors.New("no")
	err := db.ChangeIncident(ctx, i.ID, func(i incident.Incident) (incident.Incident, audit.Record, event.Event, error) {
		return i, audit.Record{}, event.Event{}, no
	})
	if !errors.Is(err, no) {
		t.Errorf("got %v", err)
	}
	wants(t, db.ChangeIncident(ctx, "nobody", nil), fault.NotFound)
	var closed incident.Incident
	check(t, db.ChangeIncident(ctx, i.ID, func(i incident.Incident) (_ incident.Incident, rec audit.Record, ev event.Event, err error) {
		closed, err = i.Close("ana", "a join", "hotel@2", noon.Add(time.Hour))
		rec, ev = closed.Told("close", "ana", closed.Cause, noon.Add(time.Hour))
		return closed, rec, ev, err
	}))
	equal(t, "open", len(must(db.Incidents(ctx, "", true))(t)), 0)
	equal(t, "all", must(db.Incidents(ctx, "", false))(t), []incident.Incident{closed})
	equal(t, "of another", len(must(db.Incidents(ctx, "bikes", false))(t)), 0)
	equal(t, "records after", must(db.VerifyAudit(ctx))(t), int64(2))

	s := release.State{ID: "bikes/2/1", Model: "bikes", Live: 1, Candidate: 2, Phase: release.RollingBack, Generation: 1, Shares: []release.Share{{Generation: 1, Share: 1}}, EnteredAt: noon}
	check(t, db.SaveRelease(ctx, 0, s, nil, nil))
	s.Generation, s.Phase = 2, release.RolledBack
	check(t, db.SaveRelease(ctx, 1, s, nil, nil))
	got := must(db.Incidents(ctx, "bikes", true))(t)
	equal(t, "of a release that was taken back", []any{len(got), got[0].Kind, got[0].Version}, []any{1, incident.Retreat, 2})
	s.ID, s.Generation, s.Phase, s.Shares = "bikes/3/2", 3, release.Aborting, nil
	check(t, db.SaveRelease(ctx, 2, s, nil, nil))
	equal(t, "of one that answered nobody", len(must(db.Incidents(ctx, "bikes", true))(t)), 1)
}
