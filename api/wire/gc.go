// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"flyball/governance/retention"
	"flyball/unit"
)

// CollectRequest asks to remove for good what was deleted, and the bytes that nothing
// refers to.
type CollectRequest struct {
	OlderThan *unit.Duration `json:"older_than,omitempty"` // what was deleted longer ago goes; absent: as the server was told, else 30d
	Grace     *unit.Duration `json:"grace,omitempty"`      // bytes put or kept since stay; absent: 1d
	DryRun    bool           `json:"dry_run,omitempty"`    // only count
}

// Collecting is one line of the answer: a step, and at the end what was removed, or why
// it came to no end.
type Collecting struct {
	Step    *retention.Step   `json:"step,omitempty"`
	Result  *retention.Result `json:"result,omitempty"`
	Problem *Problem          `json:"problem,omitempty"`
}

// Problem is an error in the middle of an answer, as RFC 9457 has it.
type Problem struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
}
