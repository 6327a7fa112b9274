// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"runtime/debug"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"flyball/fault"
)

var nan = math.NaN()

// parquetReader reads a file's rows in chunks: column by column, of which some are read at
// once.
type parquetReader struct {
	name    string
	columns []*columnReader // in the file's order
	closer  io.Closer
	failed  error // of Next, from then on
	fields  []Field
	at      []int // field of each column
	meta    *format.FileMetaData
	row     int   // rows that were read before this chunk
	left    int64 // rows that the file says it has still
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
	if err := p.open(f, opts); err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "%s", name)
	}
	return p, nil
}

// open says how each column of the file is read.
func (p *parquetReader) open(f *parquet.File, opts CSVOptions) error {
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
		at := len(p.columns)
		if means == nil && at < len(meant) {
			means = meant[at] // what the library does not know
		}
		l, err := leafOf(name, c, means)
		if err != nil {
			return err
		}
		kind := l.kind
		if pinned, ok := opts.Kinds[name]; ok {
			kind = pinned
		} else if l.whole && beyond(f, at, means) {
			kind = Text
		}
		if l, err = l.as(kind, &file.how); err != nil {
			return err
		}
		if _, twice := kinds[name]; twice {
			return fault.New(fault.Invalid, "the column %q stands twice", name)
		}
		kinds[name] = Field{name, kind}
		p.columns = append(p.columns, &columnReader{name: p.name, leaf: l, column: at, max: byte(c.MaxDefinitionLevel()), groups: f.RowGroups()})
		return nil
	})
	if err != nil {
		return err
	}
	for _, g := range f.RowGroups() {
		if p.left += g.NumRows(); g.NumRows() < 0 || p.left < 0 {
			return fault.New(fault.Invalid, "a row group of %d rows", g.NumRows())
		}
	}
	order, _ := f.Lookup("flyball.order")
	p.fields = inOrder(order, p.columns, kinds)
	places := make(map[string]int, len(p.fields))
	for i, field := range p.fields {
		places[field.Name] = i
	}
	p.at = make([]int, len(p.columns))
	for i, c := range p.columns {
		p.at[i] = places[c.leaf.name]
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
func inOrder(order string, columns []*columnReader, kinds map[string]Field) []Field {
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
		out = append(out, kinds[c.leaf.name])
	}
	return out
}

// Next gives the next rows. After the last, and after an error, the file is closed.
func (p *parquetReader) Next() (*Frame, error) {
	if p.failed != nil {
		return nil, p.failed
	}
	f, err := p.next()
	if p.failed = err; err == nil {
		return f, nil
	}
	for _, c := range p.columns {
		c.close()
	}
	if p.closer == nil {
		return nil, p.failed
	}
	if closing := p.closer.Close(); closing != nil && errors.Is(err, io.EOF) {
		p.failed = fault.Wrap(closing, fault.Unavailable, "%s cannot be closed", p.name)
	}
	return nil, p.failed
}

func (p *parquetReader) next() (*Frame, error) {
	n := int(min(p.left, int64(chunkRows(len(p.fields)))))
	if n == 0 && p.gave {
		return nil, io.EOF
	}
	cols, errs := make([]Column, len(p.fields)), make([]error, len(p.fields))
	for i, f := range p.fields {
		cols[i].Field = f
	}
	workers := workersFor()
	if p.bounded || n < 1024 {
		workers = 1
	}
	each(workers, len(p.columns), func(_, i int) {
		if !p.bounded || p.texts >= 0 {
			errs[i] = p.columns[i].fill(&cols[p.at[i]], n)
			p.weigh(&cols[p.at[i]])
		}
	})()
	if p.bounded && p.texts < 0 {
		return nil, fault.New(fault.Invalid, "%s holds more text than there is memory for", p.name).Do("send the rows in several files")
	}
	if err := p.first(errs, cols); err != nil {
		return nil, err
	}
	p.gave = true
	p.row += n
	p.left -= int64(n)
	return WithRows(n, cols...), nil
}

// weigh takes the texts of a column from what may be read.
func (p *parquetReader) weigh(c *Column) {
	if p.bounded {
		for _, s := range c.Text {
			p.texts -= int64(len(s))
		}
	}
}

// first is the error of the first row that has one.
func (p *parquetReader) first(errs []error, cols []Column) error {
	var at *wrongValue
	column := 0
	for i, err := range errs {
		var wrong *wrongValue
		switch {
		case err == nil:
		case !errors.As(err, &wrong):
			return err
		case at == nil || wrong.row < at.row:
			at, column = wrong, i
		}
	}
	if at == nil {
		return nil
	}
	return p.conflict(&p.columns[column].leaf, &cols[p.at[column]], p.row+at.row+1, at.value)
}

// conflict says which value its kind does not have.
func (p *parquetReader) conflict(l *leaf, c *Column, row int, v parquet.Value) error {
	switch {
	case l.whole && l.kind == Number:
		return fault.New(fault.Invalid, "%s: row %d: column %q: %s is beyond 2^53, where a number does not hold every digit", p.name, row, c.Name, l.plain(v)).
			Do("if it is a code, say kinds: {%s: text}", c.Name)
	case l.kind == Text:
		return fault.New(fault.Invalid, "%s: row %d: column %q: %q is not UTF-8", p.name, row, c.Name, clip(string(v.ByteArray())))
	}
	return fault.New(fault.Invalid, "%s: row %d: column %q: %q is not a %s", p.name, row, c.Name, clip(v.String()), c.Kind)
}
