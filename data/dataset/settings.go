// SPDX-License-Identifier: Apache-2.0

package dataset

import "flyball/unit"

// Kind is what a model predicts.
type Kind string

// The kinds of prediction.
const (
	Binary     Kind = "binary"     // the label is 0 or 1; the score is the probability of 1
	Multiclass Kind = "multiclass" // the label is one of a set of texts; a score each
	Regression Kind = "regression" // the label and the score are numbers
)

// Task says what is predicted from a row, and which of its columns say when and
// for whom: the `predict` section of a model file.
type Task struct {
	Column string    `json:"column"`           // the label
	Kind   Kind      `json:"kind"`             //
	ID     string    `json:"id,omitempty"`     // the caller's key of a row; empty: rows have none
	Time   string    `json:"time,omitempty"`   // event time: when the prediction is asked; empty: rows have no time
	Truth  Truth     `json:"truth,omitzero"`   //
	Block  Block     `json:"block,omitzero"`   // rows that are one draw; zero: each row is
	Decide *Decision `json:"decide,omitempty"` //
	Groups []Slice   `json:"groups,omitempty"` // people or things compared for bias
	Never  []string  `json:"never,omitempty"`  // columns that must not become features

	LabelDependsOnDecision bool `json:"label_depends_on_decision,omitempty"`
}

// Truth says when the truth of a row is due. DueAt or Within decide maturity; with
// neither, the truth is due at the row's time (known at once).
type Truth struct {
	DueAt   string        `json:"due_at,omitempty"`   // column: the truth is due by then, whatever it is
	KnownAt string        `json:"known_at,omitempty"` // column: when the label in the source became known
	Within  unit.Duration `json:"within,omitempty"`   // due this long after Task.Time
	Missing string        `json:"missing,omitempty"`  // a mature row without label: count (default) or negative
}

// Block says which rows are alike, so that they count as one draw in an interval.
// At most one of the two is set.
type Block struct {
	Columns []string      // rows with equal values here
	Each    unit.Duration // rows of the same stretch of time
}

// Slice cuts rows by a column: each value of it, or the bins between the edges
// (a value on an edge belongs to the upper bin).
type Slice struct {
	Column string    `json:"column"`
	Bins   []float64 `json:"bins,omitempty"`
}

// Decision turns a binary score into a word: Then where the score is above Above.
type Decision struct {
	Above float64 `json:"above"`
	Then  string  `json:"then"`
	Else  string  `json:"else"`
}

// Settings say where rows come from, which train and which test, and what must
// hold of them: the `data` section of a model file.
type Settings struct {
	Source string        `json:"source"`           // a file or a glob, relative to the model file
	Also   string        `json:"also,omitempty"`   // predictions (default once live) or none
	Train  []TrainWindow `json:"train,omitempty"`  // one candidate each; empty: all
	Test   TestWindow    `json:"test,omitzero"`    //
	Checks []Check       `json:"checks,omitempty"` //
}

// TrainWindow is which of the mature rows before the test rows train. Zero: all.
type TrainWindow struct {
	Window unit.Duration `json:"window,omitempty"`
}

// TestWindow is which rows are held out: those that became due in the newest
// Window, and more, going back, until there are AtLeast (default 28d, 300).
type TestWindow struct {
	Window  unit.Duration `json:"window,omitempty"`
	AtLeast int           `json:"at_least,omitempty"`
}

// Check is one claim about the rows; exactly one of Column, Row, Rows, Unique and
// Fresh says which.
type Check struct {
	Column  string      `json:"column,omitempty"`  // with Min, Max, Missing, Allowed
	Min     *float64    `json:"min,omitempty"`     //
	Max     *float64    `json:"max,omitempty"`     //
	Missing *AtMost     `json:"missing,omitempty"` //
	Allowed []string    `json:"allowed,omitempty"` //
	Row     string      `json:"row,omitempty"`     // an expression (expr-lang) over the row's columns
	Share   *AtLeast    `json:"share,omitempty"`   // of rows for which Row holds; default 100%
	Rows    *RowCount   `json:"rows,omitempty"`    //
	Unique  []string    `json:"unique,omitempty"`  // no two rows agree on all of these
	Fresh   *FreshCheck `json:"fresh,omitempty"`   //

	Severity string `json:"severity,omitempty"` // stop (default) or warn
}

// AtMost is an upper limit of a share.
type AtMost struct {
	AtMost unit.Share `json:"at_most"`
}

// AtLeast is a lower limit of a share.
type AtLeast struct {
	AtLeast unit.Share `json:"at_least"`
}

// RowCount asks for AtLeast rows, in all or in each stretch Per of Task.Time.
type RowCount struct {
	AtLeast int           `json:"at_least"`
	Per     unit.Duration `json:"per,omitempty"`
}

// FreshCheck asks that the newest row is no older than Within at the run's now.
type FreshCheck struct {
	Within unit.Duration `json:"within"`
}
