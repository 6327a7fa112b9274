// SPDX-License-Identifier: Apache-2.0

// Package frame is the one shape in which rows travel: named columns of numbers,
// text or times, with a missing value in each kind. It reads and writes CSV and
// Parquet in a stream. It gives no meaning to a column: packages dataset and
// pipeline do.
package frame

import (
	"math"
	"slices"
	"strconv"
	"time"

	"flyball/fault"
)

// Kind is what a column holds. The zero value is no kind.
type Kind uint8

// The kinds of column.
const (
	Number Kind = iota + 1 // float64; NaN is missing
	Text                   // string, with a null of its own
	Time                   // microseconds since 1970 in UTC; NoTime is missing
)

// NoTime is the missing value of a Time column.
const NoTime = math.MinInt64

// String is the kind's word in a model file: number, text or time.
func (k Kind) String() string {
	switch k {
	case Number:
		return "number"
	case Text:
		return "text"
	case Time:
		return "time"
	}
	return "unknown"
}

// ParseKind reads the word of a model file. The error is an Invalid fault.
func ParseKind(s string) (Kind, error) {
	for _, k := range []Kind{Number, Text, Time} {
		if s == k.String() {
			return k, nil
		}
	}
	return 0, fault.New(fault.Invalid, "%q is not a kind of column", s).Do("write number, text or time")
}

// MarshalText writes the kind's word.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads the kind's word.
func (k *Kind) UnmarshalText(b []byte) (err error) {
	*k, err = ParseKind(string(b))
	return err
}

// Field is a column's name and kind.
type Field struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
}

// Column holds one value a row, in the slice of its kind; the others are nil.
type Column struct {
	Field
	Num  []float64 // Kind Number
	Text []string  // Kind Text; "" where Null is set
	Null []bool    // Kind Text; nil when no value is missing, else as long as Text
	Time []int64   // Kind Time; microseconds since 1970 in UTC
}

// NumberColumn makes a column over the given values, which the column owns from
// then on.
func NumberColumn(name string, v []float64) Column {
	return Column{Field: Field{name, Number}, Num: v}
}

// TextColumn makes a column of text; see NumberColumn. null may be nil.
func TextColumn(name string, v []string, null []bool) Column {
	return Column{Field: Field{name, Text}, Text: v, Null: null}
}

// TimeColumn makes a column of times in microseconds; see NumberColumn.
func TimeColumn(name string, v []int64) Column {
	return Column{Field: Field{name, Time}, Time: v}
}

// Len is the number of rows.
func (c *Column) Len() int {
	switch c.Kind {
	case Number:
		return len(c.Num)
	case Text:
		return len(c.Text)
	}
	return len(c.Time)
}

// Missing reports whether row i has no value.
func (c *Column) Missing(i int) bool {
	switch c.Kind {
	case Number:
		return math.IsNaN(c.Num[i])
	case Text:
		return c.Null != nil && c.Null[i]
	}
	return c.Time[i] == NoTime
}

// Format is row i as text: the shortest number that reads back the same, the text
// itself, or the time in RFC 3339; "" when missing. Keys are compared in this form.
func (c *Column) Format(i int) string {
	if c.Missing(i) {
		return ""
	}
	switch c.Kind {
	case Number:
		return strconv.FormatFloat(c.Num[i], 'g', -1, 64)
	case Text:
		return c.Text[i]
	}
	return time.UnixMicro(c.Time[i]).UTC().Format(time.RFC3339Nano)
}

// Frame is a table: columns of equal length, found by name. A frame that has been
// handed out is not changed; Append is for whoever builds it.
type Frame struct {
	cols  []Column
	rows  int
	index map[string]int
}

// New makes a frame of the columns, which it owns from then on. It panics when
// lengths differ or a name stands twice: a caller's mistake.
func New(cols ...Column) *Frame {
	if len(cols) == 0 {
		return WithRows(0)
	}
	return WithRows(cols[0].Len(), cols...)
}

// WithRows is New for a known number of rows, which a frame without columns has too.
func WithRows(rows int, cols ...Column) *Frame {
	f := &Frame{cols: cols, rows: rows, index: make(map[string]int, len(cols))}
	for i := range cols {
		if _, twice := f.index[cols[i].Name]; twice {
			panic("frame: column " + strconv.Quote(cols[i].Name) + " stands twice")
		}
		f.index[cols[i].Name] = i
		if cols[i].Len() != f.rows {
			panic("frame: column " + strconv.Quote(cols[i].Name) + " has another length")
		}
	}
	return f
}

