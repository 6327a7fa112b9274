// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"encoding/json"
	"time"

	"flyball/ident"
)

// Reproduction is one time that a version was made again.
type Reproduction struct {
	ident.Ref
	ID     string          `json:"id"` // of the job that did it: the same job is kept once
	At     time.Time       `json:"at"`
	By     string          `json:"by"`
	Grade  string          `json:"grade"`  // R3, R2, R1 or R0
	Report json.RawMessage `json:"report"` // what was compared
}
