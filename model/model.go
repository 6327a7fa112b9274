// SPDX-License-Identifier: Apache-2.0

// Package model is the only way from a row to a score: a bundle of a fitted
// pipeline and an estimator, which are made, moved and replaced together. It
// refuses to serve a bundle that does not reproduce its golden rows. It trains
// nothing (package training) and routes nothing (package serving).
package model
