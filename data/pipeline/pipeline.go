// SPDX-License-Identifier: Apache-2.0

// Package pipeline turns rows into features: fitted once on training rows, the same
// code then transforms them in training and online, where a row is a batch of one.
// It refuses a row in which an input column is absent; a null in it is missing, not
// absent. It does not choose rows (package dataset) and does not score (package
// model).
package pipeline

import (
	"context"

	"flyball/data/frame"
)

// Fitted is a pipeline with what it learned from its training rows. It is
// immutable and may be used by many goroutines at once.
type Fitted struct {
	spec Spec
}

// Fit learns what the steps need from the rows. The result does not depend on
// workers (0: one per CPU) or on how the rows were chunked.
func Fit(ctx context.Context, spec Spec, rows *frame.Frame, workers int) (*Fitted, error) {
	return &Fitted{spec: spec}, nil
}

// Decode reads what Encode wrote.
func Decode(b []byte) (*Fitted, error) { return nil, nil }

// Encode is the fitted pipeline as canonical JSON; equal pipelines give equal bytes.
func (f *Fitted) Encode() []byte { return nil }

// Inputs are the columns that a row must have.
func (f *Fitted) Inputs() []frame.Field { return f.spec.Inputs }

// Names are the features, in the order of the matrix's columns.
func (f *Fitted) Names() []string { return nil }

// Transform makes features of the rows and tells the categories it had not met. It
// does not change rows. An absent input column or one of the wrong kind is an
// Invalid fault that names it.
func (f *Fitted) Transform(rows *frame.Frame) (Matrix, []Unseen, error) {
	return Matrix{}, nil, nil
}
