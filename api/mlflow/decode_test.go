// SPDX-License-Identifier: Apache-2.0

package mlflow

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"flyball/fault"
	"flyball/internal/fuzzcheck"
)

func TestDecodeReadsWhatClientsSend(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     any
	}{
		{"null", `null`, nil},
		{"true and false", `[true,false]`, []any{true, false}},
		{"an integer keeps all its digits", `9223372036854775807`, number("9223372036854775807")},
		{"a fraction with an exponent", `-1.5e+10`, number("-1.5e+10")},
		{"NaN as Python writes it", `{"value":NaN}`, map[string]any{"value": number("NaN")}},
		{"infinities as Python writes them", `[Infinity,-Infinity]`, []any{number("Infinity"), number("-Infinity")}},
		{"escapes", `"\"\\\/\b\f\n\r\tA\u00e9"`, "\"\\/\b\f\n\r\tAé"},
		{"a pair of surrogates", `"\ud83d\ude00"`, "😀"},
		{"half a pair", `"a\ud83db"`, "a\uFFFDb"},
		{"two halves in the wrong order", `"\ude00\ud83d"`, "\uFFFD\uFFFD"},
		{"letters", `"żółw"`, "żółw"},
		{"space everywhere", " {\n\t\"a\" : [ ] , \"b\" : { } }\r\n", map[string]any{"a": []any{}, "b": map[string]any{}}},
		{"of equal keys the last", `{"a":1,"a":2}`, map[string]any{"a": number("2")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := decode([]byte(c.in))
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("decode(%s) = %#v, %v; want %#v", c.in, got, err, c.want)
			}
		})
	}
}

func TestDecodeRefusesWhatIsNotJSON(t *testing.T) {
	for _, in := range []string{
		``, ` `, `{`, `[`, `"`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `[1,]`, `[1`, `{a:1}`, `{'a':1}`, `{} {}`, `tru`, `nan`, `inf`,
		`01`, `1.`, `.5`, `+1`, `1e`, `1e+`, `0x10`, `1_000`, `-`, `--1`, `"\x"`, `"\u12"`, `"\u12g4"`, "\"\n\"", "\"\xff\"", "\"\x00\"", `"\u0000"`, "\xef\xbb\xbf{}",
		strings.Repeat("[", 40) + strings.Repeat("]", 40), strings.Repeat("[", 1<<20), strings.Repeat(`{"a":`, 1<<20),
		"[" + strings.Repeat("0,", 60_000) + "0]",
	} {
		if v, err := decode([]byte(in)); !fault.Is(err, fault.Invalid) {
			t.Errorf("decode(%.40q) = %v, %v; want an Invalid fault", in, v, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5e3,"x\u00e9\ud83d\ude00",null,true,NaN,-Infinity]}`, `"{\"a\":1}"`, `[[]`, `1e`, `"\ud800"`, "\"\xff\""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		fuzzcheck.Within(t, len(in), 1<<16, func() { _, _ = decode(in) })
		got, err := decode(in)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("the error is not an Invalid fault: %v", err)
			}
			return
		}
		var want any
		d := json.NewDecoder(strings.NewReader(string(in)))
		d.UseNumber()
		if d.Decode(&want) != nil {
			return // NaN and its like
		}
		if !reflect.DeepEqual(plain(got), want) {
			t.Fatalf("decode(%q) = %#v; encoding/json reads %#v", in, got, want)
		}
	})
}

// plain turns a decoded value into what encoding/json gives.
func plain(v any) any {
	switch v := v.(type) {
	case number:
		return json.Number(v)
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = plain(v[k])
		}
	}
	return v
}
