// SPDX-License-Identifier: Apache-2.0

// Package learner is the built-in estimators' training: histogram gradient boosting,
// linear models and the constant. The same data, settings and seed give the same
// bytes for any number of workers. It chooses no rows and judges nothing.
package learner
