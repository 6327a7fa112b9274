// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"fmt"
	"math"
	"slices"

	"flyball/data/dataset"
	"flyball/experiment/evaluation"
	"flyball/unit"
)

// mostDisagree is the share of shared keys whose labels may differ before the keys are
// held to name other rows.
const mostDisagree = 0.01

// matched is the rows that two subjects share.
type matched struct {
	sample                      evaluation.Sample
	keys                        []string
	onlyThis, onlyThat, leftOut int
	notes                       []string
	why                         string // why nothing can be compared, in a sentence; empty: it can
}

// match finds the rows of both. A version that was judged beside another keeps what
// the other said on its rows: of all ways to pair the two, the one with the most rows
// counts.
func match(s, reference Subject) matched {
	if s.Constant || reference.Constant {
		return matchConstant(s, reference)
	}
	type way struct {
		this, that *Evaluation
		note       string
	}
	ways := []way{{s.Evaluation, reference.Evaluation, ""}}
	if e := s.Also[reference.Version]; e != nil {
		ways = append(ways, way{s.Evaluation, e, "on the rows on which " + s.Name + " was judged against " + reference.Name})
	}
	if e := reference.Also[s.Version]; e != nil {
		ways = append(ways, way{e, reference.Evaluation, "on the rows on which " + reference.Name + " was judged against " + s.Name})
	}
	best := matched{why: without(s, reference)}
	for _, w := range ways {
		if w.this == nil || w.that == nil {
			continue
		}
		m := join(w.this, w.that, s.Name, reference.Name)
		if best.sample.Truth == nil || len(m.sample.Truth) > len(best.sample.Truth) {
			best = m
			if w.note != "" {
				best.notes = append(best.notes, w.note)
			}
		}
	}
	return best
}

// without says that a subject keeps no predictions.
func without(s, reference Subject) string {
	for _, one := range []Subject{s, reference} {
		if one.Evaluation != nil {
			continue
		}
		if one.Missing != "" {
			return one.Missing
		}
		return fmt.Sprintf("%s keeps no predictions below evaluation/, so nothing is judged: its metrics stand beside the others without an interval.", one.Name)
	}
	return ""
}

// matchConstant puts the mean of the labels beside what a subject predicted.
func matchConstant(s, reference Subject) matched {
	e := s.Evaluation
	if s.Constant {
		e = reference.Evaluation
	}
	if e == nil {
		return matched{why: without(s, reference)}
	}
	c := *e
	sum, n := 0.0, 0.0
	for i, y := range e.Truth {
		w := e.weight(i)
		sum, n = sum+w*y, n+w
	}
	c.Score = slices.Repeat([]float64{sum / n}, len(e.Truth))
	this, that := e, &c
	if s.Constant {
		this, that = that, this
	}
	return join(this, that, s.Name, reference.Name)
}

// join is the rows whose keys both have, in the order of that.
func join(this, that *Evaluation, name, against string) matched {
	if this.Kind != that.Kind {
		return matched{why: fmt.Sprintf("%s predicts a %s label and %s a %s one, so nothing is judged.", name, this.Kind, against, that.Kind)}
	}
	var m matched
	var a, b []int
	shared, other := 0, 0
	for i, key := range that.Keys {
		j, ok := this.at[key]
		if !ok {
			continue
		}
		shared++
		switch {
		case !same(this.Truth[j], that.Truth[i]):
			other++
			m.leftOut++
		case this.weight(int(j)) != that.weight(i):
			m.leftOut++
		default:
			a, b = append(a, int(j)), append(b, i)
		}
	}
	m.onlyThis, m.onlyThat = len(this.Keys)-shared, len(that.Keys)-shared
	switch {
	case shared == 0:
		m.why = fmt.Sprintf("%s and %s have no row in common, so nothing is judged.", name, against)
		return m
	case float64(other) > mostDisagree*float64(shared):
		m.why = fmt.Sprintf("%s of the %s keys that %s and %s share have another label: they do not name the same rows, so nothing is judged.",
			unit.Count(other), unit.Count(shared), name, against)
		return m
	case len(a) == 0:
		m.why = fmt.Sprintf("%s and %s weigh their rows differently, so nothing is judged.", name, against)
		return m
	}
	m.sample, m.keys = sampleOf(this, that, a, b), pick(that.Keys, b)
	if this.Kind == dataset.Binary && this.Threshold != that.Threshold {
		m.notes = append(m.notes, fmt.Sprintf("decided above %v, as %s does; %s decides above %v", that.Threshold, against, name, this.Threshold))
	}
	if this.Dataset != that.Dataset && this.Dataset != (Dataset{}) && that.Dataset != (Dataset{}) {
		m.notes = append(m.notes, "the datasets have other names or digests; the rows are the same by their keys and labels")
	}
	return m
}

// sampleOf is the rows a of this and b of that, as candidate and as live.
func sampleOf(this, that *Evaluation, a, b []int) evaluation.Sample {
	s := evaluation.Sample{
		Kind: that.Kind, Truth: pick(that.Truth, b), Weight: pick(that.Weight, b), Block: pick(that.Block, b),
		Scores: map[string][]float64{candidate: pick(this.Score, a), live: pick(that.Score, b)},
	}
	if s.Block == nil {
		s.Block = pick(this.Block, a)
	}
	if that.Kind == dataset.Binary {
		s.Decide = &dataset.Decision{Above: that.Threshold}
	}
	for _, c := range that.Slices {
		s.Slices = append(s.Slices, evaluation.SliceColumn{Name: c.Name, Values: pick(c.Values, b)})
	}
	for _, c := range this.Slices {
		if !slices.ContainsFunc(that.Slices, func(o evaluation.SliceColumn) bool { return o.Name == c.Name }) {
			s.Slices = append(s.Slices, evaluation.SliceColumn{Name: c.Name, Values: pick(c.Values, a)})
		}
	}
	return s
}

// pick is the values at the places; nil of nil.
func pick[T any](values []T, at []int) []T {
	if values == nil {
		return nil
	}
	out := make([]T, len(at))
	for k, i := range at {
		out[k] = values[i]
	}
	return out
}

// same lets labels differ by what a float32 loses.
func same(a, b float64) bool { return math.Abs(a-b) <= 1e-6*max(1e-300, math.Abs(a), math.Abs(b)) }

func (e *Evaluation) weight(i int) float64 {
	if e.Weight == nil {
		return 1
	}
	return e.Weight[i]
}
