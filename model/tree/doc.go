// SPDX-License-Identifier: Apache-2.0

// Package tree scores ensembles of decision trees. It reads no format: packages
// xgboost and lightgbm read theirs into it.
package tree
