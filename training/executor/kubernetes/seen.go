// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"flyball/training/executor/cluster"
)

// pod is a pod as it is read.
type pod struct {
	object
	Status struct {
		Phase      string      `json:"phase"`
		Conditions []condition `json:"conditions"`
		Containers []struct {
			State struct {
				Waiting    *ending `json:"waiting"`
				Terminated *ending `json:"terminated"`
			} `json:"state"`
		} `json:"containerStatuses"`
	} `json:"status"`
}

type ending struct {
	Exit    int    `json:"exitCode"`
	Signal  int    `json:"signal"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// workload is what Kueue makes of a job, as it is read.
type workload struct {
	object
	Status struct {
		Conditions []condition `json:"conditions"`
	} `json:"status"`
}

// held is why Kueue does not let the job go; empty: it does, or has not looked yet.
func (w workload) held() string {
	for _, c := range w.Status.Conditions {
		if c.Type == "QuotaReserved" && c.Status == "False" {
			return words(c.Reason, c.Message)
		}
	}
	return ""
}

// is finds a condition that holds.
func is(all []condition, kind string) (condition, bool) {
	for _, c := range all {
		if c.Type == kind && c.Status == "True" {
			return c, true
		}
	}
	return condition{}, false
}

// words are a reason and its message, in Kubernetes' words.
func words(reason, message string) string {
	if reason == "" || message == "" {
		return reason + message
	}
	return reason + ": " + message
}

// seen is what a job and its pods say. Whether the job has ended is told by its
// conditions alone; the pods only say why.
func seen(j job, pods []pod) cluster.Seen {
	if _, ok := is(j.Status.Conditions, "Complete"); ok {
		return cluster.Seen{Phase: cluster.Done}
	}
	if c, ok := is(j.Status.Conditions, "Failed"); ok {
		return failed(c, pods)
	}
	for _, p := range pods {
		if p.Status.Phase != "Pending" {
			return cluster.Seen{Phase: cluster.Running}
		}
	}
	if c, ok := is(j.Status.Conditions, "Suspended"); ok {
		return cluster.Seen{Phase: cluster.Queued, Reason: words(c.Reason, c.Message)}
	}
	return cluster.Seen{Phase: cluster.Queued, Reason: waits(pods)}
}

// failed tells a program that failed from one that was taken away: evicted, preempted,
// deleted, or lost with its node.
func failed(c condition, pods []pod) cluster.Seen {
	switch c.Reason {
	case "DeadlineExceeded":
		return cluster.Seen{Phase: cluster.Over, Reason: words(c.Reason, c.Message)}
	case "PodFailurePolicy": // ours has one rule, for pods that are disrupted
		return cluster.Seen{Phase: cluster.Gone, Reason: words(c.Reason, c.Message)}
	}
	ended := cluster.Seen{Phase: cluster.Gone, Reason: words(c.Reason, c.Message) + "; its pod is gone"}
	for _, p := range pods {
		if d, ok := is(p.Status.Conditions, "DisruptionTarget"); ok {
			return cluster.Seen{Phase: cluster.Gone, Reason: words(d.Reason, d.Message)}
		}
		for _, k := range p.Status.Containers {
			t := k.State.Terminated
			if t == nil || t.Exit == 0 && t.Signal == 0 || p.Metadata.Deleted != "" {
				continue
			}
			exit := t.Exit
			if exit == 0 {
				exit = 128 + t.Signal
			}
			ended = cluster.Seen{Phase: cluster.Broken, Exit: exit, Reason: words(t.Reason, t.Message)}
			if t.Reason == "OOMKilled" {
				ended.Phase = cluster.Over
			}
		}
	}
	return ended
}

// waits is why no pod runs: no node fits, or its image cannot be had.
func waits(pods []pod) string {
	for _, p := range pods {
		for _, c := range p.Status.Conditions {
			if c.Type == "PodScheduled" && c.Status == "False" {
				return words(c.Reason, c.Message)
			}
		}
		for _, k := range p.Status.Containers {
			if w := k.State.Waiting; w != nil {
				return words(w.Reason, w.Message)
			}
		}
	}
	return ""
}
