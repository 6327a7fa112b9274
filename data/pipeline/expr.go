// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"math"
	"slices"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"

	"flyball/data/frame"
	"flyball/fault"
)

// program is a compiled expression and the columns it reads.
type program struct {
	code  *vm.Program
	reads []column
}

// names collects the identifiers of an expression.
type names struct{ seen []string }

// Visit is called for each node of the expression.
func (n *names) Visit(node *ast.Node) {
	if id, ok := (*node).(*ast.IdentifierNode); ok {
		n.seen = append(n.seen, id.Value)
	}
}

// compile reads the step's expression over the columns there were up to it: a name
// means the newest column of that name.
func (s *step) compile(i int, origins []column) error {
	wrong := func(err error) error {
		return fault.Wrap(err, fault.Invalid, "step %d: the expression %q cannot be read", i+1, s.spec.Expr)
	}
	tree, err := parser.Parse(s.spec.Expr)
	if err != nil {
		return wrong(err)
	}
	var used names
	ast.Walk(&tree.Node, &used)
	env := map[string]any{}
	s.code = &program{}
	for _, c := range slices.Backward(origins) {
		if _, shadowed := env[c.Name]; shadowed || c.Kind == frame.Time {
			continue
		}
		env[c.Name] = 0.0
		if c.Kind == frame.Text {
			env[c.Name] = ""
		}
		if slices.Contains(used.seen, c.Name) {
			s.code.reads = append(s.code.reads, c)
		}
	}
	s.code.code, err = expr.Compile(s.spec.Expr, append(functions(), expr.Env(env), expr.AsFloat64())...)
	if err != nil {
		return wrong(err)
	}
	return nil
}

// functions are what expressions know beyond expr-lang's own: log, log1p, exp, sqrt,
// sin and cos of a number. Outside a function's range the result is missing.
func functions() []expr.Option {
	var out []expr.Option
	for _, f := range []struct {
		name string
		of   func(float64) float64
	}{{"log", math.Log}, {"log1p", math.Log1p}, {"exp", math.Exp}, {"sqrt", math.Sqrt}, {"sin", math.Sin}, {"cos", math.Cos}} {
		out = append(out, expr.Function(f.name, func(args ...any) (any, error) {
			switch x := args[0].(type) {
			case float64:
				return f.of(x), nil
			case int:
				return f.of(float64(x)), nil
			}
			return nil, fault.New(fault.Invalid, "%s takes a number, not %v", f.name, args[0])
		}, new(func(float64) float64), new(func(int) float64)))
	}
	return out
}

// run computes the expression for each row. Numbers that are missing are NaN, text
// is ""; a result that is not finite is missing. An error of a row, such as a
// division of whole numbers by zero, is an Invalid fault.
func (p *program) run(b *batch) ([]float64, error) {
	out := make([]float64, b.n)
	env := make(map[string]any, len(p.reads))
	var m vm.VM
	for row := range out {
		for _, c := range p.reads {
			if v := b.slots[c.slot]; v.text != nil {
				env[c.Name] = v.text.Text[row]
			} else {
				env[c.Name] = v.num[row]
			}
		}
		got, err := m.Run(p.code, env)
		if err != nil {
			return nil, fault.Wrap(err, fault.Invalid, "row %d: an expression fails", row)
		}
		x, ok := got.(float64)
		if !ok || math.IsInf(x, 0) {
			x = nan
		}
		out[row] = x
	}
	return out, nil
}
