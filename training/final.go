// SPDX-License-Identifier: Apache-2.0

package training

import (
	"context"
	"fmt"
	"math"
	"time"

	"flyball/data/dataset"
	"flyball/model"
	"flyball/model/unusual"
	"flyball/monitoring"
)

// final makes the version that may be released: the judged recipe fitted again on
// all mature rows, of its window where it has one, when it passed and the model file
// does not say never; else, and of a sample, the judged version itself. Either gets the profile that
// monitoring compares with.
func (w *work) final(ctx context.Context) error {
	w.result.SeenUntil = w.part.SeenUntil
	at := w.refitRows()
	if !w.result.Verdict.Pass || w.recipe.Train.Refit == "never" || !w.request.Sample.All() {
		at = w.part.Train
		w.result.SeenUntil = w.part.TestFrom.Add(-time.Microsecond)
	} else {
		w.progress("fitting the recipe on all mature rows")
	}
	beside, err := w.beside(ctx, at)
	if err != nil {
		return err
	}
	b, err := w.make(ctx, w.recipe.Train, w.recipe.Pipeline, at, w.Workers, beside)
	if err != nil {
		return err
	}
	w.last, w.pipeline = at, b.Manifest.Files[model.PipelineFile]
	floor, err := w.makeFloor(ctx, at)
	if err != nil {
		return err
	}
	w.result.Bundle, w.result.Floor = b.Digest, floor.Digest
	if err := w.shift(ctx, b); err != nil {
		return err
	}
	return w.testAgain(ctx, b)
}

// beside are the references that a version's traffic is compared with: the rows trained
// on, and how far off the judged version was on rows it had not seen. Monitoring has its
// profile, and serving what rows are unusual.
func (w *work) beside(ctx context.Context, at []int) ([]model.File, error) {
	test := w.rows.Take(w.part.Test)
	got, err := w.candidate.Predict(ctx, test)
	if err != nil {
		return nil, err
	}
	held := monitoring.Residuals{Outputs: got.Outputs, Scores: got.Values, Classes: w.classes, Rows: test, Added: w.added(ctx, test, got)}
	for _, r := range w.part.Test {
		held.Truth = append(held.Truth, w.labels[r])
		if w.due[r] != math.MinInt64 { // rows without times have none
			held.Time = append(held.Time, w.due[r])
		}
	}
	rows := w.rows.Take(at)
	var scores []float64
	if got.Outputs == 1 {
		all, err := w.candidate.Predict(ctx, rows)
		if err != nil {
			return nil, err
		}
		scores = all.Values
	}
	p, err := monitoring.NewProfile(w.recipe.Watch, w.recipe.Task, w.recipe.Pipeline.Inputs, rows, scores, held)
	if err != nil {
		return nil, err
	}
	profile, err := p.Encode()
	if err != nil {
		return nil, err
	}
	usual, err := unusual.New(w.recipe.Pipeline.Inputs, rows, unusual.Held{
		Classes: w.classCount(), Outputs: got.Outputs, Scores: got.Values, Truth: held.Truth,
	}).Encode()
	return []model.File{{Name: model.ProfileFile, Bytes: profile}, {Name: model.UnusualFile, Bytes: usual}}, err
}

// classCount is how many classes the model tells apart; 0 where it answers a number.
func (w *work) classCount() int {
	switch w.recipe.Task.Kind {
	case dataset.Binary:
		return 2
	case dataset.Multiclass:
		return len(w.classes)
	}
	return 0
}

// shift reports how far the refit's predictions moved from the judged version's on
// the newest traffic, and fails the verdict when the owner set a bound and it is
// passed.
func (w *work) shift(ctx context.Context, b *model.Bundle) error {
	at, err := w.traffic()
	if err != nil || len(at) == 0 {
		return err
	}
	rows := w.rows.Take(at)
	before, err := w.candidate.Predict(ctx, rows)
	if err != nil {
		return err
	}
	after, err := b.Predict(ctx, rows)
	if err != nil {
		return err
	}
	sum, scale := 0.0, 0.0
	for i := range before.Values {
		sum += math.Abs(after.Values[i] - before.Values[i])
		scale += math.Abs(before.Values[i])
	}
	moved := sum / float64(len(before.Values))
	w.result.Shift = &moved
	if limit := w.recipe.Gate.Refit; limit != nil && sum > float64(limit.ShiftAtMost)*scale {
		v := &w.result.Verdict
		v.Pass = false
		v.Summary = fmt.Sprintf("kept out: refit moved predictions by %.1f %%", 100*sum/scale)
	}
	return nil
}
