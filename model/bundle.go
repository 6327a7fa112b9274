// SPDX-License-Identifier: Apache-2.0

package model

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"flyball/blob"
	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/fault"
)

// BundleFormat is the format tag of bundle.json; docs/formats/bundle.md describes it.
const BundleFormat = "flyball.bundle/v1"

// The files of a bundle besides the estimator's own.
const (
	PipelineFile = "pipeline.json"
	GoldenFile   = "golden.parquet"
	ProfileFile  = "profile.json"
)

// GoldenRows is how many raw rows a bundle keeps with the scores it must reproduce.
const GoldenRows = 256

// maxFile bounds what is read of one file of a bundle.
const maxFile = 1 << 30

// Manifest is bundle.json: what goes in, what comes out, and the digests of the
// bundle's other files. Its own digest names the bundle.
type Manifest struct {
	Format    string                 `json:"format"`
	Model     string                 `json:"model"`
	Kind      dataset.Kind           `json:"kind"`
	Classes   []string               `json:"classes,omitempty"`
	Decide    *dataset.Decision      `json:"decide,omitempty"`
	Inputs    []frame.Field          `json:"inputs"`
	Features  []string               `json:"features"`
	Estimator string                 `json:"estimator"` // name of the estimator's file
	Files     map[string]blob.Digest `json:"files"`
}

// Bundle is a version's bytes, ready to score. It is immutable and may be used by
// many goroutines at once.
type Bundle struct {
	Manifest Manifest
	Digest   blob.Digest

	pipeline  *pipeline.Fitted
	estimator Estimator
}

// Parts are what a bundle is made of.
type Parts struct {
	Model     string
	Task      dataset.Task
	Classes   []string
	Pipeline  *pipeline.Fitted
	Estimator File
	Rows      *frame.Frame // raw rows, of which the first GoldenRows are kept
	Profile   []byte       // of package monitoring; opaque here
}

// Make writes a bundle and returns it opened. Its bytes depend on nothing but the
// parts. It fails, and leaves no bundle, when the estimator's file cannot be read
// back or does not fit the pipeline.
func Make(ctx context.Context, blobs blob.Store, decoders Decoders, p Parts) (*Bundle, error) {
	estimator, err := decode(decoders, p.Estimator.Name, p.Estimator.Bytes)
	if err != nil {
		return nil, err
	}
	b := &Bundle{pipeline: p.Pipeline, estimator: estimator, Manifest: Manifest{
		Format: BundleFormat, Model: p.Model, Kind: p.Task.Kind, Classes: p.Classes, Decide: p.Task.Decide,
		Inputs: p.Pipeline.Inputs(), Features: p.Pipeline.Names(), Estimator: p.Estimator.Name,
		Files: map[string]blob.Digest{},
	}}
	if err := b.fits(); err != nil {
		return nil, err
	}
	golden, err := b.golden(p.Rows)
	if err != nil {
		return nil, err
	}
	files := []File{p.Estimator, {PipelineFile, p.Pipeline.Encode()}, {GoldenFile, golden}}
	if p.Profile != nil {
		files = append(files, File{ProfileFile, p.Profile})
	}
	for _, f := range files {
		d, _, err := blobs.Put(ctx, bytes.NewReader(f.Bytes))
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", f.Name, err)
		}
		b.Manifest.Files[f.Name] = d
	}
	manifest, err := json.MarshalIndent(b.Manifest, "", "  ") // maps are written in the order of their keys
	if err != nil {
		return nil, fmt.Errorf("encode bundle.json: %w", err)
	}
	b.Digest, _, err = blobs.Put(ctx, bytes.NewReader(manifest))
	return b, err
}

// Open reads a bundle. It does not replay the golden rows: Verify does.
func Open(ctx context.Context, blobs blob.Store, decoders Decoders, d blob.Digest) (*Bundle, error) {
	raw, err := blob.ReadAll(ctx, blobs, d, maxFile)
	if err != nil {
		return nil, err
	}
	b := &Bundle{Digest: d}
	if err := json.Unmarshal(raw, &b.Manifest); err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "%s is not a bundle", d)
	}
	if b.Manifest.Format != BundleFormat {
		return nil, fault.New(fault.Invalid, "bundle %s has format %q; this version reads %s", d, b.Manifest.Format, BundleFormat)
	}
	raw, err = b.File(ctx, blobs, PipelineFile)
	if err != nil {
		return nil, err
	}
	if b.pipeline, err = pipeline.Decode(raw); err != nil {
		return nil, err
	}
	if raw, err = b.File(ctx, blobs, b.Manifest.Estimator); err != nil {
		return nil, err
	}
	if b.estimator, err = decode(decoders, b.Manifest.Estimator, raw); err != nil {
		return nil, err
	}
	return b, b.fits()
}

// File reads one file of the bundle; a name it does not have is a NotFound fault.
func (b *Bundle) File(ctx context.Context, blobs blob.Store, name string) ([]byte, error) {
	d, ok := b.Manifest.Files[name]
	if !ok {
		return nil, fault.New(fault.NotFound, "bundle %s has no %s", b.Digest, name)
	}
	return blob.ReadAll(ctx, blobs, d, maxFile)
}

