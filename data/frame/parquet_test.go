// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"

	"flyball/fault"
)

// foreign is a file of one row that another program might have written.
func foreign(t testing.TB, order string, group parquet.Group, values ...parquet.Value) []byte {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewWriter(&b, parquet.NewSchema("rows", group), parquet.KeyValueMetadata("flyball.order", order))
	row := make(parquet.Row, len(values))
	for i, v := range values {
		row[i] = v.Level(0, 0, i)
	}
	if _, err := w.WriteRows([]parquet.Row{row}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func readParquet(raw []byte) (*Frame, error) {
	r, err := OpenParquet("x.parquet", bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return nil, err
	}
	return ReadAll(r)
}

func TestAParquetFileOfAnotherProgramIsRead(t *testing.T) {
	moment := time.Date(2016, 5, 3, 14, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name  string
		node  parquet.Node
		value parquet.Value
		kind  Kind
		want  string
	}{
		{"a decimal in bytes", parquet.Decimal(2, 9, parquet.ByteArrayType), parquet.ByteArrayValue([]byte{0x30, 0x39}), Number, "123.45"},
		{"a negative decimal in fixed bytes", parquet.Decimal(2, 9, parquet.FixedLenByteArrayType(4)), parquet.FixedLenByteArrayValue([]byte{0xff, 0xff, 0xcf, 0xc7}), Number, "-123.45"},
		{"a decimal in 32 bits", parquet.Decimal(2, 9, parquet.Int32Type), parquet.Int32Value(29), Number, "0.29"},
		{"an unsigned 32-bit number", parquet.Uint(32), parquet.Int32Value(-1), Number, "4.294967295e+09"},
		{"a whole number", parquet.Int(64), parquet.Int64Value(-7), Number, "-7"},
		{"a boolean", parquet.Leaf(parquet.BooleanType), parquet.BooleanValue(true), Number, "1"},
		{"a date", parquet.Date(), parquet.Int32Value(-1), Time, "1969-12-31T00:00:00Z"},
		{"milliseconds", parquet.Timestamp(parquet.Millisecond), parquet.Int64Value(moment.UnixMilli()), Time, "2016-05-03T14:00:00Z"},
		{"nanoseconds before 1970", parquet.Timestamp(parquet.Nanosecond), parquet.Int64Value(-1), Time, "1969-12-31T23:59:59.999999Z"},
		{"a time as Spark once wrote it", parquet.Leaf(parquet.Int96Type), parquet.Int96Value(deprecated.Int96{3_600_000_000 & math.MaxUint32, 0, 2_440_589}), Time, "1970-01-02T00:00:03.6Z"},
		{"text", parquet.String(), parquet.ByteArrayValue([]byte("é")), Text, "é"},
		{"a word of a set", parquet.Enum(), parquet.ByteArrayValue([]byte("red")), Text, "red"},
		{"JSON", parquet.JSON(), parquet.ByteArrayValue([]byte(`{"a":1}`)), Text, `{"a":1}`},
		{"bytes that are text", parquet.Leaf(parquet.ByteArrayType), parquet.ByteArrayValue([]byte("x")), Text, "x"},
		{"a UUID", parquet.UUID(), parquet.FixedLenByteArrayValue([]byte("\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef")), Text, "01234567-89ab-cdef-0123-456789abcdef"},
		{"a time of day", parquet.Time(parquet.Millisecond), parquet.Int32Value(1500), Number, "1.5"},
		{"a time of day in nanoseconds", parquet.Time(parquet.Nanosecond), parquet.Int64Value(3_600_000_000_000), Number, "3600"},
		{"a whole number that float64 does not hold", parquet.Int(64), parquet.Int64Value(9_007_199_254_740_993), Text, "9007199254740993"},
		{"the largest unsigned number", parquet.Uint(64), parquet.Int64Value(-1), Text, "18446744073709551615"},
		{"a small unsigned number", parquet.Uint(64), parquet.Int64Value(7), Number, "7"},
		{"microseconds", parquet.Timestamp(parquet.Microsecond), parquet.Int64Value(1), Time, "1970-01-01T00:00:00.000001Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := readParquet(foreign(t, "", parquet.Group{"a": c.node}, c.value))
			if err != nil {
				t.Fatal(err)
			}
			if got := f.Column("a"); got.Kind != c.kind || got.Format(0) != c.want {
				t.Errorf("got %s %q, want %s %q", got.Kind, got.Format(0), c.kind, c.want)
			}
		})
	}
}

func TestAnOrderOfColumnsThatIsNotOursIsPassedOver(t *testing.T) {
	leaf := parquet.Leaf(parquet.DoubleType)
	for _, order := range []string{"b\nb", "b", "", "b\nc\na\nb", "\n"} {
		f, err := readParquet(foreign(t, order, parquet.Group{"a": leaf, "b": leaf}, parquet.DoubleValue(1), parquet.DoubleValue(2)))
		if err != nil {
			t.Fatalf("order %q: %v", order, err)
		}
		if f.Column("a").Num[0] != 1 || f.Column("b").Num[0] != 2 {
			t.Errorf("order %q: got %+v", order, f.Columns())
		}
	}
}

func TestWhatIsNotAFlatTableIsRefused(t *testing.T) {
	nested := foreign(t, "", parquet.Group{"a": parquet.List(parquet.Leaf(parquet.DoubleType))}, parquet.DoubleValue(1))
	whole := foreign(t, "", parquet.Group{"a": parquet.Leaf(parquet.DoubleType)}, parquet.DoubleValue(1))
	for _, c := range []struct {
		name string
		raw  []byte
		want string
	}{
		{"a nested column", nested, `x.parquet: column "a" is nested`},
		{"half a file", whole[:len(whole)/2], "x.parquet is not a Parquet file"},
		{"no bytes", nil, "x.parquet is not a Parquet file"},
		{"text", []byte("a,b\n1,2\n"), "x.parquet is not a Parquet file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := readParquet(c.raw); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestTheSameRowsAreTheSameBytesInWhateverChunksTheyCome(t *testing.T) {
	const n = 10_000
	num, text, at := make([]float64, n), make([]string, n), make([]int64, n)
	for i := range n {
		num[i], text[i], at[i] = math.Sqrt(float64(i)), strconv.Itoa(i%777), int64(i)
	}
	f := New(NumberColumn("n", num), TextColumn("s", text, nil), TimeColumn("t", at))
	sum := func(each int) [32]byte {
		h := sha256.New()
		w, err := NewParquetWriter(h, f.Fields())
		if err != nil {
			t.Fatal(err)
		}
		for from := 0; from < n; from += each {
			if err := w.Write(f.Slice(from, min(n, from+each))); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return [32]byte(h.Sum(nil))
	}
	want := sum(n)
	for _, each := range []int{1, 7, 1000, 4096, 4097} {
		if sum(each) != want {
			t.Errorf("in chunks of %d rows: other bytes", each)
		}
	}
}

func TestAFileWithoutRowsKeepsItsColumns(t *testing.T) {
	var b bytes.Buffer
	w, err := NewParquetWriter(&b, []Field{{"z", Number}, {"a", Text}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := readParquet(b.Bytes())
	if err != nil || f.Rows() != 0 || len(f.Columns()) != 2 || f.Columns()[0].Name != "z" {
		t.Errorf("got %v, %v", f, err)
	}
}

// Not a fuzz test: damage can make the library ask for gigabytes, and a run must
// end the same everywhere.
func TestOneWrongByteIsReadOrRefusedAndEndsNothing(t *testing.T) {
	leaf := parquet.Optional(parquet.Leaf(parquet.DoubleType))
	whole := foreign(t, "b\na", parquet.Group{"a": leaf, "b": parquet.String()}, parquet.NullValue(), parquet.ByteArrayValue([]byte("x")))
	refused := 0
	for i := range whole {
		raw := bytes.Clone(whole)
		raw[i] ^= 0xff
		f, err := readParquet(raw)
		if err != nil {
			refused++
			if !fault.Is(err, fault.Invalid) || !strings.HasPrefix(err.Error(), "x.parquet") {
				t.Errorf("byte %d: got %v, want an Invalid fault that names the file", i, err)
			}
		} else if f.Rows() > 1 {
			t.Errorf("byte %d: got %d rows of a file with one", i, f.Rows())
		}
	}
	if refused < len(whole)/3 {
		t.Errorf("%d of %d damaged files were refused", refused, len(whole))
	}
}

func TestAnOrderedFileHasItsColumnsAsTheyWereGiven(t *testing.T) {
	fields := []Field{{"z", Number}, {"a", Text}, {"m", Time}}
	f := New(NumberColumn("z", []float64{1, nan}), TextColumn("a", []string{"x", "y"}, nil), TimeColumn("m", []int64{7, 8}))
	var b bytes.Buffer
	w, err := NewOrderedParquetWriter(&b, fields)
	if err == nil {
		err = errors.Join(w.Write(f), w.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	file, err := parquet.OpenFile(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range file.Root().Columns() {
		names = append(names, c.Name())
	}
	if got := strings.Join(names, " "); got != "z a m" {
		t.Errorf("the columns lie as %s", got)
	}
	got, err := readParquet(b.Bytes())
	if err != nil || !slices.Equal(got.Fields(), fields) || got.Column("a").Text[1] != "y" || got.Column("m").Time[0] != 7 || !got.Column("z").Missing(1) {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := NewOrderedParquetWriter(&b, []Field{{"a", Number}, {"a", Text}}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a name that stands twice: %v", err)
	}
}

func TestAFileThatHoldsMoreThanWasNotedOfItIsRefused(t *testing.T) {
	const n = 5000
	num, text := make([]float64, n), make([]string, n)
	for i := range n {
		num[i], text[i] = math.Sqrt(float64(i)), strings.Repeat("x", i%7)
	}
	rows := New(NumberColumn("n", num), TextColumn("s", text, nil))
	var b bytes.Buffer
	w, err := NewParquetWriter(&b, rows.Fields())
	if err == nil {
		err = errors.Join(w.Write(rows), w.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name       string
		rows, most int64
		want       string
	}{
		{"as many rows, and memory for them", n, 4 << 20, ""},
		{"fewer rows", n - 1, 4 << 20, "x.parquet is damaged: it has more rows than were noted of it"},
		{"less memory", n, 1 << 16, "x.parquet needs more than 65536 bytes of memory"},
	} {
		in, err := OpenParquetWithin("x.parquet", b.Bytes(), c.rows, c.most)
		if c.want != "" {
			if err == nil || !fault.Is(err, fault.Invalid) || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("%s: got %v, want %q", c.name, err, c.want)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		got, err := ReadAll(in)
		if err != nil || !slices.Equal(got.Column("n").Num, num) || !slices.Equal(got.Column("s").Text, text) {
			t.Errorf("%s: %v, or other rows", c.name, err)
		}
	}
}

// Each way of writing a column is taken: places of a dictionary, one place, places and
// then values, values by their bytes, values as they are; with values missing or not, over
// several pages and groups.
func TestEachWayOfWritingAColumnIsReadBack(t *testing.T) {
	const n = 50_000
	at := make([]int64, n)
	first := New(TimeColumn("t", at), NumberColumn("few", make([]float64, n)), NumberColumn("one", make([]float64, n)), NumberColumn("turns", make([]float64, n)),
		NumberColumn("long", make([]float64, n)), NumberColumn("short", make([]float64, n)), NumberColumn("none", make([]float64, n)),
		TextColumn("word", make([]string, n), make([]bool, n)), TextColumn("id", make([]string, n), nil), TextColumn("big", make([]string, n), nil))
	c := func(name string) *Column { return first.Column(name) }
	for i := range n {
		at[i] = int64(i) * 1_000_003
		c("few").Num[i], c("one").Num[i], c("none").Num[i] = float64(i%7), -1, nan
		c("turns").Num[i] = float64(i % 10)
		if i > 20_000 {
			c("turns").Num[i] = math.Sqrt(float64(i))
		}
		c("long").Num[i] = 1 + math.Sqrt(float64(i))/1e3
		c("short").Num[i] = float64(i*7919%30_000) / 4
		if i%5 == 0 {
			at[i], c("few").Num[i], c("long").Num[i], c("short").Num[i] = NoTime, nan, nan, nan
		}
		c("word").Text[i], c("word").Null[i] = "word "+strconv.Itoa(i%300), i%3 == 0
		if i%3 == 0 {
			c("word").Text[i] = ""
		}
		c("id").Text[i] = strconv.Itoa(i * 31)
		if i%10_000 == 0 {
			c("big").Text[i] = strings.Repeat(strconv.Itoa(i)+" ", 150_000)
		}
	}
	var b bytes.Buffer
	w, err := NewParquetWriter(&b, first.Fields())
	for range 2 {
		err = errors.Join(err, w.Write(first), w.EndGroup())
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	want, err := Concat(first, first)
	if err != nil {
		t.Fatal(err)
	}
	for _, bounded := range []bool{false, true} {
		got, err := readParquet(b.Bytes())
		if bounded {
			var in Reader
			if in, err = ParquetWithin("x.parquet", b.Bytes(), 1<<30); err == nil {
				got, err = ReadAll(in)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range want.Columns() {
			x, y := &want.Columns()[i], &got.Columns()[i]
			for row := range want.Rows() {
				if x.Field != y.Field || x.Missing(row) != y.Missing(row) || x.Kind == Text && x.Text[row] != y.Text[row] ||
					x.Kind == Number && !x.Missing(row) && x.Num[row] != y.Num[row] || x.Kind == Time && x.Time[row] != y.Time[row] {
					t.Fatalf("bounded %v: column %q, row %d: got %q, want %q", bounded, x.Name, row, y.Format(row), x.Format(row))
				}
			}
		}
	}
}
