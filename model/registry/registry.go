// SPDX-License-Identifier: Apache-2.0

// Package registry holds models, their versions and the aliases that point at
// versions, those that Flyball made and those that a client registered alike. What a
// version is made of never changes; what changes is which alias points at it, and each
// such change is kept with who, when, from and to. It does not decide who may be live:
// packages gate and release do.
package registry

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"flyball/blob"
	"flyball/data/frame"
	"flyball/ident"
)

// The aliases that Flyball itself moves.
const (
	Live      = "live"      // serves
	Candidate = "candidate" // under release
	Previous  = "previous"  // served before
	Baseline  = "baseline"  // the floor model; its versions are counted apart, under BaselineOf(model)
)

// Newest is the alias that nobody sets: it points at the version with the highest number.
const Newest = "latest"

// BaselineOf is the name under which the baseline's versions of a model are
// registered. Nobody can take it: in a model file a name has no dot, and CheckName
// refuses it.
func BaselineOf(model string) string { return model + ".baseline" }

// Model is a model of the registry. One that was applied has a file and is under
// Flyball's care: the loop trains, releases and watches it. One that a client
// registered has none, and nobody but its clients moves its aliases.
type Model struct {
	Name       string              `json:"name"`
	File       string              `json:"file"`               // the YAML as applied; empty: registered by a client
	Pipeline   string              `json:"pipeline,omitempty"` // the YAML of the shared pipeline it names, if any
	Data       map[string]DataFile `json:"data"`               // the source's files by name, as uploaded
	Columns    []frame.Field       `json:"columns,omitempty"`  // of the source, as they were pinned when it was first applied
	Code       map[string]DataFile `json:"code,omitempty"`     // the files of its command by path, as uploaded
	Commit     *Commit             `json:"commit,omitempty"`   // the commit it was applied from; nil: not known
	Generation int64               `json:"generation"`         // rises with every apply that changes something; 0: never applied
	AppliedAt  time.Time           `json:"applied_at"`
	AppliedBy  string              `json:"applied_by"`

	About     string    `json:"about,omitempty"` // what its people say of it in the registry
	Tags      []Tag     `json:"tags,omitempty"`  // by key
	CreatedAt time.Time `json:"created_at,omitzero"`
	UpdatedAt time.Time `json:"updated_at,omitzero"` // of its name, text or a version; tags and aliases do not move it
}

// Commit is where a model file lay in version control when it was applied. What it said
// is kept by itself, so that what was changed since the commit is known, too.
type Commit struct {
	Repository string   `json:"repository,omitempty"` // address of the remote named origin, without user and password; empty: it has none
	ID         string   `json:"id"`                   // in hex
	Changed    []string `json:"changed,omitempty"`    // of the model file, its pipeline and its code those that are not as they are in the commit
}

// Same reports whether the two are the same to whoever applies: file, pipeline, data,
// columns and code. That it was applied from another commit changes nothing.
func (m Model) Same(o Model) bool {
	return m.File == o.File && m.Pipeline == o.Pipeline && maps.Equal(m.Data, o.Data) && slices.Equal(m.Columns, o.Columns) && maps.Equal(m.Code, o.Code)
}

// Cared reports whether the model has a model file: its aliases decide traffic.
func (m Model) Cared() bool { return m.File != "" }

// Tag is a label of a model or of a version.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Alias is a name that points at a version.
type Alias struct {
	Name    string `json:"alias"`
	Version int    `json:"version"`
}

// Listing is a model as a registry lists it: the model (without its pipeline and
// data), its aliases by name, and the newest version of each stage, the oldest first.
type Listing struct {
	Model
	Aliases []Alias
	Latest  []Version // without Aliases
}

// DataFile is one file of a source, kept as a blob.
type DataFile struct {
	Digest blob.Digest `json:"digest"`
	Size   int64       `json:"size"`
}

// Version is one trained model: made by Flyball, or registered by a client.
type Version struct {
	ident.Ref
	Bundle    blob.Digest     `json:"bundle"`           // of bundle.json; empty: registered, and not made or read by Flyball yet
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

	Source    string        `json:"source,omitempty"`   // where its files lie, as the client said it; never opened as it is
	Location  string        `json:"location,omitempty"` // the same, resolved when it was registered: below mlflow-artifacts:/, or an address that is not ours; empty: unknown
	RunID     ident.RunID   `json:"run_id,omitempty"`   // the run that made it; it may be unknown here
	ModelID   ident.ModelID `json:"model_id,omitempty"` // the logged model that it is; it may be unknown here
	RunLink   string        `json:"run_link,omitempty"`
	About     string        `json:"about,omitempty"`
	Stage     Stage         `json:"stage,omitempty"` // MLflow's older way of saying what aliases say; it decides nothing
	Tags      []Tag         `json:"tags,omitempty"`  // by key
	Aliases   []string      `json:"aliases,omitempty"`
	UpdatedAt time.Time     `json:"updated_at,omitzero"` // of its text or stage
}

// Made reports whether Flyball made the version or has read it: it can be served.
func (v Version) Made() bool { return v.Bundle != "" }

// Stage is where a version stands, as its people say.
type Stage string

// The stages. Zero is None.
const (
	None       Stage = "None"
	Staging    Stage = "Staging"
	Production Stage = "Production"
	Archived   Stage = "Archived"
)

// Move is a change of an alias.
type Move struct {
	Model string    `json:"model"`
	Alias string    `json:"alias"`
	At    time.Time `json:"at"`
	By    string    `json:"by"`
	From  int       `json:"from"` // the version before; 0: none
	To    int       `json:"to"`   // the version after; 0: none
}
