// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"slices"
	"testing"

	"flyball/data/frame"
)

func TestADifferenceOfPipelinesIsSaidInWords(t *testing.T) {
	a := Fields{{Name: "adr", Kind: frame.Number}, {Name: "meal", Kind: frame.Text}, {Name: "agent", Kind: frame.Number}}
	scale := Step{Op: "scale", In: []string{"adr"}, Strategy: "standard"}
	meal := Step{Op: "one_hot", In: []string{"meal"}, AtLeast: 50}
	night := Step{Op: "expr", As: "nights", Expr: "a + b"}
	for _, c := range []struct {
		name     string
		from, to Spec
		want     []string
	}{
		{"equal pipelines", Spec{a, []Step{scale, meal}}, Spec{a, []Step{scale, meal}}, nil},
		{
			"an input of another kind",
			Spec{Inputs: a},
			Spec{Inputs: Fields{a[0], a[1], {Name: "agent", Kind: frame.Text}}},
			[]string{"~ input agent: text, was number"},
		},
		{
			"inputs that came, went and moved",
			Spec{Inputs: a},
			Spec{Inputs: Fields{a[1], a[0], {Name: "new", Kind: frame.Time}}},
			[]string{"- input agent: number", "+ input new: time", "> inputs stand in another order: meal, adr"},
		},
		{
			"a setting",
			Spec{a, []Step{scale, meal}},
			Spec{a, []Step{{Op: "scale", In: []string{"adr"}, Strategy: "robust"}, {Op: "one_hot", In: []string{"meal"}}}},
			[]string{"~ step scale of adr: strategy robust, was standard", "~ step one_hot of meal: no at_least, was 50"},
		},
		{
			"steps that came and went",
			Spec{a, []Step{scale, meal}},
			Spec{a, []Step{meal, night}},
			[]string{"- step scale of adr (strategy standard)", "+ step expr as nights (expr a + b)"},
		},
		{
			"a step that moved",
			Spec{a, []Step{scale, meal}},
			Spec{a, []Step{meal, scale}},
			[]string{"> step one_hot of meal comes earlier: as step 1"},
		},
		{
			"the same step twice",
			Spec{a, []Step{scale, scale}},
			Spec{a, []Step{scale}},
			[]string{"- step scale of adr (strategy standard)"},
		},
	} {
		var got []string
		for _, d := range Diff(c.from, c.to) {
			got = append(got, d.String())
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
