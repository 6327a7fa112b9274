// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"slices"
	"testing"

	"flyball/data/frame"
	"flyball/fault"
)

func TestWhichFeaturesAPipelineMayMakeIsKnownBeforeItIsFitted(t *testing.T) {
	inputs := []frame.Field{{Name: "adr", Kind: frame.Number}, {Name: "hotel", Kind: frame.Text}}
	spec := func(steps ...Step) Spec { return Spec{Inputs: inputs, Steps: steps} }
	hot := Step{Op: "one_hot", In: []string{"hotel"}}
	for _, c := range []struct {
		name    string
		spec    Spec
		feature string
		want    bool
	}{
		{"an input", spec(hot), "adr", true},
		{"nothing of the kind", spec(hot), "price", false},
		{"a category that may be found", spec(hot), "hotel=city", true},
		{"a column that was replaced", spec(hot), "hotel", false},
		{"one that select leaves out", spec(hot, Step{Op: "select", In: []string{"hotel=city"}}), "adr", false},
		{"a category that select leaves out", spec(hot, Step{Op: "select", In: []string{"adr"}}), "hotel=city", false},
		{"a category that select names", spec(hot, Step{Op: "select", In: []string{"hotel=city"}}), "hotel=city", true},
	} {
		got, known, err := MayMake(c.spec, c.feature)
		if err != nil || got != c.want {
			t.Errorf("%s: got %v, %v; certain are %v", c.name, got, err, known)
		}
	}
	if _, known, _ := MayMake(spec(hot), ""); !slices.Equal(known, []string{"adr", "hotel=other"}) {
		t.Errorf("certain are %v", known)
	}
	if _, _, err := MayMake(spec(), "adr"); !fault.Is(err, fault.Invalid) {
		t.Errorf("a text that is no feature: got %v", err)
	}
}
