// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"errors"
	"io"
	"math"
	"slices"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
	"github.com/parquet-go/parquet-go/format"

	"flyball/fault"
)

var nan = math.NaN()

// ParquetWriter writes frames of the same fields to one Parquet file: numbers as
// optional DOUBLE, text as optional STRING, times as optional TIMESTAMP in
// microseconds of UTC. The same rows, in whatever chunks of 64k rows and more, give
// the same bytes.
type ParquetWriter struct {
	out    *parquet.Writer //nolint:staticcheck // the generic writer that replaces it wants a Go type, and our columns are known only when running
	fields []Field
	order  []int // file column of each field: a Parquet group sorts its columns by name
	buf    []parquet.Row
}

// NewParquetWriter begins a file on w. The caller closes the writer, then w.
func NewParquetWriter(w io.Writer, fields []Field) (*ParquetWriter, error) {
	group := parquet.Group{}
	for _, f := range fields {
		switch f.Kind {
		case Number:
			group[f.Name] = parquet.Optional(parquet.Leaf(parquet.DoubleType))
		case Text:
			group[f.Name] = parquet.Optional(parquet.String())
		case Time:
			group[f.Name] = parquet.Optional(parquet.Timestamp(parquet.Microsecond))
		default:
			return nil, fault.New(fault.Internal, "column %q has no kind", f.Name)
		}
	}
	schema := parquet.NewSchema("rows", group)
	p := &ParquetWriter{fields: slices.Clone(fields), order: make([]int, len(fields))}
	for i, f := range fields {
		leaf, ok := schema.Lookup(f.Name)
		if !ok {
			return nil, fault.New(fault.Internal, "column %q was lost", f.Name)
		}
		p.order[i] = leaf.ColumnIndex
	}
	p.out = parquet.NewWriter(w, schema, parquet.Compression(&zstd.Codec{}), parquet.CreatedBy("flyball", "1", ""),
		parquet.KeyValueMetadata("flyball.order", joinNames(fields)))
	return p, nil
}

// joinNames keeps the order of the columns, which a Parquet group loses.
func joinNames(fields []Field) string {
	var b []byte
	for i, f := range fields {
		if i > 0 {
			b = append(b, '\n')
		}
		b = append(b, f.Name...)
	}
	return string(b)
}

// Write appends the rows of f, which must have the writer's fields.
func (p *ParquetWriter) Write(f *Frame) error {
	if !slices.Equal(p.fields, f.Fields()) {
		return fault.New(fault.Internal, "these rows have other columns than the file")
	}
	for from := 0; from < f.rows; from += 4096 {
		n := min(4096, f.rows-from)
		p.buf = slices.Grow(p.buf[:0], n)[:n]
		for i := range n {
			row := p.buf[i]
			if cap(row) < len(p.fields) {
				row = make(parquet.Row, len(p.fields))
			}
			row = row[:len(p.fields)]
			for k := range f.cols {
				row[p.order[k]] = cell(&f.cols[k], from+i).Level(0, present(&f.cols[k], from+i), p.order[k])
			}
			p.buf[i] = row
		}
		if _, err := p.out.WriteRows(p.buf); err != nil {
			return fault.Wrap(err, fault.Unavailable, "the Parquet file cannot be written")
		}
	}
	return nil
}

func present(c *Column, i int) int {
	if c.Missing(i) {
		return 0
	}
	return 1
}

func cell(c *Column, i int) parquet.Value {
	if c.Missing(i) {
		return parquet.NullValue()
	}
	switch c.Kind {
	case Number:
		return parquet.DoubleValue(c.Num[i])
	case Text:
		return parquet.ByteArrayValue([]byte(c.Text[i]))
	}
	return parquet.Int64Value(c.Time[i])
}

// Close writes the file's end.
func (p *ParquetWriter) Close() error {
	return fault.Wrap(p.out.Close(), fault.Unavailable, "the Parquet file cannot be written")
}

// parquetReader reads a file's rows in chunks.
type parquetReader struct {
	name    string
	rows    *parquet.Reader //nolint:staticcheck // as ParquetWriter.out
	closer  io.Closer
	fields  []Field
	convert []func(parquet.Value) any // by file column
	at      []int                     // field of each file column
	buf     []parquet.Row
	gave    bool
}

// OpenParquet opens a Parquet file of flat columns. Numbers, decimals, booleans and
// dates are read as numbers and times; anything nested is an Invalid fault. Where r
// is an io.Closer it is closed after the last row.
func OpenParquet(name string, r io.ReaderAt, size int64) (Reader, error) {
	f, err := parquet.OpenFile(r, size)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "%s is not a Parquet file", name)
	}
	p := &parquetReader{name: name, buf: make([]parquet.Row, 1024)}
	p.closer, _ = r.(io.Closer)
	columns := f.Root().Columns()
	kinds := map[string]Field{}
	for _, c := range columns {
		if !c.Leaf() || c.Repeated() {
			return nil, fault.New(fault.Invalid, "%s: column %q is nested; only flat columns are read", name, c.Name())
		}
		kind, err := kindOf(c)
		if err != nil {
			return nil, fault.Wrap(err, fault.Invalid, "%s", name)
		}
		kinds[c.Name()] = Field{c.Name(), kind}
	}
	order, _ := f.Lookup("flyball.order")
	p.fields = inOrder(order, columns, kinds)
	p.convert, p.at = make([]func(parquet.Value) any, len(columns)), make([]int, len(columns))
	for i, c := range columns {
		p.convert[i] = converter(c)
		p.at[i] = slices.IndexFunc(p.fields, func(f Field) bool { return f.Name == c.Name() })
	}
	p.rows = parquet.NewReader(f)
	return p, nil
}

