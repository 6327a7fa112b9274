// SPDX-License-Identifier: Apache-2.0

package learner

import (
	"context"
	"slices"

	"flyball/data/dataset"
	"flyball/fault"
	"flyball/model"
	"flyball/model/linear"
)

// last is builtin/last: the prediction is the value that stands in a column of the row,
// such as the label that was seen last or a season ago. Where the column is empty it is
// the mean of the label. It is written as a linear model of that one column.
type last struct{ column string }

// Fit finds the column and takes the mean.
func (l *last) Fit(_ context.Context, d Data, _ Options) (model.File, error) {
	if err := d.check(); err != nil {
		return model.File{}, err
	}
	if d.Kind != dataset.Regression {
		return model.File{}, fault.New(fault.Invalid, "builtin/last predicts numbers, and the label is %s", d.Kind).
			Do("use builtin/constant with by: [%s], the share of each value", l.column)
	}
	f := slices.Index(d.X.Names, l.column)
	if f < 0 {
		return model.File{}, fault.New(fault.Invalid, "builtin/last takes column %q, which is no feature", l.column).Do("features are %s", listed(d.X.Names))
	}
	w, err := d.weights(classWeights{})
	if err != nil {
		return model.File{}, err
	}
	sum, all := 0.0, 0.0
	for i, y := range d.Y {
		sum, all = sum+float64(w[i]*y), all+w[i]
	}
	m := linear.Model{Kind: d.Kind, Fill: make([]float64, d.X.Cols), Coefficients: [][]float64{make([]float64, d.X.Cols)}, Intercepts: []float64{0}}
	m.Fill[f], m.Coefficients[0][f] = sum/all, 1
	return m.Encode()
}
