// SPDX-License-Identifier: Apache-2.0

package mlmodel

import (
	"math"
	"slices"
	"strconv"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"

	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/fault"
)

// form is what a part of an expression gives.
type form int

const (
	number form = iota + 1
	word
	truth
)

// part is a part of an expression as the loader reads it: a number, a text or a truth
// value stands for itself, a list is an operator and what it works on. whole bounds a
// number that expr-lang keeps as an int, whose arithmetic below 2^53 is that of
// float64; 0: it is none.
type part struct {
	form  form
	tree  any
	whole float64
}

const maxWhole = 1 << 53

// calls are the functions that the loader knows, by how many numbers they take; -1:
// any number of them, two by two.
var calls = map[string]int{
	"abs": 1, "floor": 1, "ceil": 1, "round": 1, "log": 1, "log1p": 1, "exp": 1, "sqrt": 1, "sin": 1, "cos": 1,
	"mod": 2, "max": -1, "min": -1,
}

// inexact are the operators whose last place hangs on the mathematical library.
var inexact = []string{"log", "log1p", "sin", "cos", "**"}

// translator turns the expressions of one pipeline into trees.
type translator struct {
	words   map[string]bool // every column there is so far, and whether it is text; times are none
	inexact bool            // an operator of that list stands somewhere
}

// expressions are the trees of a pipeline's expr steps, by the number of the step.
// One with a part that the loader does not know is a Refused fault.
func expressions(spec pipeline.Spec) (trees map[string]any, exact bool, err error) {
	t := translator{words: map[string]bool{}}
	for _, in := range spec.Inputs {
		if in.Kind != frame.Time {
			t.words[in.Name] = in.Kind == frame.Text
		}
	}
	trees = map[string]any{}
	for i, s := range spec.Steps {
		if s.Op == "expr" {
			parsed, err := parser.Parse(s.Expr)
			if err != nil {
				return nil, false, fault.Wrap(err, fault.Invalid, "the expression %q cannot be read", s.Expr)
			}
			p, ok := t.part(parsed.Node)
			if !ok || p.form != number {
				return nil, false, fault.New(fault.Refused, "the expression %q has a part that cannot be worked out in Python", s.Expr).
					Do("write it with arithmetic, comparisons, conditions and functions of numbers alone")
			}
			trees[strconv.Itoa(i)] = p.tree
		}
		t.made(s)
	}
	return trees, !t.inexact, nil
}

// made notes the columns that a step makes. Those of one_hot and datetime are
// numbers with names of their own, which column finds as such.
func (t *translator) made(s pipeline.Step) {
	switch s.Op {
	case "expr":
		t.words[s.As] = false
	case "impute", "scale", "ordinal", "bucketize", "clip":
		for _, in := range s.In {
			name := in
			if s.As != "" {
				name = s.As
			}
			t.words[name] = s.Op == "impute" && t.words[in]
		}
	}
}

func (t *translator) column(name string) part {
	if t.words[name] {
		return part{form: word, tree: []any{"column", name}}
	}
	return part{form: number, tree: []any{"column", name}}
}

// apply is an operator over parts.
func (t *translator) apply(f form, operator string, of ...part) part {
	if slices.Contains(inexact, operator) {
		t.inexact = true
	}
	tree := []any{operator}
	for _, p := range of {
		tree = append(tree, p.tree)
	}
	return part{form: f, tree: tree}
}

