// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"bytes"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"flyball/fault"
)

// bodyColumns bounds the columns of a file that somebody sent.
const bodyColumns = 10_000

// perValue is the memory that a value is taken to need on its way to its column: its level,
// its place in a dictionary, and its room in a column that grows.
const perValue = 64

// ParquetWithin opens a Parquet file that somebody sent, as OpenParquet does a file of our
// own, with no more memory than most bytes in all. A Parquet file says how long its parts
// are, and the library makes room for what it says before it looks: a file of a hundred
// bytes can ask for gigabytes. So here the whole file is walked first: each list, page,
// compressed page, run of levels and place in a dictionary must be what it says it is, and
// their sum is taken from most. What a small file holds may be large all the same, as a
// million equal values are a few bytes; most is what the caller has for it.
//
// A file that lies, or needs more than most, is an Invalid fault that names file and column.
// So are pages compressed otherwise than by Snappy, gzip or Zstandard, and texts that share
// their beginnings (DELTA_BYTE_ARRAY), whose texts grow with each other.
func ParquetWithin(name string, b []byte, most int64) (in Reader, err error) {
	defer damaged(name, &err)
	w := &weigher{name: name, file: b, left: most, most: most}
	defer w.close()
	if err := w.weigh(); err != nil {
		return nil, err
	}
	p, err := openParquet(name, bytes.NewReader(b), int64(len(b)), CSVOptions{})
	if err != nil {
		return nil, err
	}
	p.texts, p.bounded = w.left, true
	return p, nil
}

// OpenParquetWithin is OpenParquet for a file whose size and rows somebody else has noted,
// as those of a snapshot: what its description and the heads of its pages say that they
// hold is added up first, and must be within most bytes and rows rows. Unlike
// ParquetWithin it believes what stands in the pages, and so reads the file once. A file
// that says more is an Invalid fault.
func OpenParquetWithin(name string, b []byte, rows, most int64) (in Reader, err error) {
	defer damaged(name, &err)
	w := &weigher{name: name, file: b, left: most, most: most, heads: true, rows: rows}
	defer w.close()
	if err := w.weigh(); err != nil {
		return nil, err
	}
	p, err := openParquet(name, bytes.NewReader(b), int64(len(b)), CSVOptions{})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// weigher walks a file and takes what reading it needs from what is left.
type weigher struct {
	name       string
	heads      bool  // only the heads of pages are looked at
	rows       int64 // with heads: that the file may have
	file       []byte
	left, most int64

	column string
	zstd   *zstd.Decoder
	buf    []byte // of the page
}

func (w *weigher) close() {
	if w.zstd != nil {
		w.zstd.Close()
	}
}

func (w *weigher) wrong(format string, args ...any) error {
	err := fault.New(fault.Invalid, format, args...)
	if w.column != "" {
		return fault.Wrap(err, fault.Invalid, "%s is damaged: column %q", w.name, w.column)
	}
	return fault.Wrap(err, fault.Invalid, "%s is damaged", w.name)
}

// take takes n times each bytes of what is left; both are less than 2^32.
func (w *weigher) take(n, each int64) error {
	if w.left -= n * each; w.left < 0 {
		return fault.New(fault.Invalid, "%s needs more than %d bytes of memory to be read (column %q)", w.name, w.most, w.column).Do("send the rows in several files")
	}
	return nil
}

// weigh walks the whole file.
func (w *weigher) weigh() error {
	if !footed(bytes.NewReader(w.file), int64(len(w.file))) {
		return fault.New(fault.Invalid, "%s is not a Parquet file", w.name)
	}
	meta, err := w.footer()
	if err != nil {
		return err
	}
	columns := meta.Schema[1:]
	for g := range meta.RowGroups {
		group := &meta.RowGroups[g]
		if w.rows -= group.NumRows; w.heads && (w.rows < 0 || group.NumRows < 0) {
			return w.wrong("it has more rows than were noted of it")
		}
		if len(group.Columns) != len(columns) {
			return w.wrong("row group %d has %d columns, the schema %d", g, len(group.Columns), len(columns))
		}
		for i := range columns {
			w.column = columns[i].Name
			if err := w.take(1, 16<<10); err != nil { // buffers of the reader
				return err
			}
			if err := w.chunk(&columns[i], &group.Columns[i].MetaData, group.NumRows); err != nil {
				return err
			}
		}
		w.column = ""
	}
	return nil
}

// footer reads the file's description, of flat columns.
func (w *weigher) footer() (*format.FileMetaData, error) {
	end := len(w.file) - 8
	b := w.file[end-footerLen(w.file) : end]
	t := &thriftWalk{b: b, w: w}
	if err := t.value(thriftStruct, 0); err != nil {
		return nil, err
	}
	meta := &format.FileMetaData{}
	var protocol thrift.CompactProtocol
	if err := thrift.NewDecoder(protocol.NewReaderFromBytes(bytes.Clone(b))).Decode(meta); err != nil {
		return nil, w.wrong("its description: %v", err)
	}
	if len(meta.Schema) == 0 {
		return nil, w.wrong("it has no schema")
	}
	if n := len(meta.Schema) - 1; n > bodyColumns {
		return nil, fault.New(fault.Invalid, "%s has %d columns, above %d", w.name, n, bodyColumns)
	}
	for _, c := range meta.Schema[1:] {
		if c.NumChildren.Valid && c.NumChildren.V != 0 || !c.Type.Valid {
			return nil, fault.New(fault.Invalid, "%s: column %q is nested; only flat columns are read", w.name, c.Name)
		}
		if r := c.RepetitionType; r.Valid && r.V == format.Repeated {
			return nil, fault.New(fault.Invalid, "%s: column %q is nested; only flat columns are read", w.name, c.Name)
		}
	}
	return meta, nil
}

// chunk walks the pages of one column in one row group.
func (w *weigher) chunk(c *format.SchemaElement, m *format.ColumnMetaData, rows int64) error {
	base, data := m.DataPageOffset, m.DataPageOffset
	if m.DictionaryPageOffset != 0 {
		base = m.DictionaryPageOffset
	}
	size := int64(len(w.file))
	if base < 4 || base > size || m.TotalCompressedSize < 0 || m.TotalCompressedSize > size-base {
		return w.wrong("%d bytes from %d on are not in the file", m.TotalCompressedSize, base)
	}
	p := &pages{weigher: w, c: c, codec: m.Codec, dict: -1}
	end, begun := base+m.TotalCompressedSize, rows == 0
	for at := base; at < end; {
		begun = begun || at == data
		var header format.PageHeader
		var protocol thrift.CompactProtocol
		r := protocol.NewReaderFromBytes(w.file[at:end])
		if err := thrift.NewDecoder(r).Decode(&header); err != nil {
			return w.wrong("the head of the page at %d: %v", at, err)
		}
		from := at + int64(r.BytesRead())
		n := int64(header.CompressedPageSize)
		if n < 0 || n > end-from || header.UncompressedPageSize < 0 {
			return w.wrong("the page at %d says that it has %d bytes, and %d are left", at, n, end-from)
		}
		look := p.page
		if w.heads {
			look = p.head
		}
		if err := look(&header, w.file[from:from+n], at == base); err != nil {
			return err
		}
		at = from + n
	}
	if !begun || p.rows != rows {
		return w.wrong("its pages hold %d values for %d rows", p.rows, rows)
	}
	return nil
}

// Kinds of a value in Thrift's compact protocol
// (https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md).
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftStruct = 12
)

