// SPDX-License-Identifier: Apache-2.0

// Package linear is the linear estimator and its file, linear.json.
package linear
