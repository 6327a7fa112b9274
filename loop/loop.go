// SPDX-License-Identifier: Apache-2.0

// Package loop turns findings into trainings, verdicts into releases, and harm into
// the way back. Next is pure; Turn looks, asks Next, and does.
package loop
