// SPDX-License-Identifier: Apache-2.0

// Package xgboost reads the models that XGBoost 1.6 to 3.2 writes, JSON and UBJSON, and
// scores as the version does that wrote them: boosters gbtree, dart and gblinear, splits
// by threshold and by category, every objective of these versions. It refuses by name
// what it would not score exactly: trees with vector leaves, an objective or a booster
// that it does not know. It writes models of built-in training as JSON. It trains
// nothing.
package xgboost
