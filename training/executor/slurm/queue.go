// SPDX-License-Identifier: Apache-2.0

package slurm

import (
	"strconv"
	"strings"

	"flyball/fault"
	"flyball/training/executor/cluster"
)

// format is what squeue is asked for, a bar behind each field.
const format = "ArrayJobID:|,Name:|,Comment:|,State:|,Reason:|,exit_code:|,RestartCnt:|"

// line is one job, or one task of an array.
type line struct {
	id, name, comment string
	state, reason     string
	exit              int // of the program; 128 + n when signal n ended it
	restarts          int
}

// parse reads what squeue printed. What is none of our lines, since its name or comment
// holds a bar, is left out.
func parse(text string) ([]line, error) {
	var out []line
	for row := range strings.Lines(text) {
		f := strings.Split(strings.TrimSpace(row), "|")
		if len(f) == 1 && f[0] == "" {
			continue
		}
		if len(f) < 8 {
			return nil, fault.New(fault.Unavailable, "squeue answered %q, which has other fields than it was asked for", row[:min(len(row), 200)]).
				Do("see docs/executors.md for the versions of Slurm")
		}
		if len(f) != 8 {
			continue
		}
		l := line{id: f[0], name: f[1], comment: f[2], state: f[3], reason: f[4], exit: exitOf(f[5])}
		l.restarts, _ = strconv.Atoi(f[6])
		out = append(out, l)
	}
	return out, nil
}

// exitOf reads how a program ended: as waitpid(2) has it, or as code:signal.
func exitOf(text string) int {
	code, signal, two := strings.Cut(text, ":")
	c, _ := strconv.Atoi(code)
	s, _ := strconv.Atoi(signal)
	if !two {
		c, s = c>>8, c
	}
	if s &= 0x7f; s > 0 {
		return 128 + s
	}
	return c & 0xff
}

// seen is what a job's state comes to.
func (l line) seen() cluster.Seen {
	s := cluster.Seen{Exit: l.exit, Reason: l.reason}
	if s.Reason == "None" {
		s.Reason = ""
	}
	switch l.state {
	case "PENDING", "CONFIGURING", "SUSPENDED", "RESV_DEL_HOLD":
		s.Phase = cluster.Queued
	case "COMPLETED":
		s.Phase = cluster.Done
	case "FAILED":
		s.Phase = cluster.Broken
	case "TIMEOUT", "DEADLINE", "OUT_OF_MEMORY":
		s.Phase = cluster.Over
	case "CANCELLED":
		s.Phase = cluster.Stopped
	case "NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "REVOKED":
		s.Phase = cluster.Gone
	case "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT":
		s.Phase = cluster.Again
	default: // RUNNING, COMPLETING, SIGNALING, STAGE_OUT, STOPPED, RESIZING and those to come
		s.Phase = cluster.Running
	}
	if l.restarts > 0 {
		s.Phase = cluster.Again
	}
	if s.Phase == cluster.Over || s.Phase == cluster.Gone || s.Phase == cluster.Stopped { // its reason may say nothing
		s.Reason = strings.TrimSpace(l.state + " " + s.Reason)
	}
	return s
}

// together is an array as one job: it goes on as long as one of its tasks does, and ended
// as the worst of them did.
func together(tasks []line) cluster.Seen {
	order := []cluster.Phase{cluster.Running, cluster.Queued, cluster.Again, cluster.Gone, cluster.Over, cluster.Broken, cluster.Stopped, cluster.Done}
	for _, phase := range order {
		for _, l := range tasks {
			if s := l.seen(); s.Phase == phase {
				return s
			}
		}
	}
	return cluster.Seen{Phase: cluster.Running}
}
