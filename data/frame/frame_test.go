// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"math"
	"strings"
	"testing"
)

func readCSV(t *testing.T, text string, kinds map[string]Kind) (*Frame, error) {
	t.Helper()
	r, err := OpenBytes("a.csv", []byte(text), CSVOptions{Kinds: kinds})
	if err != nil {
		return nil, err
	}
	return ReadAll(r)
}

func TestAColumnsKindIsInferredOverTheWholeFile(t *testing.T) {
	f, err := readCSV(t, "\xef\xbb\xbfn,late,zip,big,day,gone\n1,1,01234,9007199254740993,2016-01-02,\n,x,99999,2,NA,\n-2.5e1,3,00000,3,2016-01-02 03:04,\n", nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []Field{{"n", Number}, {"late", Text}, {"zip", Text}, {"big", Text}, {"day", Time}, {"gone", Number}}
	for i, got := range f.Fields() {
		if got != want[i] {
			t.Errorf("column %d: got %v, want %v", i, got, want[i])
		}
	}
	if n := f.Column("n"); n.Num[0] != 1 || !n.Missing(1) || n.Num[2] != -25 {
		t.Errorf("numbers: got %v", n.Num)
	}
	if d := f.Column("day"); d.Format(0) != "2016-01-02T00:00:00Z" || !d.Missing(1) || d.Format(2) != "2016-01-02T03:04:00Z" {
		t.Errorf("times: got %v", d.Time)
	}
}

func TestABadCSVIsToldWithFileLineColumnAndValue(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a ragged row", "a,b\n1,2\n3\n", "a.csv:3: 1 values, the head has 2 columns"},
		{"a bad quote", "a,b\n1,\"x\ny\n", `a.csv:`},
		{"a text in a number column", "a,n\n1,2\n1,many\n", `a.csv:3: column "n": "many" is not a number`},
		{"a column twice", "a,a\n1,2\n", `a.csv: the column "a" stands twice`},
		{"a column without a name", "a,\n1,2\n", "a.csv: column 2 has no name"},
		{"an empty file", "", "a.csv is empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := readCSV(t, c.text, map[string]Kind{"n": Number})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestAGzippedFileReadsLikeThePlainOne(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte("a\n1\n2\n")); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := OpenBytes("a.csv.gz", b.Bytes(), CSVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := ReadAll(r)
	if err != nil || f.Rows() != 2 || f.Column("a").Num[1] != 2 {
		t.Errorf("got %v, %v", f, err)
	}
}

func TestRowsComeBackFromParquetAsTheyWere(t *testing.T) {
	f := New(
		NumberColumn("z", []float64{1, math.NaN(), 0.1}),
		TextColumn("a", []string{"x", "", ""}, []bool{false, true, false}),
		TimeColumn("t", []int64{1, NoTime, 1456999999123456}),
	)
	write := func() []byte {
		var b bytes.Buffer
		w, err := NewParquetWriter(&b, f.Fields())
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(f); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	raw := write()
	if !bytes.Equal(raw, write()) {
		t.Error("the same rows gave other bytes")
	}
	r, err := OpenParquet("x.parquet", bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if got.Rows() != 3 || got.Columns()[0].Name != "z" || got.Columns()[2].Name != "t" {
		t.Fatalf("got %d rows of %v", got.Rows(), got.Fields())
	}
	for i, c := range f.Columns() {
		d := got.Columns()[i]
		for r := range 3 {
			if c.Missing(r) != d.Missing(r) || c.Format(r) != d.Format(r) {
				t.Errorf("%s, row %d: got %q, want %q", c.Name, r, d.Format(r), c.Format(r))
			}
		}
	}
}

func TestARowThatDoesNotFitIsToldWithItsColumn(t *testing.T) {
	opts := DecodeOptions{Required: []Field{{"n", Number}, {"s", Text}}, Optional: []Field{{"t", Time}}}
	for _, c := range []struct{ name, row, want string }{
		{"an absent column", `{"n":1}`, `row 0: column "s" is absent`},
		{"text for a number", `{"n":"1","s":""}`, `row 0, column "n": "1" is not a number`},
		{"a number for text", `{"n":1,"s":2}`, `row 0, column "s": 2 is not a text`},
		{"a list for a number", `{"n":[1],"s":"a"}`, `row 0, column "n": [1] is not a number`},
		{"a number too large", `{"n":1e999,"s":"a"}`, `row 0, column "n": 1e999 is not a number`},
		{"a wrong time", `{"n":1,"s":"a","t":"soon"}`, `"soon" is not a time`},
		{"a key twice", `{"n":1,"n":2,"s":"a"}`, `row 0: column "n" stands twice`},
		{"NaN", `{"n":NaN,"s":"a"}`, "row 0 is not valid JSON"},
		{"trailing text", `{"n":1,"s":"a"} x`, "row 0 is not valid JSON"},
		{"half an object", `{"n":1,`, "row 0 is not valid JSON"},
		{"not an object", `[1]`, "row 0 is not a JSON object"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := DecodeRows([]json.RawMessage{json.RawMessage(c.row)}, opts)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestNullIsMissingAndOtherKeysAreIgnored(t *testing.T) {
	f, err := DecodeRows([]json.RawMessage{
		json.RawMessage(` { "n" : null, "x":{"a":["}"]}, "s":"a\u00e9b", "t":"2012-03-04T05:06-05:00" } `),
		json.RawMessage(`{"s":null,"n":true}`),
	}, DecodeOptions{Required: []Field{{"n", Number}, {"s", Text}}, Optional: []Field{{"t", Time}}})
	if err != nil {
		t.Fatal(err)
	}
	if !f.Column("n").Missing(0) || f.Column("n").Num[1] != 1 || f.Column("s").Text[0] != "aéb" || !f.Column("s").Missing(1) {
		t.Errorf("got %+v", f.Columns())
	}
	if got := f.Column("t").Format(0); got != "2012-03-04T10:06:00Z" {
		t.Errorf("time: got %s", got)
	}
}

func FuzzDecodeRowsAgreesWithEncodingJSON(f *testing.F) {
	for _, s := range []string{`{"n":1,"s":"a"}`, `{"n":-0.5e-3,"s":"\\\"","x":[{"y":"}"}]}`, `{}`, `{"n":01}`, "{\"s\":\"\xff\"}", `{"n":1,"s":"\ud800"}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := DecodeRows([]json.RawMessage{json.RawMessage(s)}, DecodeOptions{Optional: []Field{{"n", Number}, {"s", Text}}})
		var want map[string]any
		jsonErr := json.Unmarshal([]byte(s), &want)
		if err == nil && jsonErr != nil {
			t.Fatalf("read %q, which is not JSON: %v", s, jsonErr)
		}
		if err != nil {
			return
		}
		if x, ok := want["n"].(float64); ok && got.Column("n").Num[0] != x {
			t.Errorf("%q: got %v, want %v", s, got.Column("n").Num[0], x)
		}
		if x, ok := want["s"].(string); ok && got.Column("s").Text[0] != x {
			t.Errorf("%q: got %q, want %q", s, got.Column("s").Text[0], x)
		}
	})
}

func BenchmarkDecodeOneRow(b *testing.B) {
	row := []json.RawMessage{json.RawMessage(`{"ts":"2012-03-04T05:00-05:00","hr":5,"weekday":0,"holiday":0,"workingday":0,"weathersit":1,"temp":0.3,"atemp":0.31,"hum":0.5,"windspeed":0.1,"lag24":12,"lag168":null}`)}
	var opts DecodeOptions
	for _, n := range []string{"hr", "weekday", "holiday", "workingday", "weathersit", "temp", "atemp", "hum", "windspeed", "lag24", "lag168"} {
		opts.Required = append(opts.Required, Field{n, Number})
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeRows(row, opts); err != nil {
			b.Fatal(err)
		}
	}
}
