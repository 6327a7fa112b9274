// SPDX-License-Identifier: Apache-2.0

// Package spec reads the model file: YAML into the settings that each package owns,
// strictly, with line, column and the nearest known key for what is wrong. It fills
// in defaults, checks what one key asks of another, prints a model back, gives the
// JSON Schema, and suggests a first file for a table. What the settings do is decided
// by the packages that own them.
package spec

import (
	"flyball/data/dataset"
	"flyball/data/pipeline"
	"flyball/experiment/gate"
	"flyball/governance/card"
	"flyball/governance/duty"
	"flyball/loop"
	"flyball/model/counterfactual"
	"flyball/monitoring"
	"flyball/serving/release"
	"flyball/training"
	"flyball/unit"
)

// APIVersion is the only version of the file that this program reads.
const APIVersion = "flyball/v1"

// The kinds of file.
const (
	KindModel    = "Model"
	KindPipeline = "Pipeline"
)

// MaxSize is the largest file that Parse reads, in bytes.
const MaxSize = 1 << 20

// Model is a model file, as it is written: what is absent is zero (see WithDefaults).
type Model struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	About      string `json:"about,omitempty"` // what the model is for, in a sentence
	Risk       string `json:"risk,omitempty"`  // low (default), medium or high

	Predict  dataset.Task      `json:"predict"`
	Data     dataset.Settings  `json:"data"`
	Pipeline PipelineRef       `json:"pipeline,omitzero"`
	Train    training.Settings `json:"train"`
	Gate     gate.Policy       `json:"gate,omitzero"`
	Release  release.Plan      `json:"release"`
	Watch    monitoring.Policy `json:"watch,omitzero"`
	Retrain  loop.Policy       `json:"retrain,omitzero"`
	Explain  Explain           `json:"explain,omitzero"`
	Log      Log               `json:"log,omitzero"`
	Duties   duty.Duties       `json:"duties,omitzero"` // needed to go live, not before
	Card     card.Settings     `json:"card,omitzero"`   // what only people know, for the model card
}

// Pipeline is a file of its own for steps that several models share.
type Pipeline struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	About      string `json:"about,omitempty"`

	Inputs pipeline.Fields `json:"inputs"`
	Steps  []pipeline.Step `json:"steps,omitempty"`
}

// PipelineRef is the name of a pipeline file, or the pipeline in place.
type PipelineRef struct {
	Name   string
	Inputs pipeline.Fields
	Steps  []pipeline.Step
}

// Explain says which predictions keep their reasons, and what may change in a row that
// is decided otherwise.
type Explain struct {
	Keep string               `json:"keep,omitempty"` // all (default), flagged or none
	Flip counterfactual.Rules `json:"flip,omitzero"`
}

// Log says how predictions are written.
type Log struct {
	Durable  bool   `json:"durable"`             // answer after the commit
	WhenFull string `json:"when_full,omitempty"` // drop (counted; default) or wait
}

// File is a parsed file: exactly one of Model and Pipeline is set.
type File struct {
	Name     string // as given to Parse
	Model    *Model
	Pipeline *Pipeline

	places map[string]place
}

// Forms are the name of a pipeline, or its inputs and steps in place.
func (p *PipelineRef) Forms() unit.Forms {
	var in pipeline.Spec
	return unit.Forms{
		Map: &in, Words: []string{"the name of a pipeline"},
		Word: func(text string) error {
			*p = PipelineRef{Name: text}
			return nil
		},
		Done: func(form unit.Form) error {
			if form == unit.AsMap {
				*p = PipelineRef{Inputs: in.Inputs, Steps: in.Steps}
			}
			return nil
		},
	}
}

// UnmarshalJSON reads any of the Forms.
func (p *PipelineRef) UnmarshalJSON(b []byte) error { return unit.ReadJSON(b, p.Forms()) }

// MarshalJSON writes the name, or the inputs and steps.
func (p PipelineRef) MarshalJSON() ([]byte, error) {
	if p.Name != "" {
		return marshal(p.Name)
	}
	return marshal(pipeline.Spec{Inputs: p.Inputs, Steps: p.Steps})
}

// Position is where the value at the path stands, as file.yaml:12:3. A path is written
// as in Problem; of a path that is not in the file, the nearest part above it is meant.
func (f File) Position(path string) string {
	for {
		if at, ok := f.places[path]; ok {
			return at.in(f.Name)
		}
		if path == "" {
			return f.Name
		}
		path = parent(path)
	}
}
