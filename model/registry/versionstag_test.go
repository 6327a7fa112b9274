// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"encoding/json"
	"strings"
	"testing"

	"flyball/ident"
)

func TestALoggedModelListsItsVersions(t *testing.T) {
	ref := ident.Ref{Model: `a "<ü>"`, Version: 7}
	const entry = `{"name": "a \"<ü>\"", "version": 7}`
	long := `["` + strings.Repeat("x", 99_990) + `"]`
	for _, c := range []struct{ name, value, want string }{
		{"the first", "", "[" + entry + "]"},
		{"in an empty list", " [ ] ", "[" + entry + "]"},
		{"after what the client added", `[{"name": "b", "version": "1"}]`, `[{"name": "b", "version": "1"}, ` + entry + "]"},
		{"after spaces", "[1 ]\n", "[1, " + entry + "]"},
		{"null is no list yet", "null", "[" + entry + "]"},
		{"what is no list stays", `{"a":1}`, `{"a":1}`},
		{"what is no JSON stays", `[1`, `[1`},
		{"a list that is full stays", long, long},
	} {
		got := AddToVersionsTag(c.value, ref)
		if got != c.want {
			t.Errorf("%s: got %.100s, want %.100s", c.name, got, c.want)
		}
		if json.Valid([]byte(c.value)) != json.Valid([]byte(got)) && c.value != "" {
			t.Errorf("%s: %.100s is no JSON any more", c.name, got)
		}
	}
}

func FuzzVersionsTag(f *testing.F) {
	for _, s := range []string{"", "[]", `[{"name":"a"}]`, "[1,", "{}", " [\n] ", `["]"]`} {
		f.Add(s, "m")
	}
	f.Fuzz(func(t *testing.T, value, model string) {
		var before, after []json.RawMessage
		got := AddToVersionsTag(value, ident.Ref{Model: model, Version: 1})
		if got == value {
			return
		}
		if value != "" && json.Unmarshal([]byte(value), &before) != nil {
			t.Fatalf("%q became %q", value, got)
		}
		if err := json.Unmarshal([]byte(got), &after); err != nil || len(after) != len(before)+1 {
			t.Fatalf("%q became %q: %v", value, got, err)
		}
	})
}
