// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"flyball/data/frame"
)

// Difference is one difference between two pipelines.
type Difference struct {
	Mark string `json:"mark"` // + came, - went, ~ changed, > moved
	Text string `json:"text"` // such as "step scale of adr: strategy standard, was robust"
}

// String is the mark and the text.
func (c Difference) String() string { return c.Mark + " " + c.Text }

// Diff says what of a pipeline became other: inputs and then steps, in their order.
// Equal pipelines have no difference. A step is the same step when it does the same
// operation on the same columns.
func Diff(from, to Spec) []Difference {
	return append(diffInputs(from.Inputs, to.Inputs), diffSteps(from.Steps, to.Steps)...)
}

func diffInputs(from, to Fields) []Difference {
	kind := func(all Fields, name string) (frame.Kind, bool) {
		i := slices.IndexFunc(all, func(f frame.Field) bool { return f.Name == name })
		if i < 0 {
			return 0, false
		}
		return all[i].Kind, true
	}
	var out []Difference
	for _, f := range from {
		if _, still := kind(to, f.Name); !still {
			out = append(out, Difference{"-", fmt.Sprintf("input %s: %s", f.Name, f.Kind)})
		}
	}
	var stayed, now []string
	for _, f := range to {
		was, had := kind(from, f.Name)
		switch {
		case !had:
			out = append(out, Difference{"+", fmt.Sprintf("input %s: %s", f.Name, f.Kind)})
			continue
		case was != f.Kind:
			out = append(out, Difference{"~", fmt.Sprintf("input %s: %s, was %s", f.Name, f.Kind, was)})
		}
		now = append(now, f.Name)
	}
	for _, f := range from {
		if slices.Contains(now, f.Name) {
			stayed = append(stayed, f.Name)
		}
	}
	if !slices.Equal(stayed, now) {
		out = append(out, Difference{">", "inputs stand in another order: " + strings.Join(now, ", ")})
	}
	return out
}

// diffSteps pairs the steps of equal title, the first with the first.
func diffSteps(from, to []Step) []Difference {
	partner := make([]int, len(from)) // in to; -1: none
	taken := make([]bool, len(to))
	for i, s := range from {
		partner[i] = slices.IndexFunc(to, func(t Step) bool { return t.title() == s.title() })
		for partner[i] >= 0 && taken[partner[i]] {
			next := slices.IndexFunc(to[partner[i]+1:], func(t Step) bool { return t.title() == s.title() })
			if next < 0 {
				partner[i] = -1
			} else {
				partner[i] += 1 + next
			}
		}
		if partner[i] >= 0 {
			taken[partner[i]] = true
		}
	}
	var out []Difference
	last := -1
	for i, s := range from {
		k := partner[i]
		if k < 0 {
			out = append(out, Difference{"-", "step " + s.title() + settingsOf(s)})
			continue
		}
		if what := differ(s, to[k]); what != "" {
			out = append(out, Difference{"~", "step " + s.title() + ": " + what})
		}
		if k < last {
			out = append(out, Difference{">", fmt.Sprintf("step %s comes earlier: as step %d", s.title(), k+1)})
		}
		last = max(last, k)
	}
	for k, t := range to {
		if !taken[k] {
			out = append(out, Difference{"+", "step " + t.title() + settingsOf(t)})
		}
	}
	return out
}

// title names a step: its operation, and what it works on or makes.
func (s Step) title() string {
	out := s.Op
	if len(s.In) > 0 {
		out += " of " + strings.Join(s.In, ", ")
	}
	if s.As != "" {
		out += " as " + s.As
	}
	return out
}

// written are the settings of a step besides its title, as a model file writes them.
func (s Step) written() map[string]string {
	s.Op, s.In, s.As = "", nil, ""
	raw, err := json.Marshal(s)
	if err != nil {
		return nil // a value that JSON cannot hold; Validate refuses it
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil
	}
	delete(all, "op")
	out := make(map[string]string, len(all))
	for k, v := range all {
		out[k] = strings.Trim(string(v), `"`)
	}
	return out
}

// settingsOf is the settings in brackets; nothing where there are none.
func settingsOf(s Step) string {
	if what := differ(Step{}, s); what != "" {
		return " (" + what + ")"
	}
	return ""
}

// differ says how the settings of a step became other.
func differ(from, to Step) string {
	was, is := from.written(), to.written()
	var names []string
	for k := range was {
		names = append(names, k)
	}
	for k := range is {
		if _, both := was[k]; !both {
			names = append(names, k)
		}
	}
	slices.Sort(names)
	var out []string
	for _, k := range names {
		before, had := was[k]
		now, has := is[k]
		switch {
		case before == now:
		case !has:
			out = append(out, fmt.Sprintf("no %s, was %s", k, before))
		case !had:
			out = append(out, fmt.Sprintf("%s %s", k, now))
		default:
			out = append(out, fmt.Sprintf("%s %s, was %s", k, now, before))
		}
	}
	return strings.Join(out, "; ")
}
