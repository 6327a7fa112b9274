// SPDX-License-Identifier: Apache-2.0

package frame_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"

	"flyball/data/frame"
	"flyball/fault"
)

// nasty is a file as people have them.
type nasty struct {
	name string
	file string // its name, which says what it is
	raw  []byte
	opts frame.CSVOptions

	want string // a table: the kinds, and the rows with | between values and ∅ for none
	err  string // or what the error says, which is all there is then
}

func nastyCSV() []nasty {
	number := map[string]frame.Kind{"n": frame.Number}
	return []nasty{
		{name: "a mark of UTF-8", raw: []byte("\xef\xbb\xbfa,b\n1,x\n"), want: "a:number b:text\n1|x"},
		{name: "UTF-16, the lower byte first", raw: wide("a;b\r\nÄ;1\r\n", false), want: "a:text b:number\nÄ|1"},
		{name: "UTF-16, the upper byte first", raw: wide("a\tb\nß\t2\n", true), want: "a:text b:number\nß|2"},
		{name: "UTF-16 without a mark", raw: wide("a,b\n1,2\n", false)[2:], err: "a.csv:1: a byte that is zero"},
		{name: "Windows-1252 that is declared", raw: []byte("city;n\nK\xf6ln;1\n"), opts: frame.CSVOptions{Encoding: "windows-1252"}, want: "city:text n:number\nKöln|1"},
		{name: "Windows-1252 that is not", raw: []byte("city;n\nBonn;1\nK\xf6ln;1\n"), err: `a.csv:3: "K\xf6ln" is not UTF-8`},
		{name: "an encoding that there is not", raw: []byte("a\n1\n"), opts: frame.CSVOptions{Encoding: "klingon"}, err: `"klingon" is not an encoding`},
		{name: "semicolons and decimal commas", raw: []byte("a;b\n1,5;x\n-2,25;y\n3;z\n"), want: "a:number b:text\n1.5|x\n-2.25|y\n3|z"},
		{name: "points and commas in one file", raw: []byte("a;b\n1,5;1.5\n"), err: `a.csv: column "a" has a decimal comma (line 2), and column "b" a decimal point (line 2)`},
		{name: "points and commas, and a word for it", raw: []byte("a;b\n1,5;1.5\n"), opts: frame.CSVOptions{Decimal: ","}, want: "a:number b:text\n1.5|1.5"},
		{name: "a decimal comma in quotes", raw: []byte("a,b\n\"1,5\",2\n"), want: "a:text b:number\n1,5|2"},
		{name: "a decimal comma in quotes that is declared", raw: []byte("a,b\n\"1,5\",2\n"), opts: frame.CSVOptions{Decimal: ","}, want: "a:number b:number\n1.5|2"},
		{name: "tabs", raw: []byte("a\tb\n1\tx y\n"), want: "a:number b:text\n1|x y"},
		{name: "bars", raw: []byte("a|b|c\n1|2|3\n"), want: "a:number b:number c:number\n1|2|3"},
		{name: "Excel's line of its separator", raw: []byte("sep=|\r\na|b\r\n1|2,5\r\n"), want: "a:number b:number\n1|2.5"},
		{name: "commas in text of a file of semicolons", raw: []byte("a;b\nx, y, z;1\nu, v;2\n"), want: "a:text b:number\nx, y, z|1\nu, v|2"},
		{name: "lines that end in a carriage return", raw: []byte("a,b\r1,x\r2,y\r"), want: "a:number b:text\n1|x\n2|y"},
		{name: "no end of the last line, and empty lines", raw: []byte("a,b\r\n\r\n1,x\n\n\n2,y"), want: "a:number b:text\n1|x\n2|y"},
		{name: "quotes, quotes in them, and lines in them", raw: []byte("a,b\n\"say \"\"hi\"\"\",1\n\"two\nlines\",2\n\"\",3\n"), want: "a:text b:number\nsay \"hi\"|1\ntwo\nlines|2\n∅|3"},
		{name: "a quote that is never closed", raw: []byte("a,b\nx,1\n\"y,2\nz,3\n"), err: "a.csv:3:1: the quote that opens here is never closed"},
		{name: "a quote within a value", raw: []byte("a,b\n5\" pipe,1\n"), err: "a.csv:2:2: a quote in a value that does not begin with one"},
		{name: "text behind a closing quote", raw: []byte("a,b\n\"x\"y,1\n"), err: "a.csv:2:4: a value goes on after its closing quote"},
		{name: "too few values", raw: []byte("a,b\n1,2\n\"l\n2\",3\n4\n"), err: "a.csv:5: 1 values, the head has 2 columns"},
		{name: "too many values", raw: []byte("a,b\n1,2,3\n"), err: "a.csv:2: 3 values, the head has 2 columns"},
		{name: "a zero byte", raw: []byte("a,b\n1,2\n3,x\x00y\n"), err: "a.csv:3: a byte that is zero"},
		{name: "a column twice", raw: []byte("a,b, a\n1,2,3\n"), err: `a.csv: the column "a" stands twice`},
		{name: "the index that pandas writes", raw: []byte(",a\n0,1\n"), err: "a.csv: column 1 has no name"},
		{name: "a delimiter at the end of each line", raw: []byte("a;\n1;\n"), err: "a.csv: column 2 has no name"},
		{name: "zeros that lead", raw: []byte("zip,n\n01069,1\n80331,0.5\n"), want: "zip:text n:number\n01069|1\n80331|0.5"},
		{name: "numbers that float64 does not hold", raw: []byte("id,n\n9007199254740993,9007199254740992\n1,2\n"), opts: frame.CSVOptions{Kinds: map[string]frame.Kind{"n": frame.Number}}, want: "id:text n:number\n9007199254740993|9.007199254740992e+15\n1|2"},
		{name: "every word for nothing", raw: []byte("a,b\nNA,1\nnull,NaN\n,nan\nN/A,NULL\nx,None\n"), want: "a:text b:number\n∅|1\n∅|∅\n∅|∅\n∅|∅\nx|∅"},
		{name: "a word for nothing that is declared", raw: []byte("a,b\nNA,-999\n-,3\n"), opts: frame.CSVOptions{Missing: []string{"-999", "-"}}, want: "a:text b:number\nNA|∅\n∅|3"},
		{name: "blanks about values", raw: []byte("a , b\n 1,x \n2 ,   \n  ,y\n"), want: "a:number b:text\n1|x \n2|   \n∅|y"},
		{name: "times in several forms", raw: []byte("t\n2016-05-03\n2016-05-03 14:00\n2016-05-03T14:00:00.25+02:00\n2016-05-03 14:00:00 UTC\n03.05.2016 14:00\n3 May 2016\n2016/05/03\n"), want: "t:time\n2016-05-03T00:00:00Z\n2016-05-03T14:00:00Z\n2016-05-03T12:00:00.25Z\n2016-05-03T14:00:00Z\n2016-05-03T14:00:00Z\n2016-05-03T00:00:00Z\n2016-05-03T00:00:00Z"},
		{name: "days and months that may be confused", raw: []byte("t\n03/05/2016\n"), want: "t:text\n03/05/2016"},
		{name: "the same, wanted as times", raw: []byte("t,x\n2016-05-03,1\n03/05/2016,1\n"), opts: frame.CSVOptions{Kinds: map[string]frame.Kind{"t": frame.Time}}, err: `a.csv:3: column "t": "03/05/2016" is not a time`},
		{name: "a zone, and the hours that clocks skip and repeat", raw: []byte("t\n2016-07-01 12:00\n2016-03-27 02:30\n2016-10-30 02:30\n2016-07-01 12:00Z\n2016-07-01\n"), opts: frame.CSVOptions{Zone: "Europe/Berlin"}, want: "t:time\n2016-07-01T10:00:00Z\n2016-03-27T01:30:00Z\n2016-10-30T00:30:00Z\n2016-07-01T12:00:00Z\n2016-07-01T00:00:00Z"},
		{name: "a zone that there is not", raw: []byte("t\n2016-07-01 12:00\n"), opts: frame.CSVOptions{Zone: "../../etc/passwd"}, err: `"../../etc/passwd" is not a time zone`},
		{name: "a number that turns to text in the last line", raw: []byte("n\n" + strings.Repeat("1\n", 20_000) + "many\n"), want: "n:text\n" + strings.Repeat("1\n", 20_000) + "many"},
		{name: "the same, pinned", raw: []byte("n\n" + strings.Repeat("1\n", 20_000) + "many\n"), opts: frame.CSVOptions{Kinds: number}, err: `a.csv:20002: column "n": "many" is not a number`},
		{name: "a value of a million letters", raw: []byte("a,b\n" + strings.Repeat("x", 1_000_000) + ",1\n"), want: "a:text b:number\n" + strings.Repeat("x", 1_000_000) + "|1"},
		{name: "a record longer than any", raw: []byte("a,b\n\"" + strings.Repeat("x", 17<<20) + "\",1\n"), err: "a.csv:2: the record that begins here is longer than 16 MB"},
		{name: "infinities and hexadecimal", raw: []byte("a,b\ninf,0x10\n"), want: "a:text b:text\ninf|0x10"},
		{name: "true and false", raw: []byte("a,n\ntrue,true\nFalse,False\n"), opts: frame.CSVOptions{Kinds: number}, want: "a:text n:number\ntrue|1\nFalse|0"},
		{name: "nothing", raw: nil, err: "a.csv is empty"},
		{name: "a head alone", raw: []byte("a,b\n"), want: "a:number b:number"},
		{name: "gzip, whatever its name", raw: packed("a\n1\n"), want: "a:number\n1"},
		{name: "gzip that is cut off", file: "a.csv.gz", raw: packed("a\n1\n")[:12], err: "a.csv.gz is cut off"},
		{name: "no gzip", file: "a.csv.gz", raw: []byte("a\n1\n"), err: "a.csv.gz is not a gzip file"},
		{name: "Zstandard", file: "a.csv.zst", raw: zstandard("a,b\n1,x\n"), want: "a:number b:text\n1|x"},
		{name: "Zstandard that is cut off", file: "a.csv.zst", raw: zstandard("a,b\n1,x\n")[:14], err: "a.csv.zst "},
		{name: "zip", file: "a.zip", raw: zipped("data/A.CSV", "a,b\n1,x\n"), want: "a:number b:text\n1|x"},
		{name: "a workbook", file: "a.xlsx", raw: zipped("[Content_Types].xml", "<x/>"), err: "a.xlsx is a workbook of a spreadsheet"},
		{name: "a Parquet file named CSV", raw: parquetOf(parquet.Group{"a": parquet.Leaf(parquet.DoubleType)}, parquet.DoubleValue(1)), err: "a.csv is a Parquet file"},
	}
}

