// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"strings"
	"testing"

	"flyball/fault"
	"flyball/ident"
)

func TestNamesOfModels(t *testing.T) {
	for _, name := range []string{"hotel-cancel", "Demo Iris", "größe 漢字", "a.b", "...", "-", "a@b", "100%", strings.Repeat("ä", 255), "baseline", ".baselines"} {
		if err := CheckName(name); err != nil {
			t.Errorf("%q: got %v, want that it is allowed", name, err)
		}
	}
	for name, want := range map[string]string{
		"":                       "Missing value for required parameter 'name'.",
		"  \t":                   "Missing value for required parameter 'name'.",
		"a/b":                    "Invalid model name 'a/b'. Names cannot contain '/' or ':'.",
		"a:b":                    "Invalid model name 'a:b'. Names cannot contain '/' or ':'.",
		".":                      `Invalid value "." for parameter 'name' supplied: Names may be treated as files in certain cases, and must not resolve to other names when treated as such. This name would resolve to '.'`,
		"..":                     `Invalid value ".." for parameter 'name' supplied: Names may be treated as files in certain cases, and must not resolve to other names when treated as such. This name would resolve to '..'`,
		"a\nb":                   `Invalid model name "a\nb". Names cannot contain control or invisible characters.`,
		"a\u200bb":               `Invalid model name "a\u200bb". Names cannot contain control or invisible characters.`,
		"a\xffb":                 `Invalid model name "a\xffb". Names cannot contain control or invisible characters.`,
		"hotel.baseline":         "Invalid model name 'hotel.baseline'. Names cannot end in '.baseline': Flyball counts the baselines of models there.",
		strings.Repeat("a", 256): "'name' exceeds the maximum length of 255 characters",
	} {
		says(t, CheckName(name), fault.Invalid, want)
	}
}

func TestNamesOfAliases(t *testing.T) {
	for _, alias := range []string{"champion", "live", "v1a", "a_b-c", "Größe", "7", "-", strings.Repeat("a", 255)} {
		if err := CheckAlias(alias); err != nil {
			t.Errorf("%q: got %v, want that it is allowed", alias, err)
		}
	}
	for alias, want := range map[string]string{
		"":                       "Registered model alias name cannot be empty.",
		"a b":                    "Invalid alias name: 'a b'. Names may only contain alphanumerics, underscores (_), and dashes (-).",
		"a\n":                    "Invalid alias name: 'a\n'. Names may only contain alphanumerics, underscores (_), and dashes (-).",
		"a@b":                    "Invalid alias name: 'a@b'. Names may only contain alphanumerics, underscores (_), and dashes (-).",
		"latest":                 "'latest' alias name (case insensitive) is reserved.",
		"LATEST":                 "'latest' alias name (case insensitive) is reserved.",
		"v1":                     "Version alias name 'v1' is reserved.",
		"V007":                   "Version alias name 'V007' is reserved.",
		strings.Repeat("a", 256): "'Registered model alias name' exceeds the maximum length of 255 characters",
	} {
		says(t, CheckAlias(alias), fault.Invalid, want)
	}
}

func TestTags(t *testing.T) {
	for _, tag := range []Tag{{"team", "x"}, {"mlflow.prompt.is_prompt", ""}, {"a b/c:d-e_f.g", "1"}, {"größe", "ü"}, {strings.Repeat("k", 250), strings.Repeat("v", 100_000)}, {"...", ""}} {
		if err := CheckTag(tag); err != nil {
			t.Errorf("%.20q: got %v, want that it is allowed", tag.Key, err)
		}
	}
	for want, tag := range map[string]Tag{
		"Missing value for required parameter 'key'.": {},
		`Invalid value "a$" for parameter 'key' supplied: Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/).`:                        {Key: "a$"},
		`Invalid value "a\n" for parameter 'key' supplied: Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/).`:                       {Key: "a\n"},
		`Invalid value "a/../b" for parameter 'key' supplied: Names may be treated as files in certain cases, and must not resolve to other names when treated as such. This name would resolve to 'b'`: {Key: "a/../b"},
		`Invalid value "/a" for parameter 'key' supplied: Names may be treated as files in certain cases, and must not resolve to other names when treated as such. This name would resolve to '/a'`:    {Key: "/a"},
		`Invalid value ".." for parameter 'key' supplied: Names may be treated as files in certain cases, and must not resolve to other names when treated as such. This name would resolve to '..'`:    {Key: ".."},
		"'key' exceeds the maximum length of 250 characters":      {Key: strings.Repeat("k", 251)},
		"'value' exceeds the maximum length of 100000 characters": {Key: "k", Value: strings.Repeat("v", 100_001)},
	} {
		says(t, CheckTag(tag), fault.Invalid, want)
	}
}

