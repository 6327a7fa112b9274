// SPDX-License-Identifier: Apache-2.0

package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/blob"
	"flyball/event"
	"flyball/fault"
	"flyball/governance/maturity"
	"flyball/model/registry"
)

// TestADrillProvesTheWayBackAndMovesNothing goes the way of docs/maturity.md.
func TestADrillProvesTheWayBackAndMovesNothing(t *testing.T) {
	var data string
	o := opens(t, func(c *Config) { data = c.Data })
	ctx, mia := t.Context(), o.people["mia"]
	released := func() {
		t.Helper()
		o.pass(t, time.Hour)
		if err := o.says(t, "vera", "approve", "it holds"); err != nil {
			t.Fatal(err)
		}
		o.pass(t, time.Hour)
	}
	o.apply(t, "ana", "medium")
	released()
	if _, err := mia.Drill(ctx, "demand"); !fault.Is(err, fault.Conflict) {
		t.Errorf("with one version: got %v", err)
	}
	var rows []json.RawMessage
	for i := range 210 {
		rows = append(rows, json.RawMessage(fmt.Sprintf(`{"id":"row %d","at":%q,"x":%g,"z":0.25}`, i, o.at.Format(time.RFC3339), float64(i)/210)))
	}
	if _, err := mia.Predict(ctx, "demand", rows); err != nil {
		t.Fatal(err)
	}
	up, err := o.people["ana"].Upload(ctx, bytes.NewReader(table(t, 1010)))
	if err != nil {
		t.Fatal(err)
	}
	o.data = map[string]registry.DataFile{"a.csv": {Digest: blob.Digest(up.Digest), Size: up.Size}}
	o.at = first.Add(1005 * time.Hour)
	o.pass(t, 0)
	o.apply(t, "ana", "medium")
	if _, err := mia.Change(ctx, "demand", "retrain", "to go back from"); err != nil {
		t.Fatal(err)
	}
	released()
	if o.live(t) != 2 {
		t.Fatalf("version %d is live", o.live(t))
	}
	before, err := mia.Releases(ctx, "demand")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.people["vera"].Drill(ctx, "demand"); !fault.Is(err, fault.Denied) {
		t.Errorf("a validator drills: got %v", err)
	}
	check := func(verdict maturity.Verdict, says string) {
		t.Helper()
		s, err := mia.Maturity(ctx, "demand")
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(s.Results, func(r maturity.Result) bool { return r.ID == "L3.rollback-proven" })
		if r := s.Results[i]; r.Verdict != verdict || !strings.Contains(r.Text, says) {
			t.Errorf("got %s: %s", r.Verdict, r.Text)
		}
	}
	check(maturity.NotMet, "there was no drill")
	d, err := mia.Drill(ctx, "demand")
	if err != nil || !d.Holds() || d.From != 2 || d.Back != 1 || d.Rows != 200 || d.Took <= 0 || d.By != "mia" {
		t.Errorf("got %+v, %v", d, err)
	}
	check(maturity.Met, "a drill of the way back to v1 held")

	o.pass(t, time.Hour)
	vs, err := mia.Versions(ctx, "demand")
	if err != nil || len(vs) != 2 {
		t.Fatal(vs, err)
	}
	bundle := string(vs[1].Bundle)
	if err := os.Remove(filepath.Join(data, "blobs", "sha256", bundle[:2], bundle)); err != nil {
		t.Fatal(err)
	}
	if d, err = mia.Drill(ctx, "demand"); err != nil || d.Holds() || !strings.Contains(d.Why, "there is no blob") {
		t.Errorf("without its bytes: got %+v, %v", d, err)
	}
	check(maturity.NotMet, "does not hold: there is no blob")
	evs, err := mia.Events(ctx, 0, "demand")
	if err != nil {
		t.Fatal(err)
	}
	evs = slices.DeleteFunc(evs, func(e event.Event) bool { return e.Kind != "drill" })
	if len(evs) != 2 || evs[0].Mark != event.OK || evs[1].Mark != event.Stop || evs[1].By != "mia" {
		t.Errorf("in the feed: %+v", evs)
	}
	after, err := mia.Releases(ctx, "demand")
	if err != nil || o.live(t) != 2 || after[0].Generation != before[0].Generation {
		t.Errorf("the drills moved the release from %+v to %+v, %v", before[0], after[0], err)
	}
}
