// SPDX-License-Identifier: Apache-2.0

package frame_test

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"testing"

	"github.com/parquet-go/parquet-go"

	"flyball/data/frame"
	"flyball/fault"
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
	f.Fuzz(func(t *testing.T, b []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		readSome(t, b)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > uint64(64*len(b))+64<<20 {
			t.Errorf("reading %d bytes took %d bytes of memory", len(b), took)
		}
	})
}

// readSome reads the first chunks of a file.
func readSome(t *testing.T, b []byte) {
	r, err := frame.OpenBytes("f.parquet", b, frame.CSVOptions{})
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
