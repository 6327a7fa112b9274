// SPDX-License-Identifier: Apache-2.0

package training

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"flyball/data/frame"
	"flyball/experiment/gate"
	"flyball/fault"
	"flyball/model"
	"flyball/model/mlmodel"
	"flyball/model/onnx"
	"flyball/model/worker"
)

// The rows on which a converted model is compared with the one in Python, and how far
// apart their scores may be: of their size, or of 1 where they are smaller.
const (
	comparedRows = 4096
	apartAtMost  = 1e-6
)

// convertible says whether the model may be written as ONNX: it is scikit-learn's own.
func (t *Judge) convertible(m mlmodel.Model) bool {
	_, known := t.Decoders.Scorers[onnx.File]
	return known && t.Convert != nil && m.File.Name == worker.FileName && m.Flavor == "sklearn"
}

// converted is the model as ONNX where that says the same as the model in Python does, of
// the examples, the held-out rows and odd ones; else the model as it is. The reason says
// which, and why.
func (t *Judge) converted(ctx context.Context, w *work, m mlmodel.Model) (mlmodel.Model, gate.Reason, error) {
	native, rows, err := t.asONNX(ctx, w, m)
	switch {
	case ctx.Err() != nil:
		return m, gate.Reason{}, fault.Wrap(context.Cause(ctx), fault.Unavailable, "the conversion to ONNX was given up")
	case err != nil:
		return m, gate.Reason{
			Rule: "scored in Go", Decision: gate.Inconclusive, NotJudged: true,
			Text: fmt.Sprintf("a Python process scores it, for ONNX does not do: %v", err),
		}, nil
	}
	return native, gate.Reason{
		Rule: "scored in Go", Decision: gate.NonInferior,
		Text: fmt.Sprintf("as ONNX, which says the same as scikit-learn of %d rows (within %v)", rows, apartAtMost),
	}, nil
}

// asONNX converts the model and compares the two.
func (t *Judge) asONNX(ctx context.Context, w *work, m mlmodel.Model) (out mlmodel.Model, rows int, err error) {
	raw, err := t.Convert(ctx, model.Manifest{Model: w.recipe.Model}, m.Files())
	if err != nil {
		return m, 0, err
	}
	about, err := onnx.Describe(raw)
	if err != nil {
		return m, 0, err
	}
	out = m
	out.File, out.More = model.File{Name: onnx.File, Bytes: raw}, nil
	out.Answer.Form, out.Answer.Type = model.Values, "float64"
	if about.Classifier() {
		out.Answer.Form, out.Answer.Type, out.Answer.Classes = model.Label, "object", about.Classes
		if len(about.Classes) > 0 && about.Classes[0][0] != '"' {
			out.Answer.Type = "int64"
		}
	}
	there, err := m.Hold(ctx, t.Decoders, w.recipe.Model)
	if err != nil {
		return m, 0, err
	}
	defer func() { err = errors.Join(err, there.Close()) }()
	c := comparison{there: there, sample: w.sample(m)}
	if err := c.compare(ctx, t.Decoders, &out); err != nil {
		return m, 0, err
	}
	return out, c.sample.Rows(), nil
}

// sample is the rows to compare on: the examples, then those held out, then those trained
// on.
func (w *work) sample(m mlmodel.Model) *frame.Frame {
	at := slices.Concat(w.part.Test, w.part.Train)
	names := make([]string, len(m.Inputs))
	for i, in := range m.Inputs {
		names[i] = in.Name
	}
	rows, err := w.rows.Take(at[:min(len(at), comparedRows)]).Select(names...)
	if err != nil {
		return frame.New() // the columns were looked at before
	}
	if m.Examples != nil {
		if both, err := frame.Concat(m.Examples, rows); err == nil {
			return both
		}
	}
	return rows
}

// comparison is of a model in Python with the same as ONNX.
type comparison struct {
	there, here *model.Bundle
	sample      *frame.Frame
}

