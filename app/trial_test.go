// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"io"
	"testing"

	"flyball/experiment"
	"flyball/fault"
	"flyball/ident"
)

func TestATrainingIsKeptOnceAsARunWithItsFiles(t *testing.T) {
	a, err := New(context.Background(), config(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}()
	trials := trials{tracker: a.tracker, artifacts: a.artifacts}
	r := experiment.Run{ID: "0123456789abcdef0123456789abcdef", Name: "v1", Status: experiment.Finished, Start: 5, End: 7, Params: []experiment.Param{{Key: "depth", Value: "3"}}}
	for range 2 {
		if err := trials.Track(t.Context(), "bikes", r, map[string][]byte{"evaluation/evaluation.json": []byte("{}")}); err != nil {
			t.Fatal(err)
		}
	}
	e, err := a.tracker.ExperimentByName(t.Context(), "bikes")
	if err != nil {
		t.Fatal(err)
	}
	found, _, err := a.tracker.SearchRuns(t.Context(), experiment.Ask{Experiments: []ident.ExperimentID{e.ID}, Page: experiment.Page{Limit: 10}})
	if err != nil || len(found) != 1 || found[0].Params[0].Value != "3" || found[0].Status != experiment.Finished {
		t.Fatalf("got %+v, %v", found, err)
	}
	if want := e.Location + "/" + string(r.ID) + "/artifacts"; found[0].Location != want {
		t.Errorf("got %s, want %s", found[0].Location, want)
	}
	_, file, err := a.artifacts.Open(t.Context(), e.ID.String()+"/"+string(r.ID)+"/artifacts/evaluation/evaluation.json")
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(file)
	if err := errors.Join(err, file.Close()); err != nil || string(b) != "{}" {
		t.Errorf("got %s, %v", b, err)
	}
	if err := a.tracker.DeleteExperiment(t.Context(), e.ID); err != nil {
		t.Fatal(err)
	}
	r.ID = "1123456789abcdef0123456789abcdef"
	if err := trials.Track(t.Context(), "bikes", r, nil); !fault.Is(err, fault.Invalid) {
		t.Errorf("into a deleted experiment: got %v", err)
	}
}
