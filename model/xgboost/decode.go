// SPDX-License-Identifier: Apache-2.0

package xgboost

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"flyball/fault"
	"flyball/model"
	"flyball/model/tree"
)

type document struct {
	Learner struct {
		Booster struct {
			Name  string `json:"name"`
			Model struct {
				Trees []treeJSON `json:"trees"`
				Info  []int      `json:"tree_info"`
			} `json:"model"`
		} `json:"gradient_booster"`
		Param struct {
			Base     string `json:"base_score"`
			Classes  string `json:"num_class"`
			Features string `json:"num_feature"`
			Targets  string `json:"num_target"`
		} `json:"learner_model_param"`
		Objective struct {
			Name string `json:"name"`
		} `json:"objective"`
	} `json:"learner"`
}

type treeJSON struct {
	Left       []int32           `json:"left_children"`
	Right      []int32           `json:"right_children"`
	Feature    []int32           `json:"split_indices"`
	Conditions []float32         `json:"split_conditions"`
	Default    []json.RawMessage `json:"default_left"`
	Type       []int             `json:"split_type"`
	Hessian    []float32         `json:"sum_hessian"`
	Param      struct {
		Size string `json:"size_leaf_vector"`
	} `json:"tree_param"`
}

// Decode reads a model. What it cannot score exactly is an Invalid fault that names
// the part. Its memory is bounded by a multiple of len(b).
func Decode(b []byte) (model.Estimator, error) {
	var d document
	if err := json.Unmarshal(b, &d); err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "the XGBoost model is not readable JSON")
	}
	l := &d.Learner
	if l.Booster.Name != "gbtree" {
		return nil, fault.New(fault.Invalid, "the XGBoost booster %q is not supported", l.Booster.Name).Do("train with booster gbtree")
	}
	if t := l.Param.Targets; t != "" && t != "0" && t != "1" {
		return nil, fault.New(fault.Invalid, "an XGBoost model with %q targets is not supported", t)
	}
	features, err := strconv.Atoi(l.Param.Features)
	if err != nil || features < 0 || features > math.MaxInt32 {
		return nil, fault.New(fault.Invalid, "the XGBoost num_feature %q is not a count", l.Param.Features)
	}
	outputs, link := 1, tree.Identity
	switch l.Objective.Name {
	case "reg:squarederror", "reg:absoluteerror", "reg:squaredlogerror", "reg:pseudohubererror":
	case "binary:logistic":
		link = tree.Logistic
	case "multi:softprob":
		link = tree.Softmax
		outputs, err = strconv.Atoi(l.Param.Classes)
		if err != nil || outputs < 2 || outputs > len(b) {
			return nil, fault.New(fault.Invalid, "the XGBoost num_class %q is not a count of classes", l.Param.Classes)
		}
	default:
		return nil, fault.New(fault.Invalid, "the XGBoost objective %q is not supported", l.Objective.Name).
			Do("use reg:squarederror, binary:logistic or multi:softprob")
	}
	base, err := margins(l.Param.Base, outputs, link)
	if err != nil {
		return nil, err
	}
	if len(l.Booster.Model.Info) != len(l.Booster.Model.Trees) {
		return nil, fault.New(fault.Invalid, "the XGBoost tree_info does not match the trees")
	}
	trees := make([]tree.Tree, len(l.Booster.Model.Trees))
	for i := range trees {
		nodes, err := l.Booster.Model.Trees[i].nodes(i)
		if err != nil {
			return nil, err
		}
		trees[i] = tree.Tree{Output: l.Booster.Model.Info[i], Nodes: nodes}
	}
	e, err := tree.New(features, base, trees, link)
	if err != nil {
		return nil, err
	}
	return e, nil
}

// margins reads base_score, a number or a vector of them, as starting margins. A
// binary model writes it as a probability.
func margins(s string, outputs int, link tree.Link) ([]float32, error) {
	parts := strings.Split(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"), ",")
	if len(parts) != 1 && len(parts) != outputs {
		return nil, fault.New(fault.Invalid, "the XGBoost base_score has %d numbers for %d outputs", len(parts), outputs)
	}
	base := make([]float32, outputs)
	for i := range base {
		v, err := strconv.ParseFloat(strings.TrimSpace(parts[i%len(parts)]), 32)
		bad := err != nil || math.IsNaN(v) || math.IsInf(v, 0)
		if bad || (link == tree.Logistic && (v <= 0 || v >= 1)) {
			return nil, fault.New(fault.Invalid, "the XGBoost base_score is not usable: entry %d", i)
		}
		base[i] = float32(v)
		if link == tree.Logistic {
			base[i] = -float32(math.Log(float64(1/base[i] - 1)))
		}
	}
	return base, nil
}

func (t *treeJSON) nodes(at int) ([]tree.Node, error) {
	n := len(t.Left)
	if len(t.Right) != n || len(t.Feature) != n || len(t.Conditions) != n || len(t.Default) != n ||
		(len(t.Type) != 0 && len(t.Type) != n) || (len(t.Hessian) != 0 && len(t.Hessian) != n) {
		return nil, fault.New(fault.Invalid, "the arrays of XGBoost tree %d differ in length", at)
	}
	if s := t.Param.Size; s != "" && s != "0" && s != "1" {
		return nil, fault.New(fault.Invalid, "XGBoost tree %d has vector leaves, which are not supported", at)
	}
	nodes := make([]tree.Node, n)
	for i := range nodes {
		if t.Left[i] >= 0 && len(t.Type) > 0 && t.Type[i] != 0 {
			return nil, fault.New(fault.Invalid, "XGBoost tree %d has a categorical split, which is not supported", at)
		}
		w := bytes.TrimSpace(t.Default[i])
		left := string(w) == "true" || string(w) == "1"
		if !left && string(w) != "false" && string(w) != "0" {
			return nil, fault.New(fault.Invalid, "default_left of XGBoost tree %d is neither a truth value nor 0 or 1", at)
		}
		nodes[i] = tree.Node{Feature: t.Feature[i], Left: t.Left[i], Right: t.Right[i], Value: t.Conditions[i], MissingLeft: left}
		if len(t.Hessian) > 0 {
			nodes[i].Cover = t.Hessian[i]
		}
	}
	return nodes, nil
}
