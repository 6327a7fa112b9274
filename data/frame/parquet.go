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
	"github.com/parquet-go/parquet-go/format"

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
	order  []int         // file column of each field: a Parquet group sorts its columns by name, unless it is ordered
	buf    []parquet.Row // rows that wait for a full batch: page ends follow the batches
	waits  int           // of buf
}

// batch is how many rows go to the file at once.
const batch = 4096

// NewParquetWriter begins a file on w, whose columns lie sorted by name; Flyball's own
// reader gives them back in the order of fields. The caller closes the writer, then w.
func NewParquetWriter(w io.Writer, fields []Field) (*ParquetWriter, error) {
	return newParquetWriter(w, fields, false)
}

// NewOrderedParquetWriter is NewParquetWriter for files that other programs read: the
// columns lie in the order of fields. A name that stands twice is an Invalid fault.
func NewOrderedParquetWriter(w io.Writer, fields []Field) (*ParquetWriter, error) {
	return newParquetWriter(w, fields, true)
}

// ordered is a group whose columns keep the order they are given in.
type ordered struct {
	parquet.Group
	fields []parquet.Field
}

// Fields are the columns in order.
func (o ordered) Fields() []parquet.Field { return o.fields }

// keepOrder is the group with its columns in the order of fields.
func keepOrder(group parquet.Group, fields []Field) (ordered, error) {
	if len(group) != len(fields) {
		return ordered{}, fault.New(fault.Invalid, "of %d columns only %d have names of their own", len(fields), len(group)).Do("give each column another name")
	}
	byName := map[string]parquet.Field{}
	for _, f := range group.Fields() {
		byName[f.Name()] = f
	}
	root := ordered{Group: group}
	for _, f := range fields {
		root.fields = append(root.fields, byName[f.Name])
	}
	return root, nil
}

func newParquetWriter(w io.Writer, fields []Field, keep bool) (*ParquetWriter, error) {
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
	var root parquet.Node = group
	if keep {
		in, err := keepOrder(group, fields)
		if err != nil {
			return nil, err
		}
		root = in
	}
	schema := parquet.NewSchema("rows", root)
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
	failed  error // of Next, from then on
	fields  []Field
	leaves  []leaf // by file column
	at      []int  // field of each file column
	meta    *format.FileMetaData
	row     int   // rows that were read before this chunk
	wrong   error // of a value that its kind does not have
	buf     []parquet.Row
	gave    bool
	bounded bool  // by texts
	texts   int64 // bytes of text that may still be read
}

// OpenParquet opens a Parquet file, whose columns become numbers, text and times as leafOf
// has it. The fields of a group are columns of their own, named group.field; a list or a
// map is an Invalid fault. It is for files of our own: what somebody sent goes through
// ParquetWithin, as a file can ask for any memory. Where r is an io.Closer it is closed
// after the last row.
func OpenParquet(name string, r io.ReaderAt, size int64) (Reader, error) {
	p, err := openParquet(name, r, size, CSVOptions{})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// openParquet opens a file, some of whose columns are wanted as kinds that opts says.
func openParquet(name string, r io.ReaderAt, size int64, opts CSVOptions) (p *parquetReader, err error) {
	defer damaged(name, &err)
	if !footed(r, size) {
		return nil, fault.New(fault.Invalid, "%s is not a Parquet file", name)
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	f, err := parquet.OpenFile(r, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true)) // we use neither
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "%s is not a Parquet file", name)
	}
	p = &parquetReader{name: name, meta: f.Metadata()}
	p.closer, _ = r.(io.Closer)
	if err := p.columns(f, opts); err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "%s", name)
	}
	p.rows = parquet.NewReader(f)
	return p, nil
}

// columns says how each column of the file is read.
func (p *parquetReader) columns(f *parquet.File, opts CSVOptions) error {
	file := csvFile{opts: opts}
	file.opts.Encoding, file.opts.Delimiter = "", "" // of CSV files alone
	if err := file.options(); err != nil {
		return err
	}
	if file.how.point == 0 {
		file.how.point = '.'
	}
	kinds := map[string]Field{}
	var meant []format.LogicalTypeValue // of each column that holds values
	for _, e := range f.Metadata().Schema {
		if !e.NumChildren.Valid || e.NumChildren.V == 0 {
			meant = append(meant, e.LogicalType.Value)
		}
	}
	err := flat(f.Root().Columns(), "", func(name string, c *parquet.Column) error {
		means := logical(c.Type())
		if means == nil && len(p.leaves) < len(meant) {
			means = meant[len(p.leaves)] // what the library does not know
		}
		l, err := leafOf(name, c, means)
		if err != nil {
			return err
		}
		kind := l.kind
		if pinned, ok := opts.Kinds[name]; ok {
			kind = pinned
		} else if l.whole && beyond(f, len(p.leaves), means) {
			kind = Text
		}
		if l, err = l.as(kind, &file.how); err != nil {
			return err
		}
		if _, twice := kinds[name]; twice {
			return fault.New(fault.Invalid, "the column %q stands twice", name)
		}
		kinds[name] = Field{name, kind}
		p.leaves = append(p.leaves, l)
		return nil
	})
	if err != nil {
		return err
	}
	p.buf = make([]parquet.Row, min(1024, max(16, (1<<18)/max(1, len(p.leaves)))))
	order, _ := f.Lookup("flyball.order")
	p.fields = inOrder(order, p.leaves, kinds)
	places := make(map[string]int, len(p.fields))
	for i, field := range p.fields {
		places[field.Name] = i
	}
	p.at = make([]int, len(p.leaves))
	for i, l := range p.leaves {
		p.at[i] = places[l.name]
	}
	return nil
}

