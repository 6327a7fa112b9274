// SPDX-License-Identifier: Apache-2.0

package onnx

import (
	"slices"

	"flyball/fault"
)

// site is a node where its operator is made: what the operator may know before any run.
type site struct {
	*nodeProto
	version int64     // of its domain's operators
	known   []*tensor // its inputs; nil where absent or not constant
	err     error     // of the first attribute that could not be read
}

// domainML is where the operators of classical models live.
const domainML = "ai.onnx.ml"

// build makes the operator of a node. An operator or an attribute that is not known is a
// Refused fault.
func (n *site) build(all map[string]operator) (op, error) {
	found, ok := all[n.domain+":"+n.op]
	if !ok {
		name := n.op
		if n.domain != "" {
			name = n.domain + "." + name
		}
		return nil, refuse("the operator %s", name)
	}
	if len(n.in) < found.least || (found.most >= 0 && len(n.in) > found.most) {
		return nil, fault.New(fault.Invalid, "%s has %d inputs", n.op, len(n.in)).Do("write the model again")
	}
	for i := range found.least {
		if n.in[i] == "" {
			return nil, fault.New(fault.Invalid, "%s lacks input %d", n.op, i).Do("write the model again")
		}
	}
	if len(n.out) > found.outputs && found.outputs >= 0 {
		return nil, refuse("output %d of %s", found.outputs, n.op)
	}
	do, err := found.build(n)
	if n.err != nil {
		return nil, n.err
	}
	if err != nil {
		return nil, err
	}
	for i := range n.attrs {
		if a := &n.attrs[i]; !a.used {
			return nil, refuse("the attribute %s of %s", a.name, n.op)
		}
	}
	return do, nil
}

// attr finds an attribute and notes that it is known; nil when it is not there.
func (n *site) attr(name string) *attrProto {
	for i := range n.attrs {
		if a := &n.attrs[i]; a.name == name {
			a.used = true
			if a.other && n.err == nil {
				n.err = refuse("a graph or a reference as attribute %s of %s", name, n.op)
			}
			return a
		}
	}
	return nil
}

// ignore notes attributes that do not change what is scored.
func (n *site) ignore(names ...string) {
	for _, name := range names {
		n.attr(name)
	}
}

func (n *site) int(name string, absent int64) int64 {
	if a := n.attr(name); a != nil {
		return a.i
	}
	return absent
}

func (n *site) float(name string, absent float32) float32 {
	if a := n.attr(name); a != nil {
		return a.f
	}
	return absent
}

func (n *site) text(name, absent string) string {
	if a := n.attr(name); a != nil {
		return a.s
	}
	return absent
}

func (n *site) ints(name string) []int64 {
	if a := n.attr(name); a != nil {
		return a.ints
	}
	return nil
}

func (n *site) floats(name string) []float32 {
	if a := n.attr(name); a != nil {
		return a.floats
	}
	return nil
}

func (n *site) texts(name string) []string {
	if a := n.attr(name); a != nil {
		return a.strs
	}
	return nil
}

// tensor is an attribute that holds an array; nil when it is not there.
func (n *site) tensor(name string) *tensor {
	a := n.attr(name)
	if a == nil || a.t == nil {
		return nil
	}
	t, err := a.t.decode()
	if err != nil && n.err == nil {
		n.err = err
	}
	return t
}

// doubles is a list of numbers that stands as floats under name, or as an array of floats
// or doubles under name_as_tensor; double says that they are doubles.
func (n *site) doubles(name string) (v []float64, double bool) {
	f := n.floats(name)
	if t := n.tensor(name + "_as_tensor"); t != nil {
		return t.toFloat64(), t.kind == float64Kind
	}
	return widened(f), false
}

// axis counts an axis of rank dimensions from the front.
func axis(a, rank int) (int, error) {
	if a < 0 {
		a += rank
	}
	if a < 0 || a >= rank {
		return 0, fault.New(fault.Invalid, "an axis %d of an array of %d dimensions", a, rank)
	}
	return a, nil
}

// axes counts axes from the front, sorted, none twice.
func axes(as []int, rank int) ([]int, error) {
	out := make([]int, len(as))
	for i, a := range as {
		var err error
		if out[i], err = axis(a, rank); err != nil {
			return nil, err
		}
	}
	slices.Sort(out)
	for i := 1; i < len(out); i++ {
		if out[i] == out[i-1] {
			return nil, fault.New(fault.Invalid, "the axis %d stands twice", out[i])
		}
	}
	return out, nil
}

// list is a list of whole numbers that is an attribute in old models and an input in new
// ones. With absent, there is none.
func (n *site) list(name string, input int) func(in []*tensor) (v []int, absent bool, err error) {
	if a := n.attr(name); a != nil {
		fixed := make([]int, len(a.ints))
		for i, x := range a.ints {
			fixed[i] = int(x)
		}
		return func([]*tensor) ([]int, bool, error) { return fixed, false, nil }
	}
	if input >= len(n.in) || n.in[input] == "" {
		return func([]*tensor) ([]int, bool, error) { return nil, true, nil }
	}
	if t := n.known[input]; t != nil {
		fixed, ok := t.whole()
		if !ok {
			n.err = refuseKind(t.kind)
		}
		return func([]*tensor) ([]int, bool, error) { return fixed, false, nil }
	}
	return func(in []*tensor) ([]int, bool, error) {
		v, ok := in[input].whole()
		if !ok {
			return nil, false, refuseKind(in[input].kind)
		}
		return v, false, nil
	}
}
