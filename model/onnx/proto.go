// SPDX-License-Identifier: Apache-2.0

package onnx

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"flyball/fault"
)

// The structs below are the messages of onnx.proto (https://github.com/onnx/onnx, IR
// versions 3 to 13) with the fields that scoring needs. They share the file's bytes.

type modelProto struct {
	graph  *graphProto
	opsets map[string]int64 // by domain; "" and "ai.onnx" are the same
}

type graphProto struct {
	nodes        []nodeProto
	initializers []tensorProto
	inputs       []valueInfo
	outputs      []valueInfo
}

type nodeProto struct {
	name, op, domain string
	in, out          []string
	attrs            []attrProto
}

type attrProto struct {
	name   string
	f      float32
	i      int64
	s      string
	t      *tensorProto
	floats []float32
	ints   []int64
	strs   []string
	other  bool // a graph, a sparse tensor or a reference: what no operator here takes
	used   bool
}

type tensorProto struct {
	name     string
	dims     []int64
	kind     int64 // TensorProto.DataType
	raw      []byte
	hasRaw   bool
	floats   []float32
	int32s   []int64
	int64s   []int64
	doubles  []float64
	strs     []string
	external bool
}

// valueInfo is a named input or output: its type, and its shape with -1 where a
// dimension is open. A shape that is not told is nil; known says which it is.
type valueInfo struct {
	name  string
	kind  int64 // TensorProto.DataType; 0 where it is no tensor
	shape []int64
	known bool
}

func malformed(what string) error {
	return fault.New(fault.Invalid, "the ONNX file is broken: %s cannot be read", what).Do("write the model again")
}

// field is one field of a message: a number (of varints and fixed ones) or bytes.
type field struct {
	id    protowire.Number
	typ   protowire.Type
	num   uint64
	bytes []byte
}

// fields calls f with each field of a message, and stops at its first error.
func fields(b []byte, what string, f func(field) error) error {
	for len(b) > 0 {
		id, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return malformed(what)
		}
		b = b[n:]
		v := field{id: id, typ: typ}
		switch typ {
		case protowire.VarintType:
			v.num, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var x uint32
			x, n = protowire.ConsumeFixed32(b)
			v.num = uint64(x)
		case protowire.Fixed64Type:
			v.num, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			v.bytes, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(id, typ, b)
		}
		if n < 0 {
			return malformed(what)
		}
		b = b[n:]
		if err := f(v); err != nil {
			return err
		}
	}
	return nil
}

// varints appends a repeated integer, packed or not.
func varints(to []int64, v field, what string) ([]int64, error) {
	switch v.typ {
	case protowire.VarintType:
		return append(to, int64(v.num)), nil
	case protowire.BytesType:
		for b := v.bytes; len(b) > 0; {
			x, n := protowire.ConsumeVarint(b)
			if n < 0 {
				return nil, malformed(what)
			}
			to, b = append(to, int64(x)), b[n:]
		}
		return to, nil
	}
	return nil, malformed(what)
}

// float32s appends a repeated float, packed or not.
func float32s(to []float32, v field, what string) ([]float32, error) {
	switch v.typ {
	case protowire.Fixed32Type:
		return append(to, math.Float32frombits(uint32(v.num))), nil
	case protowire.BytesType:
		for b := v.bytes; len(b) > 0; {
			x, n := protowire.ConsumeFixed32(b)
			if n < 0 {
				return nil, malformed(what)
			}
			to, b = append(to, math.Float32frombits(x)), b[n:]
		}
		return to, nil
	}
	return nil, malformed(what)
}

// float64s appends a repeated double, packed or not.
func float64s(to []float64, v field, what string) ([]float64, error) {
	switch v.typ {
	case protowire.Fixed64Type:
		return append(to, math.Float64frombits(v.num)), nil
	case protowire.BytesType:
		for b := v.bytes; len(b) > 0; {
			x, n := protowire.ConsumeFixed64(b)
			if n < 0 {
				return nil, malformed(what)
			}
			to, b = append(to, math.Float64frombits(x)), b[n:]
		}
		return to, nil
	}
	return nil, malformed(what)
}

// parse reads a ModelProto. The error is an Invalid fault, or a Refused one where the
// file has what is not scored here.
func parse(b []byte) (*modelProto, error) {
	m := &modelProto{opsets: map[string]int64{}}
	err := fields(b, "the model", func(v field) error {
		switch v.id {
		case 7:
			g, err := parseGraph(v.bytes)
			m.graph = g
			return err
		case 8:
			return parseOpset(v.bytes, m.opsets)
		case 25:
			return refuse("a function of the model's own")
		}
		return nil
	})
	if err == nil && (m.graph == nil || len(m.graph.outputs) == 0) {
		err = fault.New(fault.Invalid, "the file is not an ONNX model: it has no graph with an output").Do("write the model with onnx.save")
	}
	return m, err
}

