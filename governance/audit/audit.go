// SPDX-License-Identifier: Apache-2.0

// Package audit is the chain of who changed what, and when: each record's hash
// covers the one before it, so a record that is changed or removed is found. It
// computes and verifies; package store writes a record in the transaction of the
// change it tells.
package audit

import (
	"encoding/json"
	"time"
)

// Record is one governance event.
type Record struct {
	Seq    int64           `json:"seq"`           // from 1, without a hole
	At     time.Time       `json:"at"`            // by the process's clock, UTC, microseconds
	Actor  string          `json:"actor"`         // who; flyball for the loop itself
	Action string          `json:"action"`        // apply train promote rollback hold resume alias …
	Object string          `json:"object"`        // what: a model, a version
	Why    string          `json:"why,omitempty"` //
	Data   json.RawMessage `json:"data,omitempty"`
	Prev   string          `json:"prev"` // hash of the record before; of the first: 64 zeros
	Hash   string          `json:"hash"` // hex SHA-256 over Prev and the record without Hash, in canonical JSON
}

// Query selects records. The zero value selects all.
type Query struct {
	After         int64     // seq
	Before        int64     // seq; 0: up to the last
	Since         time.Time // at or after
	Actor, Object string    // exactly; with a model its versions, too
	Action        string    // exactly
	Newest        bool      // the newest first
}
