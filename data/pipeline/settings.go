// SPDX-License-Identifier: Apache-2.0

package pipeline

import "flyball/data/frame"

// Spec is a pipeline before it is fitted: the columns it takes and the steps that
// make features of them. The features are, in order, the inputs that no step
// replaced, at their place, and what the steps made, where they made it.
type Spec struct {
	Inputs []frame.Field `json:"inputs"`
	Steps  []Step        `json:"steps,omitempty"`
}

// Step is one operation. Which of the keys apply depends on Op; the others are
// zero. A step whose In names columns replaces them by what it makes, unless As
// names the result.
type Step struct {
	Op       string    `json:"op"`                 // impute scale one_hot ordinal bucketize datetime clip expr select
	In       []string  `json:"in,omitempty"`       // columns; a model file may write a single name
	As       string    `json:"as,omitempty"`       // name of the result; empty: the column's own
	Strategy string    `json:"strategy,omitempty"` // impute: mean median most_frequent constant; scale: standard minmax robust; bucketize: quantile uniform
	Value    any       `json:"value,omitempty"`    // impute constant: a number or a text
	AtLeast  int       `json:"at_least,omitempty"` // one_hot, ordinal: categories with fewer rows become "other"
	By       string    `json:"by,omitempty"`       // ordinal: value (default) or frequency
	Bins     int       `json:"bins,omitempty"`     // bucketize: how many
	Edges    []float64 `json:"edges,omitempty"`    // bucketize: given edges
	Parts    []string  `json:"parts,omitempty"`    // datetime: year month day weekday hour minute yearday
	Min      *float64  `json:"min,omitempty"`      // clip
	Max      *float64  `json:"max,omitempty"`      // clip
	Expr     string    `json:"expr,omitempty"`     // expr: an expression over numbers and text of the row
}
