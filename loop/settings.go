// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"flyball/monitoring"
	"flyball/unit"
)

// Policy is when a model is trained again: the `retrain` section of a model file.
type Policy struct {
	When      []string        `json:"when,omitempty"`       // schedule, drift, score; by hand always works
	Every     unit.Duration   `json:"every,omitempty"`      // for schedule
	Wait      unit.Duration   `json:"wait,omitempty"`       // never more often than this
	Budget    monitoring.Rate `json:"budget,omitempty"`     // trainings a month; zero: no limit
	HoldAfter string          `json:"hold_after,omitempty"` // rollback (default) or never: hold until resumed
	Release   string          `json:"release,omitempty"`    // of what passed: better (default) or passed
}
