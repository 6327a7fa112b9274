// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"flyball/data/frame"
)

// asJSON is what encoding/json reads of a row.
func asJSON(p *Profile, row []byte) ([]any, bool) {
	var values map[string]any
	if json.Unmarshal(row, &values) != nil {
		return nil, false
	}
	out := make([]any, len(p.Features))
	for i := range p.Features {
		out[i] = values[p.Features[i].Name]
	}
	return out, true
}

var readRows = []string{
	`{"a":1,"b":"x","c":true}`, ` { "a" : -0.5e-3 , "b" : null,"z":"q" } `, `{}`, `null`, `[]`, ``, `{"a":1}x`, `{"a":1,}`, `{"a":01}`,
	`{"a":+1}`, `{"a":.5}`, `{"a":1.}`, `{"a":1e}`, `{"a":1e999}`, `{"a":-}`, `{"a":NaN}`, `{"a":1,"a":null}`, `{"a":1,"a":2}`, `{"b":"\u00e9\n"}`,
	`{"b":"é"}`, "{\"b\":\"\xff\"}", "{\"\xff\":1,\"a\":2}", `{"\u0061":7}`, "{\"b\":\"a\tb\"}", `{"a":{"x":1},"b":"y"}`, `{"a":[1,2],"c":false}`, `{"a":tru}`,
	`{"a":"1"`, `{"a"}`, `{"a":}`, `{"a" 1}`, `{"a":0.1e+5,"b":"","c":null}`, `{"a":-0}`, `{a:1}`,
}

func readProfile() *Profile {
	return &Profile{Features: []Feature{{Name: "a", Kind: frame.Number}, {Name: "b", Kind: frame.Text}, {Name: "c", Kind: frame.Number}}}
}

func TestARowIsReadAsJSONIs(t *testing.T) {
	p := readProfile()
	r := newRowReader(p)
	for _, row := range readRows {
		got, ok := r.read([]byte(row))
		want, fine := asJSON(p, []byte(row))
		if ok != fine || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v %v, want %v %v", row, got, ok, want, fine)
		}
	}
}

func FuzzReadRow(f *testing.F) {
	for _, row := range readRows {
		f.Add([]byte(row))
	}
	p := readProfile()
	f.Fuzz(func(t *testing.T, row []byte) {
		r := newRowReader(p)
		got, ok := r.read(row)
		want, fine := asJSON(p, row)
		if ok != fine || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %v %v, want %v %v", row, got, ok, want, fine)
		}
	})
}

func BenchmarkReadARowOf30Columns(b *testing.B) {
	p := &Profile{}
	var row strings.Builder
	for k := range 30 {
		name := fmt.Sprintf("column_%d", k)
		p.Features = append(p.Features, Feature{Name: name, Kind: frame.Number})
		fmt.Fprintf(&row, `,"%s":%.4f`, name, float64(k)*1.2345)
	}
	raw := []byte("{" + row.String()[1:] + "}")
	b.Run("plain", func(b *testing.B) {
		r := newRowReader(p)
		b.ReportAllocs()
		for b.Loop() {
			r.read(raw)
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			asJSON(p, raw)
		}
	})
}
