// SPDX-License-Identifier: Apache-2.0

// Package registry holds models, their versions and the aliases that point at
// versions. A version is immutable; what changes is which alias points at it, and
// each change is in the audit chain. It does not decide who may be live: packages
// gate and release do.
package registry

import (
	"encoding/json"
	"time"

	"flyball/blob"
	"flyball/ident"
)

// The aliases that Flyball itself moves.
const (
	Live      = "live"      // serves
	Candidate = "candidate" // under release
	Previous  = "previous"  // served before
	Baseline  = "baseline"  // the floor model; its versions are counted apart, under BaselineOf(model)
)

// BaselineOf is the name under which the baseline's versions of a model are
// registered. No user can take it: a model's name has no dot.
func BaselineOf(model string) string { return model + ".baseline" }

// Model is a model as applied: its file and what it depends on.
type Model struct {
	Name       string              `json:"name"`
	File       string              `json:"file"`               // the YAML as applied
	Pipeline   string              `json:"pipeline,omitempty"` // the YAML of the shared pipeline it names, if any
	Data       map[string]DataFile `json:"data"`               // the source's files by name, as uploaded
	Generation int64               `json:"generation"`         // rises with every apply that changes something
	AppliedAt  time.Time           `json:"applied_at"`
	AppliedBy  string              `json:"applied_by"`
}

// DataFile is one file of a source, kept as a blob.
type DataFile struct {
	Digest blob.Digest `json:"digest"`
	Size   int64       `json:"size"`
}

// Version is one trained model.
type Version struct {
	ident.Ref
	Bundle    blob.Digest     `json:"bundle"`           // of bundle.json
	Judged    blob.Digest     `json:"judged,omitempty"` // of the bundle that the gate judged, when this is its refit
	Snapshot  blob.Digest     `json:"snapshot"`         // of the dataset it was made from
	Record    blob.Digest     `json:"record"`           // of record.json: how it was made
	SeenUntil time.Time       `json:"seen_until"`       // rows whose truth was due by then were trained on
	Verdict   string          `json:"verdict"`          // of the gate: pass, fail or inconclusive
	Report    json.RawMessage `json:"report,omitempty"` // the gate's report
	Cause     string          `json:"cause"`            // schedule, drift, score, hand, first
	CreatedAt time.Time       `json:"created_at"`
	CreatedBy string          `json:"created_by"`
	Key       string          `json:"key"` // of the job that made it; registering the same key twice is once
}
