// SPDX-License-Identifier: Apache-2.0

package oip

import (
	"slices"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/fault"
	"flyball/model"
)

// schema is what a model takes and gives.
type schema struct {
	inputs  []frame.Field // the model's own
	meta    []frame.Field // which row it is and when, as text; those among inputs are left out
	scores  int           // a row
	decides bool          // there is a word for a row's scores
	routed  bool          // answers are kept, and have an id
	format  string        // of the estimator's file
}

// schemaOf is the schema of a bundle; task is what the model file says of rows, of a
// model whose route answers.
func schemaOf(b *model.Bundle, routed bool, task *dataset.Task) schema {
	m := &b.Manifest
	s := schema{
		inputs: b.Inputs(), scores: b.Outputs(), routed: routed, format: m.Estimator,
		decides: m.Kind == dataset.Multiclass && len(m.Classes) > 0 || m.Decide != nil,
	}
	if !routed {
		return s
	}
	for _, name := range []string{task.ID, task.Time, task.Truth.DueAt} {
		same := func(f frame.Field) bool { return f.Name == name }
		if name != "" && !slices.ContainsFunc(s.inputs, same) && !slices.ContainsFunc(s.meta, same) {
			s.meta = append(s.meta, frame.Field{Name: name, Kind: frame.Text})
		}
	}
	return s
}

// frame makes columns of the tensors: one tensor a column, of [rows] or [rows,1], or one
// tensor of [rows,columns] for all inputs where all are numbers, in their order. The
// error is an Invalid fault that names the tensor and, where it is of one, the row.
func (s *schema) frame(ts []tensor) (*frame.Frame, error) {
	if len(ts) == 0 {
		return nil, fault.New(fault.Invalid, "the request has no inputs").Do("send a tensor for each column that the model's metadata lists")
	}
	for i := range ts {
		if err := ts[i].measure(); err != nil {
			return nil, err
		}
		if ts[i].rows != ts[0].rows {
			return nil, ts[i].bad("it has %d rows, and input %q has %d", ts[i].rows, ts[0].name, ts[0].rows)
		}
	}
	b := builder{schema: s, rows: ts[0].rows, cols: make([]frame.Column, 0, len(s.inputs)+len(s.meta))}
	if m := s.matrix(ts); m != nil {
		if err := b.side(m, s.inputs); err != nil {
			return nil, err
		}
	} else if err := b.columns(ts, s.inputs); err != nil {
		return nil, err
	}
	if err := b.columns(ts, s.meta); err != nil {
		return nil, err
	}
	if len(b.cols) < len(s.inputs)+len(s.meta) || b.taken < len(ts) {
		return nil, s.strange(ts)
	}
	return frame.WithRows(b.rows, b.cols...), nil
}

// matrix is the one tensor that stands for all inputs; nil where there is none.
func (s *schema) matrix(ts []tensor) *tensor {
	if len(ts) != 1+len(s.meta) || slices.ContainsFunc(s.inputs, func(f frame.Field) bool { return f.Kind != frame.Number }) {
		return nil
	}
	var m *tensor
	for i := range ts {
		t := &ts[i]
		if slices.ContainsFunc(s.meta, func(f frame.Field) bool { return f.Name == t.name }) {
			continue
		}
		if m != nil {
			return nil
		}
		m = t
	}
	if m == nil || len(m.shape) != 2 || m.shape[1] != int64(len(s.inputs)) {
		return nil
	}
	return m
}

// strange says which tensor the model does not take.
func (s *schema) strange(ts []tensor) error {
	seen := map[string]bool{}
	for i := range ts {
		t := &ts[i]
		switch {
		case seen[t.name]:
			return t.bad("it stands twice")
		case !s.takes(t.name):
			return t.bad("the model has no such input").Do("its metadata lists them")
		}
		seen[t.name] = true
	}
	return fault.New(fault.Invalid, "the inputs are not those of the model").Do("its metadata lists them")
}

