// SPDX-License-Identifier: Apache-2.0

package training

import (
	"context"
	"errors"
	"sort"
	"time"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/fault"
	"flyball/model"
)

// Fitted is a version that nobody judged, and its baseline. Close both.
type Fitted struct {
	Version, Floor *model.Bundle
	Rows           int // that it was fitted on
}

// Fit makes what a retraining without any gate would have released at now: the recipe,
// fitted on the rows that are mature, within the first of its windows, and its baseline.
// It holds nothing out, searches nothing and registers nothing. Rows that are asked
// after now must not be given.
func (t *Trainer) Fit(ctx context.Context, r Recipe, rows *frame.Frame, now time.Time) (out Fitted, err error) {
	w := &work{Trainer: t, request: Request{Recipe: r, Now: now}, recipe: r, rows: rows, progress: func(string) {}}
	if w.labels, w.classes, err = r.Task.Labels(rows, now); err != nil {
		return out, err
	}
	if w.due, err = r.Task.Due(rows); err != nil {
		return out, err
	}
	if w.part, err = r.Task.Split(rows, dataset.TrainWindow{}, r.Data.Test, time.Time{}, now); err != nil {
		return out, err
	}
	at := w.refitRows()
	if out.Rows = len(at); out.Rows == 0 {
		return out, fault.New(fault.Refused, "no row is mature at %s", now.Format(time.DateTime)).Do("begin later")
	}
	if out.Version, err = w.make(ctx, r.Train, r.Pipeline, at, w.Workers, nil); err == nil {
		out.Floor, err = w.makeFloor(ctx, at)
	}
	if err != nil {
		err = errors.Join(err, w.close())
	}
	return out, err
}

// refitRows are what the recipe is fitted on when it passed: all mature rows, or those of
// its window, which now reaches to the newest.
func (w *work) refitRows() []int {
	at := w.part.Mature
	if len(at) == 0 || len(w.recipe.Data.Train) == 0 || w.recipe.Data.Train[0].Window == 0 {
		return at
	}
	oldest := w.due[at[len(at)-1]] - w.recipe.Data.Train[0].Window.D().Microseconds()
	return at[sort.Search(len(at), func(k int) bool { return w.due[at[k]] >= oldest }):]
}
