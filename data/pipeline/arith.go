// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"math"
	"slices"

	"github.com/expr-lang/expr/ast"

	"flyball/data/frame"
)

// Arithmetic, comparisons, conditions and functions of numbers need no machine with
// a stack of boxed values: they become Go functions that give the same numbers (the
// tests compare the two). Whatever is not known here is left to expr-lang.
type (
	number func(b *batch, row int) float64
	truth  func(b *batch, row int) bool
	word   func(b *batch, row int) string
)

// term is one of number, truth and word. whole bounds a number that expr-lang would
// keep as an int: below 2^53 its arithmetic is that of float64.
type term struct {
	num   number
	truth truth
	word  word
	int   bool
	whole float64
}

const maxWhole = 1 << 53

// ownProgram is the expression as a function; nil where it has a part not known here.
func ownProgram(n ast.Node, reads []column) number {
	t, ok := translate(n, reads)
	if !ok {
		return nil
	}
	return t.num
}

func translate(n ast.Node, reads []column) (term, bool) {
	switch n := n.(type) {
	case *ast.IntegerNode:
		x := float64(n.Value)
		return term{num: constant(x), int: true, whole: math.Abs(x)}, -maxWhole <= n.Value && n.Value <= maxWhole
	case *ast.FloatNode:
		return term{num: constant(n.Value)}, true
	case *ast.BoolNode:
		v := n.Value
		return term{truth: func(*batch, int) bool { return v }}, true
	case *ast.StringNode:
		v := n.Value
		return term{word: func(*batch, int) string { return v }}, true
	case *ast.IdentifierNode:
		return readColumn(n.Value, reads)
	case *ast.MemberNode:
		name, ok := member(n)
		if !ok {
			return term{}, false
		}
		return readColumn(name, reads)
	case *ast.UnaryNode:
		t, ok := translate(n.Node, reads)
		if !ok {
			return term{}, false
		}
		return unary(n.Operator, t)
	case *ast.BinaryNode:
		return translateBinary(n, reads)
	case *ast.ConditionalNode:
		return conditional(n, reads)
	case *ast.BuiltinNode:
		return call(n.Name, n.Arguments, reads)
	case *ast.CallNode:
		if id, ok := n.Callee.(*ast.IdentifierNode); ok {
			return call(id.Value, n.Arguments, reads)
		}
	}
	return term{}, false
}

func constant(x float64) number { return func(*batch, int) float64 { return x } }

func readColumn(name string, reads []column) (term, bool) {
	for _, c := range reads {
		if c.Name != name {
			continue
		}
		if c.Kind == frame.Text {
			return term{word: c.word}, true
		}
		slot := c.slot
		return term{num: func(b *batch, row int) float64 { return b.nums[slot][row] }}, true
	}
	return term{}, false
}

func unary(operator string, t term) (term, bool) {
	switch x, v := t.num, t.truth; {
	case operator == "-" && x != nil:
		t.num = func(b *batch, row int) float64 { return -x(b, row) }
		return t, true
	case operator == "+" && x != nil:
		return t, true
	case (operator == "!" || operator == "not") && v != nil:
		t.truth = func(b *batch, row int) bool { return !v(b, row) }
		return t, true
	}
	return term{}, false
}

func translateBinary(n *ast.BinaryNode, reads []column) (term, bool) {
	l, ok := translate(n.Left, reads)
	if !ok {
		return term{}, false
	}
	if list, isList := n.Right.(*ast.ArrayNode); isList && n.Operator == "in" {
		return among(l, list)
	}
	r, ok := translate(n.Right, reads)
	if !ok {
		return term{}, false
	}
	switch {
	case l.num != nil && r.num != nil:
		if t, ok := arithmetic(n.Operator, l, r); ok {
			return t, true
		}
		return compare(n.Operator, l.num, r.num)
	case l.word != nil && r.word != nil:
		return compare(n.Operator, l.word, r.word)
	case l.truth != nil && r.truth != nil:
		return logic(n.Operator, l.truth, r.truth)
	}
	return term{}, false
}

