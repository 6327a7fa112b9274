// SPDX-License-Identifier: Apache-2.0

// Package card is the model card of a version: what is recorded is derived and never
// typed, and six fields are people's to write, in the model file. It names what is
// missing, and shows itself as Markdown, as a page, as JSON and with the metadata of
// Hugging Face. It reads no store (package control gathers) and judges nothing.
//
// The fields follow Mitchell et al., Model Cards for Model Reporting (2019).
package card

import (
	"encoding/json"
	"slices"
	"time"

	"flyball/blob"
	"flyball/data/dataset"
	"flyball/experiment/evaluation"
	"flyball/experiment/gate"
	"flyball/experiment/modeltest"
	"flyball/fault"
	"flyball/governance/approval"
	"flyball/model/registry"
	"flyball/monitoring"
	"flyball/serving/release"
)

// Card is what is known of a version at a moment.
type Card struct {
	Ref      string    `json:"ref"`
	Model    string    `json:"model"`
	Version  int       `json:"version"`
	Made     time.Time `json:"made"` // the card
	About    string    `json:"about,omitempty"`
	Human    Human     `json:"human"`
	SaidBy   string    `json:"said_by,omitempty"` // who applied the model file that the human fields are from
	SaidAt   time.Time `json:"said_at,omitzero"`
	Missing  []string  `json:"missing,omitempty"` // of the human fields, as the model file names them
	Task     string    `json:"task,omitempty"`    // binary, multiclass or regression
	Predicts string    `json:"predicts,omitempty"`
	Trainer  string    `json:"trainer,omitempty"`

	CreatedAt time.Time   `json:"created_at"`
	CreatedBy string      `json:"created_by"`
	Cause     string      `json:"cause"`
	Aliases   []string    `json:"aliases,omitempty"`
	Source    string      `json:"source,omitempty"` // where it was trained elsewhere
	Bundle    blob.Digest `json:"bundle,omitempty"`
	Judged    blob.Digest `json:"judged,omitempty"`
	Record    blob.Digest `json:"record,omitempty"`

	Data   Data   `json:"data"`
	Origin Origin `json:"origin"`

	Verdict   string                  `json:"verdict,omitempty"` // pass, fail or inconclusive; empty: not judged
	Decision  gate.Decision           `json:"decision,omitempty"`
	Summary   string                  `json:"summary,omitempty"`
	Rows      int                     `json:"rows,omitempty"` // that it was judged on
	Blocks    int                     `json:"blocks,omitempty"`
	Estimates []evaluation.Estimate   `json:"estimates,omitempty"`
	Compared  []evaluation.Difference `json:"compared,omitempty"` // with the live version of then and the baseline, on the same rows
	Groups    []evaluation.GroupTable `json:"groups,omitempty"`
	Withheld  bool                    `json:"groups_withheld,omitempty"` // there are groups, and whoever asked may not see them
	Tests     []modeltest.Result      `json:"tests,omitempty"`

	Approvals []approval.Request `json:"approvals,omitempty"` // requests for leave to release it, the newest first

	Steps    []Step    `json:"steps,omitempty"`    // of its releases, the oldest first
	Findings []Finding `json:"findings,omitempty"` // of its data and its scores since it was released, the newest first
	Remade   []Remade  `json:"remade,omitempty"`   // the times it was made again, the newest first
}

// Data is what the version was made from.
type Data struct {
	Snapshot  blob.Digest `json:"snapshot,omitempty"`
	Rows      int         `json:"rows,omitempty"`
	MadeAt    time.Time   `json:"made_at,omitzero"`
	SeenUntil time.Time   `json:"seen_until,omitzero"` // rows whose truth was due by then were trained on
}

// Step is a moment of a release of the version.
type Step struct {
	Generation int64     `json:"generation"`
	At         time.Time `json:"at"`
	Phase      string    `json:"phase"`
	By         string    `json:"by"`
	Reason     string    `json:"reason"`
}

// Finding is what a monitor found of the version.
type Finding struct {
	Kind    string    `json:"kind"`
	Subject string    `json:"subject"`
	Opened  time.Time `json:"opened"`
	Closed  time.Time `json:"closed,omitzero"`
	Text    string    `json:"text"`
}

