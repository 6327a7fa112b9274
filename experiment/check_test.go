// SPDX-License-Identifier: Apache-2.0

package experiment

import (
	"math"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"flyball/fault"
	"flyball/ident"
)

func TestExperimentIDs(t *testing.T) {
	for s, want := range map[string]ident.ExperimentID{"0": 0, "7": 7, "9223372036854775807": math.MaxInt64} {
		if got, err := ParseExperimentID(s); got != want || err != nil {
			t.Errorf("ParseExperimentID(%q) = %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "-1", "abc", "1.0", " 1", "9223372036854775808", "0x1", strings.Repeat("9", 10_000)} {
		_, err := ParseExperimentID(s)
		if !fault.Is(err, fault.Invalid) || len(err.Error()) > 400 {
			t.Errorf("ParseExperimentID(%.40q): %.500v", s, err)
		}
	}
}

func TestRunIDs(t *testing.T) {
	for id, ok := range map[string]bool{
		"0123456789abcdef0123456789abcdef": true, "a": true, "A-b_c": true, "aż": true, strings.Repeat("a", 256): true,
		"": false, "-a": false, "_a": false, "a b": false, "a/b": false, "a.b": false, "a\n": false, strings.Repeat("a", 257): false,
	} {
		if err := CheckRunID(ident.RunID(id)); (err == nil) != ok {
			t.Errorf("CheckRunID(%q) = %v", id, err)
		}
	}
}

func TestNumbersAsPythonShowsThem(t *testing.T) {
	for f, want := range map[float64]string{
		0: "0.0", 1: "1.0", -2.5: "-2.5", 0.1: "0.1", 1e-4: "0.0001", 1e-5: "1e-05", 1e15: "1000000000000000.0", 1e16: "1e+16", 123456789: "123456789.0",
		math.MaxFloat64: "1.7976931348623157e+308", math.Inf(1): "inf", math.Inf(-1): "-inf",
	} {
		if got := pythonFloat(f); got != want {
			t.Errorf("pythonFloat(%g) = %s, want %s", f, got, want)
		}
	}
	if got := pythonFloat(math.NaN()); got != "nan" {
		t.Errorf("NaN is %s", got)
	}
}

func TestTextsAreCutBetweenLetters(t *testing.T) {
	for _, c := range []struct {
		s    string
		n    int
		want string
	}{
		{"abc", 5, "abc"}, {"abc", 3, "abc"}, {"abc", 2, "ab"}, {"żółw", 2, "żó"}, {"żółw", 4, "żółw"}, {"abc", 0, ""}, {"😀😀", 1, "😀"},
	} {
		if got := cut(c.s, c.n); got != c.want {
			t.Errorf("cut(%q, %d) = %q, want %q", c.s, c.n, got, c.want)
		}
	}
}

func TestOfTagsTheLastCounts(t *testing.T) {
	got := lastOfEach([]Tag{{"a", "1"}, {"b", "2"}, {"a", "3"}})
	if want := []Tag{{"a", "3"}, {"b", "2"}}; len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("lastOfEach = %v, want %v", got, want)
	}
}

func TestRandomNamesAreForPeople(t *testing.T) {
	shape := regexp.MustCompile(`^[a-z]+-[a-z]+-[0-9]{1,3}$`)
	seen := map[string]bool{}
	for range 200 {
		name := RandomName()
		if !shape.MatchString(name) {
			t.Errorf("a run may be called %q", name)
		}
		seen[name] = true
	}
	if len(seen) < 150 {
		t.Errorf("of 200 names %d differ", len(seen))
	}
}

func TestAListGrowsAsItIsWritten(t *testing.T) {
	for _, c := range []struct{ list, want string }{
		{`[{"a": 1.50}]`, `[{"a": 1.50}, {"b":2}]`},
		{` [1 , 2 ] `, `[1 , 2 , {"b":2}]`},
		{`[]`, `[{"b":2}]`},
		{`by hand`, `[{"b":2}]`},
		{``, `[{"b":2}]`},
	} {
		if got := strings.TrimSpace(appendTo(c.list, `{"b":2}`)); got != c.want {
			t.Errorf("appendTo(%q) = %q, want %q", c.list, got, c.want)
		}
	}
}

func FuzzCheckKey(f *testing.F) {
	for _, s := range []string{"a", "a/b", "..", "a//b", "/", "a\n", "żółw 1:2", "\xff", "a/../b", "."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if err := checkKey("key", key); err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatal(err)
			}
			return
		}
		if strings.HasPrefix(key, "/") || strings.HasPrefix(key, "..") || strings.Contains(key, "//") || strings.ContainsAny(key, "\n\x00\\%") || !utf8.ValidString(key) {
			t.Errorf("%q may be a key", key)
		}
	})
}

func FuzzCheckLocation(f *testing.F) {
	for _, s := range []string{"", "mlflow-artifacts:/a", "mlflow-artifacts://h/a", "s3://ours/a", "s3://ours/../b", "mlflow-artifacts:/a/%2e%2e/b", "runs:/1", "/etc", "s3://ours?x=..", "::", "%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, location string) {
		err := checkLocation(location, []string{"s3://ours"})
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatal(err)
			}
			return
		}
		if location == "" {
			return
		}
		if !strings.HasPrefix(location, "mlflow-artifacts:/") && location != "s3://ours" && !strings.HasPrefix(location, "s3://ours/") ||
			strings.HasPrefix(location, "mlflow-artifacts://") || strings.Contains(location, "/../") || strings.ContainsAny(location, "%#;") {
			t.Errorf("artifacts may lie at %q", location)
		}
	})
}
