// SPDX-License-Identifier: Apache-2.0

// Package event is the feed of what happened: one line a happening, for people and
// pages. An event is written in the transaction of what it tells, and nothing
// decides by reading one: acts meet in records. What must be provable is in the
// audit chain.
package event

import (
	"encoding/json"
	"time"
)

// Mark is how a happening looks on a page and in a terminal: a shape and a word.
type Mark string

// The seven marks of the pages.
const (
	OK   Mark = "ok"   // holds
	Move Mark = "move" // moving
	Wait Mark = "wait" // waiting
	Off  Mark = "off"  // decided: no change
	Warn Mark = "warn" // look at it
	Stop Mark = "stop" // stopped or broken
	None Mark = "none" // cannot tell yet
)

// Event is one happening.
type Event struct {
	Seq     int64           `json:"seq"`               // given by the store, rising
	At      time.Time       `json:"at"`                // by the process's clock
	Model   string          `json:"model,omitempty"`   // empty: the server itself
	By      string          `json:"by"`                // flyball, or who asked
	Mark    Mark            `json:"mark"`              //
	Kind    string          `json:"kind"`              // data trained gate release drift score quality label retrain hold apply audit …
	Text    string          `json:"text"`              // one sentence, at most 100 characters where it can be
	Command string          `json:"command,omitempty"` // the command that shows the same
	Data    json.RawMessage `json:"data,omitempty"`    // the figures of the sentence
}
