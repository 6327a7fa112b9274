// SPDX-License-Identifier: Apache-2.0

package spec_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/goccy/go-yaml"

	"flyball/spec"
)

// fits says why a value is not what the schema asks, "" when it is. It knows the words
// of JSON Schema that Schema uses, and fails on another.
func fits(t *testing.T, s map[string]any, v any, at string) string {
	t.Helper()
	for word, want := range s {
		switch word {
		case "$schema", "title", "examples", "properties", "additionalProperties":
		case "type":
			if !typed(want.(string), v) {
				return fmt.Sprintf("%s: %v is no %s", at, v, want)
			}
		case "const":
			if v != want {
				return fmt.Sprintf("%s: %v is not %v", at, v, want)
			}
		case "enum":
			if !slices.Contains(want.([]any), v) {
				return fmt.Sprintf("%s: %v is none of %v", at, v, want)
			}
		case "pattern":
			if text, ok := v.(string); ok && !regexp.MustCompile(want.(string)).MatchString(text) {
				return fmt.Sprintf("%s: %v does not match %v", at, v, want)
			}
		case "minimum":
			if x, ok := v.(float64); ok && x < want.(float64) {
				return fmt.Sprintf("%s: %v is below %v", at, v, want)
			}
		case "maximum":
			if x, ok := v.(float64); ok && x > want.(float64) {
				return fmt.Sprintf("%s: %v is above %v", at, v, want)
			}
		case "required":
			for _, key := range want.([]any) {
				if m, ok := v.(map[string]any); ok && m[key.(string)] == nil {
					return fmt.Sprintf("%s: no %v", at, key)
				}
			}
		case "items":
			if list, ok := v.([]any); ok {
				for i, item := range list {
					if why := fits(t, want.(map[string]any), item, fmt.Sprintf("%s[%d]", at, i)); why != "" {
						return why
					}
				}
			}
		case "anyOf", "oneOf":
			n, whys := 0, ""
			for _, one := range want.([]any) {
				if why := fits(t, one.(map[string]any), v, at); why != "" {
					whys += why + "; "
				} else {
					n++
				}
			}
			if n == 0 || word == "oneOf" && n != 1 {
				return fmt.Sprintf("%s: %d of %s fit: %s", at, n, word, whys)
			}
		default:
			t.Fatalf("the schema has the word %q", word)
		}
	}
	return fitsKeys(t, s, v, at)
}

func fitsKeys(t *testing.T, s map[string]any, v any, at string) string {
	t.Helper()
	m, ok := v.(map[string]any)
	if !ok {
		return ""
	}
	properties, _ := s["properties"].(map[string]any)
	for k, value := range m {
		of, ok := properties[k].(map[string]any)
		if !ok {
			of, ok = s["additionalProperties"].(map[string]any)
		}
		if !ok {
			if s["additionalProperties"] == false {
				return at + ": unknown key " + k
			}
			continue
		}
		if why := fits(t, of, value, at+"."+k); why != "" {
			return why
		}
	}
	return ""
}

func typed(want string, v any) bool {
	switch v := v.(type) {
	case string:
		return want == "string"
	case bool:
		return want == "boolean"
	case float64:
		return want == "number" || want == "integer" && v == float64(int64(v))
	case []any:
		return want == "array"
	case map[string]any:
		return want == "object"
	}
	return false
}

// tree is a YAML file as JSON has it.
func tree(t *testing.T, text []byte) (v any) {
	t.Helper()
	b, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestTheSchemaTakesTheExamplesAndRefusesWhatIsWrong(t *testing.T) {
	b, err := spec.Schema()
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(b, &schema); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bike-demand.yaml", "hotel-cancel.yaml", "hotel-features.yaml"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if why := fits(t, schema, tree(t, text), name); why != "" {
			t.Error(why)
		}
		if f := parse(t, name); f.Model != nil {
			printed, err := f.Model.WithDefaults().YAML()
			if err != nil {
				t.Fatal(err)
			}
			if why := fits(t, schema, tree(t, printed), name); why != "" {
				t.Errorf("with defaults: %s", why)
			}
		}
	}
	for _, file := range []string{
		head + "watch: {evry: 1d}\n", head + "risk: none\n", head + "watch: {every: 1 day}\n", head + "gate: {slices: [{colum: a}]}\n",
		head + "gate: {metrics: [{name: auc, require: best}]}\n", head + "release: {canary: [{share: 1.5}]}\n", head + "pipeline: {inputs: {a: float}}\n",
		"apiVersion: flyball/v1\nkind: Model\nname: m\n", "apiVersion: flyball/v1\nkind: Pipeline\nname: m\ninputs: {a: number}\nsteps: [{op: twist}]\n",
	} {
		if fits(t, schema, tree(t, []byte(file)), "file") == "" {
			t.Errorf("the schema takes\n%s", file)
		}
		if _, err := spec.Parse("m.yaml", []byte(file)); err == nil {
			t.Errorf("Parse takes\n%s", file)
		}
	}
}
