// SPDX-License-Identifier: Apache-2.0

// Package pipeline turns rows into features: fitted once on training rows, the same
// code then transforms them in training and online, where a row is a batch of one.
// It refuses a row in which an input column is absent; a null in it is missing, not
// absent. It does not choose rows (package dataset) and does not score (package
// model).
package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"sync"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/unit"
)

// Format is the format tag of pipeline.json, the file that Encode writes.
const Format = "flyball.pipeline/v1"

// Semantics is the version of what the operations do. A pipeline fitted under
// another version is refused rather than computed differently.
const Semantics = 1

// Fitted is a pipeline with what it learned from its training rows. It is
// immutable and may be used by many goroutines at once; what its methods return
// must not be changed.
type Fitted struct {
	spec   Spec
	states []state // one a step
	plan   plan
	golden *golden   // nil in files that were written before there was any
	bytes  []byte    // what Encode gives
	few    sync.Pool // of *batch, with room for a few rows
	many   sync.Pool // of *batch, with room for a block
}

// file is pipeline.json.
type file struct {
	Format    string  `json:"format"`
	Semantics int     `json:"semantics"`
	Spec      Spec    `json:"spec"`
	States    []state `json:"states"`
	Golden    *golden `json:"golden,omitempty"`
}

// state is what one step learned, a value for each column of In.
type state struct {
	Fill   []float64   `json:"fill,omitempty"`   // impute: numbers
	Words  []string    `json:"words,omitempty"`  // impute: text
	Center []float64   `json:"center,omitempty"` // scale
	Scale  []float64   `json:"scale,omitempty"`  // scale
	Edges  [][]float64 `json:"edges,omitempty"`  // bucketize: inner edges, rising
	Kept   [][]string  `json:"kept,omitempty"`   // one_hot, ordinal, target_encode: categories with a place of their own, in order
	Rare   [][]string  `json:"rare,omitempty"`   // one_hot, ordinal: met, but without a place; sorted

	// Means are target_encode's: for each column, for each column that it makes, the
	// target's mean for each of Kept, then for what was not met and for what is missing.
	Means [][][]float64 `json:"means,omitempty"`

	// Weights are text's: for each column, the weight of each feature (idf).
	Weights [][]float64 `json:"weights,omitempty"`
}

// Options are of one fit. The zero value is good where no step reads the target.
type Options struct {
	Workers int       // how many columns are looked at at once; 0: one per CPU
	Target  []float64 // a label a row: 0 or 1, the class's index, or a number; target_encode needs it
	Classes int       // of the target; 0: it is a number
	Seed    uint64    // of the folds of target_encode
}

// FitTransform fits and gives the features of the training rows. They differ from
// what Transform makes of the same rows where a step encodes a row by its target: each
// fold of the rows is then encoded by what the others say, as the label would leak
// else.
func FitTransform(ctx context.Context, spec Spec, rows *frame.Frame, o Options) (*Fitted, Matrix, error) {
	f, folded, err := fit(ctx, spec, rows, o)
	if err != nil {
		return nil, Matrix{}, err
	}
	m, _, err := f.transform(rows, folded)
	return f, m, err
}

// Fit learns what the steps need from the rows. The result does not depend on the
// workers or on how the rows were chunked. ±Inf counts as missing. A step after one that
// reads the target learns from what FitTransform gives. A spec or rows that nothing can be
// learned from are an Invalid fault; when ctx ends, its cause is returned.
func Fit(ctx context.Context, spec Spec, rows *frame.Frame, o Options) (*Fitted, error) {
	f, _, err := fit(ctx, spec, rows, o)
	return f, err
}

// fit also gives what steps that read the target make of the training rows.
func fit(ctx context.Context, spec Spec, rows *frame.Frame, o Options) (*Fitted, folds, error) {
	f, err := open(spec)
	if err != nil {
		return nil, nil, err
	}
	b := &batch{nums: make([][]float64, len(spec.Inputs)), folded: folds{}}
	if err := b.bind(f.spec.Inputs, rows); err != nil {
		return nil, nil, err
	}
	if rows.Rows() == 0 {
		return nil, nil, fault.New(fault.Invalid, "a pipeline cannot be fitted on no rows")
	}
	if err := b.load(f.spec.Inputs, 0, rows.Rows()); err != nil {
		return nil, nil, err
	}
	for i := range f.plan.steps {
		s := &f.plan.steps[i]
		if f.states[i], err = s.fit(ctx, b, o); err != nil {
			return nil, nil, err
		}
		if err := f.plan.place(i, &f.states[i]); err != nil {
			return nil, nil, err
		}
		for range f.plan.slots - len(b.nums) {
			b.nums = append(b.nums, nil)
		}
		if s.direct { // nobody reads its columns
			continue
		}
		for _, slot := range s.outs {
			b.nums[slot] = make([]float64, b.n)
		}
		if err := s.apply(b); err != nil {
			return nil, nil, err
		}
	}
	f.plan.finish()
	f.golden = f.example(rows)
	return f, b.folded, f.encode()
}

// open makes a pipeline that has learned nothing yet, on a copy of the spec.
func open(spec Spec) (*Fitted, error) {
	spec, err := spec.clone()
	if err != nil {
		return nil, err
	}
	p, err := planOf(spec)
	if err != nil {
		return nil, err
	}
	return &Fitted{spec: spec, states: make([]state, len(spec.Steps)), plan: p}, nil
}

// Decode reads what Encode wrote, and refuses a pipeline whose golden rows do not come
// out as they did where it was fitted. The error is an Invalid fault.
func Decode(b []byte) (*Fitted, error) {
	var in file
	if err := unit.Strict(b, &in); err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "this is not a fitted pipeline")
	}
	if in.Format != Format || in.Semantics != Semantics {
		return nil, fault.New(fault.Invalid, "the pipeline has format %q, semantics %d; this version reads %s, semantics %d",
			in.Format, in.Semantics, Format, Semantics)
	}
	f, err := open(in.Spec)
	if err != nil {
		return nil, err
	}
	if len(in.States) != len(in.Spec.Steps) {
		return nil, fault.New(fault.Invalid, "the pipeline has %d steps and learned %d", len(in.Spec.Steps), len(in.States))
	}
	f.states = in.States
	for i := range f.plan.steps {
		if err := f.plan.place(i, &f.states[i]); err != nil {
			return nil, err
		}
	}
	f.plan.finish()
	if f.golden = in.Golden; f.golden != nil {
		if err := f.reproduce(*f.golden); err != nil {
			return nil, err
		}
	}
	return f, f.encode()
}

// encode fixes the bytes.
func (f *Fitted) encode() (err error) {
	f.bytes, err = json.MarshalIndent(file{Format, Semantics, f.spec, f.states, f.golden}, "", " ")
	return fault.Wrap(err, fault.Internal, "the fitted pipeline cannot be written")
}

// Encode is the fitted pipeline as canonical JSON; equal pipelines give equal bytes.
func (f *Fitted) Encode() []byte { return slices.Clone(f.bytes) }

// Digest is the hex SHA-256 of Encode.
func (f *Fitted) Digest() string {
	s := sha256.Sum256(f.bytes)
	return hex.EncodeToString(s[:])
}

// Inputs are the columns that a row must have.
func (f *Fitted) Inputs() []frame.Field { return f.spec.Inputs }

// Names are the features, in the order of the matrix's columns.
func (f *Fitted) Names() []string { return f.plan.names }
