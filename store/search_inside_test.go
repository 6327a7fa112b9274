// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"flyball/fault"
	"flyball/search"
)

func FuzzToken(f *testing.F) {
	keys := []sortKey{{class: "c", value: "v", kind: numberKind}, {value: "t", desc: true, kind: textKind}}
	whole := token{"q", []spot{{Class: 1}, {Text: "é\x00"}}}.String()
	for _, seed := range []string{"", whole, whole[1:], "bnVsbA", "e30", "eyJxIjoicSIsInAiOlt7ImMiOjl9LHt9XX0", "====", "W10"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		place, err := parseToken(text, "q", keys)
		switch {
		case err != nil && !fault.Is(err, fault.Invalid):
			t.Fatalf("%v is not an Invalid fault", err)
		case err == nil && text != "" && (len(place) != 2 || place[0].Class > 2 || place[1].Class != 0 || strings.Contains(place[1].Text, "\x00")):
			t.Fatalf("%q is read as %v", text, place)
		}
		if place != nil {
			a := &asking{}
			if text := a.after(keys, place); strings.Contains(text, "()") {
				t.Fatalf("%v makes %s", place, text)
			}
		}
	})
}

func TestAListOfNumbersIsReadAsJSON(t *testing.T) {
	for _, raw := range []string{"[]", "[1]", "[1,2,30]", "[1, 22]", "[7\n,8]"} {
		var want []int64
		if err := json.Unmarshal([]byte(raw), &want); err != nil {
			t.Fatal(err)
		}
		if got, err := numbers(raw, 0); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %v, %v", raw, got, err)
		}
	}
	if _, err := numbers(`["1"]`, 0); err == nil {
		t.Error("a list of texts is no list of numbers")
	}
}

func TestAWordIsLikeAPatternAsInSQL(t *testing.T) {
	for _, tt := range []struct {
		pattern string
		want    bool
	}{
		{"FINISHED", true},
		{"%", true},
		{"F%D", true},
		{"F%", true},
		{"%SHED", true},
		{"F_NISHED", true},
		{"%I%I%", true},
		{"%I%I%I%", false},
		{"", false},
		{"_", false},
		{"finished", false},
		{"FINISHED_", false},
		{"FINISHED%", true},
		{"%FINISHED%", true},
		{"É%", false},
	} {
		if got := like("FINISHED", tt.pattern); got != tt.want {
			t.Errorf("%q: got %v", tt.pattern, got)
		}
	}
	if got := inWords("s", search.Comparison{Op: search.In, List: []string{"READY", "PENDING", "x"}}, modelStatuses); got != "s IN (1, 2)" {
		t.Errorf("got %s", got)
	}
}
