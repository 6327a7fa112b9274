// SPDX-License-Identifier: Apache-2.0

package mlmodel

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"flyball/fault"
)

// Schema is what a model takes, as the inputs of MLflow's signature say it: columns or
// tensors, never both; neither where nobody said it.
type Schema struct {
	Columns []Column
	Tensors []Tensor
}

// Column is a column of a signature. One without a name is known by its place.
type Column struct {
	Name     string
	Unnamed  bool
	Type     Type
	Required bool
}

// Type is the type of a column: boolean, integer, long, float, double, string, binary,
// datetime or any; or array, object or map, which hold others.
type Type struct {
	Name       string
	Items      *Type    // of an array; of the values of a map
	Properties []Column // of an object
}

// Tensor is a tensor of a signature. A size of -1 is any; the first is that of the rows.
type Tensor struct {
	Name  string // empty: the only one
	Type  string // numpy's word
	Shape []int
}

// Param is something that a model's predict may be told besides rows.
type Param struct {
	Name    string
	Type    string // of a column that is no container, or object
	Default json.RawMessage
	List    bool // a list of values, of any length
}

// scalars are the types of columns that hold one value.
var scalars = []string{"boolean", "integer", "long", "float", "double", "string", "binary", "datetime", "any"}

// numeric are the types that a frame holds as numbers.
var numeric = []string{"boolean", "integer", "long", "float", "double"}

// maxNested is how deep types may hold types.
const maxNested = 32

// written is a column or a tensor as MLflow writes it, and a part of one.
type written struct {
	Type     string           `json:"type"`
	Name     *string          `json:"name"`
	Required *bool            `json:"required"`
	Items    *json.RawMessage `json:"items"`
	Values   *json.RawMessage `json:"values"`
	Tensor   *struct {
		Type  string `json:"dtype"`
		Shape []int  `json:"shape"`
	} `json:"tensor-spec"`
	Properties map[string]json.RawMessage `json:"properties"`
}

// ParseSchema reads the inputs of a signature; an empty text is an empty schema. What
// MLflow does not write is an Invalid fault.
func ParseSchema(inputs string) (Schema, error) {
	if inputs == "" || inputs == "null" {
		return Schema{}, nil
	}
	var specs []json.RawMessage
	if err := json.Unmarshal([]byte(inputs), &specs); err != nil {
		return Schema{}, fault.Wrap(err, fault.Invalid, "the inputs of the signature cannot be read")
	}
	if len(specs) > maxColumns {
		return Schema{}, fault.New(fault.TooLarge, "the signature has %d columns, more than %d", len(specs), maxColumns)
	}
	var out Schema
	seen := map[string]bool{}
	for i, raw := range specs {
		var s written
		if err := json.Unmarshal(raw, &s); err != nil {
			return Schema{}, fault.Wrap(err, fault.Invalid, "column %d of the signature cannot be read", i+1)
		}
		name := ""
		if s.Name != nil {
			name = *s.Name
			if seen[name] {
				return Schema{}, fault.New(fault.Invalid, "column %d of the signature has the name of another", i+1)
			}
			seen[name] = true
		}
		if s.Type == "tensor" {
			if s.Tensor == nil {
				return Schema{}, fault.New(fault.Invalid, "tensor %d of the signature says no type and shape", i+1)
			}
			out.Tensors = append(out.Tensors, Tensor{name, s.Tensor.Type, s.Tensor.Shape})
			continue
		}
		t, err := typeOf(s, 0)
		if err != nil {
			return Schema{}, fault.Wrap(err, fault.Invalid, "column %d of the signature", i+1)
		}
		out.Columns = append(out.Columns, Column{name, s.Name == nil, t, s.Required == nil || *s.Required})
	}
	if len(out.Columns) > 0 && len(out.Tensors) > 0 {
		return Schema{}, fault.New(fault.Invalid, "the signature has columns and tensors")
	}
	if len(seen) > 0 && len(seen) < len(specs) {
		return Schema{}, fault.New(fault.Invalid, "some columns of the signature have names, and some have none")
	}
	return out, nil
}

