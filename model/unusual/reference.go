// SPDX-License-Identifier: Apache-2.0

// Package unusual tells which rows are not like those that a model was trained on,
// and which answers are not sure: values outside the range, words never met,
// combinations that are improbable though each value is usual, scores that leave two
// classes open. It judges a row by itself; package monitoring judges many together.
// It changes no answer and refuses no row.
package unusual

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"slices"

	"flyball/data/frame"
	"flyball/fault"
)

// Format is the first line of every unusual.json.
const Format = "flyball.unusual/v1"

// The flags of a row. The first two end in a column's name.
const (
	OutOfRange  = "out_of_range:"          // a number beyond what training held
	Unseen      = "unseen:"                // a text that training never held
	Improbable  = "improbable_combination" // of values, or one value far in its tail
	Unsure      = "low_confidence"         // see Confidence
	Disagreeing = "models_disagree"        // another version that scored the row says something else
)

// Alpha is the share of usual rows that are called improbable.
const Alpha = 0.01

// Bounds of a reference, so that it stays small and quick whatever the data is.
const (
	grid       = 256 // quantiles of a number
	maxColumns = 256
	maxWords   = 1000 // of a column
	maxWord    = 256  // bytes
	maxJoint   = 64   // columns that are looked at together
	maxKept    = 256  // largest scores of the calibration rows
	maxBins    = 10   // of a regression's scores
)

// Reference is what rows are compared with. It is made at training, travels in the
// bundle (unusual.json, see docs/formats/unusual.md) and is not changed. It may be
// used by many goroutines at once.
type Reference struct {
	Format     string      `json:"format"`
	Rows       int         `json:"rows"` // that it was made of
	Columns    []Column    `json:"columns"`
	Joint      *Joint      `json:"joint,omitempty"`      // nil: too few rows to tell combinations
	Confidence *Confidence `json:"confidence,omitempty"` // nil: not known

	gauges    []gauge
	inverse   []float64 // of Joint.Factor
	precision []float64 // inverse of the covariance, row by row
	tailAt    float64   // a row is improbable above
	farAt     float64
}

// Column is what one column held.
type Column struct {
	Name string     `json:"name"`
	Kind frame.Kind `json:"kind"` // Number or Text
	At   int        `json:"at"`   // its place among the bundle's inputs

	Low       float64   `json:"low"` // Number: what is outside is out of range
	High      float64   `json:"high"`
	Quantiles []float64 `json:"quantiles,omitempty"` // Number: 256, rising; none: it held no number

	Words  []string `json:"words,omitempty"`  // Text: the most frequent first
	Counts []int    `json:"counts,omitempty"` // Text: rows of each word
	Open   bool     `json:"open,omitempty"`   // Text: new words are usual, and tell nothing
}

// Joint is how columns go together. Each value becomes the normal score of its rank;
// the distance of a row is that of Mahalanobis, its tail the largest score.
type Joint struct {
	Columns     []int     `json:"columns"` // places in Reference.Columns, rising
	Mean        []float64 `json:"mean"`
	Factor      []float64 `json:"factor"`         // lower Cholesky factor of the shrunk covariance, row by row
	Calibration int       `json:"calibration"`    // rows that had no part in all this
	Tails       []float64 `json:"tails"`          // the largest of the calibration rows, falling
	Distances   []float64 `json:"distances"`      // likewise, squared
	Rank        int       `json:"rank,omitempty"` // place in both lists, from 1, beyond which a row is improbable; 0: half of Alpha for each list
	Worst       float64   `json:"worst"`          // the highest share of improbable rows in a twentieth of the training rows
}

// Encode is the reference as JSON; equal references give equal bytes.
func (r *Reference) Encode() ([]byte, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "the reference of unusual rows cannot be written")
	}
	return append(b, '\n'), nil
}

