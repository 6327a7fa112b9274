// SPDX-License-Identifier: Apache-2.0

package export

import (
	"math"
	"slices"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"

	"flyball/data/frame"
	"flyball/fault"
)

// The kinds of value of an expression.
const (
	numbers = iota + 1
	truths
	texts
)

// term is a value of an expression in the graph. An int is a number that expr-lang
// would keep as an int, and whole bounds it: below 2^53 its arithmetic is that of
// float64. A literal is a text that stands in the expression.
type term struct {
	kind  int
	at    string
	int   bool
	whole float64
}

const maxWhole = 1 << 53

// expression writes an expression of numbers, comparisons, conditions and functions of
// numbers. What expr-lang knows beyond that is refused by name.
func (w *writer) expression(source string) (string, error) {
	tree, err := parser.Parse(source)
	if err != nil {
		return "", fault.Wrap(err, fault.Invalid, "the expression %q cannot be read", source)
	}
	t, err := w.term(tree.Node)
	if err != nil {
		return "", err
	}
	if t.kind != numbers {
		return "", unknown("an expression that gives no number")
	}
	// A number without a column is one for all rows.
	return w.each(t.at), nil
}

func unknown(what string) error {
	return refuse(what, "only numbers, comparisons, conditions and functions of numbers are written")
}

func (w *writer) term(n ast.Node) (term, error) {
	switch n := n.(type) {
	case *ast.IntegerNode:
		if x := int64(n.Value); -maxWhole > x || x > maxWhole {
			return term{}, unknown("a whole number above 2^53")
		}
		x := float64(n.Value)
		return term{kind: numbers, at: w.reals(x), int: true, whole: math.Abs(x)}, nil
	case *ast.FloatNode:
		return term{kind: numbers, at: w.reals(n.Value)}, nil
	case *ast.BoolNode:
		return term{kind: truths, at: w.truth(n.Value)}, nil
	case *ast.StringNode:
		return term{kind: texts, at: w.word(n.Value)}, nil
	case *ast.IdentifierNode:
		return w.read(n.Value)
	case *ast.MemberNode:
		id, ok := n.Node.(*ast.IdentifierNode)
		name, text := n.Property.(*ast.StringNode)
		if ok && text && id.Value == "$env" {
			return w.read(name.Value)
		}
		return term{}, unknown("a member that is no column")
	case *ast.UnaryNode:
		return w.unary(n)
	case *ast.BinaryNode:
		return w.binary(n)
	case *ast.ConditionalNode:
		return w.conditional(n)
	case *ast.BuiltinNode:
		return w.call(n.Name, n.Arguments)
	case *ast.CallNode:
		if id, ok := n.Callee.(*ast.IdentifierNode); ok {
			return w.call(id.Value, n.Arguments)
		}
	}
	return term{}, unknown("a part of the expression")
}

// read is the newest column of the name; a missing text in it is "".
func (w *writer) read(name string) (term, error) {
	for _, c := range slices.Backward(w.origins) {
		switch {
		case c.Name != name || c.Kind == frame.Time:
		case c.Kind == frame.Text:
			return term{kind: texts, at: w.node("Where", c.missing, w.word(""), c.at)}, nil
		default:
			return term{kind: numbers, at: c.at}, nil
		}
	}
	return term{}, unknown("the name " + name)
}

