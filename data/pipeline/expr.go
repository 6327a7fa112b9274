// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"errors"
	"math"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/stat"
)

// program is a compiled expression and the columns it reads. Common expressions are
// functions of our own (arith.go); the machine of expr-lang runs the others.
type program struct {
	own   number
	code  *vm.Program
	reads []column
}

// functions are what expressions know beyond expr-lang's own. Outside a function's
// range the result is missing.
var functions = map[string]func(float64) float64{
	"log": math.Log, "log1p": math.Log1p, "exp": stat.Exp, "sqrt": math.Sqrt, "sin": math.Sin, "cos": math.Cos,
}

// pairs are functions of two numbers, max and min of any number of them.
var pairs = map[string]func(float64, float64) float64{"max": larger, "min": smaller, "mod": math.Mod}

// unsteady are expr-lang's functions whose result depends on the moment, the machine
// (int of a missing number) or the order of a map.
var unsteady = []string{"now", "date", "duration", "timezone", "int", "keys", "values", "toPairs"}

// env is expr-lang's name for all columns: $env["lead time"] is a column whose name
// is no identifier.
const env = "$env"

// names collects the columns that an expression may read.
type names struct {
	seen    map[string]bool
	bare    int // how often $env stands
	members int // how often it stands with the name of a column
}

// Visit is called for each node of the expression.
func (n *names) Visit(node *ast.Node) {
	switch x := (*node).(type) {
	case *ast.IdentifierNode:
		if n.seen[x.Value] = true; x.Value == env {
			n.bare++
		}
	case *ast.MemberNode:
		if name, ok := member(x); ok {
			n.seen[name] = true
			n.members++
		}
	}
}

// member is the column of $env["column"].
func member(x *ast.MemberNode) (string, bool) {
	id, ok := x.Node.(*ast.IdentifierNode)
	if !ok || id.Value != env {
		return "", false
	}
	name, ok := x.Property.(*ast.StringNode)
	if !ok {
		return "", false
	}
	return name.Value, true
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
	used := names{seen: map[string]bool{}}
	ast.Walk(&tree.Node, &used)
	if used.bare != used.members {
		return wrong(fault.New(fault.Invalid, `write %s["column"]`, env))
	}
	types := map[string]any{}
	s.code = &program{}
	for _, c := range slices.Backward(origins) {
		if _, shadowed := types[c.Name]; shadowed || c.Kind == frame.Time {
			continue
		}
		types[c.Name] = 0.0
		if c.Kind == frame.Text {
			types[c.Name] = ""
		}
		if used.seen[c.Name] {
			s.code.reads = append(s.code.reads, c)
		}
	}
	for name := range used.seen {
		if _, ok := types[name]; !ok && used.members > 0 && !known(name) {
			return wrong(fault.New(fault.Invalid, "there is no column %q", name))
		}
	}
	s.code.code, err = expr.Compile(s.spec.Expr, append(options(), expr.Env(types), expr.AsFloat64())...)
	if err != nil {
		return wrong(err)
	}
	s.code.own = ownProgram(tree.Node, s.code.reads)
	return nil
}

// known reports whether the name is one of ours that is not a column.
func known(name string) bool {
	_, ok := functions[name]
	_, pair := pairs[name]
	return ok || pair || name == env
}

// options give expr-lang our functions and take the unsteady away. max and min are
// ours too: expr-lang's give what stands first where one is missing.
func options() []expr.Option {
	var out []expr.Option
	for _, name := range unsteady {
		out = append(out, expr.DisableBuiltin(name))
	}
	for name, of := range functions {
		out = append(out, expr.Function(name, func(args ...any) (any, error) {
			x, err := numberOf(name, args[0])
			return of(x), err
		}, new(func(float64) float64), new(func(int) float64)))
	}
	for name, of := range pairs {
		takes := any(new(func(float64, ...float64) float64))
		if name == "mod" {
			takes = new(func(float64, float64) float64)
		}
		out = append(out, expr.Function(name, func(args ...any) (any, error) {
			best, err := 0.0, error(nil)
			for i, arg := range args {
				x, wrong := numberOf(name, arg)
				if wrong != nil {
					err = wrong
				}
				if i == 0 {
					best = x
				} else {
					best = of(best, x)
				}
			}
			return best, err
		}, takes))
	}
	return out
}

func numberOf(name string, arg any) (float64, error) {
	switch x := arg.(type) {
	case float64:
		return x, nil
	case int:
		return float64(x), nil
	}
	return 0, fault.New(fault.Invalid, "%s takes numbers, not %v", name, arg)
}

// larger is the larger of two numbers, missing where one of them is.
func larger(a, b float64) float64 {
	if b > a || b != b {
		return b
	}
	return a
}

// smaller is the smaller of two numbers, missing where one of them is.
func smaller(a, b float64) float64 {
	if b < a || b != b {
		return b
	}
	return a
}

// run computes the expression for each row. Numbers that are missing are NaN, a
// missing text is ""; a result that is not finite is missing. An error of a row,
// such as a division of whole numbers by zero, is an Invalid fault.
func (p *program) run(b *batch, to []float64) error {
	if p.own != nil {
		for row := range to {
			to[row] = finite(p.own(b, row))
		}
		return nil
	}
	if b.machine == nil {
		b.machine, b.envs = &vm.VM{}, map[*program]map[string]any{}
	}
	columns := b.envs[p]
	if columns == nil {
		columns = make(map[string]any, len(p.reads))
		b.envs[p] = columns
	}
	for row := range to {
		for i := range p.reads {
			c := &p.reads[i]
			if c.Kind == frame.Text {
				columns[c.Name] = c.word(b, row)
			} else {
				columns[c.Name] = b.nums[c.slot][row]
			}
		}
		got, err := b.machine.Run(p.code, columns)
		if err != nil {
			why, _, _ := strings.Cut(err.Error(), "\n") // what follows is a drawing of the place
			return fault.Wrap(errors.New(why), fault.Invalid, "row %d: the expression %q fails", b.first+row, p.source())
		}
		x, ok := got.(float64)
		if !ok {
			x = nan
		}
		to[row] = finite(x)
	}
	return nil
}

func (p *program) source() string { return strings.TrimSpace(p.code.Source().String()) }

// word is a text column's word in a row, "" where it is missing.
func (c *column) word(b *batch, row int) string {
	word, _ := b.words[c.slot].at(row, c.fill)
	return word
}
