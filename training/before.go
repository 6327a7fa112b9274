// SPDX-License-Identifier: Apache-2.0

package training

import (
	"context"
	"fmt"
	"maps"
	"time"

	"flyball/data/frame"
	"flyball/experiment/gate"
	"flyball/fault"
)

// Against is Run of r against what the recipe of before makes of the same rows: whether a
// change to a model file holds, where nothing is live to compare with. Both train on the
// same sample and neither sees the rows held out. Recipes that predict another thing, or
// read a column as another kind, are an Invalid fault.
func (t *Trainer) Against(ctx context.Context, r, before Request, progress func(string)) (Result, error) {
	r, before, err := pair(r, before)
	if err != nil {
		return Result{}, err
	}
	once := *t
	once.Fits = &Fits{}
	tell := progress
	if progress != nil {
		tell = func(text string) { progress("as it was before: " + text) }
	}
	was, err := once.Run(ctx, before, nil, tell)
	if once.Executor != nil {
		once.Forget(ctx, was)
	}
	if err != nil {
		return Result{}, fmt.Errorf("the model file as it was before: %w", err)
	}
	live := &Opponent{Bundle: was.Judged}
	if !was.TestFrom.IsZero() {
		live.SeenUntil = was.TestFrom.Add(-time.Microsecond)
	}
	return t.Run(ctx, r, live, progress)
}

// pair is the two requests so that both read and hold out the same rows, as r says. What
// the recipe of before is judged by is left out: it is only asked for its scores.
func pair(r, before Request) (Request, Request, error) {
	now, was := r.Recipe, before.Recipe
	if x, y := now.Task, was.Task; x.Column != y.Column || x.Kind != y.Kind || x.Time != y.Time || x.ID != y.ID || x.Truth != y.Truth {
		return r, before, fault.New(fault.Invalid, "the model file predicted another thing before, or another truth")
	}
	kinds := now.Kinds()
	more := maps.Clone(now.Data.Kinds)
	for _, f := range was.Pipeline.Inputs {
		switch kind, known := kinds[f.Name]; {
		case known && kind != f.Kind && f.Kind != frame.Time:
			return r, before, fault.New(fault.Invalid, "the model file read the column %q as a %s before, and reads it as a %s now", f.Name, f.Kind, kind)
		case !known && f.Kind != frame.Time:
			if more == nil {
				more = map[string]frame.Kind{}
			}
			more[f.Name] = f.Kind
		}
	}
	window := was.Data.Train
	was.Task, was.Data = now.Task, now.Data
	was.Data.Train, was.Data.Kinds, now.Data.Kinds = window, more, more
	was.Data.Checks = nil // the rows are those that r checks
	was.Gate = gate.Policy{Baseline: now.Gate.Baseline}
	r.Recipe, before.Recipe = now, was
	before.Files, before.Columns, before.Sample, before.Now = r.Files, r.Columns, r.Sample, r.Now
	return r, before, nil
}
