// SPDX-License-Identifier: Apache-2.0

// Package release decides which version answers, and for what share: preload,
// shadow, canary, full, bake, and back. Next is pure; a release is a row that is
// changed by compare-and-swap, and its route is a function of it. It scores nothing
// and loads nothing (package serving), and it does not judge quality from rows
// (packages gate and evaluation); it weighs what they found.
package release

import "time"

// Phase is where a release is.
type Phase string

// The phases. Succeeded, Aborted and RolledBack are final.
const (
	Pending     Phase = "pending"
	Preload     Phase = "preload"
	ShadowPhase Phase = "shadow"
	Canary      Phase = "canary"
	Full        Phase = "full"
	BakePhase   Phase = "bake"
	Succeeded   Phase = "succeeded"
	Aborting    Phase = "aborting"
	RollingBack Phase = "rolling_back"
	Aborted     Phase = "aborted"
	RolledBack  Phase = "rolled_back"
)

// State is one release. It is immutable; a change makes a new State with the next
// Generation.
type State struct {
	ID         string    `json:"id"` // model/candidate/n
	Model      string    `json:"model"`
	Live       int       `json:"live"` // the version that serves when this is taken back; 0: none, the first release
	Candidate  int       `json:"candidate"`
	Baseline   int       `json:"baseline"` // the floor's version; 0: none
	Plan       Plan      `json:"plan"`
	Phase      Phase     `json:"phase"`
	Step       int       `json:"step"` // of Plan.Canary, in phase Canary
	Paused     string    `json:"paused,omitempty"`
	Waits      bool      `json:"waits,omitempty"` // it paused by itself, and goes on by itself when the cause is gone
	Floor      bool      `json:"floor,omitempty"` // the live version is clearly worse than the baseline, which answers instead
	Generation int64     `json:"generation"`      // of the model's route; rises with every change, over releases
	StartedAt  time.Time `json:"started_at"`
	EnteredAt  time.Time `json:"entered_at"` // of the phase and step
	EndedAt    time.Time `json:"ended_at,omitzero"`
	Cause      string    `json:"cause"`          // schedule, drift, score, hand, first
	By         string    `json:"by"`             // who asked
	Reason     string    `json:"reason"`         // of the last change, one sentence
	Mark       string    `json:"mark,omitempty"` // whose leave it went without, for ever; empty: nobody's
	Seed       string    `json:"seed"`           // salt of the assignment
	Shares     []Share   `json:"shares,omitempty"`
}

// Share is how much of the traffic the candidate answered from a generation of the route
// on, until the next.
type Share struct {
	Generation int64   `json:"generation"`
	Share      float64 `json:"share"`
}

// ShareAt is the share by which a route of the release with the generation drew, and
// its place in Shares; -1 where the release had none yet.
func (s State) ShareAt(generation int64) (share float64, at int) {
	at = -1
	for i, x := range s.Shares {
		if x.Generation <= generation && generation <= s.Generation {
			share, at = x.Share, i
		}
	}
	return share, at
}

// Route is how a model's traffic is split at one moment: a pure function of the
// model's newest State. It is immutable.
type Route struct {
	Model      string    `json:"model"`
	Generation int64     `json:"generation"`
	Live       int       `json:"live"`      // answers what the candidate does not; 0: none
	Candidate  int       `json:"candidate"` // 0: no release under way
	Baseline   int       `json:"baseline"`  // loaded beside; answers when Floor, or when nothing else can; 0: none
	Previous   int       `json:"previous"`  // kept loaded; 0: none
	Share      float64   `json:"share"`     // of live traffic that the candidate answers, 0 to 1
	Both       bool      `json:"both"`      // live and candidate both score every request
	Floor      bool      `json:"floor"`     // the baseline answers instead of the live version
	Seed       string    `json:"seed"`
	Fallback   *Fallback `json:"fallback,omitempty"`
}
