// SPDX-License-Identifier: Apache-2.0

// Package approval says whether a release has the leave that the risk of its model asks
// for: who must agree, who may not because it is their own work, and when an agreement
// no longer counts. It is pure: it starts nothing (package loop) and keeps nothing
// (package store). The way back never comes here: it needs nobody's leave.
package approval

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"flyball/blob"
	"flyball/ident"
)

// Risk is how much care a model asks for, as its file says. The zero value is Low.
type Risk string

// The risks.
const (
	Low    Risk = "low"    // the gate decides
	Medium Risk = "medium" // and one person
	High   Risk = "high"   // and two, and every prediction keeps its reasons
)

// The roles that give leave, and the one that goes without.
const (
	Validator = "validator"
	Owner     = "owner"
	Engineer  = "ml-engineer"
)

// Needs are the roles that must agree, each by a person of its own; none for Low.
func (r Risk) Needs() []string {
	switch r {
	case Medium:
		return []string{Validator}
	case High:
		return []string{Validator, Owner}
	}
	return nil
}

// Higher is the one of the two that asks for more.
func (r Risk) Higher(o Risk) Risk {
	if len(o.Needs()) > len(r.Needs()) {
		return o
	}
	return r
}

// Lifetime is how long a request waits before it expires.
const Lifetime = 7 * 24 * time.Hour

// Request asks for leave to release a version.
type Request struct {
	ID      string      `json:"id"` // among those of the model
	Model   string      `json:"model"`
	Version int         `json:"version"`
	Digest  blob.Digest `json:"digest"`  // of the Subject, as it was when leave was asked
	Risk    Risk        `json:"risk"`    // whose needs count
	Filed   Risk        `json:"filed"`   // in the model file; lower than Risk where somebody has just lowered it
	By      string      `json:"by"`      // who proposes it: flyball, or a person
	Authors []string    `json:"authors"` // who trained or registered the version, and who applied its model file
	Why     string      `json:"why,omitempty"`
	Summary string      `json:"summary"` // of the gate
	AskedAt time.Time   `json:"asked_at"`
	Expires time.Time   `json:"expires"`
	Given   []Given     `json:"given"`
	Ended   *Ended      `json:"ended,omitempty"` // what it came to; nil: it waits
}

// Ref is the version that the request is about.
func (r Request) Ref() ident.Ref { return ident.Ref{Model: r.Model, Version: r.Version} }

// Kind is what somebody says to a request.
type Kind string

// The kinds. Two people override, and that is on record for ever.
const (
	Approve  Kind = "approve"
	Reject   Kind = "reject"
	Override Kind = "override"
)

// Given is what one person said to a request.
type Given struct {
	Kind   Kind        `json:"kind"`
	By     string      `json:"by"`
	Roles  []string    `json:"roles"` // that the person had for the model
	Why    string      `json:"why,omitempty"`
	Digest blob.Digest `json:"digest"` // of what the person looked at
	At     time.Time   `json:"at"`
}

// Ended is what a request came to.
type Ended struct {
	State State     `json:"state"`
	Why   string    `json:"why"`
	At    time.Time `json:"at"`
}

// Subject is what leave is asked for. A change of any of it voids the request.
type Subject struct {
	Model   string          `json:"model"`
	Version int             `json:"version"`
	Bundle  blob.Digest     `json:"bundle"`
	Judged  blob.Digest     `json:"judged"`
	Verdict string          `json:"verdict"`
	Report  json.RawMessage `json:"report"` // of the gate
	Plan    json.RawMessage `json:"plan"`   // of the release
	Risk    Risk            `json:"risk"`   // in the model file
}

// Digest is the SHA-256 of the subject as JSON.
func (s Subject) Digest() (blob.Digest, error) {
	raw, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	return blob.Sum(raw), nil
}

// Needed is the risk whose needs count for the next release of a model whose file says
// filed. Who lowers the risk does not decide that alone: the risk before counts until a
// release had its leave under it. all are the model's requests, newest first.
func Needed(filed Risk, all []Request) Risk {
	out := filed
	for _, r := range all {
		out = out.Higher(r.Filed)
		if r.Ended != nil && r.Ended.State == Approved {
			break
		}
	}
	return out
}

// Apart reports whether the person neither proposed the release nor had a hand in the version.
func (r Request) Apart(name string) bool { return !r.own(name) }

// own reports whether the person proposed the release, or had a hand in the version.
func (r Request) own(name string) bool {
	same := func(o string) bool { return strings.EqualFold(o, name) }
	return same(r.By) || slices.ContainsFunc(r.Authors, same)
}
