// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"maps"
	"math"
	"slices"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/experiment/modeltest"
)

// test checks one claim of gate.tests.
func (c *checker) test(at string, t modeltest.Test) {
	if n := t.Kinds(); n != 1 {
		c.add(at, "a test makes one claim, and this makes %d; write one of golden, invariance, direction, expectation and schema", n)
		return
	}
	c.word(at+".severity", "gate.tests.severity", t.Severity)
	at += "." + t.Kind()
	switch {
	case t.Golden != nil:
		c.golden(at, *t.Golden)
	case t.Invariance != nil:
		c.tried(at, t.Invariance.Column)
		if !(t.Invariance.AtMost >= 0) {
			c.add(at+".at_most", "it is 0 or more")
		}
	case t.Direction != nil:
		c.direction(at, *t.Direction)
	case t.Expectation != nil:
		c.expectation(at, *t.Expectation)
	case t.Schema != nil:
		for _, name := range t.Schema.Missing {
			c.tried(at+".missing", name)
		}
		if len(t.Schema.Classes) > 0 && c.m.Predict.Kind != dataset.Multiclass {
			c.add(at+".classes", "a %s model has none", c.m.Predict.Kind)
		}
	}
}

// tried notes a column that no answer can depend on.
func (c *checker) tried(at, column string) {
	switch {
	case column == "":
		c.add(at, "it names no column")
	case c.known && !c.isInput(column):
		c.warn(at, "%s is no input, so there is nothing to try", column)
	}
}

func (c *checker) golden(at string, g modeltest.Golden) {
	if g.AtLeast == nil && g.AtMost == nil && g.Decision == "" {
		c.add(at, "it does not say what the answer is; write at_least, at_most or decision")
	}
	c.limits(at, g.AtLeast, g.AtMost)
	if d := c.m.Predict.Decide; g.Decision != "" && c.m.Predict.Kind != dataset.Multiclass && (d == nil || g.Decision != d.Then && g.Decision != d.Else) {
		c.add(at+".decision", "%q is no word of predict.decide", g.Decision)
	}
	if (g.Class == "") == (c.m.Predict.Kind == dataset.Multiclass && (g.AtLeast != nil || g.AtMost != nil)) {
		c.class(at, g.Class)
	}
	if !c.known {
		return
	}
	for _, f := range c.inputs {
		v, ok := g.Row[f.Name]
		if _, number := v.(float64); !ok {
			c.add(at+".row", "%s is an input, and the row has none; give it, or null for a missing value", f.Name)
		} else if v != nil && number != (f.Kind == frame.Number) {
			c.add(at+".row", "%s is a %s, and the row has %v", f.Name, f.Kind, v)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(g.Row)) {
		if !c.isInput(name) {
			c.add(at+".row", "%s is no input", name)
		}
	}
}

// class notes that a class is named where there is none, or none where there are several.
func (c *checker) class(at, class string) {
	if class == "" {
		c.add(at, "the model has several scores; say class: and one of them")
		return
	}
	c.add(at+".class", "a %s model has no classes", c.m.Predict.Kind)
}

func (c *checker) direction(at string, d modeltest.Direction) {
	c.tried(at, d.Column)
	if d.By == 0 {
		c.add(at+".by", "it says how far the column is raised; a negative number lowers it")
	}
	if d.Must == "" {
		c.add(at, "it does not say what must hold; write must: not_lower or not_raise")
	}
	if !(d.Slack >= 0) {
		c.add(at+".slack", "it is 0 or more")
	}
	if (d.Class == "") == (c.m.Predict.Kind == dataset.Multiclass) {
		c.class(at, d.Class)
	}
	if i := slices.IndexFunc(c.inputs, func(f frame.Field) bool { return f.Name == d.Column }); c.known && i >= 0 && c.inputs[i].Kind != frame.Number {
		c.add(at+".column", "%s is a %s, which cannot be raised", d.Column, c.inputs[i].Kind)
	}
}

func (c *checker) expectation(at string, e modeltest.Expectation) {
	if e.AtLeast == nil && e.AtMost == nil {
		c.add(at, "it does not say what is expected; write at_least or at_most")
	}
	c.limits(at, e.AtLeast, e.AtMost)
	switch {
	case e.Metric != "":
		c.metric(at+".metric", e.Metric, false)
	case c.m.Predict.Kind == dataset.Multiclass:
		c.add(at, "a multiclass model has no mean score; name a metric")
	}
}

// limits notes limits that nothing can hold.
func (c *checker) limits(at string, least, most *modeltest.Limit) {
	if least != nil && most != nil && *least > *most {
		c.add(at, "at_least %v is above at_most %v", float64(*least), float64(*most))
	}
	for _, l := range []*modeltest.Limit{least, most} {
		if l != nil && math.IsInf(float64(*l), 0) {
			c.add(at, "a limit is a number")
		}
	}
}
