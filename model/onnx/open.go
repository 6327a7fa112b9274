// SPDX-License-Identifier: Apache-2.0

package onnx

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sync"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/fault"
	"flyball/model"
)

// File is the name of the model's file in a bundle.
const File = "model.onnx"

// CompleteFile may stand beside it: a JSON list of the columns that may not miss a value,
// where the model that was written as ONNX refuses what ONNX would answer.
const CompleteFile = "complete.json"

// Model is an ONNX model that scores. It is immutable and may be used by many goroutines
// at once.
type Model struct {
	plan   *plan
	about  About
	inputs []input
	fields []frame.Field
	whole  []string // columns that may not miss a value
	alone  bool     // rows are scored one by one: the model takes no more
	second bool     // of two probabilities the second is the score
	scores int
	bytes  int

	answers func() (*answers, error) // made when first asked for
}

// input is a graph's input and the columns that fill it.
type input struct {
	kind  kind
	tail  []int // the shape of one row
	first int   // column, of those of the model
	width int   // columns
}

// Open reads the bundle's model.onnx, as model.Decoders want it. The columns are the
// graph's inputs: an input of one column gives it its name. Those of a wider one are
// named by the MLflow signature (m.Answer.Signature.Inputs) where it names as many
// columns as all inputs have; otherwise they are input_0, input_1, … for a model with
// one input and NAME_0, NAME_1, … for one with more. Numbers that are missing are NaN,
// texts that are missing are "".
//
// A classifier with two probabilities gives one score, the second, unless the manifest
// says that it is no binary one. What is not scored here is a Refused fault.
func Open(_ context.Context, m model.Manifest, files model.Files) (model.Scorer, error) {
	raw, err := files.Read(File)
	if err != nil {
		return nil, err
	}
	out, err := read(raw, m)
	if err != nil || !slices.Contains(files.Names(), CompleteFile) {
		return out, err
	}
	if raw, err = files.Read(CompleteFile); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, &out.whole); err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "%s is not a list of names", CompleteFile)
	}
	for _, name := range out.whole {
		if !slices.ContainsFunc(out.fields, func(f frame.Field) bool { return f.Name == name }) {
			return nil, fault.New(fault.Invalid, "%s names the column %q, which the ONNX model does not take", CompleteFile, name)
		}
	}
	return out, nil
}

// Describe says what a model is, from its file, without making it ready: also of one
// that is not scored here. A file that is no ONNX model is an Invalid fault.
func Describe(raw []byte) (About, error) {
	p, err := parse(raw)
	if err != nil {
		return About{}, err
	}
	c, err := choose(p)
	if err != nil {
		return About{}, err
	}
	return c.about, nil
}

func read(raw []byte, m model.Manifest) (*Model, error) {
	p, err := parse(raw)
	if err != nil {
		return nil, err
	}
	c, err := choose(p)
	if err != nil {
		return nil, err
	}
	out := &Model{about: c.about, bytes: len(raw)}
	if out.plan, err = newPlan(p, c.scores, len(raw)); err != nil {
		return nil, err
	}
	out.answers = sync.OnceValues(func() (*answers, error) { return newAnswers(p, c.about, len(raw)) })
	var names []string
	if m.Answer != nil && m.Answer.Signature != nil {
		names = columnNames(m.Answer.Signature.Inputs)
	}
	if err := out.bind(names); err != nil {
		return nil, err
	}
	width, err := out.width(c)
	if err != nil {
		return nil, err
	}
	binary := m.Kind == dataset.Binary || (m.Kind == "" && c.about.Classifier() && len(c.about.Classes) == 2)
	out.second = binary && width == 2
	if out.scores = width; out.second {
		out.scores = 1
	}
	return out, nil
}

// columnNames are those that MLflow's signature lists; nil where it lists none.
func columnNames(signature string) []string {
	var columns []struct {
		Name string `json:"name"`
		Type string `json:"type"`
	}
	if json.Unmarshal([]byte(signature), &columns) != nil {
		return nil
	}
	var out []string
	seen := map[string]bool{}
	for _, c := range columns {
		if c.Name == "" || c.Type == "tensor" || seen[c.Name] {
			return nil
		}
		seen[c.Name] = true
		out = append(out, c.Name)
	}
	return out
}

// widest is how many columns a model may take.
const widest = 1 << 16

