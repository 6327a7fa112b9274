// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"sync"

	"flyball/data/pipeline"
	"flyball/model"
	"flyball/model/shap"
)

// why is made when the first explanation is asked for: most ensembles are only scored,
// and the constants take more memory than the trees.
type why struct {
	once sync.Once
	of   *shap.Explainer
	err  error
}

// Space is in what the margins are counted.
func (l Link) Space() model.Space {
	switch l {
	case Identity:
		return model.InValue
	case Logistic:
		return model.InLogOdds
	case Exp:
		return model.InLog
	}
	return model.InMargin
}

// Explain says exactly what each feature adds to the margins, as path-dependent Shapley
// values. Trees that do not tell their covers are a Refused fault.
func (e *Ensemble) Explain(x pipeline.Matrix) (model.Contributions, error) {
	e.why.once.Do(func() { e.why.of, e.why.err = shap.New(e.features, len(e.base), e.Trees()) })
	if e.why.err != nil {
		return model.Contributions{}, e.why.err
	}
	k, wide := len(e.base), e.features+1
	c := model.Contributions{
		Method: model.ByTrees, Space: e.link.Space(), Outputs: k, Features: e.features,
		Values: make([]float64, x.Rows*k*wide), Margins: make([]float64, x.Rows*k),
	}
	e.why.of.Explain(x.Rows, func(row, tree int, left []bool) { e.Goes(x.Row(row), tree, left) }, c.Values)
	margins := make([]float32, k)
	for i := range x.Rows {
		e.Margins(x.Row(i), margins)
		for o, m := range margins {
			c.Margins[i*k+o] = float64(m)
			c.Values[(i*k+o)*wide+e.features] += float64(e.base[o])
		}
	}
	return c, nil
}
