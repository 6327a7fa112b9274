// SPDX-License-Identifier: Apache-2.0

package scoring

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"flyball/data/frame"
	"flyball/model/mlmodel"
)

// asked is rows that the signature let through, ready for a model.
type asked struct {
	rows  int
	frame *frame.Frame      // nil: no frame can hold the rows
	types map[string]string // MLflow's types of the frame's columns
	body  json.RawMessage   // what a model with an answer of its own is told instead
}

// enforce converts the rows of a table to the columns of the signature, as MLflow does
// over HTTP: first each column that is there, then it looks for those that are not.
// Columns besides are dropped, and the order is the signature's.
func enforce(t *table, s mlmodel.Schema) ([]*values, error) {
	if !s.Named() && len(s.Columns) > 0 {
		return enforcePlaces(t, s)
	}
	out := make([]*values, len(s.Columns))
	var missing []string
	for i, c := range s.Columns {
		out[i] = &values{Column: c, src: t.src}
		if t.places || !t.has(c.Name) {
			if c.Required {
				missing = append(missing, "'"+clip(c.Name)+"'")
			}
			continue
		}
		out[i].cells = t.column(c.Name)
		if out[i].cells == nil {
			out[i].cells = []span{}
		}
		if err := out[i].convert(); err != nil {
			return nil, err
		}
	}
	if len(missing) > 0 {
		note := ""
		if extra := t.extra(s); len(extra) > 0 {
			note = fmt.Sprintf(" Note that there were extra inputs: [%s].", clip(strings.Join(extra, ", ")))
		}
		return nil, unenforced(s.String(), "Model is missing inputs [%s].%s", strings.Join(missing, ", "), note)
	}
	return out, nil
}

// extra are the columns that the signature does not have, as Python prints them.
func (t *table) extra(s mlmodel.Schema) []string {
	var out []string
	for _, n := range t.names {
		switch {
		case t.places:
			out = append(out, n)
		case !slices.ContainsFunc(s.Columns, func(c mlmodel.Column) bool { return c.Name == n }):
			out = append(out, "'"+clip(n)+"'")
		}
	}
	return out
}

// enforcePlaces is enforce for columns without names: the first of the table.
func enforcePlaces(t *table, s mlmodel.Schema) ([]*values, error) {
	if len(t.names) < len(s.Columns) {
		return nil, unenforced(s.String(), "Model inference is expecting %d columns. Got %d columns.", len(s.Columns), len(t.names))
	}
	out := make([]*values, len(s.Columns))
	for i, c := range s.Columns {
		c.Name = t.names[i]
		out[i] = &values{Column: c, src: t.src, cells: t.cells[i]}
		if err := out[i].convert(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// framed is the columns as a frame, under the names that the model has for them; nil
// where it cannot hold one of them as it is. Optional columns that are absent are
// missing in all rows where fill is set, and else keep it from being made.
func framed(vs []*values, rows int, names func(i int, v *values) string, exact, fill bool) (*frame.Frame, map[string]string) {
	cols := make([]frame.Column, 0, len(vs))
	types := make(map[string]string, len(vs))
	for i, v := range vs {
		name := names(i, v)
		if exact && v.loose || v.cells == nil && !fill {
			return nil, nil
		}
		c, ok := v.column(name, rows)
		if !ok {
			if exact {
				return nil, nil
			}
			continue
		}
		types[name] = v.Type.Name
		cols = append(cols, c)
	}
	return frame.WithRows(rows, cols...), types
}

// column is the values as a column of a frame; false where there is no kind for them.
func (v *values) column(name string, rows int) (frame.Column, bool) {
	absent := v.cells == nil
	switch v.Type.Name {
	case "double", "float", "boolean":
		if absent {
			return frame.NumberColumn(name, filled(rows, math.NaN())), true
		}
		return frame.NumberColumn(name, v.num), true
	case "integer", "long":
		if absent {
			return frame.NumberColumn(name, filled(rows, math.NaN())), true
		}
		num := make([]float64, len(v.whole))
		for i, x := range v.whole {
			num[i] = float64(x)
		}
		return frame.NumberColumn(name, num), true
	case "string", "binary":
		if absent {
			return frame.TextColumn(name, make([]string, rows), filled(rows, true)), true
		}
		return frame.TextColumn(name, v.words, v.null), true
	case "datetime":
		if absent {
			return frame.TimeColumn(name, filled(rows, int64(frame.NoTime))), true
		}
		return frame.TimeColumn(name, v.time), true
	}
	return frame.Column{}, false
}

func filled[T any](n int, x T) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = x
	}
	return out
}

// splitBody is the columns as {"dataframe_split": …}.
func splitBody(vs []*values, rows int) json.RawMessage {
	b := []byte(`{"dataframe_split":{"columns":[`)
	there := slices.DeleteFunc(slices.Clone(vs), func(v *values) bool { return v.cells == nil })
	for i, v := range there {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, v.Name)
	}
	b = append(b, `],"data":[`...)
	for i := range rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '[')
		for k, v := range there {
			if k > 0 {
				b = append(b, ',')
			}
			b = v.appendJSON(b, i)
		}
		b = append(b, ']')
	}
	return append(b, "]}}"...)
}

// rawBody is a table as {"dataframe_split": …}, as it came.
func rawBody(t *table) json.RawMessage {
	any := mlmodel.Type{Name: "any"}
	vs := make([]*values, len(t.names))
	for i, name := range t.names {
		vs[i] = &values{Column: mlmodel.Column{Name: name, Type: any}, src: t.src, cells: t.cells[i]}
		if vs[i].cells == nil {
			vs[i].cells = []span{}
		}
	}
	return splitBody(vs, t.rows)
}

// appendText appends s as a JSON text.
func appendText(b []byte, s string) []byte {
	quoted, err := json.Marshal(s)
	if err != nil { // a text always can be written
		quoted = []byte(`""`)
	}
	return append(b, quoted...)
}
