// SPDX-License-Identifier: Apache-2.0

package xgboost

import (
	"encoding/json"
	"fmt"
	"strconv"

	"flyball/model/tree"
)

// decimal is a number that is written with an exponent: XGBoost tells a float from a
// whole number by how it is spelled.
type decimal float32

// MarshalJSON writes the shortest number that reads back the same.
func (d decimal) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(d), 'E', -1, 32), nil
}

// Tree is a tree that grows: nodes, and for each what XGBoost's own tools show of it.
type Tree struct {
	Output  int
	Nodes   []tree.Node
	Sets    [][]uint32 // of the splits by category
	gains   []decimal
	weights []decimal // sum of second derivatives
	parents []int32
}

// noParent is what XGBoost writes as the parent of a root.
const noParent = 1<<31 - 1

// Add adds a node below parent (-1: the root) and returns its place.
func (t *Tree) Add(parent int) int {
	p := int32(parent)
	if parent < 0 {
		p = noParent
	}
	t.Nodes = append(t.Nodes, tree.Node{Left: -1, Right: -1})
	t.gains, t.weights, t.parents = append(t.gains, 0), append(t.weights, 0), append(t.parents, p)
	return len(t.Nodes) - 1
}

// Split makes the node at a place a split, x < threshold to the left, and returns the
// places of its two new children.
func (t *Tree) Split(at, feature int, threshold float32, missingLeft bool, gain, weight float32) (left, right int) {
	left, right = t.Add(at), t.Add(at)
	t.Nodes[at] = tree.Node{Feature: int32(feature), Left: int32(left), Right: int32(right), Value: threshold, MissingLeft: missingLeft}
	t.gains[at], t.weights[at] = decimal(gain), decimal(weight)
	return left, right
}

// SplitSet makes the node at a place a split by category: those of set, which is sorted,
// go right. It returns the places of its two new children.
func (t *Tree) SplitSet(at, feature int, set []uint32, missingLeft bool, gain, weight float32) (left, right int) {
	left, right = t.Split(at, feature, 0, missingLeft, gain, weight)
	t.Sets = append(t.Sets, set)
	t.Nodes[at].Set = int32(len(t.Sets))
	return left, right
}

// Leaf gives the node at a place its value.
func (t *Tree) Leaf(at int, value, weight float32) {
	t.Nodes[at] = tree.Node{Left: -1, Right: -1, Value: value}
	t.weights[at] = decimal(weight)
}

// Model is an ensemble to be written.
type Model struct {
	Objective   string   // reg:squarederror, reg:absoluteerror, reg:quantileerror, count:poisson, binary:logistic or multi:softprob
	Quantile    float64  // of reg:quantileerror
	Features    []string // names, written for people
	Categorical []bool   // by feature; nil: none is
	Base        float32  // base_score: a number, a probability when binary, a mean of counts
	Outputs     int      // 1, or the number of classes
	Trees       []Tree   // in the order in which they are summed; Output cycles
}

// Encode writes the model as XGBoost's JSON ("doc/model.schema" of XGBoost 3). Equal
// models give equal bytes.
func Encode(m Model) ([]byte, error) {
	trees := make([]map[string]any, len(m.Trees))
	info := make([]int, len(m.Trees))
	for i := range m.Trees {
		trees[i] = m.Trees[i].document(i, len(m.Features))
		info[i] = m.Trees[i].Output
	}
	indptr := []int{0}
	for n := m.Outputs; n <= len(m.Trees); n += m.Outputs {
		indptr = append(indptr, n)
	}
	classes := "0"
	objective := map[string]any{"name": m.Objective}
	switch m.Objective {
	case "multi:softprob":
		classes = strconv.Itoa(m.Outputs)
		objective["softmax_multiclass_param"] = map[string]string{"num_class": classes}
	case "reg:quantileerror":
		objective["quantile_loss_param"] = map[string]string{"quantile_alpha": "[" + strconv.FormatFloat(m.Quantile, 'E', -1, 32) + "]"}
	case "count:poisson":
		objective["poisson_regression_param"] = map[string]string{"max_delta_step": "0.699999988"}
	case "reg:absoluteerror":
	default:
		objective["reg_loss_param"] = map[string]string{"scale_pos_weight": "1"}
	}
	doc := map[string]any{
		"learner": map[string]any{
			"attributes": map[string]any{}, "feature_names": m.Features, "feature_types": m.types(),
			"gradient_booster": map[string]any{
				"name": "gbtree",
				"model": map[string]any{
					"gbtree_model_param": map[string]string{"num_parallel_tree": "1", "num_trees": strconv.Itoa(len(m.Trees))},
					"iteration_indptr":   indptr, "tree_info": info, "trees": trees,
				},
			},
			"learner_model_param": map[string]string{
				"base_score": strconv.FormatFloat(float64(m.Base), 'E', -1, 32), "boost_from_average": "1",
				"num_class": classes, "num_feature": strconv.Itoa(len(m.Features)), "num_target": "1",
			},
			"objective": objective,
		},
		"version": []int{2, 1, 0},
	}
	raw, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("encode the XGBoost model: %w", err)
	}
	return raw, nil
}

// types are XGBoost's words for the features: numbers, and categories.
func (m Model) types() []string {
	out := make([]string, len(m.Features))
	for i := range out {
		if out[i] = "float"; m.Categorical != nil && m.Categorical[i] {
			out[i] = "c"
		}
	}
	return out
}

func (t *Tree) document(id, features int) map[string]any {
	n := len(t.Nodes)
	left, right, feature := make([]int32, n), make([]int32, n), make([]int32, n)
	value, weight, def, kinds := make([]decimal, n), make([]decimal, n), make([]int, n), make([]int, n)
	nodes, segments, sizes, categories := []int{}, []int{}, []int{}, []uint32{} // lists, not null
	for i, nd := range t.Nodes {
		left[i], right[i], feature[i], value[i] = nd.Left, nd.Right, nd.Feature, decimal(nd.Value)
		if nd.Left < 0 {
			weight[i] = decimal(nd.Value)
		}
		if nd.MissingLeft {
			def[i] = 1
		}
		if nd.Set > 0 {
			set := t.Sets[nd.Set-1]
			kinds[i] = 1
			nodes, segments, sizes = append(nodes, i), append(segments, len(categories)), append(sizes, len(set))
			categories = append(categories, set...)
		}
	}
	return map[string]any{
		"base_weights": weight, "categories": categories, "categories_nodes": nodes, "categories_segments": segments, "categories_sizes": sizes,
		"default_left": def, "id": id, "left_children": left, "loss_changes": t.gains, "parents": t.parents, "right_children": right,
		"split_conditions": value, "split_indices": feature, "split_type": kinds, "sum_hessian": t.weights,
		"tree_param": map[string]string{
			"num_deleted": "0", "num_feature": strconv.Itoa(features), "num_nodes": strconv.Itoa(n), "size_leaf_vector": "1",
		},
	}
}
