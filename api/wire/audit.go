// SPDX-License-Identifier: Apache-2.0

package wire

import "flyball/governance/audit"

// AuditVerified says that the chain holds.
type AuditVerified struct {
	Records int64 `json:"records"`
}

// AuditVerify asks to verify the audit chain, and what it tells of.
type AuditVerify struct {
	Predictions bool           `json:"predictions"`       // compare the sealed files of predictions, too
	Anchors     []audit.Anchor `json:"anchors,omitempty"` // that the chain must hold
}

// AuditVerifying is one line of the answer: a step, and at the end what holds and what
// does not, or the record that is wrong.
type AuditVerifying struct {
	Step    *audit.Step     `json:"step,omitempty"`
	Result  *audit.Verified `json:"result,omitempty"`
	Problem *Problem        `json:"problem,omitempty"`
}

// Forget asks to erase what is kept of a caller's key.
type Forget struct {
	Key   string `json:"key" minLength:"1"`
	Model string `json:"model,omitempty" doc:"absent: of all models"`
	Why   string `json:"why" minLength:"1" doc:"stands in the audit chain, so without the key itself"`
}