func parseOpset(b []byte, to map[string]int64) error {
	domain, version := "", int64(0)
	err := fields(b, "an operator set", func(v field) error {
		switch v.id {
		case 1:
			domain = string(v.bytes)
		case 2:
			version = int64(v.num)
		}
		return nil
	})
	if domain == "ai.onnx" {
		domain = ""
	}
	to[domain] = version
	return err
}

func parseGraph(b []byte) (*graphProto, error) {
	g := &graphProto{}
	return g, fields(b, "the graph", func(v field) error {
		switch v.id {
		case 1:
			n, err := parseNode(v.bytes)
			if err != nil {
				return err
			}
			g.nodes = append(g.nodes, n)
		case 5:
			t, err := parseTensor(v.bytes)
			if err != nil {
				return err
			}
			if t.name == "" {
				return malformed("a constant without a name")
			}
			g.initializers = append(g.initializers, t)
		case 11, 12:
			i, err := parseValueInfo(v.bytes)
			if err != nil {
				return err
			}
			if v.id == 11 {
				g.inputs = append(g.inputs, i)
			} else {
				g.outputs = append(g.outputs, i)
			}
		case 15:
			return refuse("a sparse constant")
		}
		return nil
	})
}

func parseNode(b []byte) (nodeProto, error) {
	var n nodeProto
	err := fields(b, "a node", func(v field) error {
		switch v.id {
		case 1:
			n.in = append(n.in, string(v.bytes))
		case 2:
			n.out = append(n.out, string(v.bytes))
		case 3:
			n.name = string(v.bytes)
		case 4:
			n.op = string(v.bytes)
		case 5:
			a, err := parseAttr(v.bytes)
			if err != nil {
				return err
			}
			n.attrs = append(n.attrs, a)
		case 7:
			n.domain = string(v.bytes)
		}
		return nil
	})
	if n.domain == "ai.onnx" {
		n.domain = ""
	}
	if err == nil && (n.op == "" || len(n.out) == 0) {
		err = malformed("a node without operator or output")
	}
	return n, err
}

func parseAttr(b []byte) (attrProto, error) {
	var a attrProto
	err := fields(b, "an attribute", func(v field) (err error) {
		switch v.id {
		case 1:
			a.name = string(v.bytes)
		case 2:
			a.f = math.Float32frombits(uint32(v.num))
		case 3:
			a.i = int64(v.num)
		case 4:
			a.s = string(v.bytes)
		case 5:
			var t tensorProto
			t, err = parseTensor(v.bytes)
			a.t = &t
		case 7:
			a.floats, err = float32s(a.floats, v, "an attribute")
		case 8:
			a.ints, err = varints(a.ints, v, "an attribute")
		case 9:
			a.strs = append(a.strs, string(v.bytes))
		case 6, 10, 11, 14, 15, 21, 22, 23:
			a.other = true
		}
		return err
	})
	if err == nil && a.name == "" {
		err = malformed("an attribute without a name")
	}
	return a, err
}

func parseTensor(b []byte) (tensorProto, error) {
	var t tensorProto
	err := fields(b, "a constant", func(v field) (err error) {
		switch v.id {
		case 1:
			t.dims, err = varints(t.dims, v, "a constant")
		case 2:
			t.kind = int64(v.num)
		case 4:
			t.floats, err = float32s(t.floats, v, "a constant")
		case 5:
			t.int32s, err = varints(t.int32s, v, "a constant")
		case 6:
			t.strs = append(t.strs, string(v.bytes))
		case 7:
			t.int64s, err = varints(t.int64s, v, "a constant")
		case 8:
			t.name = string(v.bytes)
		case 9:
			t.raw, t.hasRaw = v.bytes, true
		case 10:
			t.doubles, err = float64s(t.doubles, v, "a constant")
		case 3:
			return refuse("a constant in segments")
		case 13:
			t.external = true
		case 14:
			t.external = t.external || v.num != 0
		}
		return err
	})
	if err == nil && t.external {
		err = fault.New(fault.Refused, "the constant %q is kept outside the ONNX file", t.name).
			Do("save the model with its data inside: onnx.save(model, path, save_as_external_data=False)")
	}
	return t, err
}

func parseValueInfo(b []byte) (valueInfo, error) {
	var i valueInfo
	return i, fields(b, "an input or output", func(v field) error {
		switch v.id {
		case 1:
			i.name = string(v.bytes)
		case 2:
			return fields(v.bytes, "a type", func(v field) error {
				if v.id != 1 { // a sequence, a map, an optional value
					return nil
				}
				return parseTensorType(v.bytes, &i)
			})
		}
		return nil
	})
}

func parseTensorType(b []byte, i *valueInfo) error {
	return fields(b, "a type", func(v field) error {
		switch v.id {
		case 1:
			i.kind = int64(v.num)
		case 2:
			i.known = true
			return fields(v.bytes, "a shape", func(v field) error {
				if v.id != 1 {
					return nil
				}
				dim := int64(-1)
				err := fields(v.bytes, "a dimension", func(v field) error {
					if v.id == 1 && int64(v.num) > 0 {
						dim = int64(v.num)
					}
					return nil
				})
				i.shape = append(i.shape, dim)
				return err
			})
		}
		return nil
	})
}
