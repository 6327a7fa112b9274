// SPDX-License-Identifier: Apache-2.0

// Package api is what the faces share: the routes of one server, each with the
// permission that it asks for, and how a request proves who sends it. It knows no
// protocol; packages rest and mlflow do.
package api

import "flyball/governance/access"

// Permission is what a caller must be allowed for a route.
type Permission = access.Permission

// The permissions, as routes name them.
const (
	Open     = access.Open
	Known    = access.Known
	Read     = access.Read
	Rows     = access.Rows
	Fairness = access.Fairness
	Predict  = access.Predict
	Track    = access.Track
	Apply    = access.Apply
	Train    = access.Train
	Propose  = access.Propose
	Operate  = access.Operate
	Retreat  = access.Retreat
	Approve  = access.Approve
	Ack      = access.Ack
	Audit    = access.Audit
	Users    = access.Users
	Keep     = access.Keep
	Clock    = access.Clock
)
