// SPDX-License-Identifier: Apache-2.0

package scoring

import (
	"encoding/json"
	"slices"
	"sync"

	"flyball/data/frame"
	"flyball/model"
	"flyball/model/mlmodel"
)

// schema is a signature, read. Without one it is empty.
type schema struct {
	inputs mlmodel.Schema
	params []mlmodel.Param
}

// schemas are the signatures that were read lately. All methods may be called at once.
type schemas struct {
	mu   sync.Mutex
	read map[model.Signature]schema
}

// most is how many signatures are kept.
const most = 1000

// of is the signature of a model.
func (ss *schemas) of(a *model.Answer) (schema, error) {
	if a == nil || a.Signature == nil {
		return schema{}, nil
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if s, ok := ss.read[*a.Signature]; ok {
		return s, nil
	}
	var s schema
	var err error
	if s.inputs, err = mlmodel.ParseSchema(a.Signature.Inputs); err != nil {
		return schema{}, err
	}
	if s.params, err = mlmodel.ParseParams(a.Signature.Params); err != nil {
		return schema{}, err
	}
	if ss.read == nil || len(ss.read) >= most {
		ss.read = map[model.Signature]schema{}
	}
	ss.read[*a.Signature] = s
	return s, nil
}

// fieldsSchema is the signature that a model's own columns make.
func fieldsSchema(fields []frame.Field) mlmodel.Schema {
	out := mlmodel.Schema{Columns: make([]mlmodel.Column, len(fields))}
	for i, f := range fields {
		out.Columns[i] = mlmodel.Column{Name: f.Name, Type: fieldType(f), Required: true}
	}
	return out
}

func fieldType(f frame.Field) mlmodel.Type {
	switch f.Kind {
	case frame.Text:
		return mlmodel.Type{Name: "string"}
	case frame.Time:
		return mlmodel.Type{Name: "datetime"}
	}
	return mlmodel.Type{Name: "double"}
}

// settled is the signature with the types that it leaves open told by the model.
func settled(s mlmodel.Schema, fields []frame.Field) mlmodel.Schema {
	open := func(c mlmodel.Column) bool { return c.Type.Name == "any" }
	if !slices.ContainsFunc(s.Columns, open) {
		return s
	}
	s.Columns = slices.Clone(s.Columns)
	for i, c := range s.Columns {
		at := slices.IndexFunc(fields, func(f frame.Field) bool { return f.Name == c.Name })
		if open(c) && at >= 0 {
			s.Columns[i].Type = fieldType(fields[at])
		}
	}
	return s
}

// enforceRequest brings a request into the shape that the model takes: fields are its
// columns, and own says that it takes what no frame can hold.
func enforceRequest(req *request, s mlmodel.Schema, fields []frame.Field, own bool) (*asked, error) {
	told := len(s.Columns) > 0
	switch {
	case len(s.Tensors) == 1 && s.Tensors[0].Name == "":
		return enforceTensor(req, s, fields, own)
	case len(s.Tensors) > 0 && own:
		return enforceTensors(req, s)
	case !told && own:
		return asItCame(req)
	case !told:
		s = fieldsSchema(fields)
	case !own:
		s = settled(s, fields)
	}
	t, err := req.rows(s)
	if err != nil {
		return nil, err
	}
	if !told && t.places && len(t.names) == len(fields) { // the model knows its columns by their places too
		t.places = false
		for i := range t.names {
			t.names[i] = fields[i].Name
		}
	}
	vs, err := enforce(t, s)
	if err != nil {
		return nil, err
	}
	out := &asked{rows: t.rows}
	out.frame, out.types = framed(vs, t.rows, func(i int, v *values) string {
		if s.Named() || i >= len(fields) {
			return v.Name
		}
		return fields[i].Name
	}, own, !own)
	if out.frame == nil {
		out.body = splitBody(vs, t.rows)
	}
	return out, nil
}

// rows is the request as a table, for a signature of columns.
func (r *request) rows(s mlmodel.Schema) (*table, error) {
	if r.table != nil {
		return r.table, nil
	}
	t := &table{src: r.src}
	if r.src.kind(r.data) == '{' {
		return t, t.columns(r.data)
	}
	if len(s.Columns) == 1 && s.Named() && !r.lists() { // a list of values of the one column
		t.names = []string{s.Columns[0].Name}
	}
	return t, t.rowLists(r.data)
}

// lists reports whether the data begins with a list.
func (r *request) lists() bool {
	for item := range r.src.items(r.data) {
		return r.src.kind(item) == '['
	}
	return false
}

// asItCame is a request for a model without a signature: it is told what the caller
// said.
func asItCame(r *request) (*asked, error) {
	if r.table != nil && r.form != records && r.form != instances && r.form != inputs && r.form != split {
		return &asked{rows: r.table.rows, body: rawBody(r.table)}, nil
	}
	out := &asked{}
	switch {
	case r.table != nil:
		out.rows = r.table.rows
	case r.src.kind(r.data) == '{':
		t := &table{src: r.src}
		if err := t.columns(r.data); err != nil {
			return nil, err
		}
		out.rows = t.rows
	default:
		for range r.src.items(r.data) {
			out.rows++
		}
	}
	b := append([]byte(`{"`+r.form+`":`), r.src.bytes(r.data)...)
	out.body = append(json.RawMessage(b), '}')
	return out, nil
}