func arithmetic(operator string, l, r term) (term, bool) {
	x, y := l.num, r.num
	t := term{int: l.int && r.int}
	switch operator {
	case "+":
		t.whole = l.whole + r.whole
		t.num = func(b *batch, row int) float64 { return x(b, row) + y(b, row) }
	case "-":
		t.whole = l.whole + r.whole
		t.num = func(b *batch, row int) float64 { return x(b, row) - y(b, row) }
	case "*":
		t.whole = l.whole * r.whole
		t.num = func(b *batch, row int) float64 { return x(b, row) * y(b, row) }
	case "/":
		t.int = false
		t.num = func(b *batch, row int) float64 { return x(b, row) / y(b, row) }
	case "**", "^":
		t.int = false
		t.num = func(b *batch, row int) float64 { return math.Pow(x(b, row), y(b, row)) }
	}
	return t, t.num != nil && (!t.int || t.whole <= maxWhole)
}

func compare[T float64 | string](operator string, x, y func(b *batch, row int) T) (term, bool) {
	var v truth
	switch operator {
	case "==":
		v = func(b *batch, row int) bool { return x(b, row) == y(b, row) }
	case "!=":
		v = func(b *batch, row int) bool { return x(b, row) != y(b, row) }
	case "<":
		v = func(b *batch, row int) bool { return x(b, row) < y(b, row) }
	case "<=":
		v = func(b *batch, row int) bool { return x(b, row) <= y(b, row) }
	case ">":
		v = func(b *batch, row int) bool { return x(b, row) > y(b, row) }
	case ">=":
		v = func(b *batch, row int) bool { return x(b, row) >= y(b, row) }
	}
	return term{truth: v}, v != nil
}

func logic(operator string, x, y truth) (term, bool) {
	var v truth
	switch operator {
	case "and", "&&":
		v = func(b *batch, row int) bool { return x(b, row) && y(b, row) }
	case "or", "||":
		v = func(b *batch, row int) bool { return x(b, row) || y(b, row) }
	case "==":
		v = func(b *batch, row int) bool { return x(b, row) == y(b, row) }
	case "!=":
		v = func(b *batch, row int) bool { return x(b, row) != y(b, row) }
	}
	return term{truth: v}, v != nil
}

// among is `word in ["a", "b"]`.
func among(l term, list *ast.ArrayNode) (term, bool) {
	if l.word == nil {
		return term{}, false
	}
	var words []string
	for _, n := range list.Nodes {
		s, ok := n.(*ast.StringNode)
		if !ok {
			return term{}, false
		}
		words = append(words, s.Value)
	}
	return term{truth: func(b *batch, row int) bool { return slices.Contains(words, l.word(b, row)) }}, true
}

func conditional(n *ast.ConditionalNode, reads []column) (term, bool) {
	c, ok := translate(n.Cond, reads)
	if !ok || c.truth == nil {
		return term{}, false
	}
	l, okL := translate(n.Exp1, reads)
	r, okR := translate(n.Exp2, reads)
	// Where only one side is an int, expr-lang knows the type when it runs.
	if !okL || !okR || l.num == nil || r.num == nil {
		return term{}, false
	}
	x, y := l.num, r.num
	return term{int: l.int || r.int, whole: max(l.whole, r.whole), num: func(b *batch, row int) float64 {
		if c.truth(b, row) {
			return x(b, row)
		}
		return y(b, row)
	}}, true
}

// call is a function of numbers. A column of that name would stand before it.
func call(name string, args []ast.Node, reads []column) (term, bool) {
	if slices.ContainsFunc(reads, func(c column) bool { return c.Name == name }) {
		return term{}, false
	}
	var nums []number
	for _, n := range args {
		t, ok := translate(n, reads)
		if !ok || t.num == nil || t.int && name == "abs" { // abs of an int is an int
			return term{}, false
		}
		nums = append(nums, t.num)
	}
	if len(nums) == 0 {
		return term{}, false
	}
	x := nums[0]
	of := functions[name]
	switch name {
	case "max", "min":
		return fold(nums, pairs[name]), true
	case "mod":
		return fold(nums, math.Mod), len(nums) == 2
	case "abs":
		of = math.Abs
	case "floor":
		of = math.Floor
	case "ceil":
		of = math.Ceil
	case "round":
		of = math.Round
	}
	if of == nil || len(nums) != 1 {
		return term{}, false
	}
	return term{num: func(b *batch, row int) float64 { return of(x(b, row)) }}, true
}

func fold(nums []number, of func(float64, float64) float64) term {
	return term{num: func(b *batch, row int) float64 {
		best := nums[0](b, row)
		for _, x := range nums[1:] {
			best = of(best, x(b, row))
		}
		return best
	}}
}
