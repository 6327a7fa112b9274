// SPDX-License-Identifier: Apache-2.0

package training

import (
	"context"
	"encoding/json"
	"fmt"

	"flyball/event"
	"flyball/fault"
	"flyball/ident"
	"flyball/job"
	"flyball/model/registry"
)

// JobKind is the kind of a training's job.
const JobKind = "train"

// Registry is where a finished training registers its versions. Package store
// implements it; the same Key twice is one version.
type Registry interface {
	AddVersion(ctx context.Context, v registry.Version, evs ...event.Event) (registry.Version, error)
	Version(ctx context.Context, ref ident.Ref) (registry.Version, error)
}

// Handler is the job that trains, judges and registers. It may run again after a
// crash: what it registers carries the job's key.
func (t *Trainer) Handler(reg Registry) func(context.Context, job.Job, func(string)) (json.RawMessage, error) {
	return func(ctx context.Context, j job.Job, progress func(string)) (json.RawMessage, error) {
		r, err := ParseRequest(j.Input)
		if err != nil {
			return nil, err
		}
		live, err := opponent(ctx, reg, r)
		if err != nil {
			return nil, err
		}
		res, err := t.Run(ctx, r, live, progress)
		t.keep(ctx, r, res)
		if err != nil {
			t.trackFailure(ctx, r, res, err)
			if ctx.Err() == nil { // else somebody takes it up again, and finds the command's runs
				t.Forget(ctx, res)
			}
			return nil, err
		}
		if err := t.register(ctx, reg, r, &res); err != nil {
			return nil, err
		}
		t.track(ctx, r, res)
		t.Forget(ctx, res)
		return json.Marshal(res)
	}
}

// opponent is the live version of a request; nil when there is none.
func opponent(ctx context.Context, reg Registry, r Request) (*Opponent, error) {
	if r.Live == 0 {
		return nil, nil
	}
	v, err := reg.Version(ctx, ident.Ref{Model: r.Recipe.Model, Version: r.Live})
	if err != nil {
		return nil, err
	}
	return &Opponent{Bundle: v.Bundle, SeenUntil: v.SeenUntil, Snapshot: v.Snapshot}, nil
}

func (t *Trainer) register(ctx context.Context, reg Registry, r Request, res *Result) error {
	report, err := json.Marshal(res.Verdict)
	if err != nil {
		return fmt.Errorf("encode the gate's report: %w", err)
	}
	v := registry.Version{
		Ref: ident.Ref{Model: r.Recipe.Model}, Bundle: res.Bundle, Judged: res.Judged, Snapshot: res.Snapshot, Record: res.Record,
		SeenUntil: res.SeenUntil, Verdict: verdictWord(res), Report: report, Cause: r.Cause,
		CreatedAt: r.Now, CreatedBy: r.By, Key: r.Key,
	}
	if t.Tracker != nil {
		v.RunID = RunOf(r.Key)
	}
	kept, err := reg.AddVersion(ctx, v, trainedEvent(r, res))
	if err != nil {
		return err
	}
	res.Version = kept.Version
	v.Ref.Model, v.Bundle, v.Judged, v.Report = registry.BaselineOf(r.Recipe.Model), res.Floor, "", nil
	floor, err := reg.AddVersion(ctx, v)
	res.Baseline = floor.Version
	return err
}

func verdictWord(res *Result) string {
	switch {
	case res.Verdict.Pass:
		return "pass"
	case res.Verdict.Decision == "inconclusive":
		return "inconclusive"
	}
	return "fail"
}

func trainedEvent(r Request, res *Result) event.Event {
	text := fmt.Sprintf("%d rows trained, %d held out; cause: %s", res.Train, res.Test, r.Cause)
	if t, ok := res.picked(); ok {
		text += fmt.Sprintf("; trial %d of %d was best: %s %.4g", t.Number, len(res.Trials), res.Metric, t.last())
	}
	return event.Event{
		At: r.Now, Model: r.Recipe.Model, By: r.By, Mark: event.OK, Kind: "trained", Text: text,
		Command: "flyball versions " + r.Recipe.Model,
	}
}

func invalidRecord(err error) error {
	if err == nil {
		return fault.New(fault.Invalid, "this record.json does not describe a training of this kind")
	}
	return fault.Wrap(err, fault.Invalid, "record.json cannot be read")
}
