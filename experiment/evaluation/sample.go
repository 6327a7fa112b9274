// SPDX-License-Identifier: Apache-2.0

// Package evaluation measures model versions on labelled rows: overall, by slice,
// and with the uncertainty of each number. It measures; it does not judge. Package
// gate judges.
package evaluation

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"math"
	"slices"

	"flyball/data/dataset"
)

// Sample is labelled rows and what one or more versions score for them, all on the
// same rows in the same order.
type Sample struct {
	Kind    dataset.Kind
	Classes []string             // Multiclass: names, in the order of the scores
	Truth   []float64            // the label; Binary 0 or 1; Multiclass the class's index
	Weight  []float64            // how much a row counts, above 0; nil: 1 each
	Block   []uint64             // rows with equal numbers are one draw; nil: each row is one
	Run     int                  // so many blocks in the order of their numbers depend on each other; 0 or 1: none do
	Slices  []SliceColumn        // ways to cut the rows
	Scores  map[string][]float64 // by role (live, candidate, baseline): a row's scores, row-major
	Decide  *dataset.Decision    // Binary: the threshold; nil: 0.5
	Costs   dataset.Costs        // what a decision costs, for the metric cost; nil: nobody says
}

// SliceColumn cuts the rows of a sample into named parts.
type SliceColumn struct {
	Name   string   // the column
	Values []string // a row's part, such as "City Hotel" or "30…90"; "" belongs to none
}

// Estimate is a metric's value with its 95 % interval.
type Estimate struct {
	Metric string  `json:"metric"`
	Slice  string  `json:"slice,omitempty"` // column=value, for a gap the column; empty: all rows
	Role   string  `json:"role"`
	Value  float64 `json:"value"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	Rows   int     `json:"rows"`
	Blocks int     `json:"blocks"` // independent draws
}

// Difference is the paired improvement of the candidate over another version on the
// same rows, turned so that positive is better, with its 95 % interval.
type Difference struct {
	Metric    string  `json:"metric"`
	Slice     string  `json:"slice,omitempty"`
	Against   string  `json:"against"`   // live or baseline
	Candidate float64 `json:"candidate"` // the metric itself
	Other     float64 `json:"other"`
	Value     float64 `json:"value"`
	Low       float64 `json:"low"`
	High      float64 `json:"high"`
	SE        float64 `json:"se"`
	Rows      int     `json:"rows"`
	Blocks    int     `json:"blocks"`
	P         float64 `json:"p"` // one-sided, for "the candidate is worse"

	freedom float64 // of the t distribution that Low, High and P are told by
}

// Seed is the first eight bytes of the SHA-256 over truth, weights and scores, so that a
// verdict can be made again from the same rows.
func (s Sample) Seed() uint64 {
	h := sha256.New()
	put := func(values []float64) {
		var b []byte
		for _, v := range values {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
		}
		h.Write(b)
	}
	put(s.Truth)
	put(s.Weight)
	for _, role := range slices.Sorted(maps.Keys(s.Scores)) {
		h.Write([]byte(role))
		put(s.Scores[role])
	}
	return binary.LittleEndian.Uint64(h.Sum(nil))
}
