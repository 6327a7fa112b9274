// SPDX-License-Identifier: Apache-2.0

package xgboost

import (
	"flyball/data/pipeline"
	"flyball/model"
)

// Explain says what each feature adds to the margins, as XGBoost's pred_contribs does
// for gblinear: weight times value, and the base is the margin of a row in which all is
// missing. The file tells no means that a value could be compared with.
func (l *Linear) Explain(x pipeline.Matrix) (model.Contributions, error) {
	k, wide := len(l.base), l.features+1
	c := model.Contributions{
		Method: model.ByWeights, Space: l.link.Space(), Outputs: k, Features: l.features,
		Values: make([]float64, x.Rows*k*wide), Margins: make([]float64, x.Rows*k),
	}
	margins := make([]float32, k)
	for i := range x.Rows {
		row := x.Row(i)
		l.Margins(row, margins)
		for o, m := range margins {
			at := (i*k + o) * wide
			c.Margins[i*k+o] = float64(m)
			for f, v := range row {
				if v == v {
					c.Values[at+f] = float64(v) * float64(l.Weight(f, o))
				}
			}
			c.Values[at+l.features] = float64(l.Start(o))
		}
	}
	return c, nil
}
