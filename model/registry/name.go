// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"encoding/json"
	"path"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"flyball/fault"
	"flyball/ident"
)

// Bounds of what a registry keeps, in characters.
const (
	maxName     = 255
	maxAlias    = 255
	maxTagKey   = 250
	maxTagValue = 100_000
	maxTags     = 1000    // that a model or version comes with
	maxText     = 100_000 // of a description
	maxSource   = 4096    // of a source and of a link to a run
)

// CheckName says whether a client may register a model under a name. Names that a
// model file may have are among them. The error is an Invalid fault, in MLflow's words
// where MLflow has the rule too.
func CheckName(name string) error { return checkName("name", name) }

func checkName(param, name string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return fault.New(fault.Invalid, "Missing value for required parameter '%s'.", param)
	case utf8.RuneCountInString(name) > maxName:
		return tooLong(param, maxName)
	case strings.ContainsAny(name, "/:"):
		return fault.New(fault.Invalid, "Invalid model name '%s'. Names cannot contain '/' or ':'.", name)
	case name == "." || name == "..":
		return fault.New(fault.Invalid, "Invalid value %q for parameter '%s' supplied: %s", name, param, asPath(name))
	case !printable(name):
		return fault.New(fault.Invalid, "Invalid model name %q. Names cannot contain control or invisible characters.", name)
	case strings.HasSuffix(name, BaselineOf("")):
		return fault.New(fault.Invalid, "Invalid model name '%s'. Names cannot end in '%s': Flyball counts the baselines of models there.", name, BaselineOf(""))
	}
	return nil
}

func printable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(c rune) bool { return !unicode.IsPrint(c) }) < 0
}

// clip shortens what a message repeats of a request; a name that may be is never cut.
func clip(s string) string {
	const most = 1100 // bytes: 255 characters of any script, and some
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

func tooLong(param string, limit int) error {
	return fault.New(fault.Invalid, "'%s' exceeds the maximum length of %d characters", param, limit)
}

// asPath is MLflow's objection to a name that is another name when it is a path.
func asPath(name string) string {
	return "Names may be treated as files in certain cases, and must not resolve to other names when treated as such. This name would resolve to '" + clip(path.Clean(name)) + "'"
}

var (
	aliasAlphabet = regexp.MustCompile(`\A[\p{L}\p{N}_\-]*\z`)
	aliasVersion  = regexp.MustCompile(`\A[vV][0-9]+\z`)
	tagAlphabet   = regexp.MustCompile(`\A[/\p{L}\p{N}_.\- :]*\z`)
)

// CheckAlias says whether an alias may be set. The error is an Invalid fault in
// MLflow's words.
func CheckAlias(alias string) error {
	if err := checkAliasForm(alias); err != nil {
		return err
	}
	switch {
	case strings.EqualFold(alias, Newest):
		return fault.New(fault.Invalid, "'latest' alias name (case insensitive) is reserved.")
	case aliasVersion.MatchString(alias):
		return fault.New(fault.Invalid, "Version alias name '%s' is reserved.", alias)
	}
	return nil
}

// checkAliasForm says whether s looks like an alias, reserved or not.
func checkAliasForm(alias string) error {
	switch {
	case alias == "":
		return fault.New(fault.Invalid, "Registered model alias name cannot be empty.")
	case !aliasAlphabet.MatchString(alias):
		return fault.New(fault.Invalid, "Invalid alias name: '%s'. Names may only contain alphanumerics, underscores (_), and dashes (-).", clip(alias))
	case utf8.RuneCountInString(alias) > maxAlias:
		return tooLong("Registered model alias name", maxAlias)
	}
	return nil
}

// CheckTag says whether a model or a version may have a tag. The error is an Invalid
// fault in MLflow's words.
func CheckTag(t Tag) error {
	switch {
	case t.Key == "":
		return fault.New(fault.Invalid, "Missing value for required parameter 'key'.")
	case !tagAlphabet.MatchString(t.Key):
		return fault.New(fault.Invalid, "Invalid value %s for parameter 'key' supplied: Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/).", quoted(t.Key))
	case path.Clean(t.Key) != t.Key || t.Key == "." || t.Key == ".." || strings.HasPrefix(t.Key, "../") || t.Key[0] == '/':
		return fault.New(fault.Invalid, "Invalid value %s for parameter 'key' supplied: %s", quoted(t.Key), asPath(t.Key))
	case utf8.RuneCountInString(t.Key) > maxTagKey:
		return tooLong("key", maxTagKey)
	case utf8.RuneCountInString(t.Value) > maxTagValue:
		return tooLong("value", maxTagValue)
	}
	return nil
}

func quoted(s string) string {
	b, _ := json.Marshal(clip(s)) // a string always is JSON
	return string(b)
}

// ParseStage reads a stage in any case. The error is an Invalid fault in MLflow's words.
func ParseStage(s string) (Stage, error) {
	for _, st := range []Stage{None, Staging, Production, Archived} {
		if strings.EqualFold(s, string(st)) {
			return st, nil
		}
	}
	return "", fault.New(fault.Invalid, "Invalid Model Version stage: %s. Value must be one of None, Staging, Production, Archived.", clip(s))
}

// ParseVersion reads the number of a version; 01 is 1. The error is an Invalid fault in
// MLflow's words.
func ParseVersion(s string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil {
		return 0, fault.New(fault.Invalid, "Parameter 'version' must be an integer, got '%s'.", clip(s))
	}
	return n, nil
}

// NoModel is the fault for a model that is not there, in MLflow's words.
func NoModel(name string) error {
	return fault.New(fault.NotFound, "Registered Model with name=%s not found", clip(name))
}

// NoVersion is the fault for a version that is not there, in MLflow's words.
func NoVersion(ref ident.Ref) error {
	return fault.New(fault.NotFound, "Model Version (name=%s, version=%d) not found", clip(ref.Model), ref.Version)
}

// Taken is the fault for a name that another model has, in MLflow's words.
func Taken(name string) error {
	return fault.New(fault.Conflict, "Registered Model (name=%s) already exists.", clip(name))
}
