// SPDX-License-Identifier: Apache-2.0

package training

import (
	"math"

	"flyball/data/frame"
	"flyball/fault"
)

// weights are what the rows count in training, from a column; nil where none is named.
// A row without a weight, or with one below 0, is an Invalid fault: to guess it would
// change the model in silence.
func (w *work) weights(column string, at []int) ([]float64, error) {
	if column == "" {
		return nil, nil
	}
	c := w.rows.Column(column)
	switch {
	case c == nil:
		return nil, fault.New(fault.Invalid, "train.weight is %q, a column that the data does not have", column)
	case c.Kind != frame.Number:
		return nil, fault.New(fault.Invalid, "train.weight is %q, a column of %s", column, c.Kind).Do("name a column of numbers from 0 up")
	}
	out := make([]float64, len(at))
	for i, r := range at {
		v := c.Num[r]
		switch {
		case c.Missing(r):
			return nil, fault.New(fault.Invalid, "row %d, column %q: the row has no weight", r+1, column).
				Do("give every row one; rows that were served have those that requests send, unless data.also is none")
		case !(v >= 0) || math.IsInf(v, 0):
			return nil, fault.New(fault.Invalid, "row %d, column %q: %v is not a weight", r+1, column, v).Do("weights are numbers from 0 up")
		}
		out[i] = v
	}
	return out, nil
}

// times are when the truth of the rows fell due, so that the newest can be told; nil
// where rows have no time.
func (w *work) times(at []int) []int64 {
	out := make([]int64, len(at))
	for i, r := range at {
		if out[i] = w.due[r]; out[i] == math.MinInt64 {
			return nil
		}
	}
	return out
}
