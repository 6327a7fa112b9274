// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"slices"

	"flyball/data/frame"
	"flyball/fault"
)

// plan is where everything stands: which slot each step reads and writes, and which
// slots are the features. It is worked out once, so that a row costs no lookups.
type plan struct {
	slots    int
	steps    []step
	columns  []column // that stand after the steps placed so far
	origins  []column // every column there ever was, by name the newest last
	features []int
	names    []string
}

// column is a name and the slot that holds it.
type column struct {
	frame.Field
	slot int
}

// step is one operation with its slots. outs and result names of one_hot are known
// only once it is fitted.
type step struct {
	spec  Step
	in    []column
	outs  []int
	state state
	code  *program // expr
	maps  []map[string]int
}

// operation is what is known of an op: the kinds of column it takes, and the keys it
// knows besides op, in and as.
type operation struct {
	name  string
	takes []frame.Kind
	keys  []string
}

var operations = []operation{
	{"impute", []frame.Kind{frame.Number, frame.Text}, []string{"strategy", "value"}},
	{"scale", []frame.Kind{frame.Number}, []string{"strategy"}},
	{"one_hot", []frame.Kind{frame.Text}, []string{"at_least"}},
	{"ordinal", []frame.Kind{frame.Text}, []string{"at_least", "by"}},
	{"bucketize", []frame.Kind{frame.Number}, []string{"strategy", "bins", "edges"}},
	{"datetime", []frame.Kind{frame.Time}, []string{"parts"}},
	{"clip", []frame.Kind{frame.Number}, []string{"min", "max"}},
	{"expr", nil, []string{"expr"}},
	{"select", []frame.Kind{frame.Number, frame.Text, frame.Time}, nil},
}

func operationOf(name string) (operation, bool) {
	for _, o := range operations {
		if o.name == name {
			return o, true
		}
	}
	return operation{}, false
}

// Validate checks a pipeline without rows: operations, columns, kinds, keys, and
// that every feature is a number in the end. The error is an Invalid fault.
func Validate(spec Spec) error {
	p, err := planOf(spec)
	if err != nil {
		return err
	}
	for i := range p.steps {
		// The results of a step do not depend on what it learns but for one_hot,
		// whose columns are numbers whatever they are called.
		st := state{Kept: make([][]string, len(p.steps[i].in)), Rare: make([][]string, len(p.steps[i].in))}
		if err := p.place(i, st); err != nil {
			return err
		}
	}
	return p.numbers()
}

// planOf reads the spec up to its first step; place takes it on, step by step.
func planOf(spec Spec) (plan, error) {
	var p plan
	for i, in := range spec.Inputs {
		if in.Name == "" || in.Kind == 0 {
			return p, fault.New(fault.Invalid, "input %d of the pipeline has no name or no kind", i+1)
		}
		if p.find(in.Name) != nil {
			return p, fault.New(fault.Invalid, "the input %q stands twice", in.Name)
		}
		c := column{in, i}
		p.columns, p.origins = append(p.columns, c), append(p.origins, c)
	}
	p.slots = len(spec.Inputs)
	p.steps = make([]step, len(spec.Steps))
	for i, s := range spec.Steps {
		p.steps[i].spec = s
		if err := s.check(i); err != nil {
			return p, err
		}
	}
	if len(p.steps) > 0 {
		return p, p.bind(0)
	}
	return p, p.numbers()
}

func (p *plan) find(name string) *column {
	for i := range p.columns {
		if p.columns[i].Name == name {
			return &p.columns[i]
		}
	}
	return nil
}

// bind finds the columns that step i reads.
func (p *plan) bind(i int) error {
	s := &p.steps[i]
	op, _ := operationOf(s.spec.Op)
	s.in = nil
	for _, name := range s.spec.In {
		c := p.find(name)
		if c == nil {
			return fault.New(fault.Invalid, "step %d (%s) reads the column %q, which does not stand there", i+1, s.spec.Op, name)
		}
		if !slices.Contains(op.takes, c.Kind) {
			return fault.New(fault.Invalid, "step %d: %s does not take %q, which is a %s", i+1, s.spec.Op, name, c.Kind)
		}
		s.in = append(s.in, *c)
	}
	if s.spec.Op == "expr" {
		return s.compile(i, p.origins)
	}
	return nil
}

