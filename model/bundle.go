// SPDX-License-Identifier: Apache-2.0

package model

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"flyball/blob"
	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/fault"
	"flyball/model/unusual"
)

// BundleFormat is the format tag of bundle.json; docs/formats/bundle.md describes it.
const BundleFormat = "flyball.bundle/v1"

// The files of a bundle besides the estimator's own.
const (
	PipelineFile = "pipeline.json"
	GoldenFile   = "golden.parquet"
	ProfileFile  = "profile.json"
	UnusualFile  = "unusual.json"
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
	Answer    *Answer                `json:"answer,omitempty"`
	Tolerance float64                `json:"tolerance,omitempty"` // relative, of golden scores
	Files     map[string]blob.Digest `json:"files"`
}

// Bundle is a version's bytes, ready to score. It is immutable and may be used by
// many goroutines at once.
type Bundle struct {
	Manifest Manifest
	Digest   blob.Digest

	scorer Scorer
	rows   *background        // nil: there are none
	usual  *unusual.Reference // nil: the bundle has none
}

// Parts are what a bundle is made of.
type Parts struct {
	Model     string
	Task      dataset.Task
	Classes   []string
	Pipeline  *pipeline.Fitted // nil: the estimator takes the columns as they are, and Decoders.Scorers reads it
	Estimator File
	More      []File       // what else the estimator needs: the files of an MLflow folder
	Answer    *Answer      // how MLflow's predict answers; nil: as Kind implies
	Tolerance float64      // relative difference of golden scores that is let pass; 0: none
	Rows      *frame.Frame // raw rows, of which the first GoldenRows are kept
	Beside    []File       // what only those who watch the version need: ProfileFile, UnusualFile

	// Describe makes files by asking the model, such as dependence.json; nil: none.
	Describe func(ctx context.Context, b *Bundle) ([]File, error)
}

// Make writes a bundle and returns it opened. Its bytes depend on nothing but the
// parts. It fails, and leaves no bundle, when the estimator's file cannot be read
// back or does not fit the pipeline.
func Make(ctx context.Context, blobs blob.Store, decoders Decoders, p Parts) (*Bundle, error) {
	files := append([]File{p.Estimator}, p.More...)
	if p.Pipeline != nil {
		files = append(files, File{PipelineFile, p.Pipeline.Encode()})
	}
	files = append(files, p.Beside...)
	b := &Bundle{Manifest: Manifest{
		Format: BundleFormat, Model: p.Model, Kind: p.Task.Kind, Classes: p.Classes, Decide: p.Task.Decide,
		Estimator: p.Estimator.Name, Answer: p.Answer, Tolerance: p.Tolerance, Files: map[string]blob.Digest{},
	}}
	if err := b.open(ctx, decoders, inMemory(files)); err != nil {
		return nil, err
	}
	b.Manifest.Inputs = b.scorer.Inputs()
	b.Manifest.Features = features(b.scorer)
	golden, err := b.golden(ctx, p.Rows)
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	files = append(files, File{GoldenFile, golden})
	if p.Describe != nil {
		more, err := p.Describe(ctx, b)
		if err != nil {
			return nil, errors.Join(err, b.Close())
		}
		files = append(files, more...)
	}
	for _, f := range files {
		d, _, err := blobs.Put(ctx, bytes.NewReader(f.Bytes))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("write %s: %w", f.Name, err), b.Close())
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

// Open reads a bundle. It does not replay the golden rows: Verify does. Whoever opened
// it closes it.
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
	if err := b.open(ctx, decoders, kept{ctx, blobs, b}); err != nil {
		return nil, err
	}
	b.rows = &background{read: func(ctx context.Context) (*frame.Frame, error) { return b.readGolden(ctx, blobs) }}
	if !slices.Equal(features(b.scorer), b.Manifest.Features) || !slices.Equal(b.scorer.Inputs(), b.Manifest.Inputs) {
		return nil, fault.New(fault.Invalid, "bundle.json and its files name different columns")
	}
	return b, nil
}

// File reads one file of the bundle; a name it does not have is a NotFound fault.
func (b *Bundle) File(ctx context.Context, blobs blob.Store, name string) ([]byte, error) {
	d, ok := b.Manifest.Files[name]
	if !ok {
		return nil, fault.New(fault.NotFound, "bundle %s has no %s", b.Digest, name)
	}
	return blob.ReadAll(ctx, blobs, d, maxFile)
}

