// SPDX-License-Identifier: Apache-2.0

package lightgbm

import (
	"context"
	"sync"

	"flyball/data/frame"
	"flyball/model"
	"flyball/model/shap"
)

// why is made when the first explanation is asked for: most models are only scored, and
// the constants take more memory than the trees.
type why struct {
	once sync.Once
	of   *shap.Explainer
	err  error
}

// space is in what the margins are counted.
func (l link) space(outputs int) model.Space {
	switch {
	case l.kind == identity:
		return model.InValue
	case l.kind == exponential:
		return model.InLog
	case l.kind == logistic && l.sigmoid == 1 && outputs == 1:
		return model.InLogOdds
	}
	return model.InMargin
}

// ExplainRows says exactly what each feature adds to the margins, as path-dependent
// Shapley values: LightGBM's pred_contrib, by the training rows that came by each node.
// Where the model averages its iterations the margins are averages, which LightGBM's
// are not. A model that does not tell its counts is a Refused fault, a column that is
// absent an Invalid one.
func (m *Model) ExplainRows(ctx context.Context, rows *frame.Frame) (model.Contributions, error) {
	m.why.once.Do(func() { m.why.of, m.why.err = shap.New(len(m.columns), m.outputs, m.trees()) })
	if m.why.err != nil {
		return model.Contributions{}, m.why.err
	}
	s, err := m.Margins(ctx, rows)
	if err != nil {
		return model.Contributions{}, err
	}
	n, features := rows.Rows(), len(m.columns)
	c := model.Contributions{
		Method: model.ByTrees, Space: m.link.space(m.outputs), Outputs: m.outputs, Features: features,
		Values: make([]float64, n*m.outputs*(features+1)), Margins: s.Values,
	}
	cols, err := m.find(rows)
	if err != nil {
		return model.Contributions{}, err
	}
	x, width := make([]float64, min(n, block)*len(m.slots)), len(m.slots)
	for from := 0; from < n; from += block {
		if err := ctx.Err(); err != nil {
			return model.Contributions{}, stopped(err)
		}
		k := min(block, n-from)
		m.fill(cols, from, k, x)
		each := m.outputs * (features + 1)
		m.why.of.Explain(k, func(row, tree int, left []bool) {
			m.goes(x[row*width:(row+1)*width], tree, left)
		}, c.Values[from*each:(from+k)*each])
	}
	if m.divisor != 1 {
		for i := range c.Values {
			c.Values[i] /= m.divisor
		}
		for i := range c.Margins {
			c.Margins[i] /= m.divisor
		}
	}
	return c, nil
}
