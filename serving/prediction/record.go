// SPDX-License-Identifier: Apache-2.0

// Package prediction is the record of one answer, and of the truth when it comes.
// It defines the records and what a log of them must do; package predictionlog
// keeps them on disk.
package prediction

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"flyball/ident"
)

// Roles of a version in an answer.
const (
	Live      = "live"      // the version that serves
	Candidate = "candidate" // the version under release
	Baseline  = "baseline"  // the floor model
	Fallback  = "fallback"  // no version: the model file's fallback
)

// Record is one answer to one row. It is immutable.
type Record struct {
	ID         ident.PredictionID `json:"id"`
	Model      string             `json:"model"`
	Version    int                `json:"version"`    // that answered; 0 for the fallback
	Arm        string             `json:"arm"`        // role of the version that answered
	Generation int64              `json:"generation"` // of the route under which it was answered; 0: elsewhere
	At         time.Time          `json:"at"`         // when it was answered, by the process's clock
	Time       time.Time          `json:"time"`       // event time of the row; At where the model file names no time
	Due        time.Time          `json:"due"`        // when its truth is due; never zero
	Key        string             `json:"key"`        // the caller's key as sent; empty: none
	Row        json.RawMessage    `json:"row"`        // the request's row, a JSON object, as sent
	Scores     []float64          `json:"scores"`     // one, or one a class
	Decision   string             `json:"decision,omitempty"`
	Flags      []string           `json:"flags,omitempty"` // unseen:agent, missing:adr, …
	Latency    time.Duration      `json:"latency"`
	Others     []Other            `json:"others,omitempty"`  // what other versions said of the same row
	Vector     []byte             `json:"vector,omitempty"`  // of a sample of the rows: the features that the version answered from, float32, little-endian
	Reasons    json.RawMessage    `json:"reasons,omitempty"` // why, as Reasons; kept apart from the record, and given where Query.Reasons asks

	// Audit is the groups that the row belongs to, by column of Task.Audit. It is kept apart
	// from the record, given where Query.Audit asks, and never written with it.
	Audit map[string]string `json:"-"`
}

// Other is what a version that did not answer said of the same row.
type Other struct {
	Role    string    `json:"role"`
	Version int       `json:"version"`
	Scores  []float64 `json:"scores,omitempty"`
	Error   string    `json:"error,omitempty"` // why it has no scores

	Decision string        `json:"decision,omitempty"`
	Latency  time.Duration `json:"latency,omitempty"` // of this version alone
}

// Label is the truth of one prediction, named by its id or by the caller's key. The
// latest received wins; earlier ones are kept.
type Label struct {
	Model    string             `json:"model"`
	ID       ident.PredictionID `json:"id,omitempty"`
	Key      string             `json:"key,omitempty"`
	Value    string             `json:"value"`    // the number in its shortest form, or the class
	At       time.Time          `json:"at"`       // when the truth became known
	Received time.Time          `json:"received"` // by the process's clock
}

// Joined is a prediction with its truth.
type Joined struct {
	Record
	Label *Label // nil: not known
}

// Forgotten is what was removed of a caller's key.
type Forgotten struct {
	Rows   int                  `json:"rows"`             // predictions
	Labels int                  `json:"labels"`           //
	Files  int                  `json:"files"`            // sealed files that were written anew
	Since  map[string]time.Time `json:"since,omitempty"`  // of each model, when the first of the predictions was answered
	Shared bool                 `json:"shared,omitempty"` // its copies in the bucket go with the next checkpoint
	Traces bool                 `json:"traces,omitempty"` // what was staged may be found in free space of staged.db until that is used again
}

// Query selects predictions of a model. Zero times do not bound.
type Query struct {
	Model string
	From  time.Time          // event time at or after
	To    time.Time          // event time before
	DueBy time.Time          // truth due at or before
	AsOf  time.Time          // labels received at or before, and records answered at or before
	Key   string             // only this key
	ID    ident.PredictionID // only this id
	Since time.Time          // answered at or after
	Last  int                // only the newest so many by event time; 0: all

	Version  int    // only what this version answered; 0: any
	Arm      string // only what this role answered
	Decision string // only with this decision
	Flag     string // only with this flag, or one that begins so and goes on with a colon
	Truth    string // "known" or "waiting": only with a label, or without; empty: both

	Reasons bool // give the reasons too
	Audit   bool // give the groups too: only for what is told of many rows together
}

// Picks reports whether q asks for more than times and names, so that each record must
// be looked at.
func (q *Query) Picks() bool {
	return q.Version != 0 || q.Arm != "" || q.Decision != "" || q.Flag != ""
}

// Wants reports whether a record is what q picks, apart from times, names and truth.
func (q *Query) Wants(r *Record) bool {
	flagged := func(f string) bool { return f == q.Flag || strings.HasPrefix(f, q.Flag+":") }
	return (q.Version == 0 || q.Version == r.Version && r.Arm != Baseline) && (q.Arm == "" || q.Arm == r.Arm) &&
		(q.Decision == "" || q.Decision == r.Decision) && (q.Flag == "" || slices.ContainsFunc(r.Flags, flagged))
}

// Log keeps records and labels. All methods may be called at once.
type Log interface {
	// Append takes records as they are made. When durable, it returns after they
	// are on disk, or with an error. Otherwise it does not block: a log that
	// cannot keep up waits or drops and counts, as wait says. What it drops is an
	// error, too: nil says that all are kept, unless the process is killed.
	Append(ctx context.Context, durable, wait bool, rs ...Record) error

	// AppendLabels returns after the labels are on disk. It tells how many name a
	// prediction that is not known (yet); those wait for theirs.
	AppendLabels(ctx context.Context, ls ...Label) (unmatched int, err error)

	// Scan calls visit for each selected prediction in order of event time, then
	// id, with its newest label. It stops at visit's first error and returns it.
	Scan(ctx context.Context, q Query, visit func(Joined) error) error
}

// ScoresOf is what the model's version said of the row, whether it answered or not;
// nil when it said nothing. The baseline's versions are counted apart: ask
// BaselineScores for them.
func (r *Record) ScoresOf(version int) []float64 {
	if r.Version == version && (r.Arm == Live || r.Arm == Candidate) {
		return r.Scores
	}
	for _, o := range r.Others {
		if o.Version == version && o.Role != Baseline {
			return o.Scores
		}
	}
	return nil
}

// BaselineScores is what the floor model said of the row; nil when it said nothing.
func (r *Record) BaselineScores() []float64 {
	if r.Arm == Baseline {
		return r.Scores
	}
	for _, o := range r.Others {
		if o.Role == Baseline {
			return o.Scores
		}
	}
	return nil
}
