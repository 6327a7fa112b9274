// SPDX-License-Identifier: Apache-2.0

package app

import (
	"encoding/json"
	"testing"

	"flyball/api/wire"
	"flyball/event"
	"flyball/fault"
	"flyball/ident"
	"flyball/job"
	"flyball/monitoring"
)

// again has a version made again, and returns its job and what came of it.
func (s *server) again(t *testing.T, version int) (j job.Job, got wire.Reproduced) {
	t.Helper()
	asked, err := s.Client.Reproduce(t.Context(), "demand", version)
	if err != nil {
		t.Fatal(err)
	}
	if j, err = s.Await(t.Context(), asked.Job, nil); err != nil || j.State != job.Done {
		t.Fatalf("the job: %+v, %v", j, err)
	}
	if err := json.Unmarshal(j.Result, &got); err != nil {
		t.Fatal(err)
	}
	return j, got
}

func (s *server) againFindings(t *testing.T, open bool) (out []monitoring.Finding) {
	t.Helper()
	all, err := s.Findings(t.Context(), "demand", open)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if f.Kind == monitoring.Reproduction {
			out = append(out, f)
		}
	}
	return out
}

// The clock of this server is manual: no turn of the loop is needed to make a version again.
func TestAVersionIsMadeAgainInAJobWhoseResultIsKeptOnce(t *testing.T) {
	s := begin(t, table(t, 1010))
	j, got := s.again(t, 1)
	if got.Ref != "demand@1" || got.Grade != "R3" || got.Expected != "R3" || len(got.Table) == 0 {
		t.Errorf("got %+v", got)
	}
	if result, err := s.App.control.MakeAgain(t.Context(), j, func(string) {}); err != nil || string(result) != string(j.Result) {
		t.Errorf("a job that was cut off at its end and runs again: %s, %v", result, err)
	}
	s.again(t, 1)
	kept, err := s.Reproductions(t.Context(), "demand", 1)
	if err != nil || len(kept) != 2 || kept[0].ID == kept[1].ID || kept[0].By != "local" {
		t.Errorf("kept: %+v, %v", kept, err)
	}
	if _, err := s.Client.Reproduce(t.Context(), "demand", 9); !fault.Is(err, fault.NotFound) {
		t.Errorf("a version that is not there: %v", err)
	}
	if _, err := s.CancelReproduction(t.Context(), "demand", 1, ""); !fault.Is(err, fault.NotFound) {
		t.Errorf("canceled when nothing runs: %v", err)
	}
}

// A version whose record does not tell how its bundle was made stands for one whose trainer
// gives another model by now.
func TestAVersionThatComesOutLessEqualThanExpectedIsAFindingUntilItDoes(t *testing.T) {
	s := begin(t, table(t, 1010))
	v, err := s.store.Version(t.Context(), ident.Ref{Model: "demand", Version: 1})
	if err != nil {
		t.Fatal(err)
	}
	other, err := s.store.Version(t.Context(), ident.Ref{Model: "demand.baseline", Version: 1})
	if err != nil {
		t.Fatal(err)
	}
	v.Key, v.Bundle, v.Judged = "by hand", other.Bundle, other.Bundle
	if v, err = s.store.AddVersion(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, got := s.again(t, v.Version); got.Grade != "R0" {
			t.Errorf("got %+v", got)
		}
	}
	open := s.againFindings(t, true)
	if len(open) != 1 || open[0].Duty != "fix" || open[0].Version != v.Version || open[0].Severity != "warn" ||
		open[0].Text != "demand@2 came out as R0 when it was made again, and R3 is expected: what went in is the same" {
		t.Fatalf("open: %+v", open)
	}
	evs, err := s.store.LastEvents(t.Context(), "demand", 2)
	if err != nil || len(evs) != 2 || evs[0].Mark != event.Stop || evs[0].Text != "v2 made again: R0, expected R3" {
		t.Errorf("events: %+v, %v", evs, err)
	}

	mended := open[0]
	mended.ID, mended.Version, mended.Subject = "demand/1/reproduction/v1", 1, "v1"
	if err := s.store.SaveMonitoring(t.Context(), "demand", nil, []monitoring.Finding{mended}, nil); err != nil {
		t.Fatal(err)
	}
	s.again(t, 1)
	if open := s.againFindings(t, true); len(open) != 1 || open[0].Version != v.Version {
		t.Errorf("still open: %+v", open)
	}
	if all := s.againFindings(t, false); len(all) != 2 {
		t.Errorf("all: %+v", all)
	}
}
