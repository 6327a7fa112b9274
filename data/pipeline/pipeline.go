// SPDX-License-Identifier: Apache-2.0

// Package pipeline turns rows into features: fitted once on training rows, the same
// code then transforms them in training and online, where a row is a batch of one.
// It refuses a row in which an input column is absent; a null in it is missing, not
// absent. It does not choose rows (package dataset) and does not score (package
// model).
package pipeline

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"

	"flyball/data/frame"
	"flyball/fault"
)

// Format is the format tag of pipeline.json; docs/formats/pipeline.md describes it.
const Format = "flyball.pipeline/v1"

// Semantics is the version of what the operations do. A pipeline fitted under
// another version is refused rather than computed differently.
const Semantics = 1

// Fitted is a pipeline with what it learned from its training rows. It is
// immutable and may be used by many goroutines at once.
type Fitted struct {
	spec   Spec
	states []state // one a step
	plan   plan
}

// file is pipeline.json.
type file struct {
	Format    string  `json:"format"`
	Semantics int     `json:"semantics"`
	Spec      Spec    `json:"spec"`
	States    []state `json:"states"`
}

// state is what one step learned, a value for each column of In.
type state struct {
	Fill   []float64   `json:"fill,omitempty"`   // impute: numbers
	Words  []string    `json:"words,omitempty"`  // impute: text
	Center []float64   `json:"center,omitempty"` // scale
	Scale  []float64   `json:"scale,omitempty"`  // scale
	Edges  [][]float64 `json:"edges,omitempty"`  // bucketize: inner edges, rising
	Kept   [][]string  `json:"kept,omitempty"`   // one_hot, ordinal: categories with a place of their own, in order
	Rare   [][]string  `json:"rare,omitempty"`   // one_hot, ordinal: met, but too rarely; sorted
}

// Fit learns what the steps need from the rows. The result does not depend on
// workers (0: one per CPU) or on how the rows were chunked. ±Inf counts as missing.
func Fit(ctx context.Context, spec Spec, rows *frame.Frame, workers int) (*Fitted, error) {
	p, err := planOf(spec)
	if err != nil {
		return nil, err
	}
	f := &Fitted{spec: spec, states: make([]state, len(spec.Steps)), plan: p}
	b, err := f.begin(rows)
	if err != nil {
		return nil, err
	}
	if rows.Rows() == 0 {
		return nil, fault.New(fault.Invalid, "a pipeline cannot be fitted on no rows")
	}
	for i := range p.steps {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		if f.states[i], err = p.steps[i].fit(b); err != nil {
			return nil, err
		}
		if err := f.place(i); err != nil {
			return nil, err
		}
		b.slots = append(b.slots, make([]values, f.plan.slots-len(b.slots))...)
		if err := f.plan.steps[i].apply(b); err != nil {
			return nil, err
		}
	}
	f.finish()
	return f, nil
}

// Decode reads what Encode wrote. The error is an Invalid fault.
func Decode(b []byte) (*Fitted, error) {
	var in file
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "this is not a fitted pipeline")
	}
	if in.Format != Format || in.Semantics != Semantics {
		return nil, fault.New(fault.Invalid, "the pipeline has format %q, semantics %d; this version reads %s, semantics %d",
			in.Format, in.Semantics, Format, Semantics)
	}
	p, err := planOf(in.Spec)
	if err != nil {
		return nil, err
	}
	if len(in.States) != len(in.Spec.Steps) {
		return nil, fault.New(fault.Invalid, "the pipeline has %d steps and learned %d", len(in.Spec.Steps), len(in.States))
	}
	f := &Fitted{spec: in.Spec, states: in.States, plan: p}
	for i := range p.steps {
		if err := f.place(i); err != nil {
			return nil, err
		}
	}
	f.finish()
	return f, nil
}

