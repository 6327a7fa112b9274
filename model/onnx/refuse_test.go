// SPDX-License-Identifier: Apache-2.0

package onnx

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"flyball/fault"
	"flyball/model"
)

// message writes fields: a number, then a text, a message or a whole number.
func message(parts ...any) []byte {
	var b []byte
	for i := 0; i < len(parts); i += 2 {
		id := protowire.Number(parts[i].(int))
		switch v := parts[i+1].(type) {
		case string:
			b = protowire.AppendString(protowire.AppendTag(b, id, protowire.BytesType), v)
		case []byte:
			b = protowire.AppendBytes(protowire.AppendTag(b, id, protowire.BytesType), v)
		case int:
			b = protowire.AppendVarint(protowire.AppendTag(b, id, protowire.VarintType), uint64(v))
		}
	}
	return b
}

// value is an input or output of floats, [N, 2].
func value(name string) []byte {
	return message(1, name, 2, message(1, message(1, 1, 2, message(1, message(), 1, message(1, 2)))))
}

// graph is a model from x to y.
func graph(parts ...any) []byte {
	return message(7, message(append(parts, 11, value("x"), 12, value("y"))...), 8, message(2, 17))
}

func TestWhatIsNotScoredIsRefusedByName(t *testing.T) {
	for _, c := range []struct {
		name, want string
		file       []byte
	}{
		{"an operator", "the operator Conv", graph(1, message(1, "x", 2, "y", 4, "Conv"))},
		{"an operator of another domain", "the operator com.microsoft.Gelu", graph(1, message(1, "x", 2, "y", 4, "Gelu", 7, "com.microsoft"))},
		{"an attribute", "the attribute alpha of Relu", graph(1, message(1, "x", 2, "y", 4, "Relu", 5, message(1, "alpha", 20, 1)))},
		{"a type", "the type float16", graph(1, message(1, "x", 1, "w", 2, "y", 4, "Add"), 5, message(1, 1, 2, 10, 8, "w", 9, "ab"))},
		{"data outside the file", `the constant "w" is kept outside`, graph(1, message(1, "x", 1, "w", 2, "y", 4, "Add"), 5, message(1, 1, 2, 1, 8, "w", 14, 1))},
		{"a function", "a function of the model's own", append(graph(1, message(1, "x", 2, "y", 4, "Relu")), message(25, message())...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := read(c.file, model.Manifest{}); !fault.Is(err, fault.Refused) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestABrokenModelIsInvalid(t *testing.T) {
	for _, c := range []struct {
		name, want string
		file       []byte
	}{
		{"nothing", "not an ONNX model", nil},
		{"another file", "cannot be read", []byte("{\"json\": true}")},
		{"a value that nothing makes", `nothing in the ONNX model makes "z"`, graph(1, message(1, "z", 2, "y", 4, "Relu"))},
		{"a circle", "goes round in a circle", graph(1, message(1, "z", 2, "y", 4, "Relu"), 1, message(1, "y", 2, "z", 4, "Relu"))},
		{"a constant that is too short", "does not hold what its shape", graph(1, message(1, "x", 1, "w", 2, "y", 4, "Add"), 5, message(1, 3, 2, 1, 8, "w", 9, "abcd"))},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := read(c.file, model.Manifest{}); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	m, err := read(graph(1, message(1, "x", 2, "y", 4, "Relu")), model.Manifest{})
	if err != nil || m.Outputs() != 2 {
		t.Errorf("a sound one: got %v", err)
	}
}

func TestAModelThatGrowsBeyondItsSizeIsStopped(t *testing.T) {
	// [1, 2] repeated a hundred million times.
	times := message(1, 2, 2, 7, 8, "times", 7, protowire.AppendVarint(protowire.AppendVarint(nil, 1), 100_000_000))
	_, err := read(graph(1, message(1, "x", 1, "times", 2, "y", 4, "Tile"), 5, times), model.Manifest{})
	if !fault.Is(err, fault.TooLarge) {
		t.Errorf("got %v", err)
	}
}
