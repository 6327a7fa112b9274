// SPDX-License-Identifier: Apache-2.0

package frame_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/internal/fuzzcheck"
)

// FuzzAParquetFileIsReadOrRefused gives damaged files: each is read or an Invalid fault,
// within memory that the file's size bounds, and rows that are given have all columns.
func FuzzAParquetFileIsReadOrRefused(f *testing.F) {
	var ours bytes.Buffer
	rows := frame.New(frame.NumberColumn("a", []float64{1, 2, 2, 2}), frame.TextColumn("b", []string{"x", "", "y", "y"}, []bool{false, true, false, false}),
		frame.TimeColumn("c", []int64{0, 1, frame.NoTime, 3}))
	w, err := frame.NewParquetWriter(&ours, rows.Fields())
	if err != nil {
		f.Fatal(err)
	}
	if err := errors.Join(w.Write(rows), w.Close()); err != nil {
		f.Fatal(err)
	}
	f.Add(ours.Bytes())
	type theirs struct {
		A int32   `parquet:"a,dict"`
		B *string `parquet:"b,optional"`
		C bool    `parquet:"c"`
		D float32 `parquet:"d"`
		E int64   `parquet:"e,timestamp(millisecond)"`
	}
	text := "text"
	for _, compression := range []parquet.WriterOption{parquet.Compression(&parquet.Snappy), parquet.Compression(&parquet.Gzip), parquet.Compression(&parquet.Uncompressed)} {
		var b bytes.Buffer
		if err := parquet.Write(&b, []theirs{{A: 1, B: &text, C: true, D: 0.5, E: 7}, {A: 1}}, compression); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	for _, version := range []int{1, 2} {
		var b bytes.Buffer
		if err := parquet.Write(&b, mixed(20), parquet.DataPageVersion(version)); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzzcheck.Within(t, len(b), 8<<20, func() { readSome(t, b, int64(16*len(b)+4<<20)) })
	})
}

// readSome reads the first chunks of a file.
func readSome(t *testing.T, b []byte, most int64) {
	r, err := frame.ParquetWithin("f.parquet", b, most)
	for n := 0; err == nil && n < 3; n++ {
		var rows *frame.Frame
		if rows, err = r.Next(); err == nil {
			for _, c := range rows.Columns() {
				if c.Len() != rows.Rows() {
					t.Fatalf("column %q has %d of %d rows", c.Name, c.Len(), rows.Rows())
				}
			}
		}
	}
	if err != nil && !errors.Is(err, io.EOF) && !fault.Is(err, fault.Invalid) {
		t.Fatalf("got %v, want an invalid fault", err)
	}
}

// small is a file of one column of n equal values, compressed to a few bytes.
func small(t *testing.T, n int, value string, compression parquet.WriterOption) []byte {
	t.Helper()
	var b bytes.Buffer
	type row struct {
		A string `parquet:"a,dict"`
	}
	rows := make([]row, n)
	for i := range rows {
		rows[i].A = value
	}
	if err := parquet.Write(&b, rows, compression); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWhatWasSentIsReadAsAFileOfOurOwn(t *testing.T) {
	for name, compression := range map[string]parquet.WriterOption{
		"snappy": parquet.Compression(&parquet.Snappy), "gzip": parquet.Compression(&parquet.Gzip),
		"zstd": parquet.Compression(&parquet.Zstd), "none": parquet.Compression(&parquet.Uncompressed),
	} {
		for _, version := range []int{1, 2} {
			var b bytes.Buffer
			if err := parquet.Write(&b, mixed(5000), compression, parquet.DataPageVersion(version), parquet.PageBufferSize(4096)); err != nil {
				t.Fatal(err)
			}
			want, err := frame.OpenBytes("f.parquet", b.Bytes(), frame.CSVOptions{})
			if err != nil {
				t.Fatal(err)
			}
			all, err := frame.ReadAll(want)
			if err != nil {
				t.Fatal(err)
			}
			in, err := frame.ParquetWithin("f.parquet", b.Bytes(), 64<<20)
			if err != nil {
				t.Errorf("%s %d: %v", name, version, err)
				continue
			}
			got, err := frame.ReadAll(in)
			if err != nil || !reflect.DeepEqual(got.Column("b").Text, all.Column("b").Text) || !reflect.DeepEqual(got.Column("e").Time, all.Column("e").Time) {
				t.Errorf("%s %d: other rows than from a file (%v)", name, version, err)
			}
		}
	}
}

type several struct {
	A int32   `parquet:"a,dict"`
	B *string `parquet:"b,optional,dict"`
	C bool    `parquet:"c"`
	D float32 `parquet:"d,split"`
	E int64   `parquet:"e,timestamp(millisecond)"`
	F *string `parquet:"f,optional"`
	G int64   `parquet:"g,delta"`
}

func mixed(n int) []several {
	rows := make([]several, n)
	for i := range rows {
		rows[i] = several{A: int32(i % 37), C: i%3 == 0, D: float32(i) / 7, E: int64(i), G: int64(i*i) - 99}
		if s := strconv.Itoa(i % 11); i%5 != 0 {
			rows[i].B, rows[i].F = &s, &s
		}
	}
	return rows
}

// TestASmallFileDoesNotAskForGigabytes crafts the head of a page that says that it has 2 GB.
func TestASmallFileDoesNotAskForGigabytes(t *testing.T) {
	good := small(t, 1, "x", parquet.Compression(&parquet.Uncompressed))
	for name, head := range map[string]format.PageHeader{
		"compressed":   {Type: format.DataPage, CompressedPageSize: math.MaxInt32, UncompressedPageSize: 1},
		"uncompressed": {Type: format.DataPage, UncompressedPageSize: math.MaxInt32},
		"values":       {Type: format.DataPage, DataPageHeader: thrift.Null[format.DataPageHeader]{Valid: true, V: format.DataPageHeader{NumValues: math.MaxInt32}}},
		"dictionary":   {Type: format.DictionaryPage, DictionaryPageHeader: thrift.Null[format.DictionaryPageHeader]{Valid: true, V: format.DictionaryPageHeader{NumValues: math.MaxInt32}}},
		"levels":       {Type: format.DataPageV2, DataPageHeaderV2: thrift.Null[format.DataPageHeaderV2]{Valid: true, V: format.DataPageHeaderV2{NumValues: math.MaxInt32, NumRows: math.MaxInt32}}},
	} {
		b := withHead(t, good, head)
		fuzzcheck.Within(t, len(b), 1<<20, func() {
			if _, err := frame.ParquetWithin("body.parquet", b, 32<<20); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), `column "a"`) || !strings.Contains(err.Error(), "body.parquet") {
				t.Errorf("%s: got %v, want an Invalid fault that names file and column", name, err)
			}
		})
	}
	foot := []byte("PAR1\x19\xfc\xff\xff\xff\xff\x07\x00\x07\x00\x00\x00PAR1") // a list of 2^31 parts
	fuzzcheck.Within(t, len(foot), 1<<20, func() {
		if _, err := frame.ParquetWithin("body.parquet", foot, 32<<20); !fault.Is(err, fault.Invalid) {
			t.Errorf("got %v", err)
		}
	})
}

