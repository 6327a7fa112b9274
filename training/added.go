// SPDX-License-Identifier: Apache-2.0

package training

import (
	"context"

	"flyball/data/frame"
	"flyball/model"
	"flyball/monitoring"
)

const addedRows = 500 // of the held-out rows whose reasons monitoring is given

// added is what columns added to the score of some held-out rows, evenly; of a model with
// classes, to that of the class with the greatest score. It is nil where that is not
// known exactly: asking a black box again and again would cost more than the training.
func (w *work) added(ctx context.Context, rows *frame.Frame, got model.Scores) [][]monitoring.Added {
	n := rows.Rows()
	at := make([]int, min(n, addedRows))
	for k := range at {
		at[k] = k * n / len(at)
	}
	if n == 0 {
		return nil
	}
	if e, err := w.candidate.Explain(ctx, rows.Take(at[:1])); err != nil || e.Evaluations > 0 {
		return nil
	}
	e, err := w.candidate.Explain(ctx, rows.Take(at))
	if err != nil {
		return nil
	}
	out := make([][]monitoring.Added, len(at))
	for k, i := range at {
		best, scores := 0, got.Row(i)
		for c := range min(len(scores), e.Outputs) {
			if scores[c] > scores[best] {
				best = c
			}
		}
		for c, by := range e.Row(k, best).Columns {
			out[k] = append(out[k], monitoring.Added{Column: e.Columns[c], By: by})
		}
	}
	return out
}
