// SPDX-License-Identifier: Apache-2.0

// Package xgboost reads and writes XGBoost's JSON model format, and reads its UBJSON.
// It trains nothing.
package xgboost