// Scores are what a bundle says of rows.
type Scores struct {
	Outputs int       // scores a row
	Values  []float64 // row-major
	Unseen  []pipeline.Unseen

	// Features are what the estimator was given, of at most FewRows rows; empty for more,
	// and where there is no pipeline.
	Features pipeline.Matrix
}

// FewRows is of how many rows at most the features are kept with their scores.
const FewRows = 1024

// Pipeline is what makes the features; nil where the model takes columns as they are.
func (b *Bundle) Pipeline() *pipeline.Fitted {
	switch s := b.scorer.(type) {
	case *fitted:
		return s.pipeline
	case *staged:
		return s.pipeline
	}
	return nil
}

// Usual is what rows and scores of the version look like; nil where that is not known:
// in a baseline, a version of the gate alone, and one that was made before it was kept.
func (b *Bundle) Usual() *unusual.Reference { return b.usual }

// Row is the scores of row i, sharing memory.
func (s Scores) Row(i int) []float64 {
	return s.Values[i*s.Outputs : (i+1)*s.Outputs : (i+1)*s.Outputs]
}

// Predict scores raw rows, which must have the bundle's input columns. An absent
// column is an Invalid fault.
func (b *Bundle) Predict(ctx context.Context, rows *frame.Frame) (Scores, error) {
	return b.scorer.Score(ctx, rows)
}

// Close gives back what the scorer holds besides memory, such as a process. Nothing may
// be asked of the bundle from then on. Closing twice is closing once.
func (b *Bundle) Close() error {
	if c, ok := b.scorer.(io.Closer); ok {
		return c.Close()
	}
	return nil
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
func (b *Bundle) golden(ctx context.Context, rows *frame.Frame) ([]byte, error) {
	rows = rows.Slice(0, min(GoldenRows, rows.Rows()))
	names := make([]string, len(b.Manifest.Inputs))
	for i, f := range b.Manifest.Inputs {
		names[i] = f.Name
	}
	inputs, err := rows.Select(names...)
	if err != nil {
		return nil, err
	}
	b.rows = &background{rows: inputs}
	if err := b.additive(ctx, inputs); err != nil {
		return nil, err
	}
	s, err := b.Predict(ctx, inputs)
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

// goldenMemory bounds what reading golden rows may ask for, besides what the file is long.
const goldenMemory = 256 << 20

func (b *Bundle) readGolden(ctx context.Context, blobs blob.Store) (*frame.Frame, error) {
	raw, err := b.File(ctx, blobs, GoldenFile)
	if err != nil {
		return nil, err
	}
	return Golden(raw)
}

// Golden reads the golden rows of a bundle, in memory that the file's size bounds: bundles
// come from elsewhere too.
func Golden(raw []byte) (*frame.Frame, error) {
	r, err := frame.ParquetWithin(GoldenFile, raw, goldenMemory+16*int64(len(raw)))
	if err != nil {
		return nil, err
	}
	return frame.ReadAll(r)
}

// Verify replays the golden rows and compares the scores bit for bit, or within the
// tolerance of a bundle that has one. A bundle that does not reproduce them must not
// serve: the error is a Refused fault.
func (b *Bundle) Verify(ctx context.Context, blobs blob.Store) error {
	rows, err := b.readGolden(ctx, blobs)
	if err != nil {
		return err
	}
	if rows.Rows() == 0 {
		return fault.New(fault.Refused, "bundle %s has no golden rows", b.Digest)
	}
	s, err := b.Predict(ctx, rows)
	if err != nil {
		return err
	}
	for k := range s.Outputs {
		want := rows.Column(fmt.Sprint(ScoreColumn, k))
		if want == nil || want.Kind != frame.Number {
			return fault.New(fault.Refused, "the golden rows of bundle %s hold no score %d", b.Digest, k)
		}
		for i := range rows.Rows() {
			if got := s.Row(i)[k]; !same(got, want.Num[i], b.Manifest.Tolerance) {
				return fault.New(fault.Refused, "golden row %d scores %v here, %v when it was made", i, got, want.Num[i]).
					Do("do not serve this version; make it again or serve it with the version of Flyball that made it")
			}
		}
	}
	return nil
}

func same(got, want, tolerance float64) bool {
	return math.Float64bits(got) == math.Float64bits(want) || math.Abs(got-want) <= tolerance*max(math.Abs(got), math.Abs(want))
}
