// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"encoding"
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/invopop/jsonschema"

	"flyball/data/frame"
	"flyball/unit"
)

// Schema is the JSON Schema (2020-12) of a model or pipeline file, for editors. It is
// made from the types and words that Parse goes by, so the two cannot differ in a
// key; what one key asks of another (Check) is not in it.
func Schema() ([]byte, error) {
	root := &jsonschema.Schema{
		Version: jsonschema.Version,
		Title:   "Flyball model file (" + APIVersion + ")",
		OneOf: []*jsonschema.Schema{
			kindSchema(reflect.TypeFor[Model](), KindModel, ""),
			kindSchema(reflect.TypeFor[Pipeline](), KindPipeline, "pipeline"),
		},
	}
	return json.MarshalIndent(root, "", "  ")
}

func kindSchema(t reflect.Type, kind, rule string) *jsonschema.Schema {
	s := schemaOf(t, path{rule: rule})
	s.Title = kind
	if p, ok := s.Properties.Get("apiVersion"); ok {
		p.Const = APIVersion
	}
	if p, ok := s.Properties.Get("kind"); ok {
		p.Enum, p.Const = nil, kind
	}
	s.Required = []string{"apiVersion", "kind"}
	for _, k := range needs(kind) {
		in := s
		if k.in != "" {
			in, _ = s.Properties.Get(k.in)
		}
		in.Required = append(in.Required, k.name)
	}
	return s
}

// schemaOf follows the decoder: forms, then texts, then the shape of the type.
func schemaOf(t reflect.Type, p path) *jsonschema.Schema {
	switch v := reflect.New(t).Interface().(type) {
	case unit.Choice:
		return formsSchema(v.Forms(), p)
	case encoding.TextUnmarshaler:
		return textSchema(t)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem(), p)
	case reflect.Struct:
		return structSchema(t, p)
	case reflect.Slice:
		return &jsonschema.Schema{Type: "array", Items: schemaOf(t.Elem(), p)}
	case reflect.Map:
		if t.Elem().Kind() == reflect.Interface {
			return &jsonschema.Schema{Type: "object"}
		}
		return &jsonschema.Schema{Type: "object", AdditionalProperties: schemaOf(t.Elem(), p.key("name"))}
	case reflect.Bool:
		return &jsonschema.Schema{Type: "boolean"}
	case reflect.Int, reflect.Uint64:
		return &jsonschema.Schema{Type: "integer", Minimum: "0"}
	case reflect.Float64:
		return &jsonschema.Schema{Type: "number"}
	case reflect.String:
		s := &jsonschema.Schema{Type: "string"}
		words, _ := wordsAt(p.rule)
		var open []string // words with a parameter, which is the file's to give
		for _, w := range words {
			if name, _, with := strings.Cut(w, "("); with {
				open = append(open, name)
			} else {
				s.Enum = append(s.Enum, w)
			}
		}
		if len(open) > 0 {
			slices.Sort(open)
			pattern := `^(` + strings.Join(slices.Compact(open), "|") + `)\([0-9.]+%?\)$`
			return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{s, {Type: "string", Pattern: pattern}}}
		}
		return s
	}
	return &jsonschema.Schema{} // anything: a value that the file shapes as it likes
}

func structSchema(t reflect.Type, p path) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "object", Properties: jsonschema.NewProperties(), AdditionalProperties: jsonschema.FalseSchema}
	for _, f := range keysOf(t) {
		s.Properties.Set(f.name, schemaOf(t.Field(f.index).Type, p.key(f.name)))
	}
	return s
}

func formsSchema(f unit.Forms, p path) *jsonschema.Schema {
	var forms []*jsonschema.Schema
	if f.Word != nil {
		forms = append(forms, wordSchema(f))
	}
	if f.List != nil {
		forms = append(forms, schemaOf(reflect.TypeOf(f.List).Elem(), p))
	}
	if f.Map != nil {
		forms = append(forms, structSchema(reflect.TypeOf(f.Map).Elem(), p))
	}
	if f.Entry != nil {
		to, err := f.Entry("column")
		values := &jsonschema.Schema{}
		if err == nil {
			values = schemaOf(reflect.TypeOf(to).Elem(), p)
		}
		forms = append(forms, &jsonschema.Schema{Type: "object", AdditionalProperties: values})
	}
	if len(forms) == 1 {
		return forms[0]
	}
	return &jsonschema.Schema{AnyOf: forms}
}

// wordSchema is a text, number or boolean; where the words are a closed set, one of
// them.
func wordSchema(f unit.Forms) *jsonschema.Schema {
	closed := len(f.Words) > 0 && f.Word("no word at all") != nil && !slices.ContainsFunc(f.Words, quantity)
	if !closed {
		s := &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Type: "string"}, {Type: "number"}, {Type: "boolean"}}}
		for _, w := range f.Words {
			s.Examples = append(s.Examples, w)
		}
		return s
	}
	s := &jsonschema.Schema{Type: "string"}
	for _, w := range f.Words {
		s.Enum = append(s.Enum, w)
	}
	return s
}

// quantity reports whether an example has a number in it, and so stands for many.
func quantity(s string) bool {
	return slices.ContainsFunc([]byte(s), func(c byte) bool { return c >= '0' && c <= '9' })
}

func textSchema(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[unit.Duration]():
		return &jsonschema.Schema{Type: "string", Pattern: `^\s*[0-9.]+(ms|s|m|h|d|w|y)\s*$`, Examples: []any{"90s", "10m", "6h", "45d"}}
	case reflect.TypeFor[unit.Share]():
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
			{Type: "string", Pattern: `^\s*[0-9.eE+-]+\s*%?\s*$`, Examples: []any{"5%"}},
			{Type: "number", Minimum: "0", Maximum: "1"},
		}}
	case reflect.TypeFor[unit.Factor]():
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
			{Type: "string", Pattern: `^\s*[0-9.eE+-]+\s*%?\s*$`, Examples: []any{"90%", "300%"}},
			{Type: "number", Minimum: "0"},
		}}
	case reflect.TypeFor[unit.Bytes]():
		return &jsonschema.Schema{Type: "string", Pattern: `^\s*[0-9.]+\s*([KMG]iB|[kKMGT]?B)\s*$`, Examples: []any{"500MB", "4GB"}}
	case reflect.TypeFor[frame.Kind]():
		return &jsonschema.Schema{Type: "string", Enum: []any{"number", "text", "time"}}
	}
	return &jsonschema.Schema{Type: "string"}
}
