// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"time"

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

// Away is when somebody cannot be called.
type Away struct {
	Person string    `json:"person" doc:"as the duties name them"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to" doc:"from then on they are back; one that is over ends what was said before"`
	Why    string    `json:"why,omitempty"`
}
