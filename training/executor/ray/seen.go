// SPDX-License-Identifier: Apache-2.0

package ray

import (
	"strings"

	"flyball/training/executor/cluster"
)

// job is a job as Ray describes it.
type job struct {
	ID       string            `json:"submission_id"`
	Status   string            `json:"status"`
	Message  string            `json:"message"`
	Error    string            `json:"error_type"`
	Exit     *int              `json:"driver_exit_code"` // -9: signal 9
	Metadata map[string]string `json:"metadata"`
}

// seen is what a job's description says.
func seen(j job) cluster.Seen {
	said, _, _ := strings.Cut(j.Message, ", last available logs") // the logs follow, which come by another way
	s := cluster.Seen{Reason: short(said)}
	switch j.Status {
	case "PENDING":
		s.Phase = cluster.Queued
	case "RUNNING":
		s.Phase, s.Reason = cluster.Running, ""
	case "SUCCEEDED":
		s.Phase, s.Reason = cluster.Done, ""
	case "STOPPED":
		s.Phase = cluster.Stopped
	case "FAILED":
		s.Phase = failed(j.Error)
	default:
		s.Phase, s.Reason = cluster.Running, "Ray calls it "+short(j.Status)
	}
	if j.Exit != nil {
		s.Exit = *j.Exit
	}
	if s.Exit < 0 {
		s.Exit = 128 - s.Exit
	}
	return s
}

// failed tells a command that failed, or never began, from one whose supervisor is gone.
func failed(kind string) cluster.Phase {
	switch kind {
	case "JOB_SUPERVISOR_ACTOR_DIED", "JOB_SUPERVISOR_ACTOR_UNSCHEDULABLE", "JOB_SUPERVISOR_ACTOR_UNKNOWN_FAILURE":
		return cluster.Gone
	}
	return cluster.Broken
}
