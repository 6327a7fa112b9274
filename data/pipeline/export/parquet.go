// SPDX-License-Identifier: Apache-2.0

package export

import (
	"io"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/fault"
)

// Table writes features to a Parquet file that any trainer reads: an optional FLOAT for
// each, null where missing, in the order of the matrix, and beside them columns as they
// were: a label, a key, a weight. The same rows give the same bytes, in whatever chunks
// they come.
type Table struct {
	out      *parquet.Writer //nolint:staticcheck // the generic writer wants a Go type, and our columns are known only when running
	features int
	beside   []frame.Field
	rows     []parquet.Row // that wait for a full batch
	waits    int
}

// batchRows is how many rows go to the file at once.
const batchRows = 4096

// ordered is a group whose columns keep the order they are given in.
type ordered struct {
	parquet.Group
	fields []parquet.Field
}

// Fields are the columns in order.
func (o ordered) Fields() []parquet.Field { return o.fields }

// NewTable begins a file on w. A name that stands twice is an Invalid fault. The caller
// closes the table, then w.
func NewTable(w io.Writer, features []string, beside []frame.Field) (*Table, error) {
	group := parquet.Group{}
	names := make([]string, 0, len(features)+len(beside))
	add := func(name string, node parquet.Node) error {
		if _, twice := group[name]; twice {
			return fault.New(fault.Invalid, "the column %q stands twice in the file: it is a feature, too", name).
				Do("leave it out, or give the feature another name with as")
		}
		group[name] = parquet.Optional(node)
		names = append(names, name)
		return nil
	}
	for _, name := range features {
		if err := add(name, parquet.Leaf(parquet.FloatType)); err != nil {
			return nil, err
		}
	}
	for _, f := range beside {
		node := parquet.Leaf(parquet.DoubleType)
		switch f.Kind {
		case frame.Text:
			node = parquet.String()
		case frame.Time:
			node = parquet.Timestamp(parquet.Microsecond)
		}
		if err := add(f.Name, node); err != nil {
			return nil, err
		}
	}
	if len(names) == 0 {
		return nil, fault.New(fault.Invalid, "there is no column to write")
	}
	byName := map[string]parquet.Field{}
	for _, f := range group.Fields() {
		byName[f.Name()] = f
	}
	root := ordered{Group: group}
	for _, name := range names {
		root.fields = append(root.fields, byName[name])
	}
	return &Table{
		out: parquet.NewWriter(w, parquet.NewSchema("features", root), parquet.Compression(&zstd.Codec{}),
			parquet.CreatedBy("flyball", "1", "")),
		features: len(features), beside: slices.Clone(beside),
	}, nil
}

// Write appends the rows of m, and of beside, which has the fields that NewTable was told
// and as many rows; nil where there are none.
func (t *Table) Write(m pipeline.Matrix, beside *frame.Frame) error {
	var cols []frame.Column
	if beside != nil {
		cols = beside.Columns()
	}
	if m.Cols != t.features || len(cols) != len(t.beside) || beside != nil && beside.Rows() != m.Rows {
		return fault.New(fault.Internal, "these rows have other columns than the file")
	}
	for i := range m.Rows {
		if t.waits == len(t.rows) {
			t.rows = append(t.rows, make(parquet.Row, t.features+len(t.beside)))
		}
		row := t.rows[t.waits]
		for k, x := range m.Row(i) {
			if row[k] = parquet.NullValue().Level(0, 0, k); x == x {
				row[k] = parquet.FloatValue(x).Level(0, 1, k)
			}
		}
		for k := range cols {
			at := t.features + k
			if row[at] = parquet.NullValue().Level(0, 0, at); !cols[k].Missing(i) {
				row[at] = cell(&cols[k], i).Level(0, 1, at)
			}
		}
		if t.waits++; t.waits == batchRows {
			if err := t.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func cell(c *frame.Column, i int) parquet.Value {
	switch c.Kind {
	case frame.Number:
		return parquet.DoubleValue(c.Num[i])
	case frame.Text:
		return parquet.ByteArrayValue([]byte(c.Text[i]))
	}
	return parquet.Int64Value(c.Time[i])
}

func (t *Table) flush() error {
	_, err := t.out.WriteRows(t.rows[:t.waits])
	t.waits = 0
	return fault.Wrap(err, fault.Unavailable, "the Parquet file cannot be written")
}

// Close writes what waits and the file's end.
func (t *Table) Close() error {
	if err := t.flush(); err != nil {
		return err
	}
	return fault.Wrap(t.out.Close(), fault.Unavailable, "the Parquet file cannot be written")
}