func nastyParquet() []nasty {
	return []nasty{
		{name: "fields of a group", raw: parquetOf(parquet.Group{"a": parquet.Group{"b": parquet.Leaf(parquet.DoubleType), "c": parquet.String()}}, parquet.DoubleValue(1), parquet.ByteArrayValue([]byte("x"))), want: "a.b:number a.c:text\n1|x"},
		{name: "a list", raw: parquetOf(parquet.Group{"a": parquet.List(parquet.Leaf(parquet.DoubleType))}, parquet.DoubleValue(1)), err: `a.parquet: column "a" is nested`},
		{name: "repeated values", raw: parquetOf(parquet.Group{"a": parquet.Repeated(parquet.Leaf(parquet.DoubleType))}, parquet.DoubleValue(1)), err: `a.parquet: column "a" is nested`},
		{name: "BSON", raw: parquetOf(parquet.Group{"a": parquet.BSON()}, parquet.ByteArrayValue([]byte("x"))), err: `a.parquet: column "a" has the type BSON`},
		{name: "bytes that are no text", raw: parquetOf(parquet.Group{"a": parquet.Leaf(parquet.ByteArrayType)}, parquet.ByteArrayValue([]byte("\xff\xfe"))), err: `a.parquet: row 1: column "a": "\xff\xfe" is not UTF-8`},
		{name: "text that is wanted as numbers", raw: parquetOf(parquet.Group{"n": parquet.String()}, parquet.ByteArrayValue([]byte(" 1.5"))), opts: frame.CSVOptions{Kinds: map[string]frame.Kind{"n": frame.Number}}, want: "n:number\n1.5"},
		{name: "text that is not one", raw: parquetOf(parquet.Group{"n": parquet.String()}, parquet.ByteArrayValue([]byte("many"))), opts: frame.CSVOptions{Kinds: map[string]frame.Kind{"n": frame.Number}}, err: `a.parquet: row 1: column "n": "many" is not a number`},
		{name: "codes that are wanted as text", raw: parquetOf(parquet.Group{"n": parquet.Int(64)}, parquet.Int64Value(-9_007_199_254_740_993)), opts: frame.CSVOptions{Kinds: map[string]frame.Kind{"n": frame.Text}}, want: "n:text\n-9007199254740993"},
		{name: "codes that are wanted as numbers", raw: parquetOf(parquet.Group{"n": parquet.Int(64)}, parquet.Int64Value(-9_007_199_254_740_993)), opts: frame.CSVOptions{Kinds: map[string]frame.Kind{"n": frame.Number}}, err: `a.parquet: row 1: column "n": -9007199254740993 is beyond 2^53`},
		{name: "a date that is wanted as text", raw: parquetOf(parquet.Group{"n": parquet.Date()}, parquet.Int32Value(1)), opts: frame.CSVOptions{Kinds: map[string]frame.Kind{"n": frame.Text}}, want: "n:text\n1970-01-02T00:00:00Z"},
		{name: "a number that is wanted as a time", raw: parquetOf(parquet.Group{"n": parquet.Leaf(parquet.DoubleType)}, parquet.DoubleValue(1)), opts: frame.CSVOptions{Kinds: map[string]frame.Kind{"n": frame.Time}}, err: `a.parquet: column "n" is of kind number, and time is wanted`},
		{name: "a moment beyond all", raw: parquetOf(parquet.Group{"t": parquet.Timestamp(parquet.Millisecond)}, parquet.Int64Value(1<<62)), err: `a.parquet: row 1: column "t": `},
		{name: "the same column from a group and by itself", raw: parquetOf(parquet.Group{"a": parquet.Group{"b": parquet.Leaf(parquet.DoubleType)}, "a.b": parquet.Leaf(parquet.DoubleType)}, parquet.DoubleValue(1), parquet.DoubleValue(2)), err: `a.parquet: the column "a.b" stands twice`},
		{name: "a file that is cut off", raw: parquetOf(parquet.Group{"a": parquet.Leaf(parquet.DoubleType)}, parquet.DoubleValue(1))[:60], err: "a.parquet is not a Parquet file"},
		{name: "a CSV file named Parquet", raw: []byte("a,b\n1,2\n"), err: "a.parquet is not a Parquet file"},
	}
}

