// SPDX-License-Identifier: Apache-2.0

// Package modeltest asks of a model what can be said of it without labels, as unit
// tests ask of a program: this row has this answer; changing this must change nothing;
// raising that must not lower the answer; these rows lie between here and there; it
// takes these columns. (Ribeiro et al. 2020, "Beyond Accuracy: Behavioral Testing of
// NLP Models with CheckList", calls them minimum functionality, invariance and
// directional expectation tests.) It runs the tests and says what failed, with the
// first rows; what a failure means is for package gate. It trains nothing and
// compares no two models.
package modeltest

import (
	"context"
	"fmt"

	"flyball/data/frame"
	"flyball/experiment/evaluation"
	"flyball/fault"
	"flyball/model"
)

// Model is what is tested. *model.Bundle is one.
type Model interface {
	// Predict scores rows that have the columns of Inputs.
	Predict(ctx context.Context, rows *frame.Frame) (model.Scores, error)
	Inputs() []frame.Field
	// Decision is the word for a row's scores; empty where the model has none.
	Decision(scores []float64) string
}

// Subject is a model with the rows that it is tried on.
type Subject struct {
	Model  Model
	Rows   *frame.Frame      // held-out rows, with the model's inputs and what Expectation.Where looks at
	Sample evaluation.Sample // the truth of the same rows, in the same order, for Expectation.Metric
}

// Result is what one test found.
type Result struct {
	Name     string `json:"name"`
	Kind     string `json:"kind"`     // golden, invariance, direction, expectation or schema
	Required bool   `json:"required"` // a failure keeps the version out
	Passed   bool   `json:"passed"`
	Judged   bool   `json:"judged"` // false: too few rows to say anything; then Passed is false
	Rows     int    `json:"rows"`   // tried
	Failed   int    `json:"failed"` // of them
	Text     string `json:"text"`   // one sentence with its figures, and the first row that failed
}

// mostRows are tried by a test that scores them again; more are thinned out evenly, the
// same ones each time.
const mostRows = 2000

// Run is the result of each test, in order. It fails only where the model cannot score
// at all, or where ctx ends; a test that the model refuses to answer has failed, and
// says why. It changes no rows.
func Run(ctx context.Context, tests []Test, s Subject) ([]Result, error) {
	out := make([]Result, 0, len(tests))
	var r *run
	for i, t := range tests {
		if r == nil {
			var err error
			if r, err = begin(ctx, s); err != nil {
				return nil, err
			}
		}
		res := Result{Name: t.title(i), Kind: t.Kind(), Required: t.Severity != "warn", Judged: true}
		err := r.test(ctx, t, &res)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			res.Passed, res.Text = false, err.Error()
		}
		out = append(out, res)
	}
	return out, nil
}

// run holds what the tests share.
type run struct {
	Subject
	few    *frame.Frame // at most mostRows of the rows, with the inputs alone
	scores model.Scores // of few
}

func begin(ctx context.Context, s Subject) (*run, error) {
	names := make([]string, 0, len(s.Model.Inputs()))
	for _, in := range s.Model.Inputs() {
		names = append(names, in.Name)
	}
	rows, err := s.Rows.Select(names...)
	if err != nil {
		return nil, err
	}
	r := &run{Subject: s, few: rows}
	if n := rows.Rows(); n > mostRows {
		at := make([]int, mostRows)
		for i := range at {
			at[i] = i * n / mostRows
		}
		r.few = rows.Take(at)
	}
	r.scores, err = s.Model.Predict(ctx, r.few)
	return r, err
}

func (r *run) test(ctx context.Context, t Test, res *Result) error {
	switch {
	case t.Golden != nil:
		return r.golden(ctx, *t.Golden, res)
	case t.Invariance != nil:
		return r.invariance(ctx, *t.Invariance, res)
	case t.Direction != nil:
		return r.direction(ctx, *t.Direction, res)
	case t.Expectation != nil:
		return r.expectation(ctx, *t.Expectation, res)
	case t.Schema != nil:
		return r.schema(ctx, *t.Schema, res)
	}
	return fault.New(fault.Invalid, "the test asks nothing")
}

// title is the test's name, or its place.
func (t Test) title(i int) string {
	if t.Name != "" {
		return t.Name
	}
	return fmt.Sprintf("%s %d", t.Kind(), i+1)
}

// output is which of a row's scores a test looks at.
func (r *run) output(class string) (int, error) {
	if class == "" && r.scores.Outputs > 1 {
		return 0, fault.New(fault.Invalid, "the model has %d classes, and the test names none", r.scores.Outputs).Do("say class: and one of them")
	}
	if class == "" {
		return 0, nil
	}
	for k, c := range r.Sample.Classes {
		if c == class && r.scores.Outputs > 1 {
			return k, nil
		}
	}
	return 0, fault.New(fault.Invalid, "the model has no class %q", class)
}
