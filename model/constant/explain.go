// SPDX-License-Identifier: Apache-2.0

package constant

import (
	"flyball/data/pipeline"
	"flyball/fault"
	"flyball/model"
)

// Explain says that no feature adds anything, where there is one answer for all rows.
// Groups are a Refused fault: what a column adds there is found by scoring.
func (e *estimator) Explain(x pipeline.Matrix) (model.Contributions, error) {
	if len(e.groups) > 0 {
		return model.Contributions{}, fault.New(fault.Refused, "the constant model has groups")
	}
	k, n := len(e.overall), e.features
	c := model.Contributions{
		Method: model.ByNothing, Space: model.InValue, Outputs: k, Features: n,
		Values: make([]float64, x.Rows*k*(n+1)), Margins: make([]float64, x.Rows*k),
	}
	for i := range x.Rows {
		copy(c.Margins[i*k:], e.overall)
		for o, v := range e.overall {
			c.Values[(i*k+o)*(n+1)+n] = v
		}
	}
	return c, nil
}
