// SPDX-License-Identifier: Apache-2.0

package modeltest

import (
	"flyball/data/dataset"
	"flyball/data/pipeline"
	"flyball/unit"
)

// Test is one claim about a model; exactly one of Golden, Invariance, Direction,
// Expectation and Schema says which.
type Test struct {
	Name string `json:"name,omitempty"` // what is claimed, in words

	Golden      *Golden      `json:"golden,omitempty"`
	Invariance  *Invariance  `json:"invariance,omitempty"`
	Direction   *Direction   `json:"direction,omitempty"`
	Expectation *Expectation `json:"expectation,omitempty"`
	Schema      *Schema      `json:"schema,omitempty"`

	Severity string `json:"severity,omitempty"` // stop (default): a failure keeps the version out; or warn
}

// Golden is a row whose answer is known: a score between limits, a decision, or both.
type Golden struct {
	Row      map[string]any `json:"row"`                // each of the model's inputs; null: missing
	AtLeast  *Limit         `json:"at_least,omitempty"` // of the score, or of the probability of Class
	AtMost   *Limit         `json:"at_most,omitempty"`  //
	Decision string         `json:"decision,omitempty"` // the word for the scores; of a multiclass model the likeliest class
	Class    string         `json:"class,omitempty"`    // multiclass: whose probability
}

// Invariance says that what stands in a column does not matter: held-out rows are scored
// again with other values there.
type Invariance struct {
	Column  string           `json:"column"`
	To      dataset.Values   `json:"to,omitempty"`      // each is tried; empty: the values of other rows
	Missing bool             `json:"missing,omitempty"` // nothing there is tried, too
	AtMost  Limit            `json:"at_most"`           // how far the score may move, in its unit; of several classes the furthest
	Share   *dataset.AtLeast `json:"share,omitempty"`   // of the rows for which it must hold; default 100%
}

// Direction says which way the answer goes: held-out rows are scored again with a
// number raised, or lowered where By is negative.
type Direction struct {
	Column string           `json:"column"`
	By     float64          `json:"by"`
	Must   string           `json:"must"`            // not_lower or not_raise the score
	Slack  Limit            `json:"slack,omitempty"` // how far the wrong way is still nothing, in the unit of the score
	Class  string           `json:"class,omitempty"` // multiclass: whose probability
	Share  *dataset.AtLeast `json:"share,omitempty"` // of the rows for which it must hold; default 100%
}

// Expectation says what a metric is on a part of the held-out rows.
type Expectation struct {
	Where   string `json:"where,omitempty"`    // an expression (expr-lang) over the row's columns; empty: all rows
	Metric  string `json:"metric,omitempty"`   // default mean_score, which needs no truth
	AtLeast *Limit `json:"at_least,omitempty"` //
	AtMost  *Limit `json:"at_most,omitempty"`  //
	Rows    int    `json:"rows,omitempty"`     // with fewer it is not judged; default 30
}

// Schema is the contract with those who ask: the columns that the model takes, no more
// and no fewer, and which of them may be missing.
type Schema struct {
	Inputs  pipeline.Fields `json:"inputs,omitempty"`  //
	Missing []string        `json:"missing,omitempty"` // an answer is given when one of these is null
	Classes []string        `json:"classes,omitempty"` // multiclass: in any order
}

// Kind is the key under which the test says what it claims; empty: none.
func (t Test) Kind() string {
	switch {
	case t.Golden != nil:
		return "golden"
	case t.Invariance != nil:
		return "invariance"
	case t.Direction != nil:
		return "direction"
	case t.Expectation != nil:
		return "expectation"
	case t.Schema != nil:
		return "schema"
	}
	return ""
}

// Kinds are the claims that a test has; more than one is an error of the file.
func (t Test) Kinds() int {
	n := 0
	for _, given := range []bool{t.Golden != nil, t.Invariance != nil, t.Direction != nil, t.Expectation != nil, t.Schema != nil} {
		if given {
			n++
		}
	}
	return n
}

// Limit is a number in the unit of the score, or a share (5%).
type Limit float64

// Forms are a number or a share (5%).
func (l *Limit) Forms() unit.Forms {
	return unit.Forms{Words: []string{"0.1", "5%"}, Word: func(text string) error {
		x, err := unit.ParseNumber(text)
		*l = Limit(x)
		return err
	}}
}

// UnmarshalJSON reads any of the Forms.
func (l *Limit) UnmarshalJSON(text []byte) error { return unit.ReadJSON(text, l.Forms()) }
