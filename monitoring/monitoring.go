// SPDX-License-Identifier: Apache-2.0

// Package monitoring watches what a model is asked and what it answers, a window at
// a time, and compares it with the profile made at training: quality, drift, score,
// bias and performance. It writes findings; package loop decides what they cause.
package monitoring
