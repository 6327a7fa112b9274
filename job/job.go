// SPDX-License-Identifier: Apache-2.0

// Package job is the durable queue of background work: a job is a row, claimed
// under a lease with a fencing number that the database's clock judges. A lost
// worker's job is taken over when its lease ends; what the lost worker still tries
// to write is refused. It does not know what a job does: handlers do.
package job

import (
	"context"
	"encoding/json"
	"time"
)

// State is where a job is.
type State string

// The states of a job. Done, Failed and Canceled are final.
const (
	Queued   State = "queued"
	Running  State = "running"
	Done     State = "done"
	Failed   State = "failed"
	Canceled State = "canceled"
)

// Final reports whether a job in the state has ended.
func (s State) Final() bool { return s == Done || s == Failed || s == Canceled }

// Job is one piece of work.
type Job struct {
	ID       string          `json:"id"`
	Kind     string          `json:"kind"`  // train, reproduce …
	Key      string          `json:"key"`   // of the work: adding the same key again is once
	Model    string          `json:"model"` //
	Input    json.RawMessage `json:"input"`
	State    State           `json:"state"`
	Attempt  int             `json:"attempt"` // rises with each claim
	Fence    int64           `json:"fence"`   // rises with each claim of any job; writes carry it
	Result   json.RawMessage `json:"result,omitempty"`
	Error    string          `json:"error,omitempty"`
	Progress string          `json:"progress,omitempty"`
	AddedAt  time.Time       `json:"added_at"` // by the process's clock
	EndedAt  time.Time       `json:"ended_at,omitzero"`
}

// Store is what the queue needs kept. Package store implements it. Leases are
// judged by the database's clock, never by the caller's.
type Store interface {
	// AddJob adds j unless a job with its kind and key exists, and returns the job
	// as it is kept.
	AddJob(ctx context.Context, j Job) (Job, error)

	// ClaimJob gives the oldest job of one of the kinds that is queued, or running
	// with its lease ended, a new attempt, fence and lease; false when there is
	// none. A job claimed more than maxAttempts times is failed instead.
	ClaimJob(ctx context.Context, kinds []string, worker string, lease time.Duration, maxAttempts int) (Job, bool, error)

	// RenewJob extends the lease and keeps the progress. It returns a Conflict
	// fault when another attempt holds the job or it was canceled.
	RenewJob(ctx context.Context, id string, fence int64, lease time.Duration, progress string) error

	// EndJob ends a running job as Done or Failed, under the same condition.
	EndJob(ctx context.Context, id string, fence int64, state State, result json.RawMessage, problem string, now time.Time) error

	// ReturnJob gives a running job back to the queue, as if this attempt had not
	// been, under the same condition: a worker that stops does so.
	ReturnJob(ctx context.Context, id string, fence int64) error

	// Job is one job; a NotFound fault when there is none.
	Job(ctx context.Context, id string) (Job, error)
}
