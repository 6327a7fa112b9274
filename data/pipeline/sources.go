// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"slices"

	"flyball/data/frame"
)

// Sources are, for each feature, the inputs that it is made of: places in Inputs,
// rising. A feature may have several (expr), and one that no input moves has none.
func (f *Fitted) Sources() [][]int {
	of := make([][]int, f.plan.slots) // by slot
	for i := range f.spec.Inputs {
		of[i] = []int{i}
	}
	for i := range f.plan.steps {
		s := &f.plan.steps[i]
		outs := s.outs
		take := func(n int, from []int) {
			for _, slot := range outs[:n] {
				of[slot] = from
			}
			outs = outs[n:]
		}
		switch s.op {
		case opSelect:
		case opExpr:
			var from []int
			for _, c := range s.code.reads {
				from = append(from, of[c.slot]...)
			}
			slices.Sort(from)
			take(1, slices.Compact(from))
		case opInteractions:
			for i, a := range s.in {
				for _, b := range s.in[i+1:] {
					from := slices.Concat(of[a.slot], of[b.slot])
					slices.Sort(from)
					take(1, slices.Compact(from))
				}
			}
		default:
			for k, c := range s.in {
				take(s.makes(k), of[c.slot])
			}
		}
	}
	out := make([][]int, len(f.plan.columns))
	for k, c := range f.plan.columns {
		out[k] = slices.Clone(of[c.slot])
	}
	return out
}

// makes is how many numbers a fitted step makes of its k-th column.
func (s *step) makes(k int) int {
	switch {
	case s.op == opOneHot:
		return len(s.state.Kept[k]) + 1
	case s.op == opDatetime && s.spec.Cyclic:
		return 2 * len(s.spec.Parts)
	case s.op == opDatetime:
		return len(s.spec.Parts)
	case s.op == opHash || s.op == opText:
		return s.spec.Features
	case s.op == opTargetEncode:
		return len(s.state.Means[k])
	case s.op == opImpute && s.in[k].Kind == frame.Text:
		return 0
	}
	return 1
}
