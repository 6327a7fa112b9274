// SPDX-License-Identifier: Apache-2.0

// Package cluster is an executor over many machines. An engine (Slurm, Kubernetes, Ray)
// finds a node and starts there one program, this binary with the words of Spec.Command;
// that fetches the inputs of its attempt from the server, runs the job under a
// supervisor, and commits a manifest of what it made. The truth is the manifest, never
// what the engine says: engines give the number of a lost job to another, run a job
// again whose first payload still lives, and forget what has ended. It does not know
// how an engine queues or what a program computes.
package cluster

import (
	"context"

	"flyball/unit"
)

// Engine is a cluster's own queue of jobs. All methods may be called at once, and every
// call ends within ten seconds: an engine that does not answer is an Unavailable fault,
// which says nothing about any job. Each package below implements it, and knows no other.
type Engine interface {
	// Start asks the engine for a job, unless it knows one of that name: then it is that
	// one when it was asked for with the same Digest, else a Conflict fault. The engine's
	// own retries are off: a job that ends is not run again by it. What the engine can never run (an
	// unknown queue, more than any node has) is an Invalid fault where the engine says so at once.
	Start(ctx context.Context, s Spec) (Ref, error)

	// Look is what the engine knows of jobs, in as few calls as it has: one for all. A job
	// that it does not know is not in the answer.
	Look(ctx context.Context, refs []Ref) (map[string]Seen, error)

	// Stop asks the engine to end a job. It is a wish: the engine may not grant it, and
	// an unknown job is nothing to stop.
	Stop(ctx context.Context, r Ref) error

	// Clean lets the engine forget a job that has ended, where it would keep it for ever.
	Clean(ctx context.Context, r Ref) error
}

// Spec is a job as an engine needs it.
type Spec struct {
	Name      string            // of the attempt: at most 52 letters, digits and dashes, lower case, a letter first; unique for ever
	Digest    string            // of all that was asked for, hex: two specs of a name are the same when it is
	Command   []string          // run on the node; the first is the binary's path there
	Env       map[string]string // for the program; it holds the attempt's token, so an engine must not show it on a command line
	Resources Resources
	Time      unit.Duration // after which the engine may end the job; 0: no bound
}

// Resources are what the job is given. Zero of each: the engine's own default.
type Resources struct {
	CPUs   int
	Memory unit.Bytes
	GPUs   int
	Image  string // of the container, where the engine has containers
	Queue  string // Slurm's partition, the local queue of Kueue; Ray has none and refuses it
	Tasks  int    // of an array: so many copies of the program, each with FLYBALL_TASK from 0; 0: one, and no variable
}

// Ref names a job to its engine, across restarts.
type Ref struct {
	Name string `json:"name"`
	ID   string `json:"id"` // the engine's own; trusted only together with Name, since engines give ids again
}

// Seen is what an engine says of a job.
type Seen struct {
	Phase  Phase
	Exit   int    // of the program, where the engine says it; 128 + n when signal n ended it
	Reason string // in the engine's words: why it waits, or why it ended; empty: it does not say
}

// Phase is where the engine has a job.
type Phase string

// The phases. An engine that ran a job again against its orders says Again: the attempt
// is over, whatever becomes of the second payload.
const (
	Queued  Phase = "queued"
	Running Phase = "running"
	Done    Phase = "done"    // its program ended with exit code 0
	Broken  Phase = "broken"  // its program ended otherwise, or never began
	Over    Phase = "over"    // the engine ended it: it used more memory or time than was asked for
	Stopped Phase = "stopped" // somebody ended it at the engine, by hand
	Gone    Phase = "gone"    // its node, or what watched it there, is gone: nobody knows how it ended
	Again   Phase = "again"
)
