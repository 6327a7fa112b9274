// SPDX-License-Identifier: Apache-2.0

package experiment

import (
	"context"
	"sync"
	"time"

	"flyball/ident"
)

// TrackerOptions are what a Tracker is built from.
type TrackerOptions struct {
	Experiments  Experiments
	Runs         Runs
	LoggedModels LoggedModels
	Now          func() time.Time // nil: the machine's clock
	Locations    []string         // where artifacts may lie besides mlflow-artifacts:/, as prefixes of URIs
}

// Tracker is the rules of tracking: what may be logged, what is filled in, what is
// refused and in which words. Every face goes through it. It may be used by many
// goroutines at once. Its errors are faults with MLflow's texts.
type Tracker struct {
	TrackerOptions
	history sync.Mutex // held while the tag mlflow.log-model.history grows
}

// NewTracker makes a Tracker of its stores.
func NewTracker(o TrackerOptions) *Tracker {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Tracker{TrackerOptions: o}
}

func (t *Tracker) now() int64 { return t.Now().UnixMilli() }

// CreateExperiment makes an experiment of a name, with tags. An empty location leaves
// the choice to the server. A name that is taken, be it by a deleted experiment, is a
// Conflict fault.
func (t *Tracker) CreateExperiment(ctx context.Context, name, location string, tags []Tag) (Experiment, error) {
	if err := checkExperimentName(name); err != nil {
		return Experiment{}, err
	}
	if err := checkLocation(location, t.Locations); err != nil {
		return Experiment{}, err
	}
	for _, tag := range tags {
		if err := checkExperimentTag(tag); err != nil {
			return Experiment{}, err
		}
	}
	now := t.now()
	return t.Experiments.CreateExperiment(ctx, Experiment{Name: name, Location: location, Tags: tags, Created: now, Updated: now})
}

// Experiment is one experiment, also a deleted one.
func (t *Tracker) Experiment(ctx context.Context, id ident.ExperimentID) (Experiment, error) {
	return t.Experiments.Experiment(ctx, id)
}

// ExperimentByName is one experiment, also a deleted one.
func (t *Tracker) ExperimentByName(ctx context.Context, name string) (Experiment, error) {
	return t.Experiments.ExperimentByName(ctx, name)
}

// RenameExperiment gives an experiment another name.
func (t *Tracker) RenameExperiment(ctx context.Context, id ident.ExperimentID, name string) error {
	if err := checkExperimentName(name); err != nil {
		return err
	}
	return t.Experiments.RenameExperiment(ctx, id, name, t.now())
}

// DeleteExperiment hides an experiment and its runs. Deleted twice, it is not found.
func (t *Tracker) DeleteExperiment(ctx context.Context, id ident.ExperimentID) error {
	return t.Experiments.SetExperimentDeleted(ctx, id, true, t.now())
}

// RestoreExperiment brings an experiment back with the runs that were deleted with it.
func (t *Tracker) RestoreExperiment(ctx context.Context, id ident.ExperimentID) error {
	return t.Experiments.SetExperimentDeleted(ctx, id, false, t.now())
}

// SetExperimentTag writes a tag of an experiment that is not deleted.
func (t *Tracker) SetExperimentTag(ctx context.Context, id ident.ExperimentID, tag Tag) error {
	if err := checkExperimentTag(tag); err != nil {
		return err
	}
	return t.Experiments.SetExperimentTag(ctx, id, tag, t.now())
}

// DeleteExperimentTag deletes a tag of an experiment; one that is not there is not
// found.
func (t *Tracker) DeleteExperimentTag(ctx context.Context, id ident.ExperimentID, key string) error {
	return t.Experiments.DeleteExperimentTag(ctx, id, key, t.now())
}
