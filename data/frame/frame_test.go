// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"flyball/fault"
	"flyball/internal/fuzzcheck"
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

func TestACodeIsTextAndAQuantityIsANumber(t *testing.T) {
	for _, c := range []struct {
		value string
		want  Kind
	}{
		{"0", Number},
		{"-0.5", Number},
		{"+5", Number},
		{"1e3", Number},
		{"9007199254740991", Number},
		{"01", Text},
		{"-01", Text},
		{"+01", Text},
		{"9007199254740993", Text},
		{"+9007199254740993", Text},
		{"0x10", Text},
		{"1_000", Text},
		{"inf", Text},
		{"-Infinity", Text},
		{"1e400", Text},
		{"-", Text},
		{"1,5", Text},
		{"2016-05-03", Time},
		{"2016-05-03 14:00", Time},
		{"20160503", Number},
		{"03.05.2016", Time},
		{"03/05/2016", Text},
		{"3 May 2016", Time},
	} {
		f, err := readCSV(t, "a\n\""+c.value+"\"\n", nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Column("a").Kind; got != c.want {
			t.Errorf("%s: got %s, want %s", c.value, got, c.want)
		}
	}
}

func TestANumberColumnTakesNothingThatOnlyAProgramWouldWrite(t *testing.T) {
	for _, value := range []string{"inf", "0x10", "1_000", "1e400"} {
		_, err := readCSV(t, "a\n1\n"+value+"\n", map[string]Kind{"a": Number})
		if want := `a.csv:3: column "a": "` + value + `" is not a number`; err == nil || err.Error() != want {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestTrueAndFalseAreOneAndZeroWhereANumberIsWanted(t *testing.T) {
	f, err := readCSV(t, "a,b\ntrue,true\nFalse,False\n,\n", map[string]Kind{"a": Number})
	if err != nil {
		t.Fatal(err)
	}
	if a := f.Column("a"); a.Num[0] != 1 || a.Num[1] != 0 || !a.Missing(2) || f.Column("b").Kind != Text {
		t.Errorf("got %+v", f.Columns())
	}
}

func TestRowsComeInChunksAndAllOfThem(t *testing.T) {
	for _, n := range []int{0, 1, chunk, chunk + 1, 20 * chunk} {
		r, err := OpenBytes("a.csv", []byte("a\n"+strings.Repeat("7\n", n)), CSVOptions{})
		if err != nil {
			t.Fatal(err)
		}
		rows, chunks := 0, 0
		for {
			f, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil || f.Rows() > chunk || len(f.Columns()) != 1 || f.Rows() == 0 && n > 0 {
				t.Fatalf("%d rows: got %d rows of %d columns, %v", n, f.Rows(), len(f.Columns()), err)
			}
			rows += f.Rows()
			chunks++
		}
		if rows != n || chunks == 0 {
			t.Errorf("%d rows: got %d in %d chunks", n, rows, chunks)
		}
	}
}

func TestTheOneCSVInAnArchiveIsReadAndWhatAMacAddsIsNot(t *testing.T) {
	for _, c := range []struct {
		name  string
		files []string
		want  string // empty: it is read
	}{
		{"one and a Mac's shadow of it", []string{"__MACOSX/._a.csv", "a.csv", "README.md"}, ""},
		{"two", []string{"a.csv", "b.csv"}, "a.zip holds 2 CSV files; it must hold one"},
		{"none", []string{"README.md"}, "a.zip holds 0 CSV files; it must hold one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			z := zip.NewWriter(&b)
			for _, name := range c.files {
				w, err := z.Create(name)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := w.Write([]byte("a\n5\n")); err != nil {
					t.Fatal(err)
				}
			}
			if err := z.Close(); err != nil {
				t.Fatal(err)
			}
			r, err := OpenBytes("a.zip", b.Bytes(), CSVOptions{})
			if c.want != "" {
				if err == nil || err.Error() != c.want {
					t.Errorf("got %v, want %q", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if f, err := ReadAll(r); err != nil || f.Rows() != 1 || f.Column("a").Num[0] != 5 {
				t.Errorf("got %v, %v", f, err)
			}
		})
	}
}

func TestRowsPutTogetherKeepTheirNulls(t *testing.T) {
	a := New(TextColumn("s", []string{"x"}, nil), NumberColumn("n", []float64{1}))
	b := New(TextColumn("s", []string{"", "y"}, []bool{true, false}), NumberColumn("n", []float64{2, 3}))
	f, err := Concat(a, b, a)
	if err != nil {
		t.Fatal(err)
	}
	if s := f.Column("s"); !slices.Equal(s.Text, []string{"x", "", "y", "x"}) || !slices.Equal(s.Null, []bool{false, true, false, false}) {
		t.Errorf("text: got %q, %v", s.Text, s.Null)
	}
	if n := f.Column("n").Num; !slices.Equal(n, []float64{1, 2, 3, 1}) {
		t.Errorf("numbers: got %v", n)
	}
	if _, err := Concat(a, New(NumberColumn("n", nil))); !fault.Is(err, fault.Invalid) {
		t.Errorf("other columns: got %v, want an Invalid fault", err)
	}
}

func TestATimeIsReadInEveryFormOfISO8601ThatPeopleWrite(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"2012-01-01", "2012-01-01T00:00:00Z"},
		{"2012-01-01T05:06", "2012-01-01T05:06:00Z"},
		{"2012-01-01 05:06", "2012-01-01T05:06:00Z"},
		{"2012-01-01T05:06:07", "2012-01-01T05:06:07Z"},
		{"2012-01-01T05:06:07.123456789Z", "2012-01-01T05:06:07.123456Z"},
		{"2012-01-01 05:06:07.5+02:00", "2012-01-01T03:06:07.5Z"},
		{"2012-01-01T00:00-05:00", "2012-01-01T05:00:00Z"},
		{"1969-12-31T23:59:59.9999999Z", "1969-12-31T23:59:59.999999Z"},
		{"2012-13-01", ""},
		{"2012-02-30", ""},
		{"2012-01-01T", ""},
		{"2012-01-01T24:00", ""},
		{"2012-1-1", ""},
		{"01.02.2012", ""},
		{"now", ""},
		{"", ""},
		{"2012-01-01T00:00+", ""},
		{"2012-01-01Z", ""},
	} {
		us, err := ParseTime(c.text)
		if c.want == "" {
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("%q: got %d, %v, want an Invalid fault", c.text, us, err)
			}
			continue
		}
		if got := time.UnixMicro(us).UTC().Format(time.RFC3339Nano); err != nil || got != c.want {
			t.Errorf("%q: got %s, %v, want %s", c.text, got, err, c.want)
		}
	}
}

func FuzzATimeIsReadAsGoReadsIt(f *testing.F) {
	for _, s := range []string{"2012-01-01", "2012-01-01T00:00-05:00", "2012-01-01 00:00:00.5Z", "2012-01-01T00:00:00+14:00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseTime(s)
		want, goErr := time.Parse(time.RFC3339Nano, s)
		if goErr == nil && len(s) <= 40 && (err != nil || got != want.UnixMicro()) {
			t.Errorf("%q: got %d, %v, want %d", s, got, err, want.UnixMicro())
		}
		if err == nil && got == NoTime {
			t.Errorf("%q is read as no time", s)
		}
	})
}

func FuzzACSVIsReadOrRefused(f *testing.F) {
	for _, s := range []string{"a,b\n1,x\n", "a\n\"x\ny\"\n", "a,a\n", "\xef\xbb\xbfa\r\n2012-01-01\r\n\r\n", "a\n\"", "a,b\n1\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		fuzzcheck.Within(t, len(text), 1<<18, func() { _, _ = readCSV(t, text, nil) })
		got, err := readCSV(t, text, nil)
		if err != nil {
			if !fault.Is(err, fault.Invalid) || !strings.HasPrefix(err.Error(), "a.csv") {
				t.Errorf("got %v, want an Invalid fault that names the file", err)
			}
			return
		}
		if rows := strings.Count(text, "\n") + strings.Count(text, "\r") + 1; got.Rows() > rows {
			t.Errorf("%d rows of %d lines", got.Rows(), rows)
		}
		for _, c := range got.Columns() {
			for _, x := range c.Num {
				if math.IsInf(x, 0) {
					t.Errorf("column %q holds %v", c.Name, x)
				}
			}
		}
	})
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
		{"NaN as text", `{"n":"NaN","s":"a"}`, `row 0, column "n": "NaN" is not a number`},
		{"an object for text", `{"n":1,"s":{"a":1}}`, `row 0, column "s": {"a":1} is not a text`},
		{"a key twice, once in escapes", `{"n":1,"\u006e":2,"s":"a"}`, `row 0: column "n" stands twice`},
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

func TestColumnsAreFoundInWhateverOrderAndNumberTheyAreSent(t *testing.T) {
	for _, n := range []int{1, 2, few, few + 1, 60} {
		var opts DecodeOptions
		forward, backward := "{", "{"
		for i := range n {
			name := "c" + strconv.Itoa(i)
			opts.Required = append(opts.Required, Field{name, Number})
			forward += `"` + name + `":` + strconv.Itoa(i) + `,"other":0,`
			backward += `"c` + strconv.Itoa(n-1-i) + `":` + strconv.Itoa(n-1-i) + `,`
		}
		rows := []json.RawMessage{json.RawMessage(forward + `"x":0}`), json.RawMessage(backward + `"x":0}`)}
		f, err := DecodeRows(rows, opts)
		if err != nil {
			t.Fatalf("%d columns: %v", n, err)
		}
		for i, c := range f.Columns() {
			if !slices.Equal(c.Num, []float64{float64(i), float64(i)}) {
				t.Errorf("%d columns: %s is %v", n, c.Name, c.Num)
			}
		}
	}
}

func TestAKeyThatIsANumberKeepsTheTextThatWasSent(t *testing.T) {
	f, err := DecodeRows([]json.RawMessage{json.RawMessage(`{"id":9007199254740993}`), json.RawMessage(`{"id":1.50}`)},
		DecodeOptions{Required: []Field{{"id", Text}}, Loose: true})
	if err != nil || !slices.Equal(f.Column("id").Text, []string{"9007199254740993", "1.50"}) {
		t.Errorf("got %v, %v", f, err)
	}
}

func FuzzDecodeRowsAgreesWithEncodingJSON(f *testing.F) {
	for _, s := range []string{`{"n":1,"s":"a"}`, `{"n":-0.5e-3,"s":"\\\"","x":[{"y":"}"}]}`, `{}`, `{"n":01}`, "{\"s\":\"\xff\"}", `{"n":1,"s":"\ud800"}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got *Frame
		var err error
		fuzzcheck.Within(t, len(s), 1<<16, func() {
			got, err = DecodeRows([]json.RawMessage{json.RawMessage(s)}, DecodeOptions{Optional: []Field{{"n", Number}, {"s", Text}}})
		})
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
