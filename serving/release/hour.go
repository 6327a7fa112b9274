// SPDX-License-Identifier: Apache-2.0

package release

import "time"

// Hour is how a model's route answered in one hour, under one generation. An hour in which
// nobody asked has no requests, and is counted all the same: the server was there.
type Hour struct {
	Model      string    `json:"model"`
	Start      time.Time `json:"start"`
	Generation int64     `json:"generation"`
	Answered   int64     `json:"answered"` // requests, by whatever the route has, the fallback among it
	Failed     int64     `json:"failed"`   // requests that got no answer through no fault of their own

	// Rows are the predictions that were answered in the hour and went to the log: those
	// that it dropped are not among them, and neither are those told from elsewhere.
	Rows int64 `json:"rows"`
}

// Asked is how many requests there were.
func (h Hour) Asked() int64 { return h.Answered + h.Failed }