// Decode reads what Encode wrote. Whatever does not hold together is an Invalid fault.
func Decode(b []byte) (*Reference, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	r := &Reference{}
	if err := d.Decode(r); err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "the reference of unusual rows cannot be read")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fault.New(fault.Invalid, "the reference of unusual rows is followed by something else")
	}
	if r.Format != Format {
		return nil, fault.New(fault.Invalid, "the reference of unusual rows has the format %q, not %q", r.Format, Format).
			Do("train the version again, or use the release of Flyball that made it")
	}
	if len(r.Columns) > maxColumns || r.Rows < 0 {
		return nil, fault.New(fault.Invalid, "the reference of unusual rows has more columns than it may")
	}
	for i := range r.Columns {
		if !r.Columns[i].holds() {
			return nil, fault.New(fault.Invalid, "what is usual of column %q does not hold together", r.Columns[i].Name)
		}
	}
	if r.Joint != nil && !r.Joint.holds(r.Columns) {
		return nil, fault.New(fault.Invalid, "how columns go together does not hold together")
	}
	if r.Confidence != nil && !r.Confidence.holds() {
		return nil, fault.New(fault.Invalid, "what is known of the confidence does not hold together")
	}
	r.ready()
	return r, nil
}

func (c *Column) holds() bool {
	switch c.Kind {
	case frame.Number:
		return c.At >= 0 && finite(c.Low, c.High) && finite(c.Quantiles...) && slices.IsSorted(c.Quantiles) &&
			(len(c.Quantiles) == grid || len(c.Quantiles) == 0) && len(c.Words)+len(c.Counts) == 0
	case frame.Text:
		for i, n := range c.Counts {
			if n < 0 || n > 1<<40 || i > 0 && n > c.Counts[i-1] {
				return false
			}
		}
		return c.At >= 0 && len(c.Words) <= maxWords && len(c.Words) == len(c.Counts) && len(c.Quantiles) == 0 && finite(c.Low, c.High)
	}
	return false
}

func (j *Joint) holds(columns []Column) bool {
	d := len(j.Columns)
	ok := d > 0 && d <= maxJoint && len(j.Mean) == d && len(j.Factor) == d*(d+1)/2 && finite(j.Mean...) && finite(j.Factor...) &&
		j.Calibration > 0 && len(j.Tails) <= maxKept && len(j.Distances) == len(j.Tails) && len(j.Tails) <= j.Calibration &&
		falling(j.Tails) && falling(j.Distances) && j.rank() >= 1 && j.rank() <= len(j.Tails) && finite(j.Worst)
	for k, at := range j.Columns {
		ok = ok && at >= 0 && at < len(columns) && (k == 0 || at > j.Columns[k-1])
	}
	for i, at := 0, 0; ok && i < d; i++ {
		at += i
		ok = j.Factor[at+i] > 1e-6 // the place of the diagonal: i(i+1)/2 + i
	}
	return ok
}

// rank is the calibration row, counted from the largest, above which one of the two
// scores makes a row improbable.
func (j *Joint) rank() int {
	if j.Rank != 0 {
		return j.Rank
	}
	return rank(j.Calibration)
}

// rank is what is safe whatever the two scores are: each has half of Alpha.
func rank(calibration int) int { return int(Alpha / 2 * float64(calibration+1)) }

// shared is the last rank at which the rows that far in one of the two, and the row that is
// judged, are not more than Alpha of all: a value far in its tail is far from the middle
// too, so halves would flag too few. It is conformal as one score is, the better of a row's
// two ranks.
func (j *Joint) shared(tails, distances []float64) int {
	k := rank(j.Calibration)
	for ; k+1 < len(j.Tails); k++ { // k+1 is tried: its rows are beyond those after it
		far := 1
		for i := range tails {
			if tails[i] > j.Tails[k+1] || distances[i] > j.Distances[k+1] {
				far++
			}
		}
		if float64(far) > Alpha*float64(j.Calibration+1) {
			break
		}
	}
	return k
}

func falling(v []float64) bool {
	return finite(v...) && slices.IsSortedFunc(v, func(a, b float64) int {
		switch {
		case a > b:
			return -1
		case a < b:
			return 1
		}
		return 0
	})
}

func finite(v ...float64) bool {
	for _, x := range v {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return false
		}
	}
	return true
}
