// SPDX-License-Identifier: Apache-2.0

package mlmodel

import (
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"

	"flyball/fault"
)

// description is what is read of an MLmodel file; the rest of it is passed over.
type description struct {
	Flavors   map[string]map[string]any `yaml:"flavors"`
	UUID      string                    `yaml:"model_uuid"`
	Signature signature                 `yaml:"signature"`
	Example   struct {
		Path   string `yaml:"artifact_path"`
		Orient string `yaml:"pandas_orient"`
		Type   string `yaml:"type"`
	} `yaml:"saved_input_example_info"`
}

// signature is JSON in texts.
type signature struct {
	Inputs  string `yaml:"inputs"`
	Outputs string `yaml:"outputs"`
	Params  string `yaml:"params"`
}

// parse reads MLmodel. What MLflow never writes is an Invalid fault: anchors, which
// could make much of little, tags, merges, and deep nesting.
func parse(raw []byte) (d description, err error) {
	// The YAML library has paniced on odd input before; a file must not end the process.
	defer func() {
		if recover() != nil {
			d, err = description{}, fault.New(fault.Invalid, "MLmodel is not YAML that can be read")
		}
	}()
	if err := guard(lexer.Tokenize(string(raw))); err != nil {
		return description{}, err
	}
	if err := yaml.Unmarshal(raw, &d); err != nil {
		return description{}, fault.Wrap(err, fault.Invalid, "MLmodel is not YAML that can be read")
	}
	if len(d.Flavors) == 0 {
		return description{}, fault.New(fault.Invalid, "MLmodel names no flavor")
	}
	return d, nil
}

// The bounds of an MLmodel file, far above what MLflow writes.
const (
	maxDepth  = 40
	maxTokens = 200_000
	maxKeys   = 10_000 // the YAML library takes time by their square
)

// guard refuses what the recursive parser would go too deep for, and what MLflow does
// not write.
func guard(tokens token.Tokens) error {
	open, line, onLine, keys := 0, 0, 0, 0
	for i, t := range tokens {
		if t.Position != nil && t.Position.Line != line {
			line, onLine = t.Position.Line, 0
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			open++
		case token.SequenceEndType, token.MappingEndType:
			open--
		case token.SequenceEntryType:
			onLine++
		case token.MappingValueType:
			keys++
		case token.AnchorType, token.AliasType, token.TagType, token.MergeKeyType, token.MappingKeyType:
			return fault.New(fault.Invalid, "MLmodel holds %q in line %d, which MLflow does not write", t.Value, line)
		}
		if open > maxDepth || onLine > maxDepth || keys > maxKeys || i > maxTokens {
			return fault.New(fault.Invalid, "MLmodel holds too much or is nested too deeply")
		}
	}
	return nil
}