// filled reports whether the file does not say that all values of a column are missing.
func (p *parquetReader) filled(column int) bool {
	for _, g := range p.meta.RowGroups {
		if column >= len(g.Columns) {
			return true
		}
		if m := &g.Columns[column].MetaData; m.Statistics.NullCount < m.NumValues {
			return true
		}
	}
	return false
}

// flat does each column that holds values, in the file's order.
func flat(columns []*parquet.Column, within string, do func(name string, c *parquet.Column) error) error {
	for _, c := range columns {
		name := within + c.Name()
		var err error
		switch {
		case c.Repeated(), c.Type().LogicalType() != nil && !c.Leaf():
			err = fault.New(fault.Invalid, "column %q is nested; lists and maps are not read", name).Do("write a row for each of its values, or leave it out")
		case c.Leaf():
			err = do(name, c)
		default:
			err = flat(c.Columns(), name+".", do)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// beyond reports whether the file says that some whole number of a column is beyond 2^53,
// and so a code. A file that says nothing of its least and largest values is taken to have
// none, and one that is met is then an error.
func beyond(f *parquet.File, column int, of format.LogicalTypeValue) bool {
	signed := true
	if t, ok := of.(*format.IntType); ok {
		signed = t.IsSigned
	}
	for _, g := range f.Metadata().RowGroups {
		if column >= len(g.Columns) {
			continue
		}
		for _, b := range [][]byte{g.Columns[column].MetaData.Statistics.MinValue, g.Columns[column].MetaData.Statistics.MaxValue} {
			if len(b) != 8 {
				continue
			}
			x := binary.LittleEndian.Uint64(b)
			if i := int64(x); signed && (i > 1<<53 || i < -(1<<53)) || !signed && x > 1<<53 {
				return true
			}
		}
	}
	return false
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
func inOrder(order string, columns []leaf, kinds map[string]Field) []Field {
	seen := make(map[string]bool, len(columns))
	var out []Field
	start := 0
	for i := 0; i <= len(order); i++ {
		if i == len(order) || order[i] == '\n' {
			if f, ok := kinds[order[start:i]]; ok && !seen[f.Name] {
				seen[f.Name] = true
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
		out = append(out, kinds[c.name])
	}
	return out
}

// Next gives the next rows. After the last, and after an error, the file is closed.
func (p *parquetReader) Next() (*Frame, error) {
	if p.failed != nil {
		return nil, p.failed
	}
	f, err := p.next()
	if p.failed = err; err == nil || p.closer == nil {
		return f, err
	}
	if closing := p.closer.Close(); closing != nil && errors.Is(err, io.EOF) {
		p.failed = fault.Wrap(closing, fault.Unavailable, "%s cannot be closed", p.name)
	}
	return nil, p.failed
}

func (p *parquetReader) next() (f *Frame, err error) {
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
		if p.wrong != nil {
			return nil, p.wrong
		}
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
		return nil, io.EOF
	}
	p.gave = true
	p.row += n
	for i := range cols {
		if cols[i].Len() != n {
			return nil, fault.New(fault.Invalid, "%s is damaged: column %q has %d values for %d rows", p.name, cols[i].Name, cols[i].Len(), n)
		}
	}
	return New(cols...), nil
}

func (p *parquetReader) put(c *Column, v parquet.Value) {
	if p.bounded && p.texts < 0 || p.wrong != nil {
		return
	}
	l, null, ok := &p.leaves[v.Column()], v.IsNull(), true
	switch c.Kind {
	case Number:
		x := nan
		if !null {
			x, ok = l.num(v)
		}
		c.Num = append(c.Num, x)
	case Text:
		s := ""
		if null && c.Null == nil {
			c.Null = make([]bool, len(c.Text))
		}
		if !null {
			s, ok = l.text(v)
		}
		p.texts -= int64(len(s))
		c.Text = append(c.Text, s)
		if c.Null != nil {
			c.Null = append(c.Null, null)
		}
	case Time:
		t := int64(NoTime)
		if !null {
			t, ok = l.time(v)
		}
		c.Time = append(c.Time, t)
	}
	if !ok {
		p.wrong = p.conflict(l, c, v)
	}
}

// conflict says which value its kind does not have.
func (p *parquetReader) conflict(l *leaf, c *Column, v parquet.Value) error {
	row := p.row + c.Len()
	switch {
	case l.whole && l.kind == Number:
		return fault.New(fault.Invalid, "%s: row %d: column %q: %s is beyond 2^53, where a number does not hold every digit", p.name, row, c.Name, l.plain(v)).
			Do("if it is a code, say kinds: {%s: text}", c.Name)
	case l.kind == Text:
		return fault.New(fault.Invalid, "%s: row %d: column %q: %q is not UTF-8", p.name, row, c.Name, clip(string(v.ByteArray())))
	}
	return fault.New(fault.Invalid, "%s: row %d: column %q: %q is not a %s", p.name, row, c.Name, clip(v.String()), c.Kind)
}
