// SPDX-License-Identifier: Apache-2.0

package xgboost

import (
	"flyball/data/dataset"
	"flyball/model/tree"
)

// objective is what an objective makes of margins.
type objective struct {
	kind  dataset.Kind
	link  tree.Link
	base  scale
	label bool // XGBoost itself answers with the number of a class
}

// scale is what base_score is in.
type scale uint8

const (
	margin scale = iota
	probability
	mean // of which the margin is the logarithm
)

// objectiveOf is the objective of a name; false: it is not known. Those of ranking, and
// the raw scores of binary:logitraw, are numbers whose order counts. XGBoost's
// ObjFunction has the two ways: PredTransform and ProbToMargin.
func objectiveOf(name string) (objective, bool) {
	switch name {
	case "reg:squarederror", "reg:linear", "reg:absoluteerror", "reg:squaredlogerror", "reg:pseudohubererror", "reg:quantileerror",
		"binary:logitraw", "rank:pairwise", "rank:ndcg", "rank:map":
		return objective{kind: dataset.Regression}, true
	case "reg:logistic":
		return objective{kind: dataset.Regression, link: tree.Logistic, base: probability}, true
	case "binary:logistic":
		return objective{kind: dataset.Binary, link: tree.Logistic, base: probability}, true
	case "binary:hinge":
		return objective{kind: dataset.Binary, link: tree.Step, label: true}, true
	case "multi:softprob":
		return objective{kind: dataset.Multiclass, link: tree.Softmax}, true
	case "multi:softmax":
		return objective{kind: dataset.Multiclass, link: tree.Softmax, label: true}, true
	case "count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "survival:aft":
		return objective{kind: dataset.Regression, link: tree.Exp, base: mean}, true
	}
	return objective{}, false
}