// inOrder are the fields in the order in which they were written, where the file
// says so, else in the file's own.
func inOrder(order string, columns []*parquet.Column, kinds map[string]Field) []Field {
	var out []Field
	start := 0
	for i := 0; i <= len(order); i++ {
		if i == len(order) || order[i] == '\n' {
			if f, ok := kinds[order[start:i]]; ok {
				out = append(out, f)
			}
			start = i + 1
		}
	}
	if len(out) == len(columns) {
		return out
	}
	out = out[:0]
	for _, c := range columns {
		out = append(out, kinds[c.Name()])
	}
	return out
}

func kindOf(c *parquet.Column) (Kind, error) {
	t := c.Type()
	switch logical(t).(type) {
	case *format.TimestampType, *format.DateType:
		return Time, nil
	}
	switch t.Kind() {
	case parquet.Boolean, parquet.Int32, parquet.Int64, parquet.Float, parquet.Double:
		return Number, nil
	case parquet.ByteArray:
		return Text, nil
	}
	return 0, fault.New(fault.Invalid, "column %q has the type %s, which is not read", c.Name(), t)
}

// logical is what a column's type means beyond its bytes; nil: nothing.
func logical(t parquet.Type) format.LogicalTypeValue {
	if l := t.LogicalType(); l != nil {
		return l.Value
	}
	return nil
}

// converter is how a value of the column becomes a float64, a string or
// microseconds.
func converter(c *parquet.Column) func(parquet.Value) any {
	t := c.Type()
	scale := 1.0
	switch l := logical(t).(type) {
	case *format.DateType:
		return func(v parquet.Value) any { return int64(v.Int32()) * 86_400_000_000 }
	case *format.TimestampType:
		each := time.Microsecond
		if l.Unit.Value != nil {
			each = l.Unit.Value.Duration()
		}
		if each < time.Microsecond {
			return func(v parquet.Value) any { return v.Int64() / 1000 }
		}
		return func(v parquet.Value) any { return v.Int64() * each.Microseconds() }
	case *format.DecimalType:
		scale = math.Pow10(-int(l.Scale))
	}
	switch t.Kind() {
	case parquet.Boolean:
		return func(v parquet.Value) any {
			if v.Boolean() {
				return 1.0
			}
			return 0.0
		}
	case parquet.Int32:
		return func(v parquet.Value) any { return float64(v.Int32()) * scale }
	case parquet.Int64:
		return func(v parquet.Value) any { return float64(v.Int64()) * scale }
	case parquet.Float:
		return func(v parquet.Value) any { return float64(v.Float()) }
	case parquet.Double:
		return func(v parquet.Value) any { return v.Double() }
	}
	return func(v parquet.Value) any { return string(v.ByteArray()) }
}

// Next gives the next rows.
func (p *parquetReader) Next() (*Frame, error) {
	cols := make([]Column, len(p.fields))
	for i, f := range p.fields {
		cols[i].Field = f
	}
	n := 0
	for n < chunk {
		got, err := p.rows.ReadRows(p.buf[:min(len(p.buf), chunk-n)])
		for _, row := range p.buf[:got] {
			for _, v := range row {
				p.put(&cols[p.at[v.Column()]], v)
			}
		}
		n += got
		if errors.Is(err, io.EOF) || err == nil && got == 0 {
			break
		}
		if err != nil {
			return nil, fault.Wrap(err, fault.Invalid, "%s cannot be read", p.name)
		}
	}
	if n == 0 && p.gave {
		if p.closer != nil {
			if err := p.closer.Close(); err != nil {
				return nil, fault.Wrap(err, fault.Unavailable, "%s cannot be closed", p.name)
			}
			p.closer = nil
		}
		return nil, io.EOF
	}
	p.gave = true
	return New(cols...), nil
}

func (p *parquetReader) put(c *Column, v parquet.Value) {
	var x any
	if !v.IsNull() {
		x = p.convert[v.Column()](v)
	}
	switch c.Kind {
	case Number:
		f, ok := x.(float64)
		if !ok {
			f = nan
		}
		c.Num = append(c.Num, f)
	case Text:
		s, ok := x.(string)
		if !ok && c.Null == nil {
			c.Null = make([]bool, len(c.Text))
		}
		c.Text = append(c.Text, s)
		if c.Null != nil {
			c.Null = append(c.Null, !ok)
		}
	case Time:
		t, ok := x.(int64)
		if !ok {
			t = NoTime
		}
		c.Time = append(c.Time, t)
	}
}
