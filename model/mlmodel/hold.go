// SPDX-License-Identifier: Apache-2.0

package mlmodel

import (
	"context"
	"slices"

	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/fault"
	"flyball/model"
)

// Pipeline is what stands before the estimator: the identity, over the columns of the
// model, or nil where the model takes columns by itself.
func (m Model) Pipeline(ctx context.Context) (*pipeline.Fitted, error) {
	if !m.Behind {
		return nil, nil //nolint:nilnil // no pipeline is an answer
	}
	cols := make([]frame.Column, len(m.Inputs))
	for i, in := range m.Inputs { // nothing is learned of a row, but there must be one
		cols[i] = frame.NumberColumn(in.Name, []float64{0})
	}
	return pipeline.Fit(ctx, pipeline.Spec{Inputs: m.Inputs}, frame.WithRows(1, cols...), pipeline.Options{Workers: 1})
}

// Hold opens the model as a bundle in memory, under the name of the model it is of.
// Whoever holds it closes it.
func (m Model) Hold(ctx context.Context, decoders model.Decoders, name string) (*model.Bundle, error) {
	return m.open(ctx, decoders, name)
}

func (m Model) open(ctx context.Context, decoders model.Decoders, name string) (*model.Bundle, error) {
	fs := m.files()
	p, err := m.Pipeline(ctx)
	if err != nil {
		return nil, err
	}
	if p != nil {
		fs[model.PipelineFile] = p.Encode()
	}
	answer := m.Answer
	return model.Hold(ctx, decoders, model.Manifest{
		Format: model.BundleFormat, Model: name, Kind: m.Kind, Classes: m.Classes, Estimator: m.File.Name,
		Answer: &answer, Tolerance: m.Tolerance,
	}, fs)
}

// Files are the file that is scored with, and what it needs besides.
func (m Model) Files() model.Files { return m.files() }

func (m Model) files() files {
	fs := files{m.File.Name: m.File.Bytes}
	for _, f := range m.More {
		fs[f.Name] = f.Bytes
	}
	return fs
}

// files are the files of a bundle that is not kept.
type files map[string][]byte

// Names are all of them, sorted.
func (fs files) Names() []string {
	out := make([]string, 0, len(fs))
	for name := range fs {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// Read reads a whole file.
func (fs files) Read(name string) ([]byte, error) {
	raw, ok := fs[name]
	if !ok {
		return nil, fault.New(fault.NotFound, "there is no %s", name)
	}
	return raw, nil
}
