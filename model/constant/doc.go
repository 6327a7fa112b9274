// SPDX-License-Identifier: Apache-2.0

// Package constant is the estimator that answers the mean of the training labels,
// or of their group, and its file, constant.json: the usual baseline.
package constant
