// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"flyball/fault"
)

// magicParquetEnd is what a Parquet file begins and ends with.
const magicParquetEnd = "PAR1"

// ParquetWriter writes frames of the same fields to one Parquet file: numbers as
// optional DOUBLE, text as optional STRING, times as optional TIMESTAMP in
// microseconds of UTC. The same rows give the same bytes, in whatever chunks they
// come. It holds the row group under way in memory, as it is written: a column's values
// go to pages of a dictionary while they repeat, else of values, under Zstandard
// (https://github.com/apache/parquet-format). One goroutine at a time uses it; it does some
// columns at once.
type ParquetWriter struct {
	out    io.Writer
	at     int64 // bytes that were written
	fields []Field
	cols   []*chunkWriter // in the file's order
	place  []int          // of each field in cols
	rows   int64          // of the group
	groups []format.RowGroup
	pack   *zstd.Encoder
}

// NewParquetWriter begins a file on w, whose columns lie sorted by name; Flyball's own
// reader gives them back in the order of fields. The caller closes the writer, then w.
// A name that stands twice is an Invalid fault.
func NewParquetWriter(w io.Writer, fields []Field) (*ParquetWriter, error) {
	return newParquetWriter(w, fields, false)
}

// NewOrderedParquetWriter is NewParquetWriter for files that other programs read: the
// columns lie in the order of fields.
func NewOrderedParquetWriter(w io.Writer, fields []Field) (*ParquetWriter, error) {
	return newParquetWriter(w, fields, true)
}

func newParquetWriter(w io.Writer, fields []Field, keep bool) (*ParquetWriter, error) {
	order := make([]int, len(fields)) // fields in the file's order
	names := map[string]bool{}
	for i, f := range fields {
		if f.Kind < Number || f.Kind > Time {
			return nil, fault.New(fault.Internal, "column %q has no kind", f.Name)
		}
		order[i], names[f.Name] = i, true
	}
	if len(names) != len(fields) {
		return nil, fault.New(fault.Invalid, "of %d columns only %d have names of their own", len(fields), len(names)).Do("give each column another name")
	}
	if !keep {
		slices.SortFunc(order, func(a, b int) int { return cmp.Compare(fields[a].Name, fields[b].Name) })
	}
	// The level is four times as fast as the usual one; a sum is left out, as who keeps a
	// file keeps its digest.
	pack, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(workersFor()),
		zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(pageBytes))
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "Zstandard")
	}
	p := &ParquetWriter{out: w, fields: slices.Clone(fields), place: make([]int, len(fields)), pack: pack}
	for at, i := range order {
		p.place[i] = at
		p.cols = append(p.cols, newChunkWriter(fields[i], len(fields), pack))
	}
	return p, p.put([]byte(magicParquetEnd))
}

// joinNames keeps the order of the columns where it is not the file's.
func joinNames(fields []Field) string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return strings.Join(names, "\n")
}

// Reset begins another file of the same columns on w. The file before must be closed.
func (p *ParquetWriter) Reset(w io.Writer) error {
	p.out, p.at, p.groups, p.rows = w, 0, nil, 0
	return p.put([]byte(magicParquetEnd))
}

// put writes b to the file.
func (p *ParquetWriter) put(b []byte) error {
	n, err := p.out.Write(b)
	p.at += int64(n)
	return fault.Wrap(err, fault.Unavailable, "the Parquet file cannot be written")
}

// Write appends the rows of f, which must have the writer's fields.
func (p *ParquetWriter) Write(f *Frame) error {
	if !slices.Equal(p.fields, f.Fields()) {
		return fault.New(fault.Internal, "these rows have other columns than the file")
	}
	workers := 1
	if f.rows*len(f.cols) > 1<<14 {
		workers = workersFor()
	}
	errs := make([]error, len(f.cols))
	each(workers, len(f.cols), func(_, i int) { errs[i] = p.cols[p.place[i]].add(&f.cols[i]) })()
	p.rows += int64(f.rows)
	return errors.Join(errs...)
}

// EndGroup ends a row group: what was written before is no longer held in memory.
func (p *ParquetWriter) EndGroup() error {
	if p.rows == 0 {
		return nil
	}
	g := format.RowGroup{NumRows: p.rows, FileOffset: p.at, Ordinal: int16(len(p.groups))}
	for _, c := range p.cols {
		if err := c.end(); err != nil {
			return err
		}
		from := p.at
		if err := errors.Join(p.put(c.head.Bytes()), p.put(c.body.Bytes())); err != nil {
			return err
		}
		m := c.meta(from)
		g.Columns = append(g.Columns, format.ColumnChunk{MetaData: m})
		g.TotalByteSize += m.TotalUncompressedSize
		g.TotalCompressedSize += m.TotalCompressedSize
		c.begin()
	}
	p.groups, p.rows = append(p.groups, g), 0
	return nil
}

// Close writes what waits and the file's end.
func (p *ParquetWriter) Close() error {
	if err := p.EndGroup(); err != nil {
		return err
	}
	meta := format.FileMetaData{
		Version: 2, RowGroups: p.groups, CreatedBy: "flyball version 1 (build )",
		KeyValueMetadata: []format.KeyValue{{Key: "flyball.order", Value: joinNames(p.fields)}},
	}
	root := format.SchemaElement{Name: "rows"}
	root.NumChildren.Set(int32(len(p.cols)))
	meta.Schema = append(meta.Schema, root)
	for _, c := range p.cols {
		meta.Schema = append(meta.Schema, schemaOf(c.field))
		meta.ColumnOrders = append(meta.ColumnOrders, format.ColumnOrder{Value: &format.TypeDefinedOrder{}})
	}
	for i := range p.groups {
		meta.NumRows += p.groups[i].NumRows
	}
	var b bytes.Buffer
	var protocol thrift.CompactProtocol
	if err := thrift.NewEncoder(protocol.NewWriter(&b)).Encode(&meta); err != nil {
		return fault.Wrap(err, fault.Internal, "the description of a Parquet file")
	}
	b.Write(binary.LittleEndian.AppendUint32(nil, uint32(b.Len())))
	b.WriteString(magicParquetEnd)
	return p.put(b.Bytes())
}

// schemaOf is a column's line in the file's schema.
func schemaOf(f Field) format.SchemaElement {
	s := format.SchemaElement{Name: f.Name}
	s.RepetitionType.Set(format.Optional)
	switch f.Kind {
	case Number:
		s.Type.Set(format.Double)
	case Text:
		s.Type.Set(format.ByteArray)
		s.ConvertedType.Set(deprecated.UTF8)
		s.LogicalType = format.LogicalType{Value: &format.StringType{}}
	case Time:
		s.Type.Set(format.Int64)
		s.ConvertedType.Set(deprecated.TimestampMicros)
		s.LogicalType = format.LogicalType{Value: &format.TimestampType{IsAdjustedToUTC: true, Unit: format.TimeUnit{Value: &format.MicroSeconds{}}}}
	}
	return s
}