// Empty makes a frame without rows for the fields.
func Empty(fields []Field) *Frame {
	cols := make([]Column, len(fields))
	for i, f := range fields {
		cols[i].Field = f
	}
	return New(cols...)
}

// Rows is the number of rows.
func (f *Frame) Rows() int { return f.rows }

// Columns are the columns in order; the caller must not change them.
func (f *Frame) Columns() []Column { return f.cols }

// Fields are the columns' names and kinds, in order.
func (f *Frame) Fields() []Field {
	out := make([]Field, len(f.cols))
	for i := range f.cols {
		out[i] = f.cols[i].Field
	}
	return out
}

// Column finds a column by name; nil when there is none.
func (f *Frame) Column(name string) *Column {
	i, ok := f.index[name]
	if !ok {
		return nil
	}
	return &f.cols[i]
}

// Take is a new frame of the rows at the indices, in their order.
func (f *Frame) Take(rows []int) *Frame {
	cols := make([]Column, len(f.cols))
	for i := range f.cols {
		c := &f.cols[i]
		d := Column{Field: c.Field}
		switch c.Kind {
		case Number:
			d.Num = pick(c.Num, rows)
		case Text:
			d.Text = pick(c.Text, rows)
			if c.Null != nil {
				d.Null = pick(c.Null, rows)
			}
		case Time:
			d.Time = pick(c.Time, rows)
		}
		cols[i] = d
	}
	return WithRows(len(rows), cols...)
}

func pick[T any](from []T, rows []int) []T {
	out := make([]T, len(rows))
	for i, r := range rows {
		out[i] = from[r]
	}
	return out
}

// Slice is the rows from (inclusive) to to (exclusive); it shares their memory.
func (f *Frame) Slice(from, to int) *Frame {
	cols := make([]Column, len(f.cols))
	for i := range f.cols {
		c := &f.cols[i]
		d := Column{Field: c.Field}
		switch c.Kind {
		case Number:
			d.Num = c.Num[from:to:to]
		case Text:
			d.Text = c.Text[from:to:to]
			if c.Null != nil {
				d.Null = c.Null[from:to:to]
			}
		case Time:
			d.Time = c.Time[from:to:to]
		}
		cols[i] = d
	}
	return WithRows(to-from, cols...)
}

// Select is a frame of the named columns in that order, sharing their memory. A
// name that is absent is an Invalid fault.
func (f *Frame) Select(names ...string) (*Frame, error) {
	cols := make([]Column, len(names))
	for i, n := range names {
		c := f.Column(n)
		if c == nil {
			return nil, fault.New(fault.Invalid, "there is no column %q", n)
		}
		cols[i] = *c
	}
	return WithRows(f.rows, cols...), nil
}

// Concat is a new frame of the rows of all frames, one after the other. All must
// have the same fields in the same order; otherwise it is an Invalid fault.
func Concat(frames ...*Frame) (*Frame, error) {
	if len(frames) == 0 {
		return New(), nil
	}
	fields := frames[0].Fields()
	for _, f := range frames[1:] {
		if !slices.Equal(fields, f.Fields()) {
			return nil, fault.New(fault.Invalid, "tables with different columns cannot be put together: %v and %v", fields, f.Fields())
		}
	}
	rows := 0
	for _, f := range frames {
		rows += f.rows
	}
	cols := make([]Column, len(fields))
	for i, field := range fields {
		cols[i] = joined(field, i, rows, frames)
	}
	return WithRows(rows, cols...), nil
}

// joined is column i of all frames, of the given number of rows.
func joined(field Field, i, rows int, frames []*Frame) Column {
	d := Column{Field: field}
	switch field.Kind { // room once: growing would hold the values twice
	case Number:
		d.Num = make([]float64, 0, rows)
	case Text:
		d.Text = make([]string, 0, rows)
	case Time:
		d.Time = make([]int64, 0, rows)
	}
	for _, f := range frames {
		c := &f.cols[i]
		if c.Null != nil && d.Null == nil {
			d.Null = make([]bool, rows)
		}
		if c.Null != nil {
			copy(d.Null[len(d.Text):], c.Null)
		}
		d.Num = append(d.Num, c.Num...)
		d.Text = append(d.Text, c.Text...)
		d.Time = append(d.Time, c.Time...)
	}
	return d
}

// Reader gives rows in chunks. Next returns io.EOF after the last; every chunk
// has the same fields. The caller owns the chunk.
type Reader interface {
	Next() (*Frame, error)
}
