// SPDX-License-Identifier: Apache-2.0

package source

import (
	"path"
	"slices"
	"strings"
	"testing"

	"flyball/fault"
)

// plainly is match by the words of its description: each way through the pattern is tried.
func plainly(pattern, name []string) (whole, folder bool) {
	switch {
	case len(pattern) == 0:
		return len(name) == 0, len(name) > 0
	case len(name) == 0:
		return false, false
	case pattern[0] == "" && len(pattern) == 1:
		return false, true
	case pattern[0] == "**":
		if len(pattern) == 1 {
			return false, true
		}
		for i := range name {
			w, f := plainly(pattern[1:], name[i:])
			whole, folder = whole || w, folder || f
		}
		return whole, folder
	}
	if ok, err := path.Match(pattern[0], name[0]); err != nil || !ok && pattern[0] != name[0] {
		return false, false
	}
	return plainly(pattern[1:], name[1:])
}

// FuzzAPatternIsReadOrRefused gives any text for a pattern: it is read, or an Invalid
// fault; what is read matches what its parts do.
func FuzzAPatternIsReadOrRefused(f *testing.F) {
	for _, c := range [][2]string{
		{"sales/*.csv", "a.csv"},
		{"sales", "sales"},
		{"a/**/b/*.parquet", "x/b/c.parquet"},
		{"[", "["},
		{"/data/x?/", "x1/a.csv"},
		{"**/**", "a/b"},
		{"", ""},
		{"/", "a"},
		{"a/*/", "b/.c.csv"},
		{"year=*/[a-c]*.csv.gz", "year=2026/b.csv.gz"},
		{`\*`, "*"},
	} {
		f.Add(c[0], c[1])
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		p, err := ParsePattern(text)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("%q: got %v, want an Invalid fault", text, err)
			}
			return
		}
		if len(p.rest) == 0 || strings.ContainsAny(p.Base, "*?[") {
			t.Fatalf("%q: got %+v", text, p)
		}
		matches := p.Match(name)
		parts := strings.Split(name, "/")
		if stars := slices.DeleteFunc(slices.Clone(p.rest), func(s string) bool { return s != "**" }); len(stars) > 4 || len(parts) > 16 {
			return // the plain way takes too long
		}
		whole, folder := plainly(p.rest, parts)
		if want := whole || folder && readable(name); matches != want {
			t.Errorf("%q of %q: got %v, want %v", text, name, matches, want)
		}
	})
}

func TestAPatternOfManyStarsTakesNoLongTime(t *testing.T) {
	p, err := ParsePattern(strings.Repeat("**/a/", 40) + "b.csv")
	if err != nil {
		t.Fatal(err)
	}
	if p.Match(strings.Repeat("a/", 100) + "c.csv") {
		t.Error("it matches another file")
	}
	if !p.Match(strings.Repeat("a/", 100) + "b.csv") {
		t.Error("it does not match its file")
	}
}
