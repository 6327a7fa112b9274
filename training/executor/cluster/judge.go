// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"time"

	"flyball/training/executor"
)

// How many beats of a node may be missing: so many, and an engine that says it is over is
// believed; so many, and the node is gone whatever the engine says.
const (
	fewBeats  = 3
	manyBeats = 24
)

// unknowns is how many answers of an engine, one after the other, must lack a job before
// it is lost.
const unknowns = 2

// facts are what is known of an attempt that has no end yet.
type facts struct {
	claimed  bool          // a run has it
	left     string        // why the run ended without a result, in its own words; empty: it did not say so
	quiet    time.Duration // since we last saw a new sign of life of the run, as long as we look
	beat     time.Duration // between two signs
	answered bool          // the engine did
	seen     *Seen         // what the engine said of it; nil: nothing
	missed   int           // answers of the engine, one after the other, that lack it
}

// judge says where an attempt is that has committed nothing. A final state is for the
// caller to keep: first come, first kept, so what the run commits before counts, and what
// comes after is refused.
func judge(f facts) executor.Status {
	as := executor.Status{State: executor.Pending}
	if f.claimed {
		as.State = executor.Running
	}
	end := func(state executor.State, format string, args ...any) executor.Status {
		return executor.Status{State: state, Reason: fmt.Sprintf(format, args...)}
	}
	silent := f.left != "" || f.quiet >= fewBeats*f.beat
	switch {
	case f.claimed && !silent: // it lives, whatever the engine says
		return as
	case f.claimed && f.quiet >= manyBeats*f.beat:
		return end(executor.Lost, "its node has not been heard of for %s", f.quiet.Round(time.Second))
	case !f.answered:
		return as
	case f.seen == nil && f.missed < unknowns:
		return as
	case f.seen == nil:
		return end(executor.Lost, "the engine does not know it any more")
	}
	said := f.seen.Reason
	if said == "" {
		said = fmt.Sprintf("exit code %d", f.seen.Exit)
	}
	if f.left != "" {
		said += "; " + f.left
	}
	switch f.seen.Phase {
	case Queued, Running:
		if f.claimed && f.seen.Phase == Queued && f.quiet >= fewBeats*f.beat {
			return end(executor.Lost, "the engine took it back into its queue: %s", said)
		}
		if as.Reason = f.seen.Reason; f.claimed {
			as.Reason = ""
		}
		return as
	case Over:
		return end(executor.Failed, "the engine ended it, since a limit was passed: %s", said)
	case Stopped:
		return end(executor.Canceled, "it was ended at the engine: %s", said)
	case Done, Broken:
		if !f.claimed {
			return withExit(end(executor.Failed, "it ended on its node before it reached this server: %s", said), f.seen.Exit)
		}
		return end(executor.Lost, "its supervisor on the node ended before it: %s", said)
	}
	return end(executor.Lost, "its node is gone, or the engine ran it again: %s", said)
}

func withExit(s executor.Status, exit int) executor.Status {
	s.Exit = exit
	return s
}
