// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"slices"
	"strconv"
	"strings"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/unit"
)

// plan is where everything stands: which slot each step reads and writes, and which
// slots are the features. It is worked out once, so that a row costs no lookups.
type plan struct {
	slots    int
	steps    []step
	columns  []column // that stand after the steps placed so far
	origins  []column // every column there ever was, by name the newest last
	unknown  []string // without a fit: the beginnings of the names that one_hot and target_encode will make
	unbacked int      // columns made without anything learned for each of them: hash, interactions
	features []feature
	names    []string
}

// feature is a slot, and its place in a row of the matrix.
type feature struct{ at, slot int }

// column is a name and the slot that holds it. A missing text in it is fill, where
// an impute step said so: texts are not copied.
type column struct {
	frame.Field
	slot int
	fill *string
}

// step is one operation with its slots. outs and result names of one_hot are known
// only once it is fitted.
type step struct {
	op     op
	spec   Step
	in     []column
	outs   []int
	state  state
	code   *program // expr
	cycles []cycle  // datetime with cyclic: one a part
	words  []lookup // one_hot, ordinal, target_encode: by column, the category's place

	// one_hot, hash and text whose columns no later step reads write into the matrix:
	// at holds, by column and place, where; -1: select left it out.
	direct bool
	at     [][]int
}

// Validate checks a pipeline without rows: operations, columns, kinds, keys, names,
// and that every feature is a number in the end. The error is an Invalid fault.
func Validate(spec Spec) error {
	f, err := open(spec)
	if err != nil {
		return err
	}
	for i := range f.plan.steps {
		if err := f.plan.place(i, nil); err != nil {
			return err
		}
	}
	return nil
}

// planOf reads the spec up to its first step; place takes it on, step by step.
func planOf(spec Spec) (plan, error) {
	var p plan
	if len(spec.Inputs) > maxColumns {
		return p, tooMany(len(spec.Inputs))
	}
	for i, in := range spec.Inputs {
		if in.Name == "" || in.Kind < frame.Number || in.Kind > frame.Time {
			return p, fault.New(fault.Invalid, "input %d of the pipeline has no name or no kind", i+1)
		}
		if p.find(in.Name) != nil {
			return p, fault.New(fault.Invalid, "the input %q stands twice", in.Name)
		}
		c := column{Field: in, slot: i}
		p.columns, p.origins = append(p.columns, c), append(p.origins, c)
	}
	p.slots = len(spec.Inputs)
	p.steps = make([]step, len(spec.Steps))
	for i, s := range spec.Steps {
		o, err := s.check(i)
		if err != nil {
			return p, err
		}
		p.steps[i].op, p.steps[i].spec = o, s
		if s.Cyclic {
			p.steps[i].cycles = cyclesOf(s.Parts)
		}
	}
	return p, p.next(0)
}

func tooMany(n int) error {
	return fault.New(fault.Invalid, "the pipeline has %d columns, more than %d", n, maxColumns).Do("set at_least, make fewer features, or use ordinal")
}

func (p *plan) find(name string) *column {
	for i := range p.columns {
		if p.columns[i].Name == name {
			return &p.columns[i]
		}
	}
	return nil
}

// next binds step i, or checks what stands when there are no more.
func (p *plan) next(i int) error {
	if i < len(p.steps) {
		return p.bind(i)
	}
	return p.numbers()
}

// bind finds the columns that step i reads.
func (p *plan) bind(i int) error {
	s := &p.steps[i]
	for _, name := range s.spec.In {
		c := p.find(name)
		if c == nil {
			if !p.maybe(name) {
				return p.absent(i, name)
			}
			c = &column{Field: frame.Field{Name: name, Kind: frame.Number}, slot: p.slots}
			p.slots++
			p.columns = append(p.columns, *c)
		}
		if !slices.Contains(operations[s.op].takes, c.Kind) {
			return fault.New(fault.Invalid, "step %d: %s does not take %q, which is a %s", i+1, s.spec.Op, name, c.Kind).
				Do("use it on columns of kind %s", operations[s.op].kinds())
		}
		if err := s.checkKind(i, *c); err != nil {
			return err
		}
		s.in = append(s.in, *c)
	}
	if s.op == opExpr {
		return s.compile(i, p.origins)
	}
	return nil
}

// maybe reports whether a step that is not fitted yet may make the column.
func (p *plan) maybe(name string) bool {
	return slices.ContainsFunc(p.unknown, func(begin string) bool { return strings.HasPrefix(name, begin) })
}

func (p *plan) absent(i int, name string) error {
	e := fault.New(fault.Invalid, "step %d (%s) reads the column %q, which does not stand there", i+1, p.steps[i].spec.Op, name)
	names := make([]string, len(p.columns))
	for k, c := range p.columns {
		names[k] = c.Name
	}
	if near := unit.Nearest(name, names); near != "" {
		return e.Do("did you mean %q?", near)
	}
	return e.Do("a step sees the inputs and what the steps before it made")
}

