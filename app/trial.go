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
	"flyball/training"
)

// trials keeps trainings as runs; it is training.Tracker.
type trials struct {
	tracker   *experiment.Tracker
	artifacts *artifact.Tree
}

// Track puts the files first: a run that is found has all of them.
func (t trials) Track(ctx context.Context, name string, r experiment.Run, files map[string][]byte) error {
	r, folder, err := t.placed(ctx, name, r)
	if err != nil {
		return err
	}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if _, err := t.artifacts.Put(ctx, folder+"/"+path, bytes.NewReader(files[path])); err != nil {
			return err
		}
	}
	err = t.tracker.Runs.CreateRun(ctx, r)
	if fault.Is(err, fault.Conflict) {
		return t.finish(ctx, r)
	}
	return err
}

// Begin keeps a run that goes on.
func (t trials) Begin(ctx context.Context, name string, r experiment.Run) error {
	r, _, err := t.placed(ctx, name, r)
	if err != nil {
		return err
	}
	err = t.tracker.Runs.CreateRun(ctx, r)
	if fault.Is(err, fault.Conflict) {
		return t.tracker.Runs.Log(ctx, experiment.Batch{Run: r.ID, Tags: r.Tags}, false)
	}
	return err
}

// placed is the run in the experiment of that name, and the folder of its files.
func (t trials) placed(ctx context.Context, name string, r experiment.Run) (experiment.Run, string, error) {
	e, err := t.tracker.ExperimentByName(ctx, name)
	if fault.Is(err, fault.NotFound) {
		e, err = t.tracker.CreateExperiment(ctx, name, "", nil)
		if fault.Is(err, fault.Conflict) { // somebody was faster
			e, err = t.tracker.ExperimentByName(ctx, name)
		}
	}
	if err != nil {
		return r, "", err
	}
	r.Experiment, r.Location = e.ID, strings.TrimSuffix(e.Location, "/")+"/"+string(r.ID)+"/artifacts"
	folder, ours := strings.CutPrefix(r.Location, "mlflow-artifacts:/")
	if !ours {
		return r, "", fault.New(fault.Invalid, "the experiment %s keeps its files at %s, where this server does not write", name, e.Location)
	}
	return r, folder, nil
}

// finish ends a run that was begun: with what we know of it and its program did not log.
// One that ended in this way is left as it is.
func (t trials) finish(ctx context.Context, r experiment.Run) error {
	have, err := t.tracker.Run(ctx, r.ID)
	if err != nil {
		return err
	}
	begun := slices.ContainsFunc(have.Tags, func(tag experiment.Tag) bool { return tag.Key == training.JobTag })
	ended := slices.ContainsFunc(have.Tags, func(tag experiment.Tag) bool { return tag.Key == training.EndedTag })
	if !begun || ended {
		return nil // logged before
	}
	params := slices.DeleteFunc(slices.Clone(r.Params), func(p experiment.Param) bool {
		return slices.ContainsFunc(have.Params, func(h experiment.Param) bool { return h.Key == p.Key })
	})
	b := experiment.Batch{Run: r.ID, Metrics: r.Metrics, Params: params, Tags: append(slices.Clone(r.Tags), experiment.Tag{Key: training.EndedTag, Value: string(r.Status)})}
	if err := t.tracker.Runs.Log(ctx, b, false); err != nil {
		return err
	}
	if len(r.Inputs) > 0 {
		if err := t.tracker.Runs.LogInputs(ctx, r.ID, r.Inputs, nil); err != nil {
			return err
		}
	}
	_, err = t.tracker.Runs.UpdateRun(ctx, r.ID, experiment.RunChange{Status: &r.Status, End: &r.End, Name: &r.Name})
	return err
}
