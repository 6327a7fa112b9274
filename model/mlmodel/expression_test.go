// SPDX-License-Identifier: Apache-2.0

package mlmodel

import (
	"encoding/json"
	"testing"

	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/fault"
)

func spec(steps ...pipeline.Step) pipeline.Spec {
	return pipeline.Spec{Steps: steps, Inputs: pipeline.Fields{
		{Name: "adr", Kind: frame.Number}, {Name: "lead time", Kind: frame.Number}, {Name: "hotel", Kind: frame.Text}, {Name: "at", Kind: frame.Time},
	}}
}

func TestAnExpressionBecomesATree(t *testing.T) {
	for _, c := range []struct {
		expr, tree string
		exact      bool
	}{
		{`1 + adr * 2`, `["+",1,["*",["column","adr"],2]]`, true},
		{`-$env["lead time"] / 3.5`, `["/",["negate",["column","lead time"]],3.5]`, true},
		{`hotel in ["City", "Resort"] ? 1 : 0`, `["if",["or",["or",false,["==",["column","hotel"],"City"]],["==",["column","hotel"],"Resort"]],1,0]`, true},
		{`max(1, adr, 3)`, `["max",["max",1,["column","adr"]],3]`, true},
		{`1 / (1 + exp(-adr))`, `["/",1,["+",1,["exp",["negate",["column","adr"]]]]]`, true},
		{`log1p(adr) ^ 2`, `["**",["log1p",["column","adr"]],2]`, false},
		{
			`not (hotel startsWith "C" && adr >= 10) ? len(hotel) : abs(adr)`,
			`["if",["not",["and",["startsWith",["column","hotel"],"C"],["\u003e=",["column","adr"],10]]],["len",["column","hotel"]],["abs",["column","adr"]]]`, true,
		},
	} {
		trees, exact, err := expressions(spec(pipeline.Step{Op: "clip"}, pipeline.Step{Op: "expr", As: "z", Expr: c.expr}))
		if err != nil {
			t.Errorf("%s: %v", c.expr, err)
			continue
		}
		got, err := json.Marshal(trees["1"])
		if err != nil || string(got) != c.tree || exact != c.exact {
			t.Errorf("%s: got %s, exact %v, %v; want %s", c.expr, got, exact, err, c.tree)
		}
	}
}

func TestAnExpressionThatPythonWouldWorkOutOtherwiseIsRefused(t *testing.T) {
	for _, expr := range []string{
		`hotel matches "^C"`, `lower(hotel) == "city" ? 1 : 0`, `hotel + "x" == "y" ? 1 : 0`, `7 % 3`, `let x = 2; x * adr`,
		`sum([1, 2])`, `9007199254740993 + adr`, `9007199254740992 * 3 + adr`, `float("3")`, `adr in 1..3 ? 1 : 0`,
	} {
		_, _, err := expressions(spec(pipeline.Step{Op: "expr", As: "z", Expr: expr}))
		if !fault.Is(err, fault.Refused) {
			t.Errorf("%s: got %v, want it refused", expr, err)
		}
	}
}

func TestAColumnIsTextOrANumberByTheStepThatMadeItLast(t *testing.T) {
	long := pipeline.Step{Op: "expr", As: "long", Expr: `hotel == "City" ? 1 : 0`}
	for _, c := range []struct {
		name   string
		before pipeline.Step
		ok     bool
	}{
		{"an imputed text is a text", pipeline.Step{Op: "impute", In: []string{"hotel"}}, true},
		{"one_hot leaves the text to expressions", pipeline.Step{Op: "one_hot", In: []string{"hotel"}}, true},
		{"an ordinal is a number", pipeline.Step{Op: "ordinal", In: []string{"hotel"}}, false},
	} {
		if _, _, err := expressions(spec(c.before, long)); (err == nil) != c.ok {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}