// place takes step i, with what it learned, into the plan: where its results go and
// what they are called. st is nil where nothing is learned.
func (p *plan) place(i int, st *state) error {
	s := &p.steps[i]
	if st != nil {
		if err := s.learn(*st); err != nil {
			return fault.Wrap(err, fault.Invalid, "step %d (%s)", i+1, s.spec.Op)
		}
	}
	first := len(p.origins)
	switch s.op {
	case opSelect:
		p.columns, p.unknown = slices.Clone(s.in), nil // what it does not name is gone
	case opExpr:
		if err := p.put(s, []column{{Field: frame.Field{Name: s.spec.As, Kind: frame.Number}}}, -1); err != nil {
			return err
		}
	case opInteractions:
		if err := p.put(s, s.products(), -1); err != nil {
			return err
		}
	default:
		for k, in := range s.in {
			at := -1
			if s.spec.As == "" {
				at = slices.IndexFunc(p.columns, func(c column) bool { return c.Name == in.Name })
			}
			if err := p.put(s, s.results(k, p, st != nil), at); err != nil {
				return err
			}
		}
	}
	s.direct = (s.op == opOneHot || s.op == opHash || s.op == opText) && !p.readLater(i, p.origins[first:])
	return p.next(i + 1)
}

// put gives slots to what a step makes and lets it stand in the place of column at,
// or at the end where that is -1.
func (p *plan) put(s *step, made []column, at int) error {
	if n := len(p.columns) + len(made); n > maxColumns {
		return tooMany(n)
	}
	if s.op == opHash || s.op == opInteractions {
		if p.unbacked += len(made); p.unbacked > maxColumns {
			return tooMany(p.unbacked)
		}
	}
	for k := range made {
		c := &made[k]
		if at >= 0 && c.Name == p.columns[at].Name {
			// It takes over the name of what it replaces.
		} else if p.find(c.Name) != nil {
			return fault.New(fault.Invalid, "a step makes %q, which stands there already", c.Name).Do("give it another name with as")
		}
		if c.Kind == frame.Number {
			c.slot = p.slots
			s.outs = append(s.outs, p.slots)
			p.slots++
		}
	}
	p.origins = append(p.origins, made...)
	if at < 0 {
		p.columns = append(p.columns, made...)
	} else {
		p.columns = slices.Replace(p.columns, at, at+1, made...)
	}
	return nil
}

// readLater reports whether a step after i reads, or may read, one of the columns.
func (p *plan) readLater(i int, columns []column) bool {
	read := map[string]bool{}
	for _, s := range p.steps[i+1:] {
		if s.op == opExpr && (strings.Contains(s.spec.Expr, env) ||
			slices.ContainsFunc(columns, func(c column) bool { return strings.Contains(s.spec.Expr, c.Name) })) {
			return true
		}
		if s.op != opSelect {
			for _, name := range s.spec.In {
				read[name] = true
			}
		}
	}
	return slices.ContainsFunc(columns, func(c column) bool { return read[c.Name] })
}

// numbers checks that what stands in the end are numbers.
func (p *plan) numbers() error {
	for _, c := range p.columns {
		e := fault.New(fault.Invalid, "the %s column %q is no feature as it stands", c.Kind, c.Name)
		switch c.Kind {
		case frame.Text:
			return e.Do("add a step such as {op: one_hot, in: %s} or {op: ordinal, in: %s}, or leave it out with select", c.Name, c.Name)
		case frame.Time:
			return e.Do("add a step such as {op: datetime, in: %s, parts: [hour, weekday]}, or leave it out with select", c.Name)
		}
	}
	return nil
}

// finish fixes the features.
func (p *plan) finish() {
	at := make(map[int]int, len(p.columns)) // by slot
	p.names = make([]string, len(p.columns))
	for k, c := range p.columns {
		at[c.slot], p.names[k] = k, c.Name
	}
	direct := map[int]bool{}
	for i := range p.steps {
		if s := &p.steps[i]; s.direct {
			outs := s.outs
			for k := range s.in {
				n := s.makes(k)
				to := make([]int, n)
				for j, slot := range outs[:n] {
					direct[slot], to[j] = true, -1
					if f, ok := at[slot]; ok {
						to[j] = f
					}
				}
				s.at, outs = append(s.at, to), outs[n:]
			}
		}
	}
	for k, c := range p.columns {
		if !direct[c.slot] {
			p.features = append(p.features, feature{k, c.slot})
		}
	}
}

// results are what a step makes of its k-th column, without their slots.
func (s *step) results(k int, p *plan, fitted bool) []column {
	name := s.in[k].Name
	if s.spec.As != "" {
		name = s.spec.As
	}
	number := func(name string) column { return column{Field: frame.Field{Name: name, Kind: frame.Number}} }
	var out []column
	switch s.op {
	case opOneHot:
		if fitted {
			for _, c := range s.state.Kept[k] {
				out = append(out, number(name+"="+c))
			}
		} else {
			p.unknown = append(p.unknown, name+"=")
		}
		return append(out, number(name+"="+other))
	case opDatetime:
		for _, part := range s.spec.Parts {
			if s.spec.Cyclic {
				out = append(out, number(name+"_"+part+"_sin"), number(name+"_"+part+"_cos"))
			} else {
				out = append(out, number(name+"_"+part))
			}
		}
		return out
	case opHash, opText:
		for j := range s.spec.Features {
			out = append(out, number(name+"_"+strconv.Itoa(j)))
		}
		return out
	case opTargetEncode:
		if !fitted {
			p.unknown = append(p.unknown, name+"_")
		} else if n := len(s.state.Means[k]); n > 1 {
			for j := range n {
				out = append(out, number(name+"_"+strconv.Itoa(j)))
			}
			return out
		}
	case opImpute:
		if in := s.in[k]; in.Kind == frame.Text {
			in.Name = name
			if in.fill == nil && fitted {
				in.fill = &s.state.Words[k]
			}
			return []column{in}
		}
	}
	return []column{number(name)}
}
