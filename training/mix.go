// SPDX-License-Identifier: Apache-2.0

package training

import (
	"context"
	"errors"
	"io"
	"slices"

	"flyball/data/frame"
	"flyball/experiment/evaluation"
	"flyball/fault"
	"flyball/model"
)

// mix compares the rows that are judged on with the traffic, in each input and in each
// column by which the gate cuts; nil where there is no traffic. Rows of one block are one
// draw in both.
func (w *work) mix(test *frame.Frame, blocks []uint64, traffic []int, seed uint64) ([]evaluation.Distance, error) {
	if len(traffic) == 0 {
		return nil, nil
	}
	same := slices.Clone(w.part.Test)
	slices.Sort(same)
	if slices.Equal(same, traffic) { // the truth is known at once
		return nil, nil
	}
	var columns []string
	for _, in := range w.recipe.Pipeline.Inputs {
		columns = append(columns, in.Name)
	}
	for _, cut := range slices.Concat(w.recipe.Gate.Slices, w.recipe.Task.Groups) {
		if !slices.Contains(columns, cut.Column) {
			columns = append(columns, cut.Column)
		}
	}
	asked := w.rows.Take(traffic)
	other, err := w.recipe.Task.Blocks(asked)
	if err != nil {
		return nil, err
	}
	run := w.recipe.Task.Block.Together()
	return evaluation.Mix(evaluation.Crowd{Rows: test, Block: blocks, Run: run}, evaluation.Crowd{Rows: asked, Block: other, Run: run}, columns, seed), nil
}

// sizes are what the candidate takes: its files, and in memory, in bytes. What cannot be
// told is left out.
func (w *work) sizes(ctx context.Context, b *model.Bundle) error {
	if n := b.Size(); n > 0 {
		w.values["memory"] = float64(n)
	}
	total := int64(0)
	for _, d := range b.Manifest.Files {
		in, err := w.Blobs.Open(ctx, d)
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		n, err := io.Copy(io.Discard, in)
		if err = errors.Join(err, in.Close()); err != nil {
			return err
		}
		total += n
	}
	w.values["size"] = float64(total)
	return nil
}