func (w *writer) terms(nodes ...ast.Node) ([]term, error) {
	out := make([]term, len(nodes))
	for i, n := range nodes {
		var err error
		if out[i], err = w.term(n); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (w *writer) unary(n *ast.UnaryNode) (term, error) {
	t, err := w.term(n.Node)
	switch {
	case err != nil:
		return t, err
	case n.Operator == "-" && t.kind == numbers:
		t.at = w.node("Neg", t.at)
		return t, nil
	case n.Operator == "+" && t.kind == numbers:
		return t, nil
	case (n.Operator == "!" || n.Operator == "not") && t.kind == truths:
		return term{kind: truths, at: w.node("Not", t.at)}, nil
	}
	return t, unknown("the operator " + n.Operator)
}

func (w *writer) binary(n *ast.BinaryNode) (term, error) {
	if list, ok := n.Right.(*ast.ArrayNode); ok && n.Operator == "in" {
		return w.among(n.Left, list)
	}
	both, err := w.terms(n.Left, n.Right)
	if err != nil {
		return term{}, err
	}
	l, r := both[0], both[1]
	if l.kind != r.kind {
		return term{}, unknown("the operator " + n.Operator + " between two kinds")
	}
	if l.kind == numbers {
		if t, ok := w.arithmetic(n.Operator, l, r); ok {
			return t, nil
		}
	}
	if at, ok := w.compare(n.Operator, l, r); ok {
		return term{kind: truths, at: at}, nil
	}
	return term{}, unknown("the operator " + n.Operator)
}

func (w *writer) arithmetic(operator string, l, r term) (term, bool) {
	t := term{kind: numbers, int: l.int && r.int}
	switch operator {
	case "+":
		t.whole, t.at = l.whole+r.whole, w.node("Add", l.at, r.at)
	case "-":
		t.whole, t.at = l.whole+r.whole, w.node("Sub", l.at, r.at)
	case "*":
		t.whole, t.at = l.whole*r.whole, w.node("Mul", l.at, r.at)
	case "/":
		t.int, t.at = false, w.node("Div", l.at, r.at)
	case "**", "^":
		t.int, t.at = false, w.node("Pow", l.at, r.at)
	}
	return t, t.at != "" && (!t.int || t.whole <= maxWhole)
}

func (w *writer) compare(operator string, l, r term) (string, bool) {
	switch {
	case operator == "==":
		return w.node("Equal", l.at, r.at), true
	case operator == "!=":
		return w.node("Not", w.node("Equal", l.at, r.at)), true
	case l.kind == truths && (operator == "and" || operator == "&&"):
		return w.node("And", l.at, r.at), true
	case l.kind == truths && (operator == "or" || operator == "||"):
		return w.node("Or", l.at, r.at), true
	case l.kind != numbers: // ONNX has no order of texts
		return "", false
	}
	of := map[string]string{"<": "Less", "<=": "LessOrEqual", ">": "Greater", ">=": "GreaterOrEqual"}[operator]
	if of == "" {
		return "", false
	}
	return w.node(of, l.at, r.at), true
}

// among is `word in ["a", "b"]`.
func (w *writer) among(left ast.Node, list *ast.ArrayNode) (term, error) {
	l, err := w.term(left)
	if err != nil {
		return l, err
	}
	at := w.truth(false)
	for _, n := range list.Nodes {
		s, ok := n.(*ast.StringNode)
		if !ok || l.kind != texts {
			return l, unknown("in of anything but a text and texts")
		}
		at = w.node("Or", at, w.node("Equal", l.at, w.word(s.Value)))
	}
	return term{kind: truths, at: at}, nil
}

func (w *writer) conditional(n *ast.ConditionalNode) (term, error) {
	t, err := w.terms(n.Cond, n.Exp1, n.Exp2)
	switch {
	case err != nil:
		return term{}, err
	case t[0].kind != truths || t[1].kind != numbers || t[2].kind != numbers:
		return term{}, unknown("a condition whose results are no numbers")
	}
	return term{
		kind: numbers, int: t[1].int || t[2].int, whole: max(t[1].whole, t[2].whole),
		at: w.pick(t[0].at, t[1].at, t[2].at),
	}, nil
}

// call is a function of numbers. A column of that name would stand before it.
func (w *writer) call(name string, args []ast.Node) (term, error) {
	wrong := unknown("the function " + name)
	for _, c := range w.origins {
		if c.Name == name {
			return term{}, wrong
		}
	}
	t, err := w.terms(args...)
	if err != nil {
		return term{}, err
	}
	for _, x := range t {
		if x.kind != numbers || x.int && name == "abs" {
			return term{}, wrong
		}
	}
	switch {
	case len(t) > 0 && (name == "max" || name == "min"):
		best := t[0].at
		for _, x := range t[1:] {
			best = w.best(name, best, x.at)
		}
		return term{kind: numbers, at: best}, nil
	case len(t) == 2 && name == "mod":
		return term{kind: numbers, at: w.add("", "Mod", []attr{{"fmod", 1}}, []string{t[0].at, t[1].at})}, nil
	case len(t) != 1:
		return term{}, wrong
	}
	at, ok := w.function(name, t[0].at)
	if !ok {
		return term{}, wrong
	}
	return term{kind: numbers, at: at}, nil
}

// best is the larger or the smaller of two, missing where one of them is.
func (w *writer) best(name, a, b string) string {
	of := "Greater"
	if name == "min" {
		of = "Less"
	}
	return w.pick(w.node("Or", w.node(of, b, a), w.node("IsNaN", b)), b, a)
}

// function is a function of one number. Those of the runtime may differ from ours in the
// last bit of a float64, which float32 shows once in some hundred million values.
func (w *writer) function(name, x string) (string, bool) {
	switch name {
	case "log":
		return w.node("Log", x), true
	case "log1p":
		return w.log1p(x), true
	case "exp":
		return w.node("Exp", x), true
	case "sqrt":
		return w.node("Sqrt", x), true
	case "sin":
		return w.node("Sin", x), true
	case "cos":
		return w.node("Cos", x), true
	case "abs":
		return w.node("Abs", x), true
	case "floor":
		return w.node("Floor", x), true
	case "ceil":
		return w.node("Ceil", x), true
	case "round":
		return w.round(x), true
	}
	return "", false
}

// round is to the nearest whole number, halves away from zero. Round of ONNX takes
// halves to the even one.
func (w *writer) round(x string) string {
	size := w.node("Abs", x)
	low := w.node("Floor", size)
	up := w.cast(w.node("GreaterOrEqual", w.node("Sub", size, low), w.reals(0.5)), float64Kind)
	near := w.node("Add", low, up)
	near = w.pick(w.node("Less", x, w.reals(0)), w.node("Neg", near), near)
	return w.pick(w.node("Equal", x, w.reals(0)), x, near) // keeps the sign of zero
}

// log1p is log(1+x), which ONNX does not have, without the loss where x is small:
// log(u)·x/(u−1) of u = 1+x, as D. Goldberg gives it in "What every computer scientist
// should know about floating-point arithmetic", theorem 4.
func (w *writer) log1p(x string) string {
	u := w.node("Add", x, w.reals(1))
	less := w.node("Sub", u, w.reals(1))
	long := w.node("Div", w.node("Mul", w.node("Log", u), x), less)
	long = w.pick(w.node("IsInf", x), w.node("Log", u), long)
	return w.pick(w.node("Equal", less, w.reals(0)), x, long)
}
