// SPDX-License-Identifier: Apache-2.0

package model

import (
	"context"
	"io"
	"slices"

	"flyball/blob"
	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/fault"
	"flyball/model/unusual"
)

// Scorer scores rows as they come: named columns. A bundle holds one: a pipeline with
// its estimator, or a model that takes columns by itself. It is immutable and may be
// used by many goroutines at once. One that holds a process or a file is an io.Closer.
type Scorer interface {
	// Inputs are the columns a row must have.
	Inputs() []frame.Field

	// Outputs is how many scores a row gets: 1, or one a class.
	Outputs() int

	// Score scores rows, which have at least the Inputs. An absent column or a value
	// that the model cannot take is an Invalid fault; a model that cannot answer now
	// (its process is gone, ctx is done) is an Unavailable one.
	Score(ctx context.Context, rows *frame.Frame) (Scores, error)
}

// Files opens the files of a bundle while its scorer is read.
type Files interface {
	// Names are all files of the bundle that are there, sorted.
	Names() []string

	// Read reads a whole file; one that is not there is a NotFound fault.
	Read(name string) ([]byte, error)
}

// inMemory are files before they are kept.
type inMemory []File

func (fs inMemory) Names() []string {
	out := make([]string, len(fs))
	for i, f := range fs {
		out[i] = f.Name
	}
	slices.Sort(out)
	return out
}

func (fs inMemory) Read(name string) ([]byte, error) {
	for _, f := range fs {
		if f.Name == name {
			return f.Bytes, nil
		}
	}
	return nil, fault.New(fault.NotFound, "there is no %s", name)
}

// kept are the files of a bundle in a store.
type kept struct {
	ctx    context.Context
	blobs  blob.Store
	bundle *Bundle
}

func (k kept) Names() []string {
	var out []string
	for name := range k.bundle.Manifest.Files {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func (k kept) Read(name string) ([]byte, error) { return k.bundle.File(k.ctx, k.blobs, name) }

// Hold makes a bundle of a model that is scored and not kept: m tells all but the
// columns and the digests. It has no digest and no golden rows. Whoever holds it closes
// it.
func Hold(ctx context.Context, decoders Decoders, m Manifest, files Files) (*Bundle, error) {
	b := &Bundle{Manifest: m}
	if err := b.open(ctx, decoders, files); err != nil {
		return nil, err
	}
	b.Manifest.Inputs, b.Manifest.Features = b.scorer.Inputs(), features(b.scorer)
	return b, nil
}

// open reads the scorer of the files, and what its rows look like.
func (b *Bundle) open(ctx context.Context, decoders Decoders, files Files) error {
	name := b.Manifest.Estimator
	var err error
	read, alone := decoders.Scorers[name]
	switch {
	case alone && slices.Contains(files.Names(), PipelineFile):
		b.scorer, err = b.openStaged(ctx, read, files)
	case alone:
		b.scorer, err = read(ctx, b.Manifest, files)
	default:
		b.scorer, err = openFitted(decoders, name, files)
	}
	if err != nil {
		return err
	}
	want := 1
	if b.Manifest.Kind == dataset.Multiclass {
		want = len(b.Manifest.Classes)
	}
	if n := b.scorer.Outputs(); n != want && b.Manifest.Kind != "" {
		return fault.New(fault.Invalid, "the estimator gives %d scores a row, %s needs %d", n, b.Manifest.Kind, want)
	}
	if !slices.Contains(files.Names(), UnusualFile) {
		return nil
	}
	raw, err := files.Read(UnusualFile)
	if err == nil {
		b.usual, err = unusual.Decode(raw)
	}
	return err
}

// fitted is a pipeline and its estimator.
type fitted struct {
	pipeline  *pipeline.Fitted
	estimator Estimator
}

func openFitted(decoders Decoders, name string, files Files) (Scorer, error) {
	read, ok := decoders.Estimators[name]
	if !ok {
		return nil, fault.New(fault.Invalid, "no estimator is known by the file name %q", name)
	}
	raw, err := files.Read(PipelineFile)
	if err != nil {
		return nil, err
	}
	f := &fitted{}
	if f.pipeline, err = pipeline.Decode(raw); err != nil {
		return nil, err
	}
	if raw, err = files.Read(name); err != nil {
		return nil, err
	}
	if f.estimator, err = read(raw); err != nil {
		return nil, err
	}
	if n, m := f.estimator.Features(), len(f.pipeline.Names()); n != m {
		return nil, fault.New(fault.Invalid, "the estimator takes %d features, the pipeline makes %d", n, m)
	}
	return f, nil
}

func (f *fitted) Inputs() []frame.Field { return f.pipeline.Inputs() }

func (f *fitted) Outputs() int { return f.estimator.Outputs() }

func (f *fitted) Score(_ context.Context, rows *frame.Frame) (Scores, error) {
	x, unseen, err := f.pipeline.Transform(rows)
	if err != nil {
		return Scores{}, err
	}
	s := Scores{Outputs: f.estimator.Outputs(), Unseen: unseen}
	s.Values = make([]float64, x.Rows*s.Outputs)
	f.estimator.Score(x, s.Values)
	if x.Rows <= FewRows {
		s.Features = x
	}
	return s, nil
}

func (f *fitted) Close() error {
	if c, ok := f.estimator.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// features are the names of what an estimator reads: of the pipeline's results, or the
// columns themselves.
func features(s Scorer) []string {
	switch s := s.(type) {
	case *fitted:
		return s.pipeline.Names()
	case *staged:
		return s.pipeline.Names()
	}
	in := s.Inputs()
	out := make([]string, len(in))
	for i, f := range in {
		out[i] = f.Name
	}
	return out
}
