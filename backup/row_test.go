// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"bytes"
	"math"
	"reflect"
	"strings"
	"testing"

	"flyball/fault"
)

var all = Table{Name: "t", Columns: []Column{{"i", Int}, {"r", Real}, {"t", Text}, {"b", Bytes}}}

func TestARowComesBackAsItWas(t *testing.T) {
	for _, row := range [][]any{
		{int64(1), 1.5, "text", []byte("bytes")},
		{int64(math.MinInt64), math.Inf(-1), "\"\\\n\u2028<>\x00\U0001F600", []byte{0, 255}},
		{int64(math.MaxInt64), math.SmallestNonzeroFloat64, "", []byte{}},
		{nil, nil, nil, nil},
		{int64(0), 1e21, strings.Repeat("long", 1<<16), nil},
	} {
		b, err := appendRow(nil, &all, row)
		if err != nil {
			t.Fatal(err)
		}
		if err := ReadRows(bytes.NewReader(b), &all, func(got []any) error {
			if !reflect.DeepEqual(got, row) {
				t.Errorf("got %v, want %v", got, row)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
	if _, err := appendRow(nil, &all, []any{int64(1), 1.0, "\xff", nil}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a text that is not UTF-8: got %v", err)
	}
}

func TestWhatIsNoRowIsRefused(t *testing.T) {
	for _, line := range []string{"", "{}", "[1]", "[1,1,\"\",\"\",1]", "[1.5,1,\"\",\"\"]", "[9223372036854775808,1,\"\",\"\"]", "[1,\"x\",\"\",\"\"]", "[1,1,2,\"\"]", "[1,1,\"\",\"?\"]", "[1,1,\"\",\"\"] x"} {
		err := ReadRows(strings.NewReader(line+"\n"), &all, func([]any) error { return nil })
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: got %v", line, err)
		}
	}
	if err := ReadRows(strings.NewReader("[1,1,\"\",\"\"]"), &all, func([]any) error { return nil }); !fault.Is(err, fault.Invalid) {
		t.Errorf("a line without an end: got %v", err)
	}
}

func FuzzRows(f *testing.F) {
	f.Add([]byte("[1,1.5,\"text\",\"AAE=\"]\n[null,\"NaN\",null,null]\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var again []byte
		if err := ReadRows(bytes.NewReader(raw), &all, func(row []any) (err error) {
			again, err = appendRow(again, &all, row)
			return err
		}); err != nil {
			return
		}
		var twice []byte
		if err := ReadRows(bytes.NewReader(again), &all, func(row []any) (err error) {
			twice, err = appendRow(twice, &all, row)
			return err
		}); err != nil || !bytes.Equal(again, twice) {
			t.Errorf("%q is read as %q, and that as %q: %v", raw, again, twice, err)
		}
	})
}
