// SPDX-License-Identifier: Apache-2.0

package spec_test

import (
	"slices"
	"strings"
	"testing"

	"flyball/governance/card"
	"flyball/spec"
)

const carded = "about: a test\ncard:\n  out_of_scope: people\n  affected: nobody\n  limits: it knows little\n  owner: ana\n"

func TestTheCardOfAModelIsReadAndPrinted(t *testing.T) {
	f, err := spec.Parse("m.yaml", []byte(whole+carded))
	if err != nil {
		t.Fatal(err)
	}
	want := card.Settings{OutOfScope: "people", Affected: "nobody", Limits: "it knows little", Owner: "ana"}
	if f.Model.Card != want {
		t.Errorf("got %+v, want %+v", f.Model.Card, want)
	}
	printed, err := f.Model.YAML()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := spec.Parse("m.yaml", printed); err != nil || again.Model.Card != want {
		t.Errorf("printed and read again: %+v, %v", again.Model, err)
	}
}

func TestAKeyOfTheCardThatIsNotKnownIsToldWithItsPlace(t *testing.T) {
	_, err := spec.Parse("m.yaml", []byte(whole+"card:\n  intended_uze: none\n"))
	if err == nil || !strings.Contains(err.Error(), `m.yaml:13:3: unknown key "intended_uze"; did you mean "intended_use"?`) {
		t.Errorf("got %v", err)
	}
	raw, err := spec.Schema()
	if err != nil || !strings.Contains(string(raw), `"out_of_scope"`) {
		t.Errorf("the schema does not know the card: %v", err)
	}
}

func TestAModelWithARiskSaysWhatOnlyPeopleKnow(t *testing.T) {
	for _, risk := range []string{"medium", "high"} {
		if wrong, _ := check(t, whole+carded+"risk: "+risk+"\n"); len(wrong) != 0 {
			t.Errorf("%s, all said: %v", risk, wrong)
		}
		want := "card: a model of risk " + risk + " says what only people know before it goes on: card.intended_use, card.out_of_scope, card.affected, card.limits"
		if wrong, _ := check(t, whole+"risk: "+risk+"\n"); !slices.Contains(wrong, want) {
			t.Errorf("%s, nothing said: %v", risk, wrong)
		}
	}
	if wrong, _ := check(t, whole+"risk: low\n"); len(wrong) != 0 {
		t.Errorf("low: %v", wrong)
	}
}
