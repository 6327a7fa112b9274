// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"cmp"
	"math"
	"slices"

	"flyball/data/dataset"
	"flyball/stat"
)

// maxExamples bounds how many rows are shown.
const maxExamples = 20

// Where is where two subjects differ. Of a binary label these are the rows whose
// decision changes; of a number, the rows whose error changes most.
type Where struct {
	Rows     int       `json:"rows"`
	Changed  int       `json:"changed" doc:"binary: rows that change decision"`
	ToYes    Change    `json:"to_yes" doc:"binary: the reference says no, this subject yes"`
	ToNo     Change    `json:"to_no" doc:"binary: the reference says yes, this subject no"`
	P        *float64  `json:"p,omitempty" doc:"two-sided mid-p of McNemar's test for one being right more often where they differ; absent where rows come in blocks or weigh differently"`
	Examples []Example `json:"examples,omitempty" doc:"the rows that move most, at most 20"`
}

// Change is rows that change decision in one direction.
type Change struct {
	Rows  int `json:"rows"`
	Right int `json:"right" doc:"where this subject is right"`
}

// Example is a row that the two see differently.
type Example struct {
	Key       string  `json:"key"`
	Label     float64 `json:"label" doc:"binary: 1 for yes"`
	Reference float64 `json:"reference" doc:"what the reference predicted"`
	Candidate float64 `json:"candidate" doc:"what this subject predicted"`
}

func where(m matched) *Where {
	s := m.sample
	w := &Where{Rows: len(s.Truth)}
	this, that := s.Scores[candidate], s.Scores[live]
	moved := make([]float64, len(s.Truth)) // how far each row does
	for i, y := range s.Truth {
		if s.Kind == dataset.Regression {
			moved[i] = math.Abs(math.Abs(this[i]-y) - math.Abs(that[i]-y))
			continue
		}
		a, b := this[i] > s.Decide.Above, that[i] > s.Decide.Above
		if a == b {
			continue
		}
		w.Changed++
		moved[i] = math.Abs(this[i] - that[i])
		c := &w.ToNo
		if a {
			c = &w.ToYes
		}
		c.Rows++
		if a == (y > 0.5) {
			c.Right++
		}
	}
	if s.Kind == dataset.Binary && s.Block == nil && s.Weight == nil {
		right := w.ToYes.Right + w.ToNo.Right
		p := stat.McNemarMidP(right, w.Changed-right)
		w.P = &p
	}
	order := make([]int, 0, len(moved))
	for i, d := range moved {
		if d > 0 {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(moved[b], moved[a]), cmp.Compare(m.keys[a], m.keys[b])) })
	for _, i := range order[:min(len(order), maxExamples)] {
		w.Examples = append(w.Examples, Example{Key: m.keys[i], Label: s.Truth[i], Reference: that[i], Candidate: this[i]})
	}
	return w
}