// bind makes the columns of the inputs.
func (m *Model) bind(names []string) error {
	at := 0
	for _, v := range m.plan.inputs {
		in := input{first: at, width: 1}
		var err error
		if in.kind, err = kindOf(v.kind); err != nil {
			return err
		}
		dims := v.shape
		switch {
		case !v.known && len(m.plan.inputs) == 1 || len(dims) == 2 && dims[1] < 0 && len(m.plan.inputs) == 1:
			if len(names) == 0 {
				return fault.New(fault.Invalid, "the ONNX model does not say how many columns its input %q has", v.name).
					Do("give it a signature, or write it again with a shape such as FloatTensorType([None, 12])")
			}
			in.width, in.tail = len(names), []int{len(names)}
		case !v.known || len(dims) == 0:
			return fault.New(fault.Invalid, "the ONNX model does not say of what shape its input %q is", v.name).
				Do("write the model again with a shape such as FloatTensorType([None, 1])")
		}
		if in.tail == nil {
			for _, d := range dims[1:] {
				if d < 0 || d > widest || in.width*int(d) > widest {
					return refuse("an input of the shape %v", dims)
				}
				in.width, in.tail = in.width*int(d), append(in.tail, int(d))
			}
		}
		if v.known && dims[0] > 1 {
			return refuse("an input of %d rows at once", dims[0])
		}
		m.alone = m.alone || v.known && dims[0] == 1
		m.inputs = append(m.inputs, in)
		at += in.width
	}
	if at > widest {
		return refuse("%d columns", at)
	}
	return m.name(names, at)
}

// name gives the columns their names.
func (m *Model) name(names []string, count int) error {
	seen := map[string]bool{}
	for i, in := range m.inputs {
		k := frame.Number
		if in.kind == textKind {
			k = frame.Text
		}
		for j := range in.width {
			name := m.plan.inputs[i].name
			switch {
			case len(names) == count:
				name = names[in.first+j]
			case in.width == 1:
			case len(m.inputs) == 1:
				name = fmt.Sprint("input_", j)
			default:
				name = fmt.Sprint(name, "_", j)
			}
			if seen[name] || name == "" {
				return fault.New(fault.Invalid, "two inputs of the ONNX model have the name %q", name).Do("write the model again with other names")
			}
			seen[name] = true
			m.fields = append(m.fields, frame.Field{Name: name, Kind: k})
		}
	}
	return nil
}

// width is how many numbers a row gets, found by scoring one of zeros; where the model
// does not take that row, as its outputs say.
func (m *Model) width(c *chosen) (int, error) {
	cols := make([]frame.Column, len(m.fields))
	for i, f := range m.fields {
		if cols[i] = frame.NumberColumn(f.Name, []float64{0}); f.Kind == frame.Text {
			cols[i] = frame.TextColumn(f.Name, []string{""}, nil)
		}
	}
	n := 0
	err := m.plan.run(func(e *session) ([]*tensor, error) { return m.tensors(e, frame.WithRows(1, cols...)) }, 1, func(out []*tensor) error {
		for _, t := range out {
			w, err := columns(t, 1)
			if err != nil {
				return err
			}
			n += w
		}
		return nil
	})
	if fault.Is(err, fault.Invalid) { // zeros may be what it does not take
		n = 0
		for _, w := range c.widths {
			if w < 0 {
				return 0, err
			}
			n += w
		}
		err = nil
	}
	if err == nil && n == 0 {
		err = fault.New(fault.Invalid, "the ONNX model gives no number for a row").Do("write the model again")
	}
	return n, err
}

// columns is how many numbers for each of rows rows a result holds.
func columns(t *tensor, rows int) (int, error) {
	if t.kind == textKind {
		return 0, refuse("texts as scores")
	}
	n := t.len()
	if (len(t.shape) > 0 && t.shape[0] != rows && n != rows) || n%rows != 0 {
		return 0, fault.New(fault.Invalid, "the ONNX model answers %d rows with an array of the shape %v", rows, t.shape)
	}
	return n / rows, nil
}

// About is what the model says of itself.
func (m *Model) About() About { return m.about }

// Inputs are the columns a row must have.
func (m *Model) Inputs() []frame.Field { return m.fields }

// Outputs is how many scores a row gets.
func (m *Model) Outputs() int { return m.scores }

// Size is about how many bytes of memory the model takes.
func (m *Model) Size() int64 { return 3 * int64(m.bytes) }

// atOnce is how many rows are computed together: enough to be fast, few enough to stay
// in the processor's caches.
const atOnce = 1024

// Score scores rows by name; see model.Scorer. Each row is scored by itself: how many
// come with it does not change its score.
func (m *Model) Score(ctx context.Context, rows *frame.Frame) (model.Scores, error) {
	n := rows.Rows()
	s := model.Scores{Outputs: m.scores, Values: make([]float64, n*m.scores)}
	step := atOnce
	if m.alone {
		step = 1
	}
	for first := 0; first < n; first += step {
		if ctx.Err() != nil {
			return model.Scores{}, fault.Wrap(ctx.Err(), fault.Unavailable, "scoring was given up")
		}
		last := min(first+step, n)
		part := rows
		if first > 0 || last < n {
			part = rows.Slice(first, last)
		}
		if err := m.part(part, first, s.Values[first*m.scores:last*m.scores]); err != nil {
			return model.Scores{}, err
		}
	}
	if n == 0 {
		return s, m.check(rows)
	}
	return s, nil
}

