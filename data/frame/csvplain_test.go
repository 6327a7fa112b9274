// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"encoding/csv"
	"math"
	"strconv"
	"strings"
	"testing"
)

// FuzzACSVIsReadAsTheStandardLibraryReadsIt holds texts to encoding/csv and numbers to
// strconv, wherever these read what is written.
func FuzzACSVIsReadAsTheStandardLibraryReadsIt(f *testing.F) {
	for _, s := range []string{"1,x\n", "-0.1257,y\n12345678901234567,\n", "\"a\"\"b\",1\n", "0.30000000000000004,1e5\n,\n1.,.5\r\n", "1234567.12345678,z\n99999999999999999999,1\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = "a,b\n" + text
		if strings.ContainsAny(text, "\r\x00") {
			return // which the library keeps or changes, and we do not
		}
		want, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil {
			return
		}
		for _, kind := range []Kind{Text, Number} {
			r, err := OpenBytes("a.csv", []byte(text), CSVOptions{Kinds: map[string]Kind{"a": kind, "b": Text}, Delimiter: ",", Decimal: ".", Missing: []string{}})
			if err != nil {
				continue // bytes that are no UTF-8
			}
			got, err := ReadAll(r)
			if err != nil {
				continue // no number
			}
			if got.Rows() != len(want)-1 {
				t.Fatalf("%q: got %d rows, want %d", text, got.Rows(), len(want)-1)
			}
			for i, row := range want[1:] {
				if kind == Text && got.Column("a").Text[i] != row[0] || got.Column("b").Text[i] != row[1] {
					t.Errorf("row %d: got %q, %q, want %q", i, got.Column("a").Format(i), got.Column("b").Text[i], row)
				}
				x, err := strconv.ParseFloat(strings.Trim(row[0], " \t"), 64)
				if kind == Number && err == nil && math.Float64bits(got.Column("a").Num[i]) != math.Float64bits(x) {
					t.Errorf("row %d: got %v, want %v", i, got.Column("a").Num[i], x)
				}
			}
		}
	})
}