// Remade is one time that the version was made again.
type Remade struct {
	At    time.Time `json:"at"`
	By    string    `json:"by"`
	Grade string    `json:"grade"`
}

// Facts are what a card is made from. Whoever has no model file leaves Human, SaidBy and
// SaidAt zero.
type Facts struct {
	Version  registry.Version
	About    string
	Human    Human
	SaidBy   string
	SaidAt   time.Time
	Task     dataset.Task // as the version was trained; zero: as it is not known
	Trainer  string
	Record   []byte // record.json; nil: there is none
	Snapshot dataset.Made
	Asked    []approval.Request // for leave, all of the model, the newest first
	Releases []release.State    // all of the model, in the order of their generations
	Findings []monitoring.Finding
	Remade   []registry.Reproduction
	Now      time.Time
}

// Of is the card that the facts make. A report or a record that cannot be read is an
// Internal fault.
func Of(f Facts) (Card, error) {
	v := f.Version
	c := Card{
		Ref: v.Ref.String(), Model: v.Model, Version: v.Version, Made: f.Now, About: f.About, Human: f.Human, SaidBy: f.SaidBy, SaidAt: f.SaidAt,
		Missing: f.Human.Missing(), Task: string(f.Task.Kind), Predicts: f.Task.Column, Trainer: f.Trainer,
		CreatedAt: v.CreatedAt, CreatedBy: v.CreatedBy, Cause: v.Cause, Aliases: slices.Sorted(slices.Values(v.Aliases)), Source: v.Source,
		Bundle: v.Bundle, Judged: v.Judged, Record: v.Record,
		Data:    Data{Snapshot: v.Snapshot, Rows: f.Snapshot.Rows, MadeAt: f.Snapshot.At, SeenUntil: v.SeenUntil},
		Verdict: v.Verdict,
	}
	if err := c.judged(v); err != nil {
		return Card{}, err
	}
	if len(f.Record) > 0 {
		var err error
		if c.Origin, err = readOrigin(f.Record); err != nil {
			return Card{}, err
		}
	}
	for _, r := range f.Asked {
		if r.Version == v.Version {
			c.Approvals = append(c.Approvals, r)
		}
	}
	released := c.steps(f.Releases)
	for _, x := range slices.Backward(slices.SortedStableFunc(slices.Values(f.Findings), func(a, b monitoring.Finding) int { return a.Opened.Compare(b.Opened) })) {
		if x.Version == v.Version && (released.IsZero() || !x.Opened.Before(released)) {
			c.Findings = append(c.Findings, Finding{Kind: x.Kind, Subject: x.Subject, Opened: x.Opened, Closed: x.Closed, Text: x.Text})
		}
	}
	for _, r := range f.Remade {
		c.Remade = append(c.Remade, Remade{At: r.At, By: r.By, Grade: r.Grade})
	}
	return c, nil
}

// judged takes what the gate measured of the version.
func (c *Card) judged(v registry.Version) error {
	if v.Verdict == "" || len(v.Report) == 0 {
		return nil
	}
	var verdict gate.Verdict
	if err := json.Unmarshal(v.Report, &verdict); err != nil {
		return fault.Wrap(err, fault.Internal, "the report of %s cannot be read", v.Ref)
	}
	c.Decision, c.Summary, c.Rows, c.Blocks = verdict.Decision, verdict.Summary, verdict.Rows, verdict.Blocks
	c.Estimates, c.Compared, c.Tests = verdict.Estimates, verdict.Differences, verdict.Tests
	c.Groups, c.Withheld = verdict.Groups, verdict.Withheld != ""
	return nil
}

// steps takes the releases of the version, and returns when the first of them began.
func (c *Card) steps(all []release.State) (first time.Time) {
	for _, s := range all {
		if s.Candidate != c.Version {
			continue
		}
		if first.IsZero() {
			first = s.StartedAt
		}
		at := s.EnteredAt
		if !s.EndedAt.IsZero() {
			at = s.EndedAt
		}
		c.Steps = append(c.Steps, Step{Generation: s.Generation, At: at, Phase: string(s.Phase), By: s.By, Reason: s.Reason})
	}
	return first
}