// check says what columns lack.
func (m *Model) check(rows *frame.Frame) error {
	for _, f := range m.fields {
		if c := rows.Column(f.Name); c == nil {
			return fault.New(fault.Invalid, "there is no column %q", f.Name)
		} else if c.Kind != f.Kind {
			return fault.New(fault.Invalid, "column %q holds %ss, the model takes %ss", f.Name, c.Kind, f.Kind)
		}
	}
	return nil
}

// part scores some rows, the first of which is row from of the request.
func (m *Model) part(rows *frame.Frame, from int, to []float64) error {
	n := rows.Rows()
	return m.outputs(m.plan, rows, from, func(out []*tensor) error {
		width, at := m.scores, 0
		if m.second {
			width = 2
		}
		for _, t := range out {
			w, err := columns(t, n)
			if err != nil {
				return err
			}
			if at+w > width {
				return fault.New(fault.Invalid, "the ONNX model answers with %d numbers a row, and with %d before", at+w, width)
			}
			m.copy(t, n, w, at, to)
			at += w
		}
		if at != width {
			return fault.New(fault.Invalid, "the ONNX model answers with %d numbers a row, and with %d before", at, width)
		}
		return nil
	})
}

// copy puts w columns of t at column at of the scores.
func (m *Model) copy(t *tensor, rows, w, at int, to []float64) {
	v := t.f64
	if t.kind != float64Kind {
		v = t.toFloat64()
	}
	for i := range rows {
		for j := range w {
			k := at + j
			if m.second {
				if k == 0 {
					continue
				}
				k = 0
			}
			to[i*m.scores+k] = v[i*w+j]
		}
	}
}

// badValue is a value that an input does not take.
type badValue struct {
	row         int
	column, why string
}

func (b *badValue) Error() string { return b.why }

// tensors are the rows as the graph's inputs.
func (m *Model) tensors(e *session, rows *frame.Frame) ([]*tensor, error) {
	if err := m.check(rows); err != nil {
		return nil, err
	}
	for _, name := range m.whole {
		c := rows.Column(name)
		for r := range rows.Rows() {
			if c.Missing(r) {
				return nil, &badValue{r, name, "it is missing, and the model takes no missing value there"}
			}
		}
	}
	out := make([]*tensor, len(m.inputs))
	for i := range m.inputs {
		in := &m.inputs[i]
		shape := append([]int{rows.Rows()}, in.tail...)
		var err error
		switch in.kind {
		case float32Kind:
			out[i], err = filled(e, m, in, rows, shape, func(v float64) (float32, bool) { return float32(v), true })
		case float64Kind:
			out[i], err = filled(e, m, in, rows, shape, func(v float64) (float64, bool) { return v, true })
		case int64Kind:
			out[i], err = filled(e, m, in, rows, shape, func(v float64) (int64, bool) { return int64(v), v == math.Trunc(v) && math.Abs(v) <= 1<<62 })
		case int32Kind:
			out[i], err = filled(e, m, in, rows, shape, func(v float64) (int32, bool) { return int32(v), v == math.Trunc(v) && math.Abs(v) <= math.MaxInt32 })
		case boolKind:
			out[i], err = filled(e, m, in, rows, shape, func(v float64) (bool, bool) { return v != 0, v == v })
		default:
			var to []string
			if out[i], to, err = make1[string](e, shape...); err == nil {
				for j := range in.width {
					for r, v := range rows.Column(m.fields[in.first+j].Name).Text {
						to[r*in.width+j] = v
					}
				}
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// filled makes the tensor of an input of numbers.
func filled[T element](e *session, m *Model, in *input, rows *frame.Frame, shape []int, as func(float64) (T, bool)) (*tensor, error) {
	t, to, err := make1[T](e, shape...)
	if err != nil {
		return nil, err
	}
	for j := range in.width {
		name := m.fields[in.first+j].Name
		for r, v := range rows.Column(name).Num {
			x, ok := as(v)
			if !ok {
				why := fmt.Sprintf("%v is not what the model takes: a whole number (%s)", v, in.kind)
				if v != v {
					why = fmt.Sprintf("it is missing, and the model takes no missing value there (%s)", in.kind)
				}
				return nil, &badValue{r, name, why}
			}
			to[r*in.width+j] = x
		}
	}
	return t, nil
}
