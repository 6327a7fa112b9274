// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"slices"

	"flyball/data/frame"
	"flyball/fault"
)

// learn takes over what was learned, whether just now or from a file, and checks
// that it fits the step.
func (s *step) learn(st state) error {
	s.state = st
	n := len(s.in)
	for _, part := range []struct {
		what string
		have int
		of   []op
	}{
		{"values", len(st.Fill), []op{opImpute}},
		{"words", len(st.Words), []op{opImpute}},
		{"centers", len(st.Center), []op{opScale}},
		{"scales", len(st.Scale), []op{opScale}},
		{"lists of edges", len(st.Edges), []op{opBucketize}},
		{"lists of categories", len(st.Kept), []op{opOneHot, opOrdinal, opTargetEncode}},
		{"lists of rare categories", len(st.Rare), []op{opOneHot, opOrdinal}},
		{"lists of means", len(st.Means), []op{opTargetEncode}},
		{"lists of weights", len(st.Weights), []op{opText}},
	} {
		want := 0
		if slices.Contains(part.of, s.op) {
			want = n
		}
		if part.have != want {
			return fault.New(fault.Invalid, "it learned %d %s where it needs %d", part.have, part.what, want)
		}
	}
	for k := range n {
		if err := s.learnColumn(k); err != nil {
			return err
		}
	}
	return nil
}

// learnColumn checks what was learned of one column. JSON knows no number that is
// not finite.
func (s *step) learnColumn(k int) error {
	name := s.in[k].Name
	switch s.op {
	case opImpute:
		if s.in[k].Kind == frame.Text && s.state.Fill[k] != 0 || s.in[k].Kind != frame.Text && s.state.Words[k] != "" {
			return fault.New(fault.Invalid, "what it learned of %q is of another kind", name)
		}
	case opScale:
		if s.state.Scale[k] <= 0 {
			return fault.New(fault.Invalid, "the scale of %q is %g and must be above zero", name, s.state.Scale[k])
		}
	case opBucketize:
		given := s.spec.Bins == 0
		if e := s.state.Edges[k]; !rising(e) || given && !slices.Equal(e, s.spec.Edges) || !given && len(e) >= s.spec.Bins {
			return fault.New(fault.Invalid, "the edges of %q do not rise or are not those of the step", name)
		}
	case opOneHot, opOrdinal:
		return s.index(k, s.state.Rare[k])
	case opTargetEncode:
		means := s.state.Means[k]
		if len(means) == 0 || len(means) != len(s.state.Means[0]) ||
			slices.ContainsFunc(means, func(of []float64) bool { return len(of) != len(s.state.Kept[k])+2 }) {
			return fault.New(fault.Invalid, "the means of %q are not one for each category, for the unseen and for the missing", name)
		}
		return s.index(k, nil)
	case opText:
		if w := s.state.Weights[k]; len(w) != s.spec.Features || slices.ContainsFunc(w, func(x float64) bool { return x < 0 }) {
			return fault.New(fault.Invalid, "the weights of %q are not one for each feature, or are below zero", name)
		}
	}
	return nil
}

// index checks the categories and makes the map from one to its place; the rare
// share the last.
func (s *step) index(k int, rare []string) error {
	kept := s.state.Kept[k]
	m := make(map[string]int, len(kept)+len(rare))
	for i, c := range kept {
		m[c] = i
	}
	for _, c := range rare {
		m[c] = len(kept)
	}
	switch {
	case len(m) != len(kept)+len(rare):
		return fault.New(fault.Invalid, "a category of %q stands twice", s.in[k].Name)
	case s.byValue() && !slices.IsSorted(kept) || !slices.IsSorted(rare):
		return fault.New(fault.Invalid, "the categories of %q are not in order", s.in[k].Name)
	case s.op == opOneHot && (len(kept) > maxKept || slices.Contains(kept, other)):
		return fault.New(fault.Invalid, "the categories of %q are too many, or one of them is %q", s.in[k].Name, other)
	}
	s.words = append(s.words, lookupOf(m))
	return nil
}
