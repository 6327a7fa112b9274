// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"encoding/json"
	"math"
	"strconv"
	"time"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/model"
)

// input is a request's rows in the form in which they came.
type input struct {
	raw  []json.RawMessage
	cols *frame.Frame // where raw is nil

	entry *published    // whose plan read raw; nil: none
	read  []frame.Frame // by the plan's readers; nil: somebody would find something wrong
}

// input is the request's rows, read for all of the entry in one pass where that can be.
func (r *Request) input(p *published) input {
	if r.Rows == nil {
		return input{cols: r.Frame}
	}
	in := input{raw: r.Rows, entry: p}
	if p != nil && p.plan != nil {
		in.read, _ = p.plan.Decode(r.Rows)
	}
	return in
}

func (in *input) rows() int {
	if in.raw == nil {
		return in.cols.Rows()
	}
	return len(in.raw)
}

// of is the rows with at least the columns of the bundle.
func (in *input) of(b *model.Bundle) (*frame.Frame, error) {
	if in.read != nil {
		if at, ok := in.entry.readers[b]; ok {
			return &in.read[at], nil
		}
	}
	return in.frame(b.Inputs())
}

// frame is the rows with at least the fields. Columns that came as columns are given as
// they are: whoever scores them says what is absent.
func (in *input) frame(fields []frame.Field) (*frame.Frame, error) {
	if in.raw == nil {
		return in.cols, nil
	}
	return frame.DecodeRows(in.raw, frame.DecodeOptions{Required: fields})
}

// meta is the rows with the columns that tell which row this is and when.
func (in *input) meta(fields []frame.Field) (*frame.Frame, error) {
	if in.read != nil {
		return &in.read[0], nil
	}
	if in.raw != nil {
		return frame.DecodeRows(in.raw, frame.DecodeOptions{Required: fields, Loose: true})
	}
	for _, f := range fields {
		if in.cols.Column(f.Name) == nil {
			return nil, fault.New(fault.Invalid, "column %q is absent", f.Name).Do("send it: the model file names it in predict")
		}
	}
	return in.cols, nil
}

// number is a column of row i as a number; false where it is none.
func (in *input) number(column string, i int) (float64, bool) {
	if in.raw == nil {
		c := in.cols.Column(column)
		if c == nil || c.Kind != frame.Number || c.Missing(i) {
			return 0, false
		}
		return c.Num[i], true
	}
	got, err := frame.DecodeRows(in.raw[i:i+1], frame.DecodeOptions{Required: []frame.Field{{Name: column, Kind: frame.Number}}})
	if err != nil || got.Column(column).Missing(0) {
		return 0, false
	}
	return got.Column(column).Num[0], true
}

// row is row i as the log keeps it, in memory of its own.
func (in *input) row(i int) json.RawMessage {
	if in.raw == nil {
		return encodeRow(in.cols, i)
	}
	return compact(in.raw[i])
}

// compact is a copy of a row without the spaces between its values. The row was read
// before and is JSON; it is not looked at again, for most callers send spaces.
func compact(row json.RawMessage) json.RawMessage {
	out := make(json.RawMessage, 0, len(row))
	from, quoted := 0, false
	for i := 0; i < len(row); i++ {
		switch row[i] {
		case '"':
			quoted = !quoted
		case '\\':
			i++ // what it escapes; outside of a text there is none
		case ' ', '\t', '\r', '\n':
			if !quoted {
				out = append(out, row[from:i]...)
				from = i + 1
			}
		}
	}
	return append(out, row[from:]...)
}

// encodeRow is row i as a JSON object that frame.DecodeRows reads back to the same
// bits. A number that JSON cannot hold is null, as it counts for a pipeline.
func encodeRow(f *frame.Frame, i int) json.RawMessage {
	out := []byte{'{'}
	for k := range f.Columns() {
		c := &f.Columns()[k]
		if k > 0 {
			out = append(out, ',')
		}
		out = appendText(out, c.Name)
		out = append(out, ':')
		switch {
		case c.Missing(i), c.Kind == frame.Number && math.IsInf(c.Num[i], 0):
			out = append(out, "null"...)
		case c.Kind == frame.Number:
			out = strconv.AppendFloat(out, c.Num[i], 'g', -1, 64)
		case c.Kind == frame.Time:
			out = append(out, '"')
			out = time.UnixMicro(c.Time[i]).UTC().AppendFormat(out, time.RFC3339Nano)
			out = append(out, '"')
		default:
			out = appendText(out, c.Text[i])
		}
	}
	return append(out, '}')
}

// appendText appends s as a JSON string.
func appendText(out []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			quoted, _ := json.Marshal(s) // a text can always be written
			return append(out, quoted...)
		}
	}
	out = append(out, '"')
	out = append(out, s...)
	return append(out, '"')
}
