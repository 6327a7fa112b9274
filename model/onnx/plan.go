// SPDX-License-Identifier: Apache-2.0

package onnx

import (
	"errors"
	"slices"
	"sync"

	"flyball/fault"
)

// refuse is the fault of what a model has and Flyball does not score.
func refuse(format string, args ...any) error {
	f := fault.New(fault.Refused, format, args...)
	f.What = "an ONNX model with " + f.What + " is not scored here"
	return f.Do("have it scored in a Python process")
}

// refuseKind is the fault of elements that an operator does not take here.
func refuseKind(k kind) error { return refuse("elements of type %s at this place", k) }

// op is an operator at its place: it reads in, of which optional ones may be nil, and
// sets all of out. It changes nothing of what it reads, and of itself neither: many runs
// go on at once.
type op func(e *session, in, out []*tensor) error

// step is an operator with the places of its inputs (-1: absent) and outputs.
type step struct {
	do      op
	in, out []int
	name    string // for faults
}

// plan is a graph made ready: the steps that its wanted outputs need, in order, with all
// that does not depend on the input computed already. It is immutable.
type plan struct {
	inputs  []valueInfo
	starts  []int // places of the inputs; -1 where no output needs it
	outputs []int
	known   []*tensor // by place: constants; nil elsewhere
	steps   []step
	bytes   int // of the file: what bounds the work
	runs    sync.Pool
}

// planner makes a plan.
type planner struct {
	model  *modelProto
	all    map[string]operator // by domain and name
	place  map[string]int      // by the name of a value
	known  []*tensor
	source map[string]*nodeProto    // who makes a value
	inits  map[string]*tensorProto  // constants by name
	given  map[string]int           // place in inputs
	state  map[*nodeProto]nodeState // of the walk
	steps  []step
	folds  *session
}

type nodeState uint8

const (
	unseen nodeState = iota
	under
	done
)

// newPlan makes the plan of a model for the named outputs. bytes is the size of the
// model's file. Faults are Invalid or Refused.
func newPlan(m *modelProto, outputs []string, bytes int) (*plan, error) {
	p := &planner{
		model: m, place: map[string]int{}, source: map[string]*nodeProto{}, inits: map[string]*tensorProto{},
		given: map[string]int{}, state: map[*nodeProto]nodeState{}, folds: &session{}, all: map[string]operator{},
	}
	for _, o := range operators() {
		p.all[o.domain+":"+o.name] = o
	}
	g := m.graph
	for i := range g.initializers {
		p.inits[g.initializers[i].name] = &g.initializers[i]
	}
	out := &plan{bytes: bytes}
	for _, i := range g.inputs {
		if p.inits[i.name] == nil { // old models list their constants among the inputs
			p.given[i.name] = len(out.inputs)
			out.inputs = append(out.inputs, i)
		}
	}
	for i := range g.nodes {
		for _, name := range g.nodes[i].out {
			if name != "" && p.source[name] != nil {
				return nil, fault.New(fault.Invalid, "two nodes of the ONNX model make %q", name).Do("write the model again")
			}
			p.source[name] = &g.nodes[i]
		}
	}
	for _, name := range outputs {
		at, err := p.value(name, bytes, 0)
		if err != nil {
			return nil, err
		}
		out.outputs = append(out.outputs, at)
	}
	for _, i := range out.inputs {
		at, ok := p.place[i.name]
		if !ok {
			at = -1
		}
		out.starts = append(out.starts, at)
	}
	out.known, out.steps = p.known, p.steps
	return out, nil
}

// deepest is how many nodes may stand one behind the other.
const deepest = 20_000