func TestStagesAndVersionsAreReadAsMLflowReadsThem(t *testing.T) {
	for s, want := range map[string]Stage{"none": None, "Staging": Staging, "PRODUCTION": Production, "archived": Archived} {
		if got, err := ParseStage(s); err != nil || got != want {
			t.Errorf("%s: got %q, %v; want %q", s, got, err, want)
		}
	}
	_, err := ParseStage("x")
	says(t, err, fault.Invalid, "Invalid Model Version stage: x. Value must be one of None, Staging, Production, Archived.")
	for s, want := range map[string]int{"1": 1, "01": 1, " 7 ": 7, "-3": -3} {
		if got, err := ParseVersion(s); err != nil || got != want {
			t.Errorf("%q: got %d, %v; want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"x", "", "1.0", "1e3", "99999999999999999999"} {
		_, err := ParseVersion(s)
		says(t, err, fault.Invalid, "Parameter 'version' must be an integer, got '"+s+"'.")
	}
}

func TestAMessageRepeatsNoLongText(t *testing.T) {
	long := strings.Repeat("ü", 100_000)
	_, stage := ParseStage(long)
	_, number := ParseVersion(long)
	for what, err := range map[string]error{
		"name": CheckName(long), "alias": CheckAlias(long + " "), "key": CheckTag(Tag{Key: long + "$"}), "path": CheckTag(Tag{Key: "/" + long}),
		"stage": stage, "number": number, "no model": NoModel(long), "no version": NoVersion(ident.Ref{Model: long}), "taken": Taken(long),
	} {
		if n := len(err.Error()); n > 2500 {
			t.Errorf("%s: the message has %d bytes", what, n)
		}
	}
}

func TestWhatClientsMayNotDoToAModelUnderFlyballsCare(t *testing.T) {
	free, cared := Model{Name: "hotel"}, Model{Name: "hotel", File: "kind: Model\n"}
	v3 := ident.Ref{Model: "hotel", Version: 3}
	for _, err := range []error{
		free.MayMove("live", 3), free.MayMove("baseline", 0), free.MayRename(), free.MayDelete(), free.MayDeleteVersion(v3, []string{"live", "previous"}),
		cared.MayMove("champion", 3), cared.MayMove("champion", 0), cared.MayMove("Live", 3), cared.MayDeleteVersion(v3, []string{"champion"}),
	} {
		if err != nil {
			t.Errorf("got %v, want that it may", err)
		}
	}
	for _, alias := range []string{"live", "candidate", "previous", "baseline"} {
		says(t, cared.MayMove(alias, 3), fault.Denied, "The alias '"+alias+"' of hotel decides which version answers, so only a release moves it: flyball promote hotel@3")
		says(t, cared.MayMove(alias, 0), fault.Denied, "The alias '"+alias+"' of hotel decides which version answers, so only a release moves it: flyball rollback hotel")
		says(t, cared.MayDeleteVersion(v3, []string{"champion", alias}), fault.Refused, "hotel@3 is "+alias+" of hotel: release another version first, see flyball releases hotel")
	}
	says(t, cared.MayRename(), fault.Denied, "hotel has a model file, which says its name: apply the file under the new name with flyball apply")
	says(t, cared.MayDelete(), fault.Denied, "hotel has a model file and is under Flyball's care, so its versions are kept: stop its trainings with flyball hold hotel")
}

func FuzzNames(f *testing.F) {
	for _, s := range []string{"hotel", "a/b", "..", "latest", "v1", "a\x00", "ü.baseline"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for what, err := range map[string]error{"name": CheckName(s), "alias": CheckAlias(s), "key": CheckTag(Tag{Key: s})} {
			if err != nil && !fault.Is(err, fault.Invalid) {
				t.Errorf("%s %q: got %v, want invalid or allowed", what, s, err)
			}
			if err == nil && strings.ContainsAny(s, "\x00\n\r") {
				t.Errorf("%s %q is allowed", what, s)
			}
		}
	})
}