// typeOf is the type of a column, with what it holds.
func typeOf(s written, depth int) (Type, error) {
	inner := func(raw *json.RawMessage) (*Type, error) {
		if raw == nil {
			return nil, fault.New(fault.Invalid, "the type %s does not say of what", s.Type)
		}
		var in written
		if err := json.Unmarshal(*raw, &in); err != nil {
			return nil, fault.Wrap(err, fault.Invalid, "the type %s cannot be read", s.Type)
		}
		t, err := typeOf(in, depth+1)
		return &t, err
	}
	out := Type{Name: s.Type}
	var err error
	switch {
	case depth > maxNested:
		return Type{}, fault.New(fault.Invalid, "the types are nested too deeply")
	case slices.Contains(scalars, s.Type):
	case s.Type == "array":
		out.Items, err = inner(s.Items)
	case s.Type == "map":
		out.Items, err = inner(s.Values)
	case s.Type == "object":
		names := make([]string, 0, len(s.Properties))
		for name := range s.Properties {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			var in written
			if err := json.Unmarshal(s.Properties[name], &in); err != nil {
				return Type{}, fault.Wrap(err, fault.Invalid, "the property %q cannot be read", name)
			}
			t, err := typeOf(in, depth+1)
			if err != nil {
				return Type{}, err
			}
			out.Properties = append(out.Properties, Column{Name: name, Type: t, Required: in.Required == nil || *in.Required})
		}
	default:
		return Type{}, fault.New(fault.Invalid, "%q is no type of a signature", s.Type)
	}
	return out, err
}

// ParseParams reads the params of a signature; an empty text is none.
func ParseParams(params string) ([]Param, error) {
	if params == "" || params == "null" {
		return nil, nil
	}
	var specs []struct {
		Name    string          `json:"name"`
		Type    string          `json:"type"`
		Default json.RawMessage `json:"default"`
		Shape   []int           `json:"shape"`
	}
	if err := json.Unmarshal([]byte(params), &specs); err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "the params of the signature cannot be read")
	}
	if len(specs) > maxColumns {
		return nil, fault.New(fault.TooLarge, "the signature has %d params, more than %d", len(specs), maxColumns)
	}
	out := make([]Param, len(specs))
	for i, s := range specs {
		out[i] = Param{s.Name, s.Type, s.Default, len(s.Shape) == 1}
		if len(s.Default) == 0 {
			out[i].Default = json.RawMessage("null")
		}
	}
	return out, nil
}

// Named reports whether the columns have names.
func (s Schema) Named() bool { return len(s.Columns) > 0 && !s.Columns[0].Unnamed }

// String is the type as MLflow prints it.
func (t Type) String() string {
	switch t.Name {
	case "array":
		return "Array(" + t.Items.String() + ")"
	case "map":
		return "Map(str -> " + t.Items.String() + ")"
	case "object":
		parts := make([]string, len(t.Properties))
		for i, p := range t.Properties {
			parts[i] = p.Name + ": " + p.Type.String() + " (" + need(p.Required) + ")"
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return t.Name
}

// String is the schema as MLflow's messages print it.
func (s Schema) String() string {
	parts := make([]string, 0, len(s.Columns)+len(s.Tensors))
	for _, c := range s.Columns {
		if c.Unnamed {
			parts = append(parts, c.Type.String()+" ("+need(c.Required)+")")
			continue
		}
		parts = append(parts, fmt.Sprintf("'%s': %s (%s)", c.Name, c.Type, need(c.Required)))
	}
	for _, t := range s.Tensors {
		text := fmt.Sprintf("Tensor('%s', %s)", t.Type, Shape(t.Shape))
		if t.Name != "" {
			text = "'" + t.Name + "': " + text
		}
		parts = append(parts, text)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// Shape is a shape as Python prints it: (-1, 4), and (4,) of one size.
func Shape(sizes []int) string {
	parts := make([]string, len(sizes))
	for i, n := range sizes {
		parts[i] = fmt.Sprint(n)
	}
	if len(parts) == 1 {
		return "(" + parts[0] + ",)"
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

func need(required bool) string {
	if required {
		return "required"
	}
	return "optional"
}