// place takes step i, with what it learned, into the plan: where its results go and
// what they are called.
func (p *plan) place(i int, st state) error {
	s := &p.steps[i]
	if err := s.learn(st); err != nil {
		return fault.Wrap(err, fault.Invalid, "step %d (%s)", i+1, s.spec.Op)
	}
	switch s.spec.Op {
	case "select":
		p.columns = slices.Clone(s.in)
	case "expr":
		if err := p.append(s, []frame.Field{{Name: s.spec.As, Kind: frame.Number}}); err != nil {
			return err
		}
	default:
		for k, in := range s.in {
			made := s.results(k)
			var err error
			if s.spec.As != "" {
				err = p.append(s, made)
			} else {
				err = p.replace(s, in.Name, made)
			}
			if err != nil {
				return err
			}
		}
	}
	if i+1 < len(p.steps) {
		return p.bind(i + 1)
	}
	return p.numbers()
}

// slotsFor gives new slots to what a step makes.
func (p *plan) slotsFor(s *step, made []frame.Field) []column {
	out := make([]column, len(made))
	for k, f := range made {
		out[k] = column{f, p.slots}
		s.outs = append(s.outs, p.slots)
		p.slots++
	}
	p.origins = append(p.origins, out...)
	return out
}

func (p *plan) append(s *step, made []frame.Field) error {
	for _, f := range made {
		if p.find(f.Name) != nil {
			return fault.New(fault.Invalid, "a step makes %q, which stands there already", f.Name)
		}
	}
	p.columns = append(p.columns, p.slotsFor(s, made)...)
	return nil
}

func (p *plan) replace(s *step, name string, made []frame.Field) error {
	at := slices.IndexFunc(p.columns, func(c column) bool { return c.Name == name })
	for _, f := range made {
		if f.Name != name && p.find(f.Name) != nil {
			return fault.New(fault.Invalid, "a step makes %q, which stands there already", f.Name)
		}
	}
	p.columns = slices.Replace(p.columns, at, at+1, p.slotsFor(s, made)...)
	return nil
}

// numbers checks that what stands in the end are numbers.
func (p *plan) numbers() error {
	for _, c := range p.columns {
		switch c.Kind {
		case frame.Text:
			return fault.New(fault.Invalid, "the text column %q is no feature as it stands", c.Name).Do("add a step such as {op: one_hot, in: %s} or {op: ordinal, in: %s}", c.Name, c.Name)
		case frame.Time:
			return fault.New(fault.Invalid, "the time column %q is no feature as it stands", c.Name).Do("add a step such as {op: datetime, in: %s, parts: [hour, weekday]}", c.Name)
		}
	}
	return nil
}

func (f *Fitted) place(i int) error { return f.plan.place(i, f.states[i]) }

// finish fixes the features.
func (f *Fitted) finish() {
	for _, c := range f.plan.columns {
		f.plan.features = append(f.plan.features, c.slot)
		f.plan.names = append(f.plan.names, c.Name)
	}
}

// results are what a step makes of its k-th column.
func (s *step) results(k int) []frame.Field {
	name := s.in[k].Name
	if s.spec.As != "" {
		name = s.spec.As
	}
	var out []frame.Field
	switch s.spec.Op {
	case "one_hot":
		for _, c := range s.state.Kept[k] {
			out = append(out, frame.Field{Name: name + "=" + c, Kind: frame.Number})
		}
		return append(out, frame.Field{Name: name + "=other", Kind: frame.Number})
	case "datetime":
		for _, part := range s.spec.Parts {
			out = append(out, frame.Field{Name: name + "_" + part, Kind: frame.Number})
		}
		return out
	case "impute":
		return []frame.Field{{Name: name, Kind: s.in[k].Kind}}
	}
	return []frame.Field{{Name: name, Kind: frame.Number}}
}
