// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"errors"
	"testing"
	"time"

	"flyball/event"
	"flyball/experiment"
	"flyball/fault"
	"flyball/governance/approval"
	"flyball/governance/audit"
	"flyball/ident"
	"flyball/model/registry"
)

// approvals are asked once, changed one after the other, and end.
func approvals(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	r := approval.Request{
		ID: "8-3", Model: "hotel", Version: 8, Digest: "d1", Risk: approval.High, Filed: approval.High, By: "ana", Authors: []string{"bo"},
		AskedAt: noon, Expires: noon.Add(approval.Lifetime), Summary: "passes",
	}
	for range 2 {
		check(t, db.AskApproval(ctx, r, record("ask approval", "hotel@8"), happening("hotel", "v8 waits")))
	}
	later := r
	later.ID, later.AskedAt = "9-4", noon.Add(time.Hour)
	check(t, db.AskApproval(ctx, later, record("ask approval", "hotel@9")))
	bikes := r
	bikes.Model = "bikes"
	check(t, db.AskApproval(ctx, bikes, record("ask approval", "bikes@8")))
	equal(t, "one", must(db.Approval(ctx, "hotel", "8-3"))(t), r)
	_, err := db.Approval(ctx, "hotel", "8-4")
	wants(t, err, fault.NotFound)
	equal(t, "of the model", must(db.Approvals(ctx, "hotel", false))(t), []approval.Request{later, r})
	equal(t, "of all", must(db.Approvals(ctx, "", true))(t), []approval.Request{later, bikes, r})

	say := func(name string) func(approval.Request) (approval.Request, *audit.Record, []event.Event, error) {
		return func(r approval.Request) (approval.Request, *audit.Record, []event.Event, error) {
			rec := record("approve", "hotel@8")
			r.Given = append(r.Given, approval.Given{Kind: approval.Approve, By: name, At: noon})
			return r, &rec, nil, nil
		}
	}
	atOnce(8, func(i int) { check(t, db.ChangeApproval(ctx, "hotel", "8-3", say(string(rune('a'+i))))) })
	equal(t, "said at once", len(must(db.Approval(ctx, "hotel", "8-3"))(t).Given), 8)
	no := errors.New("no")
	err = db.ChangeApproval(ctx, "hotel", "8-3", func(r approval.Request) (approval.Request, *audit.Record, []event.Event, error) {
		return r, nil, nil, no
	})
	if !errors.Is(err, no) {
		t.Errorf("got %v, want the error that decided", err)
	}
	wants(t, db.ChangeApproval(ctx, "hotel", "none", say("x")), fault.NotFound)
	check(t, db.ChangeApproval(ctx, "hotel", "8-3", func(r approval.Request) (approval.Request, *audit.Record, []event.Event, error) {
		rec := record("approval approved", "hotel@8")
		r.Ended = &approval.Ended{State: approval.Approved, Why: "a and b", At: noon}
		return r, &rec, []event.Event{happening("hotel", "v8 may go")}, nil
	}))
	equal(t, "those that wait", must(db.Approvals(ctx, "hotel", true))(t), []approval.Request{later})
	equal(t, "events", texts(t, db), []string{"v8 waits", "v8 may go"})
	equal(t, "records that hold", must(db.VerifyAudit(ctx))(t), int64(3+8+1))
}

// authors are found wherever they left their name.
func authors(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	applied := func(by string, at time.Time) {
		m := registry.Model{Name: "hotel", File: "by " + by, AppliedAt: at, AppliedBy: by}
		_, _, err := db.ApplyModel(ctx, m, audit.Record{At: at, Actor: by, Action: "apply", Object: "hotel"}, happening("hotel", "applied"))
		check(t, err)
	}
	applied("long-ago", noon.Add(-2*time.Hour))
	applied("ana", noon.Add(-time.Hour))
	run := experiment.Run{ID: ident.NewRunID(), User: "rita", Status: experiment.Finished}
	check(t, db.CreateRun(ctx, run))
	_ = must(db.AddVersion(ctx, registry.Version{Ref: ident.Ref{Model: "hotel"}, RunID: run.ID, CreatedAt: noon, CreatedBy: "carl", Key: "a"}))(t)
	_ = must(db.AddVersion(ctx, registry.Version{Ref: ident.Ref{Model: "hotel"}, CreatedAt: noon, CreatedBy: "flyball", Key: "b"}))(t)
	equal(t, "of one that a person made", must(db.Authors(ctx, ident.Ref{Model: "hotel", Version: 1}))(t), []string{"ana", "carl", "rita"})
	equal(t, "of one that the loop made", must(db.Authors(ctx, ident.Ref{Model: "hotel", Version: 2}))(t), []string{"ana"})
	_ = must(db.AddAudit(ctx, audit.Record{At: noon, Actor: "ivo", Action: "import", Object: "hotel@1"}))(t)
	equal(t, "of one that was imported", must(db.Authors(ctx, ident.Ref{Model: "hotel", Version: 1}))(t), []string{"ana", "carl", "ivo", "rita"})
	applied("dora", noon.Add(time.Hour))
	equal(t, "and of whoever changed the file since", must(db.Authors(ctx, ident.Ref{Model: "hotel", Version: 2}))(t), []string{"ana", "dora"})
}
