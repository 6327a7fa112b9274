// SPDX-License-Identifier: Apache-2.0

// Package executor is where programs run that train: four verbs, submit, poll, cancel
// and logs, over one machine (training/executor/local) or many. What a program made
// counts when a manifest of its outputs was committed under its attempt's token, not
// when it ended well. It does not know what a program computes: package training does.
package executor

import (
	"context"
	"io"
	"time"

	"flyball/unit"
)

// Executor runs jobs. All methods may be called at once. It is level-triggered: who
// submitted looks (Poll) until the state is final, and after a restart submits the same
// key again.
type Executor interface {
	// Submit starts the job, unless one of its Key is known: then it is that one,
	// whatever its state, and nothing starts. A job that cannot be started here (no such
	// program, more memory than there is) is an Invalid fault; an executor that cannot be
	// reached is Unavailable, and submitting again is right.
	Submit(ctx context.Context, j Job) (Handle, error)

	// Poll says where the job is. A handle that is not known is a NotFound fault.
	Poll(ctx context.Context, h Handle) (Status, error)

	// Cancel ends the job and all its processes. It returns when they are gone or, at
	// the latest, when ctx ends; a job that has ended stays as it is.
	Cancel(ctx context.Context, h Handle) error

	// Logs are what the job has printed from byte offset on, its outputs and errors as
	// they came; the reader ends where the job is now. Reading from the end so far gives
	// what came since.
	Logs(ctx context.Context, h Handle, offset int64) (io.ReadCloser, error)

	// Output opens a file that the manifest of a Succeeded job names.
	Output(ctx context.Context, h Handle, name string) (io.ReadCloser, error)

	// Forget removes what is kept of an ended job: its folder, its logs. Its Key is free
	// again. A job that runs is a Conflict fault.
	Forget(ctx context.Context, h Handle) error
}

// Self is this program, wherever the job runs, when it is the program of a job.
const Self = "{flyball}"

// Job is a program to run.
type Job struct {
	Key     string            // of the work: the same key is the same job. An attempt has a key of its own
	Command []string          // the program and its arguments; a relative program is one of Inputs
	Env     map[string]string // variables besides those that the executor sets; values may hold {in} and {out}, the folders, and {server}, our address as the job reaches it
	Path    []string          // folders that programs are looked for in before all others
	Inputs  map[string]Input  // files to lay into the folder where the command begins, by path
	Limits  Limits
}

// Input is one file of a job.
type Input struct {
	Open func(ctx context.Context) (io.ReadCloser, error)
	Size int64 // bytes
	Mode uint32
}

// Limits bound a job. Zero: no bound, but for CPUs: one.
type Limits struct {
	Time   unit.Duration
	Memory unit.Bytes // of all its processes
	CPUs   int        // granted; OMP_NUM_THREADS and its like are set to it
	Output unit.Bytes // of its folder; zero: 16 GB

	// Of executors over many machines; the one of this machine refuses them.
	GPUs  int
	Image string // of the container that it runs in
	Queue string
}

// Handle names a submitted job to its executor, across restarts.
type Handle string

// State is where a job is.
type State string

// The states. The last four are final.
const (
	Pending   State = "pending"
	Running   State = "running"
	Succeeded State = "succeeded" // a manifest is committed
	Failed    State = "failed"    // the program ended and there is none, or a limit was passed
	Canceled  State = "canceled"  // by Cancel
	Lost      State = "lost"      // nobody knows how it ended: its machine or its supervisor is gone
)

// Final reports whether the state stays.
func (s State) Final() bool { return s != Pending && s != Running }

// Status is what is known of a job.
type Status struct {
	State    State
	Exit     int    // of the program, when it ended by itself; 128 + n when signal n ended it
	Reason   string // why it failed or was lost, in a sentence; of a pending job, why it waits, where its engine says so
	Manifest *Manifest
	Usage    Usage
	Began    time.Time
	Ended    time.Time
}

// Manifest is what a job made, committed as a whole under the token of its attempt.
type Manifest struct {
	Token string          `json:"token"`
	Files map[string]File `json:"files"` // below the output folder, by path with slashes
}

// File is one output.
type File struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // hex
}

// Usage is what a job used.
type Usage struct {
	Seconds float64    `json:"seconds"` // by the clock
	CPU     float64    `json:"cpu"`     // seconds of processors, user and system
	Memory  unit.Bytes `json:"memory"`  // the most that was resident at once, of the largest process
	CPUs    int        `json:"cpus"`    // granted
}
