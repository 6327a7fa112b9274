// SPDX-License-Identifier: Apache-2.0

package experiment

import (
	"context"

	"flyball/fault"
	"flyball/ident"
)

// NameTag is the tag that is the same as a run's name.
const NameTag = "mlflow.runName"

// CreateRun begins a run and returns it as it is kept. r says its experiment, and may
// say its name, user, start, tags, params, metrics, inputs and outputs; a name is
// made up when neither Name nor the tag mlflow.runName gives one. Its id, status and
// location are the server's.
func (t *Tracker) CreateRun(ctx context.Context, r Run) (Run, error) {
	r.ID, r.Status, r.End, r.Deleted = ident.NewRunID(), Running, 0, false
	b, err := checkBatch(Batch{Run: r.ID, Metrics: r.Metrics, Params: r.Params})
	if err != nil {
		return Run{}, err
	}
	r.Metrics, r.Params, r.Tags = b.Metrics, b.Params, lastOfEach(r.Tags)
	for i := range r.Tags { // here MLflow takes keys of any characters
		if err := checkLength("key", MaxKey, r.Tags[i].Key); err != nil {
			return Run{}, err
		}
		r.Tags[i].Value = cut(r.Tags[i].Value, MaxTagValue)
	}
	if err := checkLength("user_id", MaxUser, r.User); err != nil {
		return Run{}, err
	}
	for _, in := range r.Inputs {
		if err := checkInput(in); err != nil {
			return Run{}, err
		}
	}
	if r, err = named(r); err != nil {
		return Run{}, err
	}
	e, err := t.Experiments.Experiment(ctx, r.Experiment)
	if err != nil {
		return Run{}, err
	}
	r.Location = below(e.Location, string(r.ID)+"/artifacts")
	if err := t.Runs.CreateRun(ctx, r); err != nil {
		return Run{}, err
	}
	return r, nil
}

// named makes a run's name and its tag mlflow.runName one thing.
func named(r Run) (Run, error) {
	tag := ""
	for _, t := range r.Tags {
		if t.Key == NameTag {
			tag = t.Value
		}
	}
	switch {
	case r.Name == "" && tag == "":
		r.Name = RandomName()
	case r.Name == "":
		r.Name = tag
	case tag != "" && tag != r.Name:
		return r, fault.New(fault.Invalid, "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values (run_name='%s', mlflow.runName='%s').", clip(r.Name), clip(tag))
	}
	r.Name = cut(r.Name, MaxTagValue)
	if tag == "" {
		r.Tags = lastOfEach(append(r.Tags, Tag{NameTag, r.Name}))
	}
	return r, nil
}

// lastOfEach leaves the last tag of each key, in the order in which the keys came.
func lastOfEach(tags []Tag) []Tag {
	at := make(map[string]int, len(tags))
	var out []Tag
	for _, t := range tags {
		if i, ok := at[t.Key]; ok {
			out[i] = t
			continue
		}
		at[t.Key] = len(out)
		out = append(out, t)
	}
	return out
}

// Run is a run with everything, also a deleted one.
func (t *Tracker) Run(ctx context.Context, id ident.RunID) (Run, error) {
	return t.Runs.Run(ctx, id)
}

// UpdateRun changes a run and returns it without metrics, params and inputs. An empty
// name leaves the name as it is.
func (t *Tracker) UpdateRun(ctx context.Context, id ident.RunID, c RunChange) (Run, error) {
	if c.Name != nil && *c.Name == "" {
		c.Name = nil
	}
	if c.Name != nil {
		name := cut(*c.Name, MaxTagValue)
		c.Name = &name
	}
	return t.Runs.UpdateRun(ctx, id, c)
}

// DeleteRun hides a run; doing it twice is doing it once.
func (t *Tracker) DeleteRun(ctx context.Context, id ident.RunID) error {
	return t.Runs.SetRunDeleted(ctx, id, true, t.now())
}

// RestoreRun brings a deleted run back; doing it twice is doing it once.
func (t *Tracker) RestoreRun(ctx context.Context, id ident.RunID) error {
	return t.Runs.SetRunDeleted(ctx, id, false, t.now())
}
