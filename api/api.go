// SPDX-License-Identifier: Apache-2.0

// Package api is what the faces share: the permissions that routes ask for. It knows
// no protocol; packages rest and mlflow do.
package api

// Permission is what a caller must be allowed for a route. Who holds which is
// decided elsewhere; while no user exists, the local user holds all.
type Permission string

// The permissions.
const (
	Open     Permission = "open"     // everybody who reaches the server: is it there, and what is it?
	Read     Permission = "read"     // see how things stand
	Rows     Permission = "rows"     // see the rows of predictions
	Fairness Permission = "fairness" // see what a model does for groups of people, never of a row
	Predict  Permission = "predict"  // ask for predictions and tell truths
	Track    Permission = "track"    // log runs, artifacts and models; register versions
	Apply    Permission = "apply"    // change a model's file and data
	Operate  Permission = "operate"  // train, promote, roll back, hold, resume
	Clock    Permission = "clock"    // move a manual clock
)
