// SPDX-License-Identifier: Apache-2.0

// Package replica is a process that answers predictions and decides nothing: what it is
// told to serve (Desired), what it tells in return (Report), and the Agent that keeps a
// serving.Server as it is told to. It knows no protocol (package client asks for it, and
// package rest answers) and no database: it goes on with the last it was told when
// nobody tells it any more, by the live version alone. Which version is live, and what
// a replica may be counted on for, package loop decides.
package replica

import (
	"time"

	"flyball/blob"
	"flyball/data/dataset"
	"flyball/fault"
	"flyball/governance/access"
	"flyball/serving/release"
)

// Desired is all that replicas are to serve at one moment. It is immutable; a change
// makes a new one with a later Version.
type Desired struct {
	Version int64         `json:"version"` // rises with every change, whoever leads
	Fence   int64         `json:"fence"`   // of the leader that wrote it; 0: nobody else can
	Models  []Model       `json:"models"`  // by name
	Users   []access.User `json:"users"`   // without their passwords; none: there are no users, and everybody may ask
	Tokens  []Credential  `json:"tokens"`
}

// Credential is a token with the digest by which its secret is known, which a token by
// itself is never told with.
type Credential struct {
	access.Token
	Digest string `json:"digest"`
}

// Credentials are tokens with their digests.
func Credentials(tokens []access.Token) []Credential {
	out := make([]Credential, len(tokens))
	for i, t := range tokens {
		out[i] = Credential{t, t.Digest}
	}
	return out
}

// Known are the tokens by which those who ask are known.
func (d Desired) Known() []access.Token {
	out := make([]access.Token, len(d.Tokens))
	for i, c := range d.Tokens {
		out[i] = c.Token
		out[i].Digest = c.Digest
	}
	return out
}

// Model is one model as it is to be served.
type Model struct {
	Name     string              `json:"name"`
	File     int64               `json:"file"` // generation of its model file
	Task     dataset.Task        `json:"task"`
	Route    release.Route       `json:"route"`
	Bundles  map[int]blob.Digest `json:"bundles"` // of every version that Route names
	Baseline blob.Digest         `json:"baseline,omitempty"`
	Durable  bool                `json:"durable,omitempty"`
	Wait     bool                `json:"wait,omitempty"`
	Explain  string              `json:"explain,omitempty"`
	Late     time.Duration       `json:"late,omitempty"`
}

// After refuses, by a Conflict fault, to take d after have: it is older, or of a leader
// that another has followed.
func (d Desired) After(have Desired) error {
	if d.Fence < have.Fence || d.Version < have.Version {
		return fault.New(fault.Conflict, "what is to be served is older than what is served: version %d under fence %d, after version %d under fence %d",
			d.Version, d.Fence, have.Version, have.Fence)
	}
	return nil
}

// Report is what a replica tells of itself, every few seconds.
type Report struct {
	Name    string         `json:"name"`
	Process string         `json:"process"` // names this run of it
	Address string         `json:"address,omitempty"`
	Build   string         `json:"build"`   // the version of the program
	Version int64          `json:"version"` // of what it serves
	Models  []Held         `json:"models,omitempty"`
	Hours   []release.Hour `json:"hours,omitempty"` // what it counted since it began and nobody acknowledged; again without harm
	Shipped Shipped        `json:"shipped"`
}

// Held is what a replica holds of a model.
type Held struct {
	Model      string `json:"model"`
	Generation int64  `json:"generation"` // of the route it answers by
	Candidate  int    `json:"candidate,omitempty"`
	Failed     string `json:"failed,omitempty"` // why the candidate cannot be loaded
}

// Shipped is how far a replica has handed on what it logged.
type Shipped struct {
	Origin string    `json:"origin,omitempty"` // of its log
	Seq    int64     `json:"seq,omitempty"`    // of its last shipment
	UpTo   time.Time `json:"up_to,omitzero"`   // whatever was answered until then is in one
}

// Grant is the answer to a report: a lease.
type Grant struct {
	Lease   time.Duration `json:"lease"`   // from when the report was sent
	Now     time.Time     `json:"now"`     // where the clock of the database stands
	Version int64         `json:"version"` // of what is to be served
}

// State is a replica as it is known to whoever leads.
type State struct {
	Report
	Leased bool      `json:"leased"` // it is counted on
	Seen   time.Time `json:"seen"`   // when it reported last, by the database's clock
}

// Of is what the replica holds of a model, as package release asks.
func (s State) Of(model string) release.Replica {
	for _, h := range s.Models {
		if h.Model == model {
			return h.Of(s.Name)
		}
	}
	return release.Replica{Name: s.Name}
}

// Of is what the process of a name holds, as package release asks.
func (h Held) Of(process string) release.Replica {
	return release.Replica{Name: process, Generation: h.Generation, Candidate: h.Candidate, Failed: h.Failed}
}
