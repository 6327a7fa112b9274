// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"runtime/debug"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"flyball/fault"
)

var nan = math.NaN()

// ParquetWriter writes frames of the same fields to one Parquet file: numbers as
// optional DOUBLE, text as optional STRING, times as optional TIMESTAMP in
// microseconds of UTC. The same rows give the same bytes, in whatever chunks they
// come.
type ParquetWriter struct {
	out    *parquet.Writer //nolint:staticcheck // the generic writer that replaces it wants a Go type, and our columns are known only when running
	fields []Field
	order  []int         // file column of each field: a Parquet group sorts its columns by name
	buf    []parquet.Row // rows that wait for a full batch: page ends follow the batches
	waits  int           // of buf
}

// batch is how many rows go to the file at once.
const batch = 4096

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
	for i := range f.rows {
		if p.waits == len(p.buf) && p.waits < batch {
			p.buf = append(p.buf, make(parquet.Row, len(p.fields)))
		}
		row := p.buf[p.waits]
		for k := range f.cols {
			row[p.order[k]] = cell(&f.cols[k], i).Level(0, present(&f.cols[k], i), p.order[k])
		}
		if p.waits++; p.waits == batch {
			if err := p.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *ParquetWriter) flush() error {
	_, err := p.out.WriteRows(p.buf[:p.waits])
	p.waits = 0
	return fault.Wrap(err, fault.Unavailable, "the Parquet file cannot be written")
}

// EndGroup ends a row group: what was written before is no longer held in memory.
func (p *ParquetWriter) EndGroup() error {
	if err := p.flush(); err != nil {
		return err
	}
	return fault.Wrap(p.out.Flush(), fault.Unavailable, "the Parquet file cannot be written")
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

// Close writes what waits and the file's end.
func (p *ParquetWriter) Close() error {
	if err := p.flush(); err != nil {
		return err
	}
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
	bounded bool  // by texts
	texts   int64 // bytes of text that may still be read
}

// OpenParquet opens a Parquet file of flat columns. Numbers of any width, decimals
// and booleans are read as numbers, dates and timestamps as times; anything nested
// is an Invalid fault. It is for files of our own: what somebody sent goes through
// ParquetWithin, as a file can ask for any memory. Where r is an io.Closer it is closed after the last row.
func OpenParquet(name string, r io.ReaderAt, size int64) (in Reader, err error) {
	defer damaged(name, &err)
	if !footed(r, size) {
		return nil, fault.New(fault.Invalid, "%s is not a Parquet file", name)
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	f, err := parquet.OpenFile(r, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true)) // we use neither
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "%s is not a Parquet file", name)
	}
	p := &parquetReader{name: name}
	p.closer, _ = r.(io.Closer)
	columns := f.Root().Columns()
	p.buf = make([]parquet.Row, min(1024, max(16, (1<<18)/max(1, len(columns)))))
	kinds := map[string]Field{}
	for _, c := range columns {
		if !c.Leaf() || c.Repeated() {
			return nil, fault.New(fault.Invalid, "%s: column %q is nested; only flat columns are read", name, c.Name())
		}
		kind, err := kindOf(c)
		if err != nil {
			return nil, fault.Wrap(err, fault.Invalid, "%s", name)
		}
		if _, twice := kinds[c.Name()]; twice {
			return nil, fault.New(fault.Invalid, "%s: the column %q stands twice", name, c.Name())
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

// footed reports whether the footer is as long as the file can hold: the library
// makes room for what the file says, up to 4 GB, before it looks.
func footed(r io.ReaderAt, size int64) bool {
	var tail [8]byte
	if n, _ := r.ReadAt(tail[:], size-8); n < len(tail) { // also where size is less
		return false
	}
	return string(tail[4:]) == "PAR1" && int64(binary.LittleEndian.Uint32(tail[:])) <= size-12
}

// damaged makes a fault of a panic: the library trusts the lengths and offsets that
// stand in a file, and one wrong byte in somebody's file must not end the server. On some
// the library reads memory that is not there: SetPanicOnFault makes a panic of that.
func damaged(name string, err *error) {
	if p := recover(); p != nil {
		*err = fault.New(fault.Invalid, "%s is damaged: %v", name, p).Do("write the file again")
	}
}

// inOrder are the fields in the order in which they were written, where the file
// says so, else in the file's own.
func inOrder(order string, columns []*parquet.Column, kinds map[string]Field) []Field {
	var out []Field
	start := 0
	for i := 0; i <= len(order); i++ {
		if i == len(order) || order[i] == '\n' {
			if f, ok := kinds[order[start:i]]; ok && !slices.Contains(out, f) {
				out = append(out, f)
			}
			start = i + 1
		}
	}
	if len(out) == len(columns) {
		return out
	}
	out = out[:0] // not our file, or not what we wrote
	for _, c := range columns {
		out = append(out, kinds[c.Name()])
	}
	return out
}

// Next gives the next rows.
func (p *parquetReader) Next() (f *Frame, err error) {
	defer damaged(p.name, &err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	cols := make([]Column, len(p.fields))
	for i, f := range p.fields {
		cols[i].Field = f
	}
	n := 0
	most := chunkRows(len(p.fields))
	for n < most {
		got, err := p.rows.ReadRows(p.buf[:min(len(p.buf), most-n)])
		for _, row := range p.buf[:got] {
			for _, v := range row {
				p.put(&cols[p.at[v.Column()]], v)
			}
		}
		n += got
		if p.bounded && p.texts < 0 {
			return nil, fault.New(fault.Invalid, "%s holds more text than there is memory for", p.name).Do("send the rows in several files")
		}
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
	for i := range cols {
		if cols[i].Len() != n {
			return nil, fault.New(fault.Invalid, "%s is damaged: column %q has %d values for %d rows", p.name, cols[i].Name, cols[i].Len(), n)
		}
	}
	return New(cols...), nil
}

func (p *parquetReader) put(c *Column, v parquet.Value) {
	if p.bounded && p.texts < 0 {
		return
	}
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
		p.texts -= int64(len(s))
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
