// SPDX-License-Identifier: Apache-2.0

package prediction

import (
	"context"
	"encoding/json"
	"time"

	"flyball/fault"
	"flyball/ident"
)

// Reasons are why one row got its score: what the columns added to it, the greatest
// first. Base, the contributions and Rest add up to Margin but for Residual.
type Reasons struct {
	Method   string   `json:"method"` // trees, linear, constant: exact; subsets, permutation: by scoring
	Space    string   `json:"space"`  // in what is counted: value, log-odds, margin, log, probability
	Version  int      `json:"version"`
	Class    string   `json:"class,omitempty"` // of a model with classes: the one that the numbers are of
	Margin   float64  `json:"margin"`          // the score in that space
	Base     float64  `json:"base"`            // the margin of a row of which nothing is known
	Top      []Reason `json:"top"`
	Rest     float64  `json:"rest"` // what all other columns added
	Residual float64  `json:"residual,omitempty"`
}

// Reason is what one column added.
type Reason struct {
	Feature      string          `json:"feature"`         // a column of the request, or a feature made of several
	Value        json.RawMessage `json:"value,omitempty"` // of the column, as sent; absent where it is no column, or kept in the row
	Contribution float64         `json:"contribution"`
	Error        float64         `json:"error,omitempty"` // standard error, where the contribution was found by drawing
}

// Reasoned are the reasons of a prediction that is in the log, or on its way there.
type Reasoned struct {
	Model   string
	ID      ident.PredictionID
	Time    time.Time // event time of its row
	Reasons json.RawMessage
}

// ReasonLog keeps reasons, which come later than the records they belong to.
type ReasonLog interface {
	// AppendReasons takes them as they are made and does not block: a log that cannot
	// keep up drops and counts. What cannot be kept is an Invalid fault, and then none
	// of rs is.
	AppendReasons(ctx context.Context, rs ...Reasoned) error
}

// Why are the record's reasons; nil where none were kept with it, or none were asked for.
func (r *Record) Why() (*Reasons, error) {
	if len(r.Reasons) == 0 {
		return nil, nil
	}
	var out Reasons
	if err := json.Unmarshal(r.Reasons, &out); err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "the reasons of prediction %s cannot be read", r.ID)
	}
	return &out, nil
}
