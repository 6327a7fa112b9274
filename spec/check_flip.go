// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"maps"
	"slices"

	"flyball/data/frame"
	"flyball/model/counterfactual"
)

// flip checks the columns that may change, or may not.
func (c *checker) flip(r counterfactual.Rules) {
	const at = "explain.flip"
	for _, name := range r.Fixed {
		if c.known && !c.isInput(name) {
			c.add(at+".fixed", "%s is no input", name)
		}
	}
	for _, name := range r.Rises {
		c.number(at+".rises", name)
		if slices.Contains(r.Falls, name) {
			c.add(at+".falls", "%s rises and falls; write it under fixed if it stays", name)
		}
	}
	for _, name := range r.Falls {
		c.number(at+".falls", name)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Within)) {
		c.number(at+".within."+name, name)
		if w := r.Within[name]; w.Min != nil && w.Max != nil && *w.Min > *w.Max {
			c.add(at+".within."+name, "min %v is above max %v", *w.Min, *w.Max)
		}
	}
}

// number notes what is no input that is a number.
func (c *checker) number(at, name string) {
	if !c.known {
		return
	}
	switch i := slices.IndexFunc(c.inputs, func(f frame.Field) bool { return f.Name == name }); {
	case i < 0:
		c.add(at, "%s is no input", name)
	case c.inputs[i].Kind != frame.Number:
		c.add(at, "%s is a %s, not a number", name, c.inputs[i].Kind)
	}
}