// TestANastyFileIsTheRightTableOrIsRefusedWithItsPlace reads each as a whole; one that is
// refused is refused as a whole.
func TestANastyFileIsTheRightTableOrIsRefusedWithItsPlace(t *testing.T) {
	all := nastyCSV()
	for i := range all {
		if all[i].file == "" {
			all[i].file = "a.csv"
		}
	}
	for _, c := range nastyParquet() {
		c.file = "a.parquet"
		all = append(all, c)
	}
	for _, c := range all {
		t.Run(c.name, func(t *testing.T) {
			got, err := table(c)
			switch {
			case c.err != "" && (err == nil || !fault.Is(err, fault.Invalid) || !strings.HasPrefix(err.Error(), c.err)):
				t.Errorf("got %.200v, want %q", err, c.err)
			case c.err == "" && err != nil:
				t.Error(err)
			case c.err == "" && got != c.want:
				t.Errorf("got\n%.400s\nwant\n%.400s", got, c.want)
			}
		})
	}
}

func table(c nasty) (string, error) {
	r, err := frame.OpenBytes(c.file, c.raw, c.opts)
	if err != nil {
		return "", err
	}
	f, err := frame.ReadAll(r)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for i, field := range f.Fields() {
		b.WriteString(strings.Repeat(" ", min(i, 1)) + field.Name + ":" + field.Kind.String())
	}
	for row := range f.Rows() {
		b.WriteByte('\n')
		for i, col := range f.Columns() {
			text := col.Format(row)
			if col.Missing(row) {
				text = "∅"
			}
			b.WriteString(strings.Repeat("|", min(i, 1)) + text)
		}
	}
	return b.String(), nil
}

// wide is text in UTF-16 with its mark.
func wide(text string, upperFirst bool) []byte {
	var b []byte
	for _, u := range append([]uint16{0xfeff}, utf16.Encode([]rune(text))...) {
		if upperFirst {
			b = append(b, byte(u>>8), byte(u))
		} else {
			b = append(b, byte(u), byte(u>>8))
		}
	}
	return b
}

func packed(text string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := io.WriteString(z, text)
	if err = errors.Join(err, z.Close()); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func zstandard(text string) []byte {
	z, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err)
	}
	defer z.Close()
	return z.EncodeAll([]byte(text), nil)
}

func zipped(name, text string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(name)
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	if err = errors.Join(err, z.Close()); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// parquetOf is a file of one row.
func parquetOf(group parquet.Group, values ...parquet.Value) []byte {
	var b bytes.Buffer
	w := parquet.NewWriter(&b, parquet.NewSchema("rows", group))
	row := make(parquet.Row, len(values))
	for i, v := range values {
		row[i] = v.Level(0, 0, i)
	}
	_, err := w.WriteRows([]parquet.Row{row})
	if err = errors.Join(err, w.Close()); err != nil {
		panic(err)
	}
	return b.Bytes()
}
