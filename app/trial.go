// SPDX-License-Identifier: Apache-2.0

package app

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"

	"flyball/blob/artifact"
	"flyball/experiment"
	"flyball/fault"
)

// trials keeps trainings as runs; it is training.Tracker.
type trials struct {
	tracker   *experiment.Tracker
	artifacts *artifact.Tree
}

// Track puts the files first: a run that is found has all of them.
func (t trials) Track(ctx context.Context, name string, r experiment.Run, files map[string][]byte) error {
	e, err := t.tracker.ExperimentByName(ctx, name)
	if fault.Is(err, fault.NotFound) {
		e, err = t.tracker.CreateExperiment(ctx, name, "", nil)
		if fault.Is(err, fault.Conflict) { // somebody was faster
			e, err = t.tracker.ExperimentByName(ctx, name)
		}
	}
	if err != nil {
		return err
	}
	r.Experiment, r.Location = e.ID, strings.TrimSuffix(e.Location, "/")+"/"+string(r.ID)+"/artifacts"
	folder, ours := strings.CutPrefix(r.Location, "mlflow-artifacts:/")
	if !ours {
		return fault.New(fault.Invalid, "the experiment %s keeps its files at %s, where this server does not write", name, e.Location)
	}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if _, err := t.artifacts.Put(ctx, folder+"/"+path, bytes.NewReader(files[path])); err != nil {
			return err
		}
	}
	err = t.tracker.Runs.CreateRun(ctx, r)
	if fault.Is(err, fault.Conflict) {
		return nil // logged before
	}
	return err
}
