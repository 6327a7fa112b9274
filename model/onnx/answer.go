// SPDX-License-Identifier: Apache-2.0

package onnx

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/model"
)

// answers is a plan of all of a model's outputs, labels too, for those who ask as MLflow
// does.
type answers struct {
	plan *plan
	keys [][]byte // of a zipped output's classes, each with its colon
}

// newAnswers plans all outputs of a model.
func newAnswers(p *modelProto, a About, bytes int) (*answers, error) {
	source := map[string]*nodeProto{}
	for i := range p.graph.nodes {
		for _, o := range p.graph.nodes[i].out {
			source[o] = &p.graph.nodes[i]
		}
	}
	var names []string
	for _, o := range p.graph.outputs {
		name := o.name
		if n := source[name]; n != nil && n.op == "ZipMap" && len(n.in) == 1 {
			name = n.in[0]
		}
		names = append(names, name)
	}
	out := &answers{}
	for _, c := range a.Classes {
		var name string
		if json.Unmarshal(c, &name) != nil {
			name = string(c) // Python writes a number that is a key as text
		}
		out.keys = append(out.keys, append(quoted(name), ": "...))
	}
	var err error
	out.plan, err = newPlan(p, names, bytes)
	return out, err
}

// Answer is what pyfunc's predict gives of the rows, by MLflow's flavor for ONNX: of a
// table an object a row with a member for each output, a ZipMap's being an object with a
// member for each class; of {"inputs": …} an object of lists. An output of several
// numbers a row is, where it is the only one, taken apart into objects, as pyfunc does;
// where pyfunc fails, since it is not, it is a list.
func (m *Model) Answer(ctx context.Context, c model.Call) (json.RawMessage, error) {
	a, err := m.answers()
	if err != nil {
		return nil, err
	}
	rows, listed := c.Rows, c.Rows == nil
	if listed {
		if rows, err = m.fromBody(c.Body); err != nil {
			return nil, err
		}
	}
	n := rows.Rows()
	step, parts := atOnce, make([][]byte, max(len(m.about.Outputs), 1))
	if m.alone {
		step = 1
	}
	for first := 0; first < n; first += step {
		if ctx.Err() != nil {
			return nil, fault.Wrap(ctx.Err(), fault.Unavailable, "scoring was given up")
		}
		part := rows.Slice(first, min(first+step, n))
		err := m.outputs(a.plan, part, first, func(out []*tensor) error {
			for _, t := range out {
				if t.len()%part.Rows() != 0 {
					return fault.New(fault.Invalid, "the ONNX model answers %d rows with an array of the shape %v", part.Rows(), t.shape)
				}
			}
			if listed {
				m.lists(a, out, part.Rows(), parts)
			} else {
				parts[0] = m.records(a, out, part.Rows(), parts[0])
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if !listed {
		return json.RawMessage("[" + string(parts[0]) + "]"), nil
	}
	var b []byte
	for i, o := range m.about.Outputs {
		b = append(append(appendComma(b), quoted(o.Name)...), ": ["...)
		b = append(append(b, parts[i]...), ']')
	}
	return json.RawMessage("{" + string(b) + "}"), nil
}

// outputs runs a plan for rows, the first of which is row from of the request.
func (m *Model) outputs(p *plan, rows *frame.Frame, from int, then func([]*tensor) error) error {
	err := p.run(func(e *session) ([]*tensor, error) { return m.tensors(e, rows) }, rows.Rows(), then)
	if f, ok := errors.AsType[*badValue](err); ok {
		return fault.New(fault.Invalid, "row %d: column %q: %s", from+f.row, f.column, f.why)
	}
	return err
}

// records writes an object a row.
func (m *Model) records(a *answers, out []*tensor, n int, b []byte) []byte {
	if len(out) == 1 && m.about.Outputs[0].Type != "map" {
		n = out[0].len()
	}
	for i := range n {
		b = append(appendComma(b), '{')
		for k, t := range out {
			if k > 0 {
				b = append(b, ", "...)
			}
			b = append(append(b, quoted(m.about.Outputs[k].Name)...), ": "...)
			b = m.value(a, b, k, t, i, t.len()/n, false)
		}
		b = append(b, '}')
	}
	return b
}

// lists writes each output's rows behind what parts hold.
func (m *Model) lists(a *answers, out []*tensor, n int, parts [][]byte) {
	for k, t := range out {
		for i := range n {
			parts[k] = m.value(a, appendComma(parts[k]), k, t, i, t.len()/n, len(t.shape) > 1)
		}
	}
}

// value writes row i of output k, which is w elements of t.
func (m *Model) value(a *answers, b []byte, k int, t *tensor, i, w int, list bool) []byte {
	zipped := m.about.Outputs[k].Type == "map" && w == len(a.keys)
	brackets := "[]"
	switch {
	case zipped:
		brackets = "{}"
	case w == 1 && !list:
		return appendElement(b, t, i)
	}
	b = append(b, brackets[0])
	for j := range w {
		if j > 0 {
			b = append(b, ", "...)
		}
		if zipped {
			b = append(b, a.keys[j]...)
		}
		b = appendElement(b, t, i*w+j)
	}
	return append(b, brackets[1])
}

func appendComma(b []byte) []byte {
	if len(b) > 0 {
		return append(b, ", "...)
	}
	return b
}

// appendElement writes an element as JSON. What JSON cannot hold is null.
func appendElement(b []byte, t *tensor, i int) []byte {
	switch t.kind {
	case textKind:
		return append(b, quoted(t.texts[i])...)
	case int64Kind:
		return strconv.AppendInt(b, t.i64[i], 10)
	case int32Kind:
		return strconv.AppendInt(b, int64(t.i32[i]), 10)
	case boolKind:
		return strconv.AppendBool(b, t.bools[i])
	case float32Kind:
		return appendReal(b, float64(t.f32[i]))
	}
	return appendReal(b, t.f64[i])
}

func appendReal(b []byte, v float64) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return append(b, "null"...)
	}
	s := strconv.FormatFloat(v, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return append(b, s...)
}

// fromBody reads {"inputs": rows} or {"inputs": {NAME: rows}} of a model with one input
// of numbers.
func (m *Model) fromBody(body json.RawMessage) (*frame.Frame, error) {
	var call struct {
		Inputs json.RawMessage `json:"inputs"`
	}
	if len(m.inputs) != 1 || m.inputs[0].kind == textKind || json.Unmarshal(body, &call) != nil || call.Inputs == nil {
		return nil, notRows()
	}
	var named map[string]json.RawMessage
	if json.Unmarshal(call.Inputs, &named) == nil {
		if len(named) != 1 || named[m.plan.inputs[0].name] == nil {
			return nil, fault.New(fault.Invalid, "the model's input is called %q", m.plan.inputs[0].name)
		}
		call.Inputs = named[m.plan.inputs[0].name]
	}
	var rows [][]float64
	if json.Unmarshal(call.Inputs, &rows) != nil {
		return nil, notRows()
	}
	cols := make([]frame.Column, len(m.fields))
	for j, f := range m.fields {
		v := make([]float64, len(rows))
		for i, r := range rows {
			if len(r) != len(m.fields) {
				return nil, fault.New(fault.Invalid, "row %d has %d numbers, the model takes %d", i, len(r), len(m.fields))
			}
			v[i] = r[j]
		}
		cols[j] = frame.NumberColumn(f.Name, v)
	}
	return frame.WithRows(len(rows), cols...), nil
}

func notRows() error {
	return fault.New(fault.Invalid, "the model takes rows of numbers").Do("send {\"inputs\": [[1.5, 2], …]} or dataframe_split")
}

var _ model.Answerer = (*Model)(nil)