// compare fails where the two say different things, and notes in the model as ONNX the
// columns in which Python's takes no missing value.
func (c *comparison) compare(ctx context.Context, decoders model.Decoders, m *mlmodel.Model) (err error) {
	if c.here, err = m.Hold(ctx, decoders, ""); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.here.Close()) }()
	inputs := c.here.Inputs()
	if len(inputs) != len(m.Inputs) || slices.ContainsFunc(inputs, func(f frame.Field) bool { return !slices.Contains(m.Inputs, f) }) {
		return fault.New(fault.Refused, "it takes other columns")
	}
	m.Inputs = inputs
	if err := c.same(ctx, c.sample); err != nil {
		return err
	}
	whole, err := c.odd(ctx)
	if err != nil || len(whole) == 0 {
		return err
	}
	raw, err := json.Marshal(whole)
	m.More = []model.File{{Name: onnx.CompleteFile, Bytes: raw}}
	return err
}

// odd asks both for a row with a value that is missing, and with one that was never seen,
// in each column, and returns the columns in which the model takes no missing value.
func (c *comparison) odd(ctx context.Context) (whole []string, err error) {
	if c.sample.Rows() == 0 {
		return nil, nil
	}
	row := c.sample.Slice(0, 1)
	for i, f := range row.Fields() {
		missing, never := frame.NumberColumn(f.Name, []float64{math.NaN()}), frame.NumberColumn(f.Name, []float64{-12345})
		if f.Kind == frame.Text {
			missing, never = frame.TextColumn(f.Name, []string{""}, []bool{true}), frame.TextColumn(f.Name, []string{"never seen"}, nil)
		}
		for _, v := range []frame.Column{missing, never} {
			cols := slices.Clone(row.Columns())
			cols[i] = v
			err := c.same(ctx, frame.WithRows(1, cols...))
			if refused := (*refusal)(nil); errors.As(err, &refused) && v.Missing(0) {
				whole = append(whole, f.Name)
			} else if err != nil {
				return nil, fmt.Errorf("with an odd value of %s: %w", f.Name, err)
			}
		}
	}
	return whole, nil
}

// refusal is what the model in Python does not take.
type refusal struct{ error }

// same compares scores and answers of rows.
func (c *comparison) same(ctx context.Context, rows *frame.Frame) error {
	want, err := c.there.Predict(ctx, rows)
	if fault.Is(err, fault.Invalid) {
		return &refusal{fmt.Errorf("scikit-learn takes no such row: %w", err)}
	}
	if err != nil {
		return err
	}
	got, err := c.here.Predict(ctx, rows)
	if err != nil {
		return err
	}
	if got.Outputs != want.Outputs {
		return fault.New(fault.Refused, "it gives %d scores a row, and scikit-learn %d", got.Outputs, want.Outputs)
	}
	for i, x := range got.Values {
		if !near(x, want.Values[i]) {
			return fault.New(fault.Refused, "it says %v of row %d, and scikit-learn %v", x, i/got.Outputs, want.Values[i])
		}
	}
	return c.sameAnswers(ctx, rows)
}

// sameAnswers compares what MLflow's pyfunc would give.
func (c *comparison) sameAnswers(ctx context.Context, rows *frame.Frame) error {
	var said [2]any
	for i, b := range []*model.Bundle{c.here, c.there} {
		raw, err := b.Answer(ctx, model.Call{Rows: rows})
		if err != nil {
			return err
		}
		d := json.NewDecoder(bytes.NewReader(raw))
		if err := d.Decode(&said[i]); err != nil {
			return fmt.Errorf("read an answer: %w", err)
		}
	}
	if !alike(said[0], said[1]) {
		return fault.New(fault.Refused, "it answers otherwise than predict does")
	}
	return nil
}

// alike says whether two values of JSON are the same, numbers near each other.
func alike(a, b any) bool {
	switch a := a.(type) {
	case float64:
		b, ok := b.(float64)
		return ok && near(a, b)
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, alike)
	case map[string]any:
		return false // nothing that is converted answers so
	}
	return a == b
}

func near(a, b float64) bool {
	return a == b || a != a && b != b || math.Abs(a-b) <= apartAtMost*max(1, math.Abs(a), math.Abs(b))
}
