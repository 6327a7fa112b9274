// SPDX-License-Identifier: Apache-2.0

package control

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"flyball/data/frame"
	"flyball/data/source"
	"flyball/fault"
)

// An apply looks at data that may be large, while somebody waits.
func TestASourceIsReadOnceWhereItsColumnsAreWhatTheyShallBe(t *testing.T) {
	const text = "id,at,x,none\n007,2026-01-02,1.5,\n008,2026-01-03,2,\n"
	for _, c := range []struct {
		name  string
		text  string
		given map[string]frame.Kind
		reads int
		want  string // the kinds, or what the error says
	}{
		{"nothing is given", text, nil, 1, "text time number number"},
		{"what it holds is given", text, map[string]frame.Kind{"at": frame.Time, "x": frame.Number}, 1, "text time number number"},
		{"another kind that it can be is given", text, map[string]frame.Kind{"x": frame.Text}, 2, "text time text number"},
		{"another kind that it cannot be is given", text, map[string]frame.Kind{"at": frame.Number}, 2, "2026-01-02"},
		{"a column without values has a kind", text, map[string]frame.Kind{"none": frame.Text}, 2, "text time number text"},
		{"rows are cut off", text + "009,2026-01-04\n", map[string]frame.Kind{"x": frame.Number}, 2, "4"},
	} {
		reads := 0
		set := &source.Set{Parts: []source.Part{source.File("a.csv", frame.Source{Name: "a.csv", Open: func() (io.ReadCloser, error) {
			reads++
			return io.NopCloser(bytes.NewReader([]byte(c.text))), nil
		}}, frame.CSVOptions{})}}
		have, err := look(t.Context(), set, c.given)
		var kinds []string
		for _, f := range have {
			kinds = append(kinds, f.Kind.String())
		}
		got := strings.Join(kinds, " ")
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, c.want) || err != nil && !fault.Is(err, fault.Invalid) || reads > c.reads {
			t.Errorf("%s: read %d times: %s", c.name, reads, got)
		}
	}
}
