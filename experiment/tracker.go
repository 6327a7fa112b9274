// SPDX-License-Identifier: Apache-2.0

package experiment

import "time"

// TrackerOptions are what a Tracker is built from.
type TrackerOptions struct {
	Experiments  Experiments
	Runs         Runs
	LoggedModels LoggedModels
	Now          func() time.Time // nil: the machine's clock
}

// Tracker is the rules of tracking: what may be logged, what is filled in, what is
// refused and in which words. Every face goes through it. It may be used by many
// goroutines at once.
type Tracker struct{ TrackerOptions }

// NewTracker makes a Tracker of its stores.
func NewTracker(o TrackerOptions) *Tracker {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Tracker{TrackerOptions: o}
}