// Encode is the fitted pipeline as canonical JSON; equal pipelines give equal bytes.
func (f *Fitted) Encode() []byte {
	b, err := json.MarshalIndent(file{Format, Semantics, f.spec, f.states}, "", " ")
	if err != nil { // only a NaN or an Inf could do this, and fits keep none
		panic("pipeline: " + err.Error())
	}
	return b
}

// Digest is the hex SHA-256 of Encode.
func (f *Fitted) Digest() string {
	s := sha256.Sum256(f.Encode())
	return hex.EncodeToString(s[:])
}

// Inputs are the columns that a row must have.
func (f *Fitted) Inputs() []frame.Field { return f.spec.Inputs }

// Names are the features, in the order of the matrix's columns.
func (f *Fitted) Names() []string { return f.plan.names }

// Transform makes features of the rows and tells the categories it had not met. It
// does not change rows. An absent input column or one of the wrong kind is an
// Invalid fault that names it. A value that float32 cannot hold is missing.
func (f *Fitted) Transform(rows *frame.Frame) (Matrix, []Unseen, error) {
	b, err := f.begin(rows)
	if err != nil {
		return Matrix{}, nil, err
	}
	for i := range f.plan.steps {
		if err := f.plan.steps[i].apply(b); err != nil {
			return Matrix{}, nil, err
		}
	}
	m := Matrix{Names: f.plan.names, Rows: b.n, Cols: len(f.plan.features)}
	m.Data = make([]float32, m.Rows*m.Cols)
	for k, slot := range f.plan.features {
		for i, x := range b.slots[slot].num {
			y := float32(x)
			if math.IsInf(float64(y), 0) {
				y = float32(nan)
			}
			m.Data[i*m.Cols+k] = y
		}
	}
	return m, b.unseen, nil
}

var nan = math.NaN()

// batch is rows on their way through the steps. Every column that is an input or
// that a step makes has a slot of its own; no step changes a slot of another.
type batch struct {
	n      int
	slots  []values
	unseen []Unseen
}

// values are one slot: the slice of its kind.
type values struct {
	num  []float64
	text *frame.Column
	time []int64
}

// begin puts the input columns into their slots.
func (f *Fitted) begin(rows *frame.Frame) (*batch, error) {
	b := &batch{n: rows.Rows(), slots: make([]values, f.plan.slots)}
	for i, in := range f.spec.Inputs {
		c := rows.Column(in.Name)
		switch {
		case c == nil:
			return nil, fault.New(fault.Invalid, "column %q is absent", in.Name)
		case c.Kind == frame.Number && in.Kind == frame.Number:
			b.slots[i].num = finite(c.Num)
		case c.Kind == frame.Text && in.Kind == frame.Text:
			b.slots[i].text = c
		case c.Kind == frame.Time && in.Kind == frame.Time:
			b.slots[i].time = c.Time
		case c.Kind == frame.Text && in.Kind == frame.Time:
			at, err := parseTimes(c)
			if err != nil {
				return nil, err
			}
			b.slots[i].time = at
		default:
			return nil, fault.New(fault.Invalid, "column %q holds %s, the pipeline takes %s", in.Name, c.Kind, in.Kind)
		}
	}
	return b, nil
}

// finite is v with NaN for ±Inf; v itself where there is none.
func finite(v []float64) []float64 {
	for i, x := range v {
		if !math.IsInf(x, 0) {
			continue
		}
		out := append([]float64(nil), v...)
		for j := i; j < len(out); j++ {
			if math.IsInf(out[j], 0) {
				out[j] = nan
			}
		}
		return out
	}
	return v
}

func parseTimes(c *frame.Column) ([]int64, error) {
	out := make([]int64, c.Len())
	for i := range out {
		out[i] = frame.NoTime
		if c.Missing(i) {
			continue
		}
		t, err := frame.ParseTime(c.Text[i])
		if err != nil {
			return nil, fault.Wrap(err, fault.Invalid, "row %d, column %q", i, c.Name)
		}
		out[i] = t
	}
	return out, nil
}
