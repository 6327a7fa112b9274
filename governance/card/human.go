// SPDX-License-Identifier: Apache-2.0

package card

import (
	"strings"

	"flyball/governance/duty"
)

// Settings are what the model file says under card: what only people know.
type Settings struct {
	IntendedUse string `json:"intended_use,omitempty"` // what for, and who decides by it
	OutOfScope  string `json:"out_of_scope,omitempty"` // what it must not be used for
	Affected    string `json:"affected,omitempty"`     // the people whom its answers touch
	Limits      string `json:"limits,omitempty"`       // where it is known to be wrong
	Owner       string `json:"owner,omitempty"`        // who answers for it
}

// Human are the six fields of a card that nobody can derive. Empty: nobody said it.
type Human struct {
	IntendedUse string `json:"intended_use,omitempty"`
	OutOfScope  string `json:"out_of_scope,omitempty"`
	Affected    string `json:"affected,omitempty"`
	Limits      string `json:"limits,omitempty"`
	Risk        string `json:"risk,omitempty"` // low, medium or high
	Owner       string `json:"owner,omitempty"`
}

// Human fills in what the rest of the model file says: the risk as it is written there,
// about for the intended use, and whoever has all four duties for the owner.
func (s Settings) Human(about, risk string, d duty.Duties) Human {
	h := Human{
		IntendedUse: strings.TrimSpace(s.IntendedUse), OutOfScope: strings.TrimSpace(s.OutOfScope), Affected: strings.TrimSpace(s.Affected),
		Limits: strings.TrimSpace(s.Limits), Owner: strings.TrimSpace(s.Owner), Risk: risk,
	}
	if h.IntendedUse == "" {
		h.IntendedUse = strings.TrimSpace(about)
	}
	if o := d.Fix.Owner; h.Owner == "" && o == d.Feed.Owner && o == d.Monitor.Owner && o == d.Retrain.Owner {
		h.Owner = o
	}
	return h
}

// field is one of the six, as the model file names it and as people read it.
type field struct{ key, title, text string }

func (h Human) fields() []field {
	return []field{
		{"card.intended_use", "Intended use", h.IntendedUse},
		{"card.out_of_scope", "Not for", h.OutOfScope},
		{"card.affected", "Who is affected", h.Affected},
		{"card.limits", "Known limits", h.Limits},
		{"risk", "Risk", h.Risk},
		{"card.owner", "Owner", h.Owner},
	}
}

// Missing are the keys of the model file that would fill the holes, in the order of the
// card; nil where there are none.
func (h Human) Missing() []string {
	var out []string
	for _, f := range h.fields() {
		if f.text == "" {
			out = append(out, f.key)
		}
	}
	return out
}