// thriftWalk walks a value and takes the room of its lists.
type thriftWalk struct {
	b  []byte
	at int
	w  *weigher
}

func (t *thriftWalk) skip(n uint64) error {
	if n > uint64(len(t.b)-t.at) {
		return t.w.wrong("its description is cut off")
	}
	t.at += int(n)
	return nil
}

func (t *thriftWalk) varint() (uint64, error) {
	x, n := uvarint(t.b[t.at:])
	if n <= 0 {
		return 0, t.w.wrong("its description is cut off")
	}
	t.at += n
	return x, nil
}

func (t *thriftWalk) value(kind byte, depth int) error {
	if depth > 16 {
		return t.w.wrong("its description is nested too deep")
	}
	switch kind {
	case thriftTrue, thriftFalse: // in the field's head
		return nil
	case thriftByte:
		return t.skip(1)
	case 4, 5, thriftI64:
		_, err := t.varint()
		return err
	case thriftDouble:
		return t.skip(8)
	case thriftBinary:
		n, err := t.varint()
		if err != nil {
			return err
		}
		return t.skip(n)
	case thriftList, thriftSet:
		return t.list(depth)
	case thriftStruct:
		return t.fields(depth)
	}
	return t.w.wrong("its description has a value of kind %d", kind)
}

func (t *thriftWalk) list(depth int) error {
	at := t.at
	if err := t.skip(1); err != nil {
		return err
	}
	n, kind := uint64(t.b[at]>>4), t.b[at]&15
	if n == 15 {
		var err error
		if n, err = t.varint(); err != nil {
			return err
		}
	}
	each := int64(16)
	if kind == thriftStruct {
		each = 1 << 10 // more than any of them needs
	}
	if n > uint64(len(t.b)-t.at) { // each is a byte at least
		return t.w.wrong("its description is cut off")
	}
	if err := t.w.take(int64(n), each); err != nil {
		return err
	}
	for range n {
		var err error
		if kind == thriftTrue || kind == thriftFalse {
			err = t.skip(1)
		} else {
			err = t.value(kind, depth+1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *thriftWalk) fields(depth int) error {
	for {
		at := t.at
		if err := t.skip(1); err != nil {
			return err
		}
		head := t.b[at]
		if head == 0 {
			return nil
		}
		if head>>4 == 0 { // the field's number stands for itself
			if _, err := t.varint(); err != nil {
				return err
			}
		}
		if err := t.value(head&15, depth+1); err != nil {
			return err
		}
	}
}
