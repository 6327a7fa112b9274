// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"encoding/json"

	"flyball/data/frame"
	"flyball/unit"
)

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
	Cost   Costs     `json:"cost,omitempty"`   // what a decision costs, for the gate's metric of that name
	Groups []Slice   `json:"groups,omitempty"` // people or things compared for bias
	Audit  []Slice   `json:"audit,omitempty"`  // the same, sent beside the rows and kept apart from them; never an input. Empty: none is taken
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
// At most one of Columns and Each is set.
type Block struct {
	Columns []string      // rows with equal values here
	Each    unit.Duration // rows of the same stretch of time
	Run     unit.Duration // stretches so near to each other depend on each other, as days of a week do; zero: none do
}

// Together is how many stretches in a row depend on each other; 1 where none do.
func (b Block) Together() int {
	if b.Each <= 0 || b.Run <= b.Each {
		return 1
	}
	return int((b.Run + b.Each - 1) / b.Each)
}

// Slice cuts rows by a column: each value of it, or the bins between the edges
// (a value on an edge belongs to the upper bin).
type Slice struct {
	Column string    `json:"column"`
	Bins   []float64 `json:"bins,omitempty"`
}

// Costs say what it costs to decide for a class: first the true class, then the one
// decided for, as in {1: {0: 5}, 0: {1: 1}}. A binary model's classes are 0 and 1. A pair
// that is not named costs nothing; a gain is a cost below 0.
type Costs map[string]map[string]float64

// Decision turns a binary score into a word: Then where the score is above Above.
type Decision struct {
	Above float64 `json:"above"`
	Then  string  `json:"then"`
	Else  string  `json:"else"`
}

// Settings say where rows come from, which train and which test, and what must
// hold of them: the `data` section of a model file.
type Settings struct {
	Source string       `json:"source"`           // a file, a glob or a folder, relative to the model file; s3://bucket/key*.parquet; postgres://host/database
	Query  string       `json:"query,omitempty"`  // of a postgres:// source: the statement whose rows are the data
	CSV    CSV          `json:"csv,omitzero"`     // how its CSV files are written, where that is not seen from them
	Kinds  Kinds        `json:"kinds,omitzero"`   // of columns, where what is inferred is not what is meant
	Also   string       `json:"also,omitempty"`   // predictions (default once live) or none
	Train  TrainWindows `json:"train"`            // one candidate each; empty: all
	Test   TestWindow   `json:"test,omitzero"`    //
	Checks []Check      `json:"checks,omitempty"` //
}

// CSV says how CSV files are written. What is zero is found out from the files.
type CSV struct {
	Delimiter string   `json:"delimiter,omitempty"` // one character, such as ; or tab
	Decimal   string   `json:"decimal,omitempty"`   // of numbers: . or ,
	Encoding  string   `json:"encoding,omitempty"`  // utf-8, utf-16, windows-1252, iso-8859-1 …
	Missing   []string `json:"missing,omitempty"`   // what stands for a missing value besides nothing at all; unset: NA, N/A, null, NULL, NaN, nan
	Zone      string   `json:"zone,omitempty"`      // of times without one, such as Europe/Berlin; unset: UTC
}

// Kinds are kinds of columns by name: number, text or time.
type Kinds map[string]frame.Kind

// TrainWindows are the windows to make candidates of; empty is one, of all rows. A
// model file writes all, {window: 365d}, or a list of these.
type TrainWindows []TrainWindow

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

// Check is one claim about the rows; exactly one of Column, Row, Rows, Unique, Fresh,
// Stuck, Leaks and Growth says which.
type Check struct {
	Column  string      `json:"column,omitempty"`  // with Min, Max, Missing, Allowed
	Min     *float64    `json:"min,omitempty"`     //
	Max     *float64    `json:"max,omitempty"`     //
	Missing *AtMost     `json:"missing,omitempty"` //
	Allowed Values      `json:"allowed,omitempty"` //
	Row     string      `json:"row,omitempty"`     // an expression (expr-lang) over the row's columns
	Share   *AtLeast    `json:"share,omitempty"`   // of rows for which Row holds; default 100%
	Rows    *RowCount   `json:"rows,omitempty"`    //
	Unique  []string    `json:"unique,omitempty"`  // no two rows agree on all of these
	Fresh   *FreshCheck `json:"fresh,omitempty"`   //
	Stuck   *StuckCheck `json:"stuck,omitempty"`   // no column holds one value alone
	Leaks   *LeakCheck  `json:"leaks,omitempty"`   // no column tells the label alone
	Growth  *Growth     `json:"growth,omitempty"`  // rows against those that the live version was made from
	Type    *frame.Kind `json:"type,omitempty"`    // of Column

	Severity string `json:"severity,omitempty"` // stop (default) or warn
}

// StuckCheck asks that columns hold more than one value.
type StuckCheck struct {
	Columns []string      `json:"columns,omitempty"` // empty: all inputs
	Within  unit.Duration `json:"within,omitempty"`  // of the newest rows by Task.Time; zero: all rows
}

