// SPDX-License-Identifier: Apache-2.0

package onnx

import (
	"encoding/json"
	"strconv"
)

// About is what an ONNX model says of itself.
type About struct {
	Inputs  []Value
	Outputs []Value

	// Classes are those of a classifier, by the place of the score; as JSON, because they
	// are whole numbers or texts. Nil where the model is none or does not tell.
	Classes []json.RawMessage

	// Zipped says that the model answers probabilities as a map from class to number
	// (ZipMap); scores are the numbers in the order of Classes.
	Zipped bool
}

// Classifier says whether the model gives labels beside its scores.
func (a About) Classifier() bool {
	for _, o := range a.Outputs {
		if o.Label {
			return true
		}
	}
	return false
}

// Value is an input or an output of a model.
type Value struct {
	Name  string
	Type  string // float, double, int64, int32, bool, string; "map" for what ZipMap makes
	Shape []int  // -1: open; nil: not told
	Label bool   // an output that names classes, and is no score
}

// chosen is what is made of a graph's outputs.
type chosen struct {
	about  About
	scores []string // values of the graph that are scores, in order
	widths []int    // columns of each, -1 where the model does not say
}

// choose tells labels from scores: beside numbers of floating point, whole numbers and
// texts are labels. A model that only answers whole numbers has them as its scores.
func choose(m *modelProto) (*chosen, error) {
	g := m.graph
	source := map[string]*nodeProto{}
	for i := range g.nodes {
		for _, o := range g.nodes[i].out {
			source[o] = &g.nodes[i]
		}
	}
	c := &chosen{}
	for _, i := range g.inputs {
		c.about.Inputs = append(c.about.Inputs, valueOf(i))
	}
	real := false
	for _, o := range g.outputs {
		zip := source[o.name]
		real = real || o.kind == 1 || o.kind == 11 || (zip != nil && zip.op == "ZipMap")
	}
	for _, o := range g.outputs {
		v := valueOf(o)
		switch zip := source[o.name]; {
		case zip != nil && zip.op == "ZipMap" && zip.domain == domainML && len(zip.in) == 1:
			v.Type, c.about.Zipped = "map", true
			c.about.Classes = classesIn(zip)
			c.add(zip.in[0], -1)
		case o.kind == 1 || o.kind == 11 || (o.kind != 8 && !real):
			c.add(o.name, width(o))
		case real:
			v.Label = true
			if c.about.Classes == nil {
				c.about.Classes = traced(g, source, o.name)
			}
		default:
			return nil, refuse("texts alone as its answer")
		}
		c.about.Outputs = append(c.about.Outputs, v)
	}
	return c, nil
}

func (c *chosen) add(name string, width int) {
	c.scores, c.widths = append(c.scores, name), append(c.widths, width)
}

func valueOf(v valueInfo) Value {
	out := Value{Name: v.name, Type: typeName(v.kind)}
	if v.known {
		out.Shape = []int{}
		for _, d := range v.shape {
			out.Shape = append(out.Shape, int(d))
		}
	}
	return out
}

// width is how many columns a value has; -1 where it does not say.
func width(v valueInfo) int {
	if !v.known {
		return -1
	}
	n := 1
	for _, d := range v.shape[min(1, len(v.shape)):] {
		if d < 0 || d > 1<<20 || n > 1<<20 {
			return -1
		}
		n *= int(d)
	}
	return n
}

// classesIn are the classes that a node's attributes name.
func classesIn(n *nodeProto) []json.RawMessage {
	var out []json.RawMessage
	for _, a := range n.attrs {
		switch a.name {
		case "classlabels_strings", "classlabels_int64s", "classlabels_ints":
			for _, s := range a.strs {
				out = append(out, quoted(s))
			}
			for _, i := range a.ints {
				out = append(out, json.RawMessage(strconv.FormatInt(i, 10)))
			}
		}
	}
	return out
}

func quoted(s string) json.RawMessage {
	b, err := json.Marshal(s)
	if err != nil {
		return json.RawMessage(`""`)
	}
	return b
}

// traced finds the classes of a label by going back from it: to a classifier, or to the
// list of classes that a place is looked up in.
func traced(g *graphProto, source map[string]*nodeProto, name string) []json.RawMessage {
	for range 16 {
		n := source[name]
		if n == nil || len(n.in) == 0 {
			return nil
		}
		switch n.op {
		case "Identity", "Cast", "Reshape", "Squeeze", "Flatten", "Unsqueeze":
			name = n.in[0]
		case "ArrayFeatureExtractor", "Gather":
			for i := range g.initializers {
				if g.initializers[i].name == n.in[0] {
					return listed(&g.initializers[i])
				}
			}
			return nil
		default:
			return classesIn(n)
		}
	}
	return nil
}

// listed are the elements of a constant.
func listed(p *tensorProto) []json.RawMessage {
	t, err := p.decode()
	if err != nil {
		return nil
	}
	var out []json.RawMessage
	for _, s := range t.texts {
		out = append(out, quoted(s))
	}
	if t.kind == int64Kind || t.kind == int32Kind {
		v, _ := t.whole()
		for _, i := range v {
			out = append(out, json.RawMessage(strconv.Itoa(i)))
		}
	}
	return out
}
