// SPDX-License-Identifier: Apache-2.0

package training

import (
	"context"

	"flyball/experiment/modeltest"
	"flyball/model"
	"flyball/serving/prediction"
)

// testAgain asks of the refit what was asked of the judged version, and fails the
// verdict when it says otherwise: the refit is what would go live.
func (w *work) testAgain(ctx context.Context, b *model.Bundle) error {
	v := &w.result.Verdict
	if !v.Pass || w.recipe.Train.Refit == "never" || len(w.recipe.Gate.Tests) == 0 {
		return nil
	}
	test := w.rows.Take(w.part.Test)
	got, err := b.Predict(ctx, test)
	if err != nil {
		return err
	}
	sample := w.said.sample
	sample.Scores = map[string][]float64{prediction.Candidate: got.Values}
	tests, err := modeltest.Run(ctx, w.recipe.Gate.Tests, modeltest.Subject{Model: b, Rows: test, Sample: sample})
	if err != nil {
		return err
	}
	v.Refit(tests)
	return nil
}
