// SPDX-License-Identifier: Apache-2.0

package model

import (
	"context"
	"io"
	"slices"

	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/fault"
)

// staged is a pipeline before a model that takes columns: what a program trained on the
// features of a pipeline and wrote in a format of its own.
type staged struct {
	pipeline *pipeline.Fitted
	scorer   Scorer
	columns  []frame.Field // of the scorer, in the order of the features
}

// openStaged reads the pipeline and what stands behind it. The scorer's columns are the
// features by their names or, where it has other names, by their places.
func (b *Bundle) openStaged(ctx context.Context, read func(context.Context, Manifest, Files) (Scorer, error), files Files) (_ Scorer, err error) {
	raw, err := files.Read(PipelineFile)
	if err != nil {
		return nil, err
	}
	s := &staged{}
	if s.pipeline, err = pipeline.Decode(raw); err != nil {
		return nil, err
	}
	if s.scorer, err = read(ctx, b.Manifest, files); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = s.Close()
		}
	}()
	names, inputs := s.pipeline.Names(), s.scorer.Inputs()
	if len(inputs) != len(names) {
		return nil, fault.New(fault.Invalid, "the model takes %d features, the pipeline makes %d", len(inputs), len(names))
	}
	s.columns = make([]frame.Field, len(names))
	byName := !slices.ContainsFunc(inputs, func(f frame.Field) bool { return !slices.Contains(names, f.Name) })
	for i, in := range inputs {
		if in.Kind != frame.Number {
			return nil, fault.New(fault.Invalid, "the model takes the column %q as a %s, and a pipeline makes numbers", in.Name, in.Kind)
		}
		at := i
		if byName {
			at = slices.Index(names, in.Name)
		}
		s.columns[at] = in
	}
	return s, nil
}

func (s *staged) Inputs() []frame.Field { return s.pipeline.Inputs() }

func (s *staged) Outputs() int { return s.scorer.Outputs() }

func (s *staged) Score(ctx context.Context, rows *frame.Frame) (Scores, error) {
	x, unseen, err := s.pipeline.Transform(rows)
	if err != nil {
		return Scores{}, err
	}
	out, err := s.scorer.Score(ctx, s.table(x))
	out.Unseen = unseen
	if x.Rows <= FewRows {
		out.Features = x
	}
	return out, err
}

// table is features as the scorer takes them.
func (s *staged) table(x pipeline.Matrix) *frame.Frame {
	cols := make([]frame.Column, x.Cols)
	for j := range cols {
		v := make([]float64, x.Rows)
		for i := range v {
			v[i] = float64(x.Data[i*x.Cols+j])
		}
		cols[j] = frame.NumberColumn(s.columns[j].Name, v)
	}
	return frame.WithRows(x.Rows, cols...)
}

// explain is what the features add, in the order of the pipeline; a Refused fault where
// the model does not know.
func (s *staged) explain(ctx context.Context, rows *frame.Frame) (Contributions, error) {
	e, ok := s.scorer.(RowExplainer)
	if !ok || !s.inPlace() {
		return Contributions{}, fault.New(fault.Refused, "the model does not know what its features add")
	}
	x, _, err := s.pipeline.Transform(rows)
	if err != nil {
		return Contributions{}, err
	}
	return e.ExplainRows(ctx, s.table(x))
}

// inPlace reports whether the scorer's columns are in the order of the features.
func (s *staged) inPlace() bool { return slices.Equal(s.columns, s.scorer.Inputs()) }

// Warm starts what the scorer must start.
func (s *staged) Warm(ctx context.Context) error {
	if w, ok := s.scorer.(interface{ Warm(context.Context) error }); ok {
		return w.Warm(ctx)
	}
	return nil
}

// Close gives back what the scorer holds.
func (s *staged) Close() error {
	if c, ok := s.scorer.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
