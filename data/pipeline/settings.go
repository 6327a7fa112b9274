// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"bytes"
	"encoding/json"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/unit"
)

// Spec is a pipeline before it is fitted: the columns it takes and the steps that
// make features of them. The features are, in order, the inputs that no step
// replaced, at their place, and what the steps made, where they made it.
type Spec struct {
	Inputs Fields `json:"inputs"`
	Steps  []Step `json:"steps,omitempty"`
}

// Fields are columns in their order; a model file and JSON write a mapping of name to
// kind.
type Fields []frame.Field

// Columns are names; a model file may write a single one without a list.
type Columns []string

// Step is one operation. Which of the keys apply depends on Op; the others are
// zero. A step whose In names columns replaces them by what it makes, unless As
// names the result.
type Step struct {
	Op       string    `json:"op"`                 // impute scale one_hot ordinal target_encode bucketize hash datetime text clip log interactions expr select
	In       Columns   `json:"in,omitempty"`       // columns; a model file may write a single name
	As       string    `json:"as,omitempty"`       // name of the result; empty: the column's own
	Strategy string    `json:"strategy,omitempty"` // impute: mean median most_frequent constant; scale: standard minmax robust; bucketize: quantile uniform; log: log log1p
	Value    any       `json:"value,omitempty"`    // impute constant: a number or a text
	AtLeast  int       `json:"at_least,omitempty"` // one_hot, ordinal: categories with fewer rows become "other"
	By       string    `json:"by,omitempty"`       // ordinal: value (default) or frequency
	Bins     int       `json:"bins,omitempty"`     // bucketize: how many
	Edges    []float64 `json:"edges,omitempty"`    // bucketize: given edges
	Parts    []string  `json:"parts,omitempty"`    // datetime: year month day weekday hour minute yearday
	Min      *float64  `json:"min,omitempty"`      // clip
	Max      *float64  `json:"max,omitempty"`      // clip
	Expr     string    `json:"expr,omitempty"`     // expr: an expression over numbers and text of the row
	Cyclic   bool      `json:"cyclic,omitempty"`   // datetime: sine and cosine of each part, in place of the part
	Features int       `json:"features,omitempty"` // hash, text: how many columns they make
	Words    []int     `json:"ngrams,omitempty"`   // text: the shortest and the longest run of words that counts; default [1, 1]
	Smooth   float64   `json:"smooth,omitempty"`   // target_encode: rows' worth of the overall mean mixed into a category's; 0: by the variances, as scikit-learn's "auto"
	Folds    int       `json:"folds,omitempty"`    // target_encode: of the training rows, each encoded by what the others say; default 5
}

// Forms are a mapping of name to kind, in the order of the columns.
func (f *Fields) Forms() unit.Forms {
	type field struct {
		name string
		kind *frame.Kind
	}
	var list []field
	known := map[string]bool{}
	return unit.Forms{
		Entry: func(name string) (any, error) {
			if known[name] {
				return nil, fault.New(fault.Invalid, "the column %q stands twice", name)
			}
			if name == "" {
				return nil, fault.New(fault.Invalid, "a column has no name")
			}
			known[name] = true
			list = append(list, field{name, new(frame.Kind)})
			return list[len(list)-1].kind, nil
		},
		Done: func(unit.Form) error {
			*f = nil
			for _, one := range list {
				if *one.kind == 0 {
					return fault.New(fault.Invalid, "the column %q has no kind", one.name).Do("write number, text or time")
				}
				*f = append(*f, frame.Field{Name: one.name, Kind: *one.kind})
			}
			return nil
		},
	}
}

// UnmarshalJSON reads the mapping of name to kind.
func (f *Fields) UnmarshalJSON(text []byte) error { return unit.ReadJSON(text, f.Forms()) }

// MarshalJSON writes the mapping of name to kind, in the order of the columns.
func (f Fields) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, field := range f {
		if i > 0 {
			out.WriteByte(',')
		}
		name, err := json.Marshal(field.Name)
		if err != nil {
			return nil, err
		}
		out.Write(name)
		out.WriteString(`:"` + field.Kind.String() + `"`)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// Forms are one name or a list of names.
func (c *Columns) Forms() unit.Forms {
	var list []string
	return unit.Forms{
		List: &list, Words: []string{"the name of a column"},
		Word: func(text string) error {
			list = []string{text}
			return nil
		},
		Done: func(unit.Form) error {
			*c = list
			return nil
		},
	}
}

// UnmarshalJSON reads any of the Forms.
func (c *Columns) UnmarshalJSON(text []byte) error { return unit.ReadJSON(text, c.Forms()) }

// MarshalJSON writes a single name alone.
func (c Columns) MarshalJSON() ([]byte, error) {
	if len(c) == 1 {
		return json.Marshal(c[0])
	}
	return json.Marshal([]string(c))
}
