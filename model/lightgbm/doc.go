// SPDX-License-Identifier: Apache-2.0

// Package lightgbm reads models in LightGBM's text format (versions v3 and v4) and
// scores with them in float64, as LightGBM itself does: the margins have its bits. It
// takes columns as they are. It refuses trees with linear leaves, older formats and
// objectives it does not know; it trains nothing and writes nothing.
//
// The format is what GBDT::SaveModelToString and Tree::ToString write; what a file means
// is what Tree::NumericalDecision, Tree::CategoricalDecision, GBDT::Predict and each
// objective's ConvertOutput make of it (LightGBM 4, src/boosting, src/io,
// src/objective).
package lightgbm
