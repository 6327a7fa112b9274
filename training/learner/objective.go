// SPDX-License-Identifier: Apache-2.0

package learner

import (
	"cmp"
	"math"
	"slices"

	"flyball/data/dataset"
	"flyball/fault"
	"flyball/model/tree"
	"flyball/stat"
)

// objective is a loss: what it is called in a model file, and what XGBoost calls it.
type objective string

// The objectives. Those of a Regression are chosen by the setting objective.
const (
	logistic objective = "binary:logistic"
	softmax  objective = "multi:softprob"
	squared  objective = "reg:squarederror"
	absolute objective = "reg:absoluteerror"
	quantile objective = "reg:quantileerror"
	poisson  objective = "count:poisson"
)

// objectiveOf is the objective of a kind of prediction; name is of the setting.
func objectiveOf(kind dataset.Kind, name string) (objective, error) {
	o := map[string]objective{"": squared, "squared": squared, "absolute": absolute, "quantile": quantile, "poisson": poisson}[name]
	switch {
	case kind == dataset.Regression:
		return o, nil
	case name != "":
		return "", fault.New(fault.Invalid, "train.settings.objective is %s, and the label is %s", name, kind).Do("leave objective out; it is for regression")
	case kind == dataset.Binary:
		return logistic, nil
	}
	return softmax, nil
}

// link makes scores of margins.
func (o objective) link() tree.Link {
	switch o {
	case logistic:
		return tree.Logistic
	case softmax:
		return tree.Softmax
	case poisson:
		return tree.Exp
	}
	return tree.Identity
}

// refits says whether a leaf is a quantile of what is left of its rows, since second
// derivatives of the loss are zero (Friedman 2001, "TreeBoost").
func (o objective) refits() bool { return o == absolute || o == quantile }

// slope is the first and second derivative of a row's loss at a margin. Softmax is
// apart, since it needs all margins of the row. As in XGBoost, Poisson's second
// derivative is made larger by exp(maxStep), and that of an absolute loss is 1.
func (o objective) slope(m, y, level float64) (g, h float64) {
	switch o {
	case logistic:
		p := stat.Logistic(m)
		return p - y, max(p*(1-p), leastHessian)
	case poisson:
		e := stat.Exp(m)
		return e - y, e * expMaxStep
	case absolute:
		return float64(cmp.Compare(m, y)), 1
	case quantile:
		if m >= y {
			return 1 - level, 1
		}
		return -level, 1
	}
	return m - y, 1
}

// loss is a row's loss at its margins; level is of a quantile. The margins are
// changed.
func (o objective) loss(m []float64, y, level float64) float64 {
	switch o {
	case logistic:
		return max(m[0], 0) - m[0]*y + math.Log1p(stat.Exp(-math.Abs(m[0])))
	case softmax:
		stat.Softmax(m)
		return -math.Log(max(m[int(y)], math.SmallestNonzeroFloat64))
	case poisson:
		return stat.Exp(m[0]) - y*m[0]
	case absolute:
		return math.Abs(m[0] - y)
	case quantile:
		return max(level*(y-m[0]), (level-1)*(y-m[0]))
	}
	return (m[0] - y) * (m[0] - y) / 2
}

// start is the constant that fits best: as XGBoost's base_score, and as a margin.
func (o objective) start(y, weights []float64, level float64) (base, margin float32) {
	if o.refits() {
		v := make([]valued, len(y))
		for i := range y {
			v[i] = valued{y[i], weights[i]}
		}
		base = float32(quantileOf(v, level))
		return base, base
	}
	sum, all := 0.0, 0.0
	for i, w := range weights {
		sum, all = sum+float64(w*y[i]), all+w
	}
	mean := sum / all
	switch o {
	case logistic:
		base = float32(min(max(mean, 1e-6), 1-1e-6))
		return base, -float32(math.Log(float64(1/base - 1)))
	case poisson:
		base = float32(max(mean, 1e-6))
		return base, float32(math.Log(float64(base)))
	case softmax:
		return 0, 0
	}
	return float32(mean), float32(mean)
}

// valued is a value with its weight.
type valued struct{ v, w float64 }

// quantileOf is the least value at or below which lies the share level of the weight;
// with equal weight below and above, the mean with the next one. It sorts v.
func quantileOf(v []valued, level float64) float64 {
	slices.SortFunc(v, func(a, b valued) int { return cmp.Or(cmp.Compare(a.v, b.v), cmp.Compare(a.w, b.w)) })
	all := 0.0
	for _, e := range v {
		all += e.w
	}
	sum := 0.0
	for i, e := range v {
		sum += e.w
		switch {
		case sum > level*all:
			return e.v
		case sum == level*all && i+1 < len(v):
			return (e.v + v[i+1].v) / 2
		}
	}
	return v[len(v)-1].v
}

// checkCounts refuses labels below zero, of which there is no Poisson loss.
func checkCounts(y []float64) error {
	for i, v := range y {
		if v < 0 {
			return fault.New(fault.Invalid, "row %d: the label is %v; the objective poisson takes no label below 0", i, v)
		}
	}
	return nil
}
