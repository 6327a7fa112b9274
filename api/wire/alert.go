// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"flyball/control"
	"flyball/governance/alert"
	"flyball/unit"
)

// Alert is what is wrong, and whom it was told.
type Alert = alert.Alert

// Digest is what the loop did in a week, and what waits for whom.
type Digest = alert.Digest

// Owner is one duty of a model, and who carries it.
type Owner = control.Owner

// Silence asks that a model's alerts are not told for a while.
type Silence struct {
	For unit.Duration `json:"for" doc:"such as 2h, a week at most; 0s ends a silence"`
	Why string        `json:"why,omitempty" doc:"one sentence for the record"`
}
