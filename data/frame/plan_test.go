// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"flyball/internal/fuzzcheck"
)

// planReaders ask for the same names as different kinds, loosely and not.
func planReaders() []DecodeOptions {
	return []DecodeOptions{
		{Required: []Field{{"ts", Text}, {"id", Text}}, Loose: true},
		{Required: []Field{{"a", Number}, {"b", Number}, {"c", Text}, {"ts", Time}}},
		{Required: []Field{{"b", Number}, {"a", Number}}, Optional: []Field{{"z", Number}, {"c", Text}}},
		{},
	}
}

func FuzzAPlanReadsAsDecodeRowsDoes(f *testing.F) {
	for _, row := range []string{
		`{"ts":"2012-01-01","id":1,"a":1.5,"b":null,"c":"x"}`,
		`{"id":"k","ts":"2012-01-01T07:00-05:00","b":-0,"a":1e3,"c":"é","z":true}`,
		`{"ts":"2012-01-01","id":1,"a":1.5,"b":null,"c":"x","a":2}`,
		`{"ts":"2012-01-01","id":1,"a":01,"b":null,"c":"x"}`,
		`{"ts":null,"id":[1],"a":1.,"b":1e,"c":{"x":[1,"}"]},"q":[{}]}`,
		`{"ts":"noon","id":false,"a":1,"b":2,"c":3}`,
		` { "ts" : "2012-01-01" , "id" : "\u0041" , "a" : -1.25E-3 , "b" : 1e400 , "c" : "\ud800" } `,
		`[]`, `{`, `{"a":NaN}`, `{"a":"1"} x`, `{"a":-}`, "{\"c\":\"\x01\"}", "{\"c\":\"\xff\"}",
	} {
		f.Add(row, `{"ts":"2012-01-02","id":"2","a":0,"b":0.1,"c":""}`)
	}
	readers := planReaders()
	p, err := NewPlan(readers...)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		rows := []json.RawMessage{[]byte(one), []byte(two)}
		fuzzcheck.Within(t, len(one)+len(two), 1<<16, func() { _, _ = p.Decode(rows) })
		got, ok := p.Decode(rows)
		for i, opts := range readers {
			want, err := DecodeRows(rows, opts)
			if err != nil {
				if ok {
					t.Fatalf("reader %d: %v, and the plan found nothing wrong", i, err)
				}
				return
			}
			if ok && !sameFrame(&got[i], want) {
				t.Fatalf("reader %d: got %v, want %v", i, got[i].cols, want.cols)
			}
		}
		if !ok {
			t.Fatal("the plan found something wrong, and no reader does")
		}
	})
}

func sameFrame(a, b *Frame) bool {
	if a.Rows() != b.Rows() || len(a.cols) != len(b.cols) {
		return false
	}
	for k := range a.cols {
		x, y := &a.cols[k], &b.cols[k]
		if x.Field != y.Field || a.Column(x.Name) != x {
			return false
		}
		for i := range a.rows {
			switch {
			case x.Missing(i) != y.Missing(i):
				return false
			case x.Kind == Number && math.Float64bits(x.Num[i]) != math.Float64bits(y.Num[i]):
				return false
			case x.Kind != Number && x.Format(i) != y.Format(i):
				return false
			}
		}
	}
	return true
}

func FuzzScalarsAreThoseOfJSON(f *testing.F) {
	for _, s := range []string{"0", "-0", "-", "01", "1.", ".1", "1.5", "1e5", "1E+5", "1e", "1e-", "true", "nul", "null", "1.2.3", "--1", "1-", "Infinity"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if s == "" || strings.ContainsAny(s, " \t\r\n\"{[") {
			return
		}
		if got, want := scalar([]byte(s)), json.Valid([]byte(s)); got != want {
			t.Errorf("%q: got %v, want %v", s, got, want)
		}
	})
}

func BenchmarkDecodeThirtyNumbers(b *testing.B) {
	var row strings.Builder
	row.WriteString(`{"id":"a-1","ts":"2012-01-01T00:00:00Z"`)
	fields := []Field{}
	for i := range 30 {
		name := "feature_" + string(rune('a'+i%26)) + string(rune('a'+i/26))
		row.WriteString(`,"` + name + `":0.123456`)
		fields = append(fields, Field{name, Number})
	}
	row.WriteString(`}`)
	rows := []json.RawMessage{[]byte(row.String())}
	meta := DecodeOptions{Required: []Field{{"id", Text}, {"ts", Text}}, Loose: true}
	p, err := NewPlan(meta, DecodeOptions{Required: fields})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("twice", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, err1 := DecodeRows(rows, meta)
			_, err2 := DecodeRows(rows, DecodeOptions{Required: fields})
			if err1 != nil || err2 != nil {
				b.Fatal(err1, err2)
			}
		}
	})
	b.Run("plan", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, ok := p.Decode(rows); !ok {
				b.Fatal("wrong")
			}
		}
	})
}
