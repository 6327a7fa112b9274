// SPDX-License-Identifier: Apache-2.0

// Package training makes a registered version of a snapshot: split, fit, train,
// evaluate, judge, refit, bundle. It is one job that may be run again.
package training