// withHead puts head in the place of the first page's own.
func withHead(t *testing.T, file []byte, head format.PageHeader) []byte {
	t.Helper()
	f, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	meta := f.Metadata()
	var protocol thrift.CompactProtocol
	page, err := thrift.Marshal(&protocol, &head)
	if err != nil {
		t.Fatal(err)
	}
	for i := range meta.RowGroups[0].Columns {
		c := &meta.RowGroups[0].Columns[i].MetaData
		c.DataPageOffset, c.DictionaryPageOffset, c.TotalCompressedSize = 4, 0, int64(len(page))
	}
	foot, err := thrift.Marshal(&protocol, meta)
	if err != nil {
		t.Fatal(err)
	}
	out := slices.Concat([]byte("PAR1"), page, foot)
	return append(binary.LittleEndian.AppendUint32(out, uint32(len(foot))), "PAR1"...)
}

func TestAFileThatGrowsBeyondItsBoundIsRefused(t *testing.T) {
	for name, compression := range map[string]parquet.WriterOption{
		"snappy": parquet.Compression(&parquet.Snappy), "gzip": parquet.Compression(&parquet.Gzip), "zstd": parquet.Compression(&parquet.Zstd),
	} {
		b := small(t, 200, strings.Repeat("x", 1<<20), compression) // a text in the dictionary, 200 times in the rows
		in, err := frame.ParquetWithin("f.parquet", b, 32<<20)
		if err == nil {
			_, err = frame.ReadAll(in)
		}
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "memory") {
			t.Errorf("%s: got %v, want an Invalid fault", name, err)
		}
	}
	if _, err := frame.ParquetWithin("f.parquet", small(t, 1_000_000, "x", parquet.Compression(&parquet.Snappy)), 32<<20); !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v, want an Invalid fault", err)
	}
	if _, err := frame.ParquetWithin("f.parquet", small(t, 1_000_000, "x", parquet.Compression(&parquet.Snappy)), 256<<20); err != nil {
		t.Error(err)
	}
}

func TestOurOwnFilesAreReadWithinABound(t *testing.T) {
	var b bytes.Buffer
	rows := frame.New(frame.NumberColumn("a", []float64{1, math.NaN(), 2}), frame.TextColumn("b", []string{"x", "", "yy"}, []bool{false, true, false}),
		frame.TimeColumn("c", []int64{0, frame.NoTime, 3}))
	w, err := frame.NewParquetWriter(&b, rows.Fields())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(rows), w.Close()); err != nil {
		t.Fatal(err)
	}
	in, err := frame.ParquetWithin("f.parquet", b.Bytes(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	got, err := frame.ReadAll(in)
	if err != nil || !slices.Equal(got.Fields(), rows.Fields()) || !slices.Equal(got.Column("b").Text, rows.Column("b").Text) {
		t.Errorf("got %v, %v", got, err)
	}
}
