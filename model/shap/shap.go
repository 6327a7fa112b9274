// SPDX-License-Identifier: Apache-2.0

// Package shap says exactly what each feature adds to a sum of decision trees:
// path-dependent Shapley values. It reads no format and walks no row: whoever holds the
// trees says which way a row goes.
package shap

// Node is a split or a leaf. A leaf has Left < 0 and its value in Value. Cover is the
// weight of the training rows that came by: XGBoost's sum_hessian, LightGBM's counts.
type Node struct {
	Feature     int32
	Left, Right int32
	Cover       float64
	Value       float64
}

// Tree is nodes with the root at 0, and the output that its leaves add to.
type Tree struct {
	Output int
	Nodes  []Node
}