func (t *translator) part(n ast.Node) (part, bool) {
	switch n := n.(type) {
	case *ast.IntegerNode:
		x := float64(n.Value)
		return part{form: number, tree: x, whole: max(1, math.Abs(x))}, -maxWhole <= n.Value && n.Value <= maxWhole
	case *ast.FloatNode:
		return part{form: number, tree: n.Value}, true
	case *ast.BoolNode:
		return part{form: truth, tree: n.Value}, true
	case *ast.StringNode:
		return part{form: word, tree: n.Value}, true
	case *ast.IdentifierNode:
		return t.column(n.Value), true
	case *ast.MemberNode:
		env, isName := n.Node.(*ast.IdentifierNode)
		name, isText := n.Property.(*ast.StringNode)
		if !isName || !isText || env.Value != "$env" {
			return part{}, false
		}
		return t.column(name.Value), true
	case *ast.UnaryNode:
		return t.unary(n)
	case *ast.BinaryNode:
		return t.binary(n)
	case *ast.ConditionalNode:
		c, okC := t.part(n.Cond)
		a, okA := t.part(n.Exp1)
		b, okB := t.part(n.Exp2)
		p := t.apply(number, "if", c, a, b)
		if a.whole > 0 || b.whole > 0 {
			p.whole = max(a.whole, b.whole)
		}
		return p, okC && okA && okB && c.form == truth && a.form == number && b.form == number
	case *ast.BuiltinNode:
		return t.call(n.Name, n.Arguments)
	case *ast.CallNode:
		if id, ok := n.Callee.(*ast.IdentifierNode); ok {
			return t.call(id.Value, n.Arguments)
		}
	}
	return part{}, false
}

func (t *translator) unary(n *ast.UnaryNode) (part, bool) {
	p, ok := t.part(n.Node)
	switch {
	case !ok:
	case n.Operator == "-" && p.form == number:
		out := t.apply(number, "negate", p)
		out.whole = p.whole
		return out, true
	case n.Operator == "+" && p.form == number:
		return p, true
	case (n.Operator == "!" || n.Operator == "not") && p.form == truth:
		return t.apply(truth, "not", p), true
	}
	return part{}, false
}

func (t *translator) binary(n *ast.BinaryNode) (part, bool) {
	l, ok := t.part(n.Left)
	if !ok {
		return part{}, false
	}
	if list, isList := n.Right.(*ast.ArrayNode); isList && n.Operator == "in" {
		return t.among(l, list.Nodes)
	}
	r, ok := t.part(n.Right)
	if !ok || l.form != r.form {
		return part{}, false
	}
	operator := map[string]string{"&&": "and", "||": "or", "^": "**"}[n.Operator]
	if operator == "" {
		operator = n.Operator
	}
	switch operator {
	case "+", "-", "*", "/", "**":
		p := t.apply(number, operator, l, r)
		if l.whole > 0 && r.whole > 0 {
			p.whole = map[string]float64{"+": l.whole + r.whole, "-": l.whole + r.whole, "*": l.whole * r.whole}[operator]
		}
		return p, l.form == number && p.whole <= maxWhole
	case "==", "!=":
		return t.apply(truth, operator, l, r), true
	case "<", "<=", ">", ">=":
		return t.apply(truth, operator, l, r), l.form != truth
	case "and", "or":
		return t.apply(truth, operator, l, r), l.form == truth
	case "contains", "startsWith", "endsWith":
		return t.apply(truth, operator, l, r), l.form == word
	}
	return part{}, false
}

// among is `x in [1, 2]`: equal to one of them.
func (t *translator) among(l part, nodes []ast.Node) (part, bool) {
	any := part{form: truth, tree: false}
	for _, n := range nodes {
		r, ok := t.part(n)
		if !ok || r.form != l.form || l.form == truth {
			return part{}, false
		}
		any = t.apply(truth, "or", any, t.apply(truth, "==", l, r))
	}
	return any, true
}

// call is a function. A column of its name would stand before it.
func (t *translator) call(name string, args []ast.Node) (part, bool) {
	if _, column := t.words[name]; column {
		return part{}, false
	}
	of := make([]part, len(args))
	for i, n := range args {
		var ok bool
		if of[i], ok = t.part(n); !ok {
			return part{}, false
		}
	}
	if name == "len" && len(of) == 1 && of[0].form == word {
		p := t.apply(number, name, of...)
		p.whole = math.MaxInt32
		return p, true
	}
	takes, known := calls[name]
	if !known || len(of) == 0 || takes > 0 && len(of) != takes {
		return part{}, false
	}
	for _, p := range of {
		if p.form != number {
			return part{}, false
		}
	}
	if takes > 0 {
		return t.apply(number, name, of...), true
	}
	best := of[0]
	best.whole = 0
	for _, p := range of[1:] {
		best = t.apply(number, name, best, p)
	}
	return best, true
}
