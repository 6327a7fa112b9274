// SPDX-License-Identifier: Apache-2.0

package control_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"flyball/control"
	"flyball/data/dataset"
	"flyball/event"
	"flyball/fault"
	"flyball/governance/audit"
	"flyball/serving/prediction"
)

// kept is a log in which a key was found, and the records of it.
type kept struct {
	since   time.Time
	records []audit.Record
}

func (k *kept) Forget(context.Context, string, string, string, string) (prediction.Forgotten, error) {
	return prediction.Forgotten{Rows: 2, Labels: 1, Since: map[string]time.Time{"m": k.since}}, nil
}

func (k *kept) Snapshots(_ context.Context, model string) ([]dataset.Made, error) {
	return []dataset.Made{{Model: model, ID: "after", At: k.since.Add(time.Hour)}, {Model: model, ID: "before", At: k.since.Add(-time.Hour)}}, nil
}

func (k *kept) ForgetMessages(context.Context, string) (int, error) { return 4, nil }

func (k *kept) AddAudit(_ context.Context, r audit.Record, _ ...event.Event) (audit.Record, error) {
	k.records = append(k.records, r)
	return r, nil
}

func TestForgettingListsTheSnapshotsThatMayHoldTheRows(t *testing.T) {
	k := &kept{since: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	f := &control.Forgetter{Log: k, Store: k, Now: time.Now}
	got, err := f.Forget(t.Context(), "", "secretive-sue", "ana", "request 7")
	if err != nil || len(got.Snapshots) != 1 || got.Snapshots[0].ID != "after" || got.Rows != 2 {
		t.Errorf("got %+v, %v", got, err)
	}
	if len(k.records) != 1 {
		t.Fatalf("got %d records, want 1", len(k.records))
	}
	r := k.records[0]
	if r.Action != "forget" || r.Object != "all models" || r.Actor != "ana" || r.Why != "request 7" || strings.Contains(string(r.Data), "sue") {
		t.Errorf("got %+v", r)
	}
	if want := `{"rows":2,"labels":1,"files":0,"snapshots":1,"messages":4}`; string(r.Data) != want {
		t.Errorf("got %s, want %s", r.Data, want)
	}
	if _, err := f.Forget(t.Context(), "", "k", "ana", ""); !fault.Is(err, fault.Invalid) {
		t.Errorf("without a reason: got %v", err)
	}
}