// value is the place of a named value; the steps that make it are added before.
func (p *planner) value(name string, bytes, depth int) (int, error) {
	if at, ok := p.place[name]; ok {
		return at, nil
	}
	if depth > deepest {
		return 0, refuse("more than %d nodes in a row", deepest)
	}
	if _, ok := p.given[name]; ok {
		return p.put(name, nil), nil
	}
	if t := p.inits[name]; t != nil {
		v, err := t.decode()
		if err != nil {
			return 0, err
		}
		return p.put(name, v), nil
	}
	n := p.source[name]
	if n == nil {
		return 0, fault.New(fault.Invalid, "nothing in the ONNX model makes %q", name).Do("write the model again")
	}
	if p.state[n] == under {
		return 0, fault.New(fault.Invalid, "the ONNX model goes round in a circle at %q", name).Do("write the model again")
	}
	p.state[n] = under
	if err := p.add(n, bytes, depth); err != nil {
		return 0, err
	}
	p.state[n] = done
	return p.place[name], nil
}

// put gives a value its place.
func (p *planner) put(name string, v *tensor) int {
	at := len(p.known)
	p.known = append(p.known, v)
	p.place[name] = at
	return at
}

// add makes a node a step, after those that it reads; or its results constants, where
// all that it reads is.
func (p *planner) add(n *nodeProto, bytes, depth int) error {
	s := step{name: n.op}
	fixed := true
	at := &site{nodeProto: n, version: p.model.opsets[n.domain]}
	for _, name := range n.in {
		i := -1
		var v *tensor
		if name != "" {
			var err error
			if i, err = p.value(name, bytes, depth+1); err != nil {
				return err
			}
			v = p.known[i]
			fixed = fixed && v != nil
		}
		s.in, at.known = append(s.in, i), append(at.known, v)
	}
	do, err := at.build(p.all)
	if err != nil {
		return within(err, n)
	}
	s.do = do
	var folded []*tensor
	if fixed {
		p.folds.reset(16*bytes + 1024)
		folded = make([]*tensor, len(n.out))
		if err := do(p.folds, at.known, folded); err != nil {
			return within(err, n)
		}
		p.folds = &session{} // its memory belongs to the constants now
	}
	for i, name := range n.out {
		var v *tensor
		if fixed {
			v = folded[i]
		}
		s.out = append(s.out, p.put(name, v))
	}
	if !fixed {
		p.steps = append(p.steps, s)
	}
	return nil
}

// within says at which node a fault came up.
func within(err error, n *nodeProto) error {
	var f *fault.Error
	if errors.As(err, &f) && n.name != "" {
		c := *f
		c.What += " (operator " + n.op + ", node " + n.name + ")"
		return &c
	} else if f != nil {
		c := *f
		c.What += " (operator " + n.op + ")"
		return &c
	}
	return err
}

// run computes the outputs for the inputs, which are as many as p.inputs, with rows rows,
// and hands them to then; they hold until it returns. It may be called at once by many.
func (p *plan) run(inputs func(e *session) ([]*tensor, error), rows int, then func([]*tensor) error) error {
	e, ok := p.runs.Get().(*session)
	if !ok {
		e = &session{values: make([]*tensor, len(p.known))}
	}
	e.reset((rows + 1) * (16*p.bytes + 4096))
	defer func() {
		if !e.large() {
			p.runs.Put(e)
		}
	}()
	copy(e.values, p.known)
	in, err := inputs(e)
	if err != nil {
		return err
	}
	for i, at := range p.starts {
		if at >= 0 {
			e.values[at] = in[i]
		}
	}
	for i := range p.steps {
		s := &p.steps[i]
		if err := s.run(e); err != nil {
			return err
		}
	}
	e.out = e.out[:0]
	for _, at := range p.outputs {
		e.out = append(e.out, e.values[at])
	}
	return then(e.out)
}

func (s *step) run(e *session) error {
	e.in, e.out = slices.Grow(e.in[:0], len(s.in))[:len(s.in)], slices.Grow(e.out[:0], len(s.out))[:len(s.out)]
	for i, at := range s.in {
		e.in[i] = nil
		if at >= 0 {
			e.in[i] = e.values[at]
		}
	}
	clear(e.out)
	if err := s.do(e, e.in, e.out); err != nil {
		return within(err, &nodeProto{op: s.name})
	}
	for i, at := range s.out {
		e.values[at] = e.out[i]
	}
	return nil
}
