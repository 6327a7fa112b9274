// SPDX-License-Identifier: Apache-2.0

package model

import (
	"context"
	"encoding/json"

	"flyball/data/frame"
	"flyball/fault"
)

// Answer is how a model's own predict answers, as MLflow's pyfunc calls it: a class
// where its scores are probabilities, a probability where it has one. Faces that speak
// for MLflow answer by it; the native one always gives scores. A nil Answer is Values.
type Answer struct {
	Form Form `json:"form"`

	// Classes are what a Label answers, by the place of the score; as JSON, because
	// classes are numbers, texts or truth values. One score a row stands for two
	// classes: above 0.5 it is the second.
	Classes []json.RawMessage `json:"classes,omitempty"`

	// Names are those of the model's outputs, for the forms that tell them: of each
	// score, or of the class and the probabilities; one for several scores names all.
	Names []string `json:"names,omitempty"`

	// Maps says that the probabilities of Arrays are objects by class, not lists.
	Maps bool `json:"maps,omitempty"`

	// Single says that the scores are float32 where the model comes from. They are
	// rounded to it before they are compared or written.
	Single bool `json:"single,omitempty"`

	// Signature is MLflow's signature of the model, as its MLmodel has it.
	Signature *Signature `json:"signature,omitempty"`

	// Type is numpy's word for what is answered: float32, float64, int64, object.
	// Empty: float64.
	Type string `json:"type,omitempty"`
}

// Signature is MLflow's description of what a model takes, gives and may be told: three
// JSON texts (docs of MLflow, "Model Signature"), any of them empty.
type Signature struct {
	Inputs  string `json:"inputs,omitempty"`
	Outputs string `json:"outputs,omitempty"`
	Params  string `json:"params,omitempty"`
}

// Form is the shape of an answer.
type Form string

// The forms. The zero value is Values.
const (
	Values  Form = ""        // one number a row, or a list of numbers where the model has several scores
	Label   Form = "label"   // one class a row
	Lists   Form = "lists"   // a list of numbers a row, of one number too
	Records Form = "records" // an object a row with a member for each score; with one name for several scores, an object for each
	Arrays  Form = "arrays"  // one object, with a list of the rows' answers for each output (ONNX on tensors)
	Own     Form = "own"     // what the model's scorer answers by itself, whatever it is
	Both    Form = "both"    // an object a row: the class, and the probability of each class (ONNX classifiers)
)

// Call is what a model's own predict is asked.
type Call struct {
	Rows   *frame.Frame      // the rows; nil: Body is used
	Types  map[string]string // MLflow's type of a column, as its signature has it; none: by its kind
	Body   json.RawMessage   // what no frame can hold: {"dataframe_split": …} or {"inputs": …} as MLflow reads it
	Params json.RawMessage   // a JSON object; empty: none
}

// Answerer is a scorer whose model has an answer of its own that the scores do not tell.
type Answerer interface {
	// Answer is the JSON list that MLflow's scoring server would give as predictions.
	// Faults are those of Scorer.Score.
	Answer(ctx context.Context, c Call) (json.RawMessage, error)
}

// Answer is what MLflow's scoring server would give as predictions: a JSON list, and
// whatever else a model's own predict answers. A scorer that answers by itself is asked;
// of any other the scores of c.Rows are written by Manifest.Answer. Rows that only such
// a scorer could take are an Invalid fault.
func (b *Bundle) Answer(ctx context.Context, c Call) (json.RawMessage, error) {
	a := b.Manifest.Answer
	if own, ok := b.scorer.(Answerer); ok && b.Answers() {
		return own.Answer(ctx, c)
	}
	if c.Rows == nil {
		return nil, fault.New(fault.Invalid, "the model takes rows of named columns").Do("send dataframe_split or dataframe_records")
	}
	s, err := b.Predict(ctx, c.Rows)
	if err != nil {
		return nil, err
	}
	return a.Predictions(func(yield func([]float64) bool) {
		for i := 0; i < c.Rows.Rows() && yield(s.Row(i)); i++ {
		}
	}), nil
}

// Answers reports whether the bundle's scorer answers calls by itself, so that it may
// be handed a body that no frame can hold. A bundle that says how its scores are
// answers needs no more than those.
func (b *Bundle) Answers() bool {
	_, own := b.scorer.(Answerer)
	a := b.Manifest.Answer
	return own && (a == nil || a.Form != Values && a.Form != Label && a.Form != Lists)
}
