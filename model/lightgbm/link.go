// SPDX-License-Identifier: Apache-2.0

package lightgbm

import (
	"math"
	"strconv"
	"strings"

	"flyball/stat"
)

// link turns the margins of a row into its scores, as ConvertOutput of LightGBM's
// objectives does. Its exp is stat.Exp, with the same bits everywhere; scores differ
// from those of LightGBM's C library by at most some units in the last place.
type link struct {
	kind    linkKind
	sigmoid float64 // factor of the margin
}

type linkKind uint8

const (
	identity linkKind = iota
	squared           // sign(x)·x²: trained on roots (reg_sqrt)
	exponential
	logistic // of each output by itself
	softmax
	logPlus // log(1+exp(x))
)

// readLink reads the objective. A model whose trainer brought an objective of its own
// has none, or custom: its scores are the margins.
func readLink(v value, outputs int) (link, error) {
	name, settings, _ := strings.Cut(strings.TrimSpace(v.text), " ")
	l := link{sigmoid: 1}
	classes, root := 0, false
	for s := range strings.FieldsSeq(settings) {
		key, text, _ := strings.Cut(s, ":")
		var err error
		switch key {
		case "sigmoid":
			if l.sigmoid, err = strconv.ParseFloat(text, 64); err == nil && !(l.sigmoid > 0 && l.sigmoid <= math.MaxFloat64) {
				err = strconv.ErrRange
			}
		case "num_class":
			classes, err = strconv.Atoi(text)
		case "sqrt":
			root = true
		}
		if err != nil {
			return link{}, wrongAt(v.line, "the objective has %q", clip(s))
		}
	}
	several := false
	switch name {
	case "", "none", "custom", "lambdarank", "rank_xendcg", "huber":
		several = name == "" || name == "none" || name == "custom"
	case "regression", "regression_l1", "fair", "quantile", "mape":
		if root {
			l.kind = squared
		}
	case "poisson", "gamma", "tweedie":
		l.kind = exponential
	case "binary":
		l.kind = logistic
	case "cross_entropy":
		l = link{logistic, 1}
	case "cross_entropy_lambda":
		l.kind = logPlus
	case "multiclass":
		l.kind, several = softmax, true
	case "multiclassova":
		l.kind, several = logistic, true
	default:
		return link{}, wrongAt(v.line, "the objective %q is not known", clip(name)).
			Do("save the model with an objective of LightGBM 4, or train with objective=custom")
	}
	if !several && outputs != 1 || strings.HasPrefix(name, "multiclass") && classes != outputs {
		return link{}, wrongAt(v.line, "the objective %q does not go with %d trees an iteration", clip(v.text), outputs)
	}
	return l, nil
}

// probability says whether scores are probabilities.
func (l link) probability() bool { return l.kind == logistic || l.kind == softmax }

// apply turns the margins of one row into its scores, in place.
func (l link) apply(row []float64) {
	switch l.kind {
	case squared:
		for i, x := range row {
			row[i] = math.Copysign(x*x, x)
		}
	case exponential:
		for i, x := range row {
			row[i] = stat.Exp(x)
		}
	case logistic:
		for i, x := range row {
			row[i] = stat.Logistic(float64(l.sigmoid * x))
		}
	case logPlus:
		for i, x := range row {
			row[i] = log1p(stat.Exp(x))
		}
	case softmax:
		stat.Softmax(row)
	}
}