func decode(decoders Decoders, name string, raw []byte) (Estimator, error) {
	read, ok := decoders[name]
	if !ok {
		return nil, fault.New(fault.Invalid, "no estimator is known by the file name %q", name)
	}
	return read(raw)
}

// fits checks that pipeline, estimator and manifest belong together.
func (b *Bundle) fits() error {
	names := b.pipeline.Names()
	if n := b.estimator.Features(); n != len(names) {
		return fault.New(fault.Invalid, "the estimator takes %d features, the pipeline makes %d", n, len(names))
	}
	if !slices.Equal(names, b.Manifest.Features) || !slices.Equal(b.pipeline.Inputs(), b.Manifest.Inputs) {
		return fault.New(fault.Invalid, "bundle.json and %s name different columns", PipelineFile)
	}
	want := 1
	if b.Manifest.Kind == dataset.Multiclass {
		want = len(b.Manifest.Classes)
	}
	if n := b.estimator.Outputs(); n != want {
		return fault.New(fault.Invalid, "the estimator gives %d scores a row, %s needs %d", n, b.Manifest.Kind, want)
	}
	return nil
}

// Scores are what a bundle says of rows.
type Scores struct {
	Outputs int       // scores a row
	Values  []float64 // row-major
	Unseen  []pipeline.Unseen
}

// Row is the scores of row i, sharing memory.
func (s Scores) Row(i int) []float64 {
	return s.Values[i*s.Outputs : (i+1)*s.Outputs : (i+1)*s.Outputs]
}

// Predict scores raw rows, which must have the bundle's input columns. An absent
// column is an Invalid fault.
func (b *Bundle) Predict(rows *frame.Frame) (Scores, error) {
	x, unseen, err := b.pipeline.Transform(rows)
	if err != nil {
		return Scores{}, err
	}
	s := Scores{Outputs: b.estimator.Outputs(), Unseen: unseen}
	s.Values = make([]float64, x.Rows*s.Outputs)
	b.estimator.Score(x, s.Values)
	return s, nil
}

// Inputs are the columns a row must have.
func (b *Bundle) Inputs() []frame.Field { return b.Manifest.Inputs }

// Decision is the word for a row's scores; empty where the model has none.
func (b *Bundle) Decision(scores []float64) string {
	d := b.Manifest.Decide
	switch {
	case b.Manifest.Kind == dataset.Multiclass && len(scores) == len(b.Manifest.Classes):
		best := 0
		for k := range scores {
			if scores[k] > scores[best] {
				best = k
			}
		}
		return b.Manifest.Classes[best]
	case d == nil || len(scores) != 1:
		return ""
	case scores[0] > d.Above:
		return d.Then
	}
	return d.Else
}

// ScoreColumn begins the names of the columns of GoldenFile that hold the scores: the
// number of the output follows.
const ScoreColumn = "flyball.score."

// golden is the golden file: the input columns of the first rows and their scores.
func (b *Bundle) golden(rows *frame.Frame) ([]byte, error) {
	rows = rows.Slice(0, min(GoldenRows, rows.Rows()))
	names := make([]string, len(b.Manifest.Inputs))
	for i, f := range b.Manifest.Inputs {
		names[i] = f.Name
	}
	inputs, err := rows.Select(names...)
	if err != nil {
		return nil, err
	}
	s, err := b.Predict(inputs)
	if err != nil {
		return nil, err
	}
	cols := slices.Clone(inputs.Columns())
	for k := range s.Outputs {
		v := make([]float64, rows.Rows())
		for i := range v {
			v[i] = s.Row(i)[k]
		}
		cols = append(cols, frame.NumberColumn(fmt.Sprint(ScoreColumn, k), v))
	}
	all := frame.New(cols...)
	var out bytes.Buffer
	w, err := frame.NewParquetWriter(&out, all.Fields())
	if err != nil {
		return nil, err
	}
	if err := w.Write(all); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Verify replays the golden rows and compares the scores bit for bit. A bundle that
// does not reproduce them must not serve: the error is a Refused fault.
func (b *Bundle) Verify(ctx context.Context, blobs blob.Store) error {
	raw, err := b.File(ctx, blobs, GoldenFile)
	if err != nil {
		return err
	}
	r, err := frame.OpenParquet(GoldenFile, bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return err
	}
	rows, err := frame.ReadAll(r)
	if err != nil {
		return err
	}
	if rows.Rows() == 0 {
		return fault.New(fault.Refused, "bundle %s has no golden rows", b.Digest)
	}
	s, err := b.Predict(rows)
	if err != nil {
		return err
	}
	for k := range s.Outputs {
		want := rows.Column(fmt.Sprint(ScoreColumn, k))
		if want == nil || want.Kind != frame.Number {
			return fault.New(fault.Refused, "the golden rows of bundle %s hold no score %d", b.Digest, k)
		}
		for i := range rows.Rows() {
			if got := s.Row(i)[k]; math.Float64bits(got) != math.Float64bits(want.Num[i]) {
				return fault.New(fault.Refused, "golden row %d scores %v here, %v when it was made", i, got, want.Num[i]).
					Do("do not serve this version; make it again or serve it with the version of Flyball that made it")
			}
		}
	}
	return nil
}
