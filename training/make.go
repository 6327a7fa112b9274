// SPDX-License-Identifier: Apache-2.0

package training

import (
	"context"
	"fmt"

	"flyball/data/dataset"
	"flyball/data/pipeline"
	"flyball/fault"
	"flyball/model"
	"flyball/training/learner"
)

// make fits pipeline and estimator on the rows and bundles them.
func (w *work) make(ctx context.Context, train Settings, steps pipeline.Spec, at []int, workers int, beside []model.File) (*model.Bundle, error) {
	if train.With == Command {
		return w.commanded(ctx, train, steps, at, beside)
	}
	if n := train.Limits.CPUs; n > 0 {
		workers = n
	}
	rows := w.rows.Take(at)
	y := make([]float64, len(at))
	for i, r := range at {
		y[i] = w.labels[r]
	}
	weights, err := w.weights(train.Weight, at)
	if err != nil {
		return nil, err
	}
	in := inputs{
		kind: string(w.recipe.Task.Kind), classes: len(w.classes), train: train, steps: steps, rows: rows, y: y, weights: weights, times: w.times(at),
	}
	fitted, file, err := w.Fits.once(in, func() (*pipeline.Fitted, model.File, error) { return w.fit(ctx, in, workers) })
	if err != nil {
		return nil, err
	}
	return w.hold(model.Make(ctx, w.Blobs, w.Decoders, model.Parts{
		Model: w.recipe.Model, Task: w.recipe.Task, Classes: w.classes, Pipeline: fitted, Estimator: file, Rows: rows, Beside: beside,
		Describe: describing(beside, rows),
	}))
}

// fit fits pipeline and estimator within the limits.
func (w *work) fit(ctx context.Context, in inputs, workers int) (*pipeline.Fitted, model.File, error) {
	train := in.train
	fitted, x, err := pipeline.FitTransform(ctx, in.steps, in.rows, pipeline.Options{
		Workers: workers, Target: in.y, Classes: in.classes, Seed: train.Seed,
	})
	if err != nil {
		return nil, model.File{}, err
	}
	l, err := learner.New(train.With, train.Settings)
	if err != nil {
		return nil, model.File{}, err
	}
	if err := fits(train, x.Rows, x.Cols, max(1, in.classes)); err != nil {
		return nil, model.File{}, err
	}
	if train.Executor != "" {
		on, err := w.on()
		if err != nil {
			return nil, model.File{}, err
		}
		if on != nil { // without any it is done here: the bytes are the same
			file, err := w.elsewhere(ctx, in, x)
			return fitted, file, err
		}
	}
	if limit := train.Limits.Time.D(); limit > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, limit,
			fault.New(fault.Exhausted, "the training took longer than train.limits.time (%s)", train.Limits.Time))
		defer stop()
	}
	file, err := l.Fit(ctx, learner.Data{X: x, Y: in.y, Kind: dataset.Kind(in.kind), Classes: in.classes, Weights: in.weights, Time: in.times},
		learner.Options{Seed: train.Seed, Workers: workers, Progress: func(done, of int) {
			w.progress(fmt.Sprintf("trained %d of %d", done, of))
		}})
	if err != nil {
		return nil, model.File{}, cause(ctx, err)
	}
	return fitted, file, nil
}

// fits refuses a training that would need more memory than it may have.
func fits(train Settings, rows, cols, outputs int) error {
	limit, need := float64(train.Limits.Memory), learner.Need(train.With, train.Settings, rows, cols, outputs)
	if limit == 0 || need <= limit {
		return nil
	}
	return fault.New(fault.Refused, "%s needs about %.3g MB for %d rows of %d features, more than train.limits.memory (%s)",
		train.With, need/1e6, rows, cols, train.Limits.Memory).Do("raise the limit, or train on fewer rows, on fewer features or with less depth")
}

// cause is why ctx ended, when it did and said so; err else.
func cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil {
		return c
	}
	return err
}
