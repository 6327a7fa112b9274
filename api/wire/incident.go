// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"flyball/control"
	"flyball/governance/incident"
)

// Incident is what went wrong, until somebody has said why.
type Incident = incident.Incident

// Learnt is what closes an incident.
type Learnt = control.Learnt

// Break asks for two hours without others' leave, or ends them.
type Break struct {
	Why string `json:"why,omitempty" maxLength:"2000" doc:"the reason, for the record"`
	End bool   `json:"end,omitempty" doc:"end what a broken glass gives"`
}