// LeakCheck looks for columns that tell the label: one that orders the rows by label
// better than AUC (of Kind Regression: by rank correlation), or one that is filled
// only where the label is.
type LeakCheck struct {
	AUC    float64  `json:"auc,omitempty"`    // default 0.98
	Except []string `json:"except,omitempty"` // columns that may
}

// Growth bounds the number of rows by that of the snapshot before, which the live
// version was made from: how many times as many there are.
type Growth struct {
	AtLeast unit.Factor `json:"at_least,omitempty"` // such as 90%
	AtMost  unit.Factor `json:"at_most,omitempty"`  // such as 300%
}

// Values are values in their text; a model file may write numbers among them.
type Values []string

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

// stretches is the mapping form of a Block.
type stretches struct {
	Each unit.Duration `json:"each"`
	Run  unit.Duration `json:"run,omitempty"`
}

// Forms are a list of columns, or {each: 1d}, with run: 7d where days of a week depend on
// each other.
func (b *Block) Forms() unit.Forms {
	var columns []string
	var m stretches
	return unit.Forms{List: &columns, Map: &m, Done: func(unit.Form) error {
		*b = Block{Columns: columns, Each: m.Each, Run: m.Run}
		return nil
	}}
}

// UnmarshalJSON reads any of the Forms.
func (b *Block) UnmarshalJSON(text []byte) error { return unit.ReadJSON(text, b.Forms()) }

// MarshalJSON writes the columns, or {"each": …} where there are none.
func (b Block) MarshalJSON() ([]byte, error) {
	if b.Each != 0 || b.Run != 0 {
		return json.Marshal(stretches{b.Each, b.Run})
	}
	return json.Marshal(append([]string{}, b.Columns...))
}

// slice is Slice without its methods.
type slice Slice

// Forms are the column alone, or a mapping with bins.
func (s *Slice) Forms() unit.Forms {
	return unit.Forms{Map: (*slice)(s), Words: []string{"the name of a column"}, Word: func(text string) error {
		*s = Slice{Column: text}
		return nil
	}}
}

// UnmarshalJSON reads any of the Forms.
func (s *Slice) UnmarshalJSON(text []byte) error { return unit.ReadJSON(text, s.Forms()) }

// MarshalJSON writes the column alone where there are no bins.
func (s Slice) MarshalJSON() ([]byte, error) {
	if len(s.Bins) == 0 {
		return json.Marshal(s.Column)
	}
	return json.Marshal(slice(s))
}

// trainWindow is TrainWindow without its methods.
type trainWindow TrainWindow

// Forms are the word all, or {window: 365d}.
func (w *TrainWindow) Forms() unit.Forms {
	return unit.Forms{Map: (*trainWindow)(w), Words: []string{"all"}, Word: func(text string) error {
		*w = TrainWindow{}
		return unit.OneOf(text, "all")
	}}
}

// UnmarshalJSON reads any of the Forms.
func (w *TrainWindow) UnmarshalJSON(text []byte) error { return unit.ReadJSON(text, w.Forms()) }

// MarshalJSON writes all, or the window.
func (w TrainWindow) MarshalJSON() ([]byte, error) {
	if w.Window == 0 {
		return []byte(`"all"`), nil
	}
	return json.Marshal(trainWindow(w))
}

// Forms are the word all, one window, or a list of windows.
func (w *TrainWindows) Forms() unit.Forms {
	var list []TrainWindow
	var one trainWindow
	return unit.Forms{
		List: &list, Map: &one, Words: []string{"all"},
		Word: func(text string) error {
			*w = nil
			return unit.OneOf(text, "all")
		},
		Done: func(form unit.Form) error {
			if form == unit.AsMap {
				list = []TrainWindow{TrainWindow(one)}
			}
			if len(list) == 0 || len(list) == 1 && list[0].Window == 0 {
				list = nil
			}
			*w = list
			return nil
		},
	}
}

// UnmarshalJSON reads any of the Forms.
func (w *TrainWindows) UnmarshalJSON(text []byte) error { return unit.ReadJSON(text, w.Forms()) }

// MarshalJSON writes all, the one window, or the list.
func (w TrainWindows) MarshalJSON() ([]byte, error) {
	switch len(w) {
	case 0:
		return []byte(`"all"`), nil
	case 1:
		return json.Marshal(w[0])
	}
	return json.Marshal([]TrainWindow(w))
}

// value is one of Values.
type value string

// Forms are any text, number or boolean.
func (v *value) Forms() unit.Forms {
	return unit.Forms{Words: []string{"a text or a number"}, Word: func(text string) error {
		*v = value(text)
		return nil
	}}
}

// UnmarshalJSON reads any of the Forms.
func (v *value) UnmarshalJSON(text []byte) error { return unit.ReadJSON(text, v.Forms()) }

// Forms are a list of texts and numbers.
func (v *Values) Forms() unit.Forms {
	var list []value
	return unit.Forms{List: &list, Done: func(unit.Form) error {
		*v = nil
		for _, one := range list {
			*v = append(*v, string(one))
		}
		return nil
	}}
}

// UnmarshalJSON reads any of the Forms.
func (v *Values) UnmarshalJSON(text []byte) error { return unit.ReadJSON(text, v.Forms()) }
