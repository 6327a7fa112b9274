// SPDX-License-Identifier: Apache-2.0

package linear

import (
	"math"

	"flyball/data/dataset"
	"flyball/data/pipeline"
	"flyball/model"
)

// Explain says what each feature adds to the margins: its weight times its distance
// from Fill, which is its mean in training. The base is the margin of the means, and a
// missing feature adds nothing.
func (m *Model) Explain(x pipeline.Matrix) (model.Contributions, error) {
	k, n := m.Outputs(), m.Features()
	c := model.Contributions{
		Method: model.ByWeights, Space: model.InValue, Outputs: k, Features: n,
		Values: make([]float64, x.Rows*k*(n+1)), Margins: make([]float64, x.Rows*k),
	}
	switch m.Kind {
	case dataset.Binary:
		c.Space = model.InLogOdds
	case dataset.Multiclass:
		c.Space = model.InMargin
	}
	if m.Link == Log {
		c.Space = model.InLog
	}
	for o, weights := range m.Coefficients {
		base := m.Intercepts[o]
		for j, w := range weights {
			base += float64(w * m.Fill[j])
		}
		for i := range x.Rows {
			row, out := x.Row(i), c.Values[(i*k+o)*(n+1):]
			for j, w := range weights {
				if v := float64(row[j]); !math.IsNaN(v) {
					out[j] = w * (v - m.Fill[j])
				}
			}
			out[n] = base
			c.Margins[i*k+o] = m.margin(o, row)
		}
	}
	return c, nil
}
