// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"encoding/json"
	"testing"
	"time"

	"flyball/blob"
	"flyball/event"
	"flyball/fault"
	"flyball/ident"
	"flyball/model/registry"
)

// judged checks that a registered version takes its verdict once.
func judged(t *testing.T, open Open) {
	ctx := t.Context()
	db, _ := open(t)
	check(t, db.CreateModel(ctx, registry.Model{Name: "hotel", CreatedAt: noon, UpdatedAt: noon}))
	v := must(db.RegisterVersion(ctx, registry.Version{Ref: ident.Ref{Model: "hotel"}, Source: "runs:/a/model", CreatedAt: noon, UpdatedAt: noon}))(t)

	v.Bundle, v.Judged, v.Snapshot, v.Record = blob.Sum([]byte("b")), blob.Sum([]byte("j")), blob.Sum([]byte("s")), blob.Sum([]byte("r"))
	v.SeenUntil, v.Verdict, v.Report, v.Key = noon.Add(-time.Hour), "pass", json.RawMessage(`{"pass":true}`), "hotel@1/0"
	ev := event.Event{At: noon, Model: "hotel", By: "ana", Mark: event.OK, Kind: "gate", Text: "v1 passes"}
	for range 2 { // the second time, nothing is written
		got := must(db.JudgeVersion(ctx, v, ev))(t)
		if got.Bundle != v.Bundle || got.Judged != v.Judged || got.Snapshot != v.Snapshot || got.Record != v.Record ||
			!got.SeenUntil.Equal(v.SeenUntil) || got.Verdict != "pass" || string(got.Report) != `{"pass":true}` || got.Key != v.Key || got.Source != "runs:/a/model" {
			t.Errorf("got %+v", got)
		}
	}
	if evs := must(db.LastEvents(ctx, "hotel", 10))(t); len(evs) != 1 || evs[0].Text != "v1 passes" {
		t.Errorf("got %v, want one event", evs)
	}

	v.Key, v.Verdict = "hotel@1/1", "fail"
	if _, err := db.JudgeVersion(ctx, v, ev); !fault.Is(err, fault.Conflict) {
		t.Errorf("got %v, want a Conflict fault", err)
	}
	v.Ref.Version = 9
	if _, err := db.JudgeVersion(ctx, v, ev); !fault.Is(err, fault.NotFound) {
		t.Errorf("got %v, want a NotFound fault", err)
	}
	if got := must(db.Version(ctx, ident.Ref{Model: "hotel", Version: 1}))(t); got.Verdict != "pass" {
		t.Errorf("the verdict became %s", got.Verdict)
	}
}
