// SPDX-License-Identifier: Apache-2.0

package export

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"

	"flyball/data/pipeline"
)

// The kinds of tensor (TensorProto.DataType) that are written.
const (
	float32Kind = 1
	int64Kind   = 7
	textKind    = 8
	boolKind    = 9
	float64Kind = 11
)

// What is written: the version of the file's form, and of its operators.
const (
	irVersion = 9
	opset     = 19
	opsetML   = 3
)

// features is the name of the one output.
const features = "features"

// graph is an ONNX graph as it grows: messages of onnx.proto, each in its bytes.
type graph struct {
	nodes, inputs, constants []byte
	known                    map[string]string // of a constant's bytes, its name
	done                     map[string]string // of a node, its result: no node stands twice
	prefix                   string            // of the names of values, which no input has
	out                      string            // the name of the output
	count                    int
}

// newGraph makes an empty graph whose names are none of the inputs'.
func newGraph(inputs pipeline.Fields) *graph {
	taken := map[string]bool{}
	for _, f := range inputs {
		taken[f.Name], taken[missingOf(f.Name)] = true, true
	}
	g := &graph{known: map[string]string{}, done: map[string]string{}, prefix: "v", out: features}
	for clash := true; clash; {
		clash = false
		for name := range taken {
			if len(name) >= len(g.prefix) && name[:len(g.prefix)] == g.prefix {
				clash = true
			}
		}
		if clash {
			g.prefix += "v"
		}
	}
	for taken[g.out] {
		g.out += "_"
	}
	return g
}

// missingOf is the input that tells which texts of a column are missing.
func missingOf(name string) string { return name + ".missing" }

func (g *graph) next() string {
	g.count++
	return g.prefix + strconv.Itoa(g.count)
}

// attr is an attribute of a node: an int64, texts or int64s.
type attr struct {
	name  string
	value any
}

// node adds a node of the base operators and is the name of its result.
func (g *graph) node(op string, in ...string) string { return g.add("", op, nil, in) }

// add adds a node, unless the same stands already, and is the name of its result.
func (g *graph) add(domain, op string, attrs []attr, in []string) string {
	var body []byte
	for _, name := range in {
		body = text(body, 1, name)
	}
	body = text(body, 4, op)
	for _, a := range attrs {
		body = message(body, 5, a.encode())
	}
	if domain != "" {
		body = text(body, 7, domain)
	}
	if out, ok := g.done[string(body)]; ok {
		return out
	}
	out := g.next()
	g.done[string(body)] = out
	g.nodes = message(g.nodes, 1, text(body, 2, out))
	return out
}

func (a attr) encode() []byte {
	b := text(nil, 1, a.name)
	switch v := a.value.(type) {
	case int:
		return number(number(b, 3, uint64(v)), 20, 2)
	case []int64:
		for _, x := range v {
			b = number(b, 8, uint64(x))
		}
		return number(b, 20, 7)
	case []string:
		for _, x := range v {
			b = text(b, 9, x)
		}
		return number(b, 20, 8)
	}
	return b
}

// constant adds a tensor of one row, unless the same stands already, and is its name.
func (g *graph) constant(kind uint64, raw []byte, dims ...int) string {
	return g.keep(message(tensor(kind, dims), 9, raw))
}

func tensor(kind uint64, dims []int) []byte {
	var b []byte
	for _, d := range dims {
		b = number(b, 1, uint64(d))
	}
	return number(b, 2, kind)
}

func (g *graph) keep(body []byte) string {
	if name, ok := g.known[string(body)]; ok {
		return name
	}
	name := g.next()
	g.known[string(body)] = name
	g.constants = message(g.constants, 5, text(body, 8, name))
	return name
}

// reals are float64s side by side.
func (g *graph) reals(v ...float64) string {
	raw := make([]byte, 0, 8*len(v))
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(x))
	}
	return g.constant(float64Kind, raw, 1, len(v))
}

// wholes are int64s side by side.
func (g *graph) wholes(v ...int64) string { return g.constant(int64Kind, littleEndian(v), 1, len(v)) }

func littleEndian(v []int64) []byte {
	raw := make([]byte, 0, 8*len(v))
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(x))
	}
	return raw
}

// word is one text.
func (g *graph) word(s string) string {
	return g.keep(message(tensor(textKind, []int{1, 1}), 6, []byte(s)))
}

// truth is one bool.
func (g *graph) truth(v bool) string {
	raw := []byte{0}
	if v {
		raw[0] = 1
	}
	return g.constant(boolKind, raw, 1, 1)
}

// cast turns values into those of another kind.
func (g *graph) cast(x string, kind int) string {
	return g.add("", "Cast", []attr{{"to", kind}}, []string{x})
}

// declare is a ValueInfoProto of so many columns and any number of rows.
func declare(name string, kind uint64, rows string, columns int) []byte {
	shape := message(nil, 1, text(nil, 2, rows))
	shape = message(shape, 1, number(nil, 1, uint64(columns)))
	typ := message(number(nil, 1, kind), 2, shape)
	return message(text(nil, 1, name), 2, message(nil, 1, typ))
}

// model is the whole file, of the columns that the graph's output has.
func (w *writer) model(f *pipeline.Fitted, golden []byte) []byte {
	g := append([]byte(nil), w.nodes...)
	g = text(g, 2, "pipeline")
	g = append(append(g, w.constants...), w.inputs...)
	g = message(g, 12, declare(w.out, float32Kind, "rows", len(w.columns)))
	b := number(nil, 1, irVersion)
	b = text(b, 2, "flyball")
	b = message(b, 7, g)
	for _, set := range []struct {
		domain  string
		version uint64
	}{{"", opset}, {"ai.onnx.ml", opsetML}} {
		b = message(b, 8, number(text(nil, 1, set.domain), 2, set.version))
	}
	kinds, _ := json.Marshal(pipeline.Fields(f.Inputs()))
	names, _ := json.Marshal(f.Names())
	about := [][2]string{{"flyball.pipeline", f.Digest()}, {"flyball.inputs", string(kinds)}, {"flyball.features", string(names)}}
	if golden != nil {
		about = append(about, [2]string{"flyball.golden", string(golden)})
	}
	for _, m := range about {
		b = message(b, 14, text(text(nil, 1, m[0]), 2, m[1]))
	}
	return b
}

func text(b []byte, field protowire.Number, s string) []byte { return message(b, field, []byte(s)) }

func message(b []byte, field protowire.Number, body []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), body)
}

func number(b []byte, field protowire.Number, x uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), x)
}
