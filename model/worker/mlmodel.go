// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"encoding/json"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"

	"flyball/fault"
)

// described is what MLmodel tells the process, which has no reader of YAML.
type described struct {
	Flavors map[string]json.RawMessage
	Tensors map[string]string // numpy's type of each tensor of the signature
}

// The bounds of an MLmodel file, far above what MLflow writes.
const (
	maxTokens = 100_000
	maxKeys   = 10_000 // the YAML library takes time by their square
	maxDepth  = 40
)

// guard refuses what MLflow does not write and the YAML library takes long or much for.
// Package mlmodel tells better what is wrong, when a model is registered.
func guard(b []byte) error {
	tokens := lexer.Tokenize(string(b))
	depth, keys, entries, line := 0, 0, 0, 0
	for _, t := range tokens {
		if t.Position != nil && t.Position.Line != line {
			line, entries = t.Position.Line, 0
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth--
		case token.SequenceEntryType:
			entries++
		case token.MappingValueType:
			keys++
		case token.AnchorType, token.AliasType, token.TagType, token.MergeKeyType, token.MappingKeyType:
			return fault.New(fault.Invalid, "MLmodel holds %q in line %d, which MLflow does not write", t.Value, line)
		}
		if depth > maxDepth || entries > maxDepth || keys > maxKeys {
			return fault.New(fault.Invalid, "MLmodel holds too much or is nested too deeply")
		}
	}
	if len(tokens) > maxTokens {
		return fault.New(fault.Invalid, "MLmodel holds too much")
	}
	return nil
}

// describe reads MLmodel.
func describe(b []byte) (d described, err error) {
	// The YAML library has paniced on odd input before; a file must not end the process.
	defer func() {
		if recover() != nil {
			d, err = described{}, fault.New(fault.Invalid, "MLmodel is not readable YAML")
		}
	}()
	if err := guard(b); err != nil {
		return described{}, err
	}
	var doc struct {
		Flavors   map[string]map[string]any `yaml:"flavors"`
		Signature struct {
			Inputs string `yaml:"inputs"`
		} `yaml:"signature"`
	}
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return d, fault.Wrap(err, fault.Invalid, "MLmodel is not readable YAML")
	}
	d.Flavors = map[string]json.RawMessage{}
	for name, conf := range doc.Flavors {
		raw, err := json.Marshal(conf)
		if err != nil {
			return d, fault.Wrap(err, fault.Invalid, "the flavor %q of MLmodel cannot be read", name)
		}
		d.Flavors[name] = raw
	}
	var inputs []struct {
		Name string
		Type string
		Spec struct{ Dtype string } `json:"tensor-spec"`
	}
	if json.Unmarshal([]byte(doc.Signature.Inputs), &inputs) != nil {
		return d, nil // a signature that cannot be read is the business of whoever enforces it
	}
	for _, in := range inputs {
		if in.Type == "tensor" && in.Spec.Dtype != "" {
			if d.Tensors == nil {
				d.Tensors = map[string]string{}
			}
			d.Tensors[in.Name] = in.Spec.Dtype
		}
	}
	return d, nil
}