// takes reports whether the model has an input of the name.
func (s *schema) takes(name string) bool {
	same := func(f frame.Field) bool { return f.Name == name }
	return slices.ContainsFunc(s.inputs, same) || slices.ContainsFunc(s.meta, same)
}

// absent says that a column is missing, and which tensor is strange: a name that was
// misspelt is both.
func (s *schema) absent(name string, ts []tensor) error {
	e := fault.New(fault.Invalid, "input %q is absent", name)
	for i := range ts {
		if s.takes(ts[i].name) {
			continue
		}
		e.What += ", and the model has no " + quoted("input", ts[i].name)
		if len(ts[i].shape) == 2 && len(ts) == 1+len(s.meta) {
			return e.Do("send a tensor for each input; one for all has the shape [rows,%d], and all inputs must be numbers", len(s.inputs))
		}
		break
	}
	return e.Do("send it: the model's metadata lists what it takes; a value that is missing is null or NaN in FP64")
}

// builder puts columns together.
type builder struct {
	*schema
	rows  int
	cols  []frame.Column
	taken int // tensors that were made columns
	next  int // the tensor after the last that was found: senders keep an order
}

// find is the tensor of the name; nil where there is none.
func (b *builder) find(ts []tensor, name string) *tensor {
	for range ts {
		if b.next >= len(ts) {
			b.next = 0
		}
		t := &ts[b.next]
		b.next++
		if t.name == name {
			return t
		}
	}
	return nil
}

// columns makes a column of each field. Numbers share one piece of memory.
func (b *builder) columns(ts []tensor, fields []frame.Field) error {
	var room []float64
	for _, f := range fields {
		t := b.find(ts, f.Name)
		if t == nil {
			return b.absent(f.Name, ts)
		}
		if t.count != t.rows {
			return t.bad("its shape is %v", t.shape).Do("a column has the shape [%d] or [%d,1]", t.rows, t.rows)
		}
		if err := t.fits(); err != nil {
			return err
		}
		b.taken++
		if f.Kind != frame.Number {
			c, err := t.column(f)
			if err != nil {
				return err
			}
			b.cols = append(b.cols, c)
			continue
		}
		if len(room) < b.rows {
			room = make([]float64, b.rows*min(len(fields), len(ts)))
		}
		if err := t.numbers(room[:b.rows]); err != nil {
			return err
		}
		b.cols = append(b.cols, frame.NumberColumn(f.Name, room[:b.rows:b.rows]))
		room = room[b.rows:]
	}
	return nil
}

// side makes columns of a tensor that has them side by side.
func (b *builder) side(t *tensor, fields []frame.Field) error {
	if err := t.fits(); err != nil {
		return err
	}
	all := make([]float64, t.count)
	if err := t.numbers(all); err != nil {
		return err
	}
	k := len(fields)
	if b.rows > 1 {
		turned := make([]float64, len(all))
		for i := range b.rows {
			for j := range k {
				turned[j*b.rows+i] = all[i*k+j]
			}
		}
		all = turned
	}
	for j, f := range fields {
		b.cols = append(b.cols, frame.NumberColumn(f.Name, all[j*b.rows:(j+1)*b.rows:(j+1)*b.rows]))
	}
	b.taken++
	return nil
}

// column is the tensor as text or times.
func (t *tensor) column(f frame.Field) (frame.Column, error) {
	out, null, err := t.words()
	if err != nil {
		return frame.Column{}, err
	}
	if f.Kind == frame.Text {
		return frame.TextColumn(f.Name, out, null), nil
	}
	times := make([]int64, len(out))
	for i, s := range out {
		if s == "" {
			times[i] = frame.NoTime
			continue
		}
		if times[i], err = frame.ParseTime(s); err != nil {
			return frame.Column{}, fault.Wrap(err, fault.Invalid, "%s, row %d", quoted("input", t.name), i)
		}
	}
	return frame.TimeColumn(f.Name, times), nil
}

// wire is the datatype of a kind of column, as metadata has it.
func wire(k frame.Kind) datatype {
	if k == frame.Number {
		return fp64
	}
	return texts
}
