// SPDX-License-Identifier: Apache-2.0

// Package kubernetes starts attempts as Jobs of a Kubernetes cluster, and knows no more
// than cluster.Engine asks. It speaks the plain REST API of batch/v1 and core/v1, from a
// kubeconfig or from inside the cluster. A job's secrets travel in a Secret that the Job
// owns, never in the pod's description. It installs nothing in the cluster, and runs no
// program of a kubeconfig.
package kubernetes

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"flyball/fault"
	"flyball/training/executor/cluster"
	"flyball/unit"
)

// Options say which cluster, and what its pods are. Zero values are good but for Image,
// without which each job must name its own.
type Options struct {
	Kubeconfig string // a file; empty: the service account of the pod that this process runs in
	Context    string // of the file; empty: its current one
	Namespace  string // empty: the context's, or this pod's own; else "default"

	Image          string            // of jobs that name none
	PullSecrets    []string          // names of Secrets that open the registry
	ServiceAccount string            // of pods; its token is not given to them. Empty: the namespace's default
	Nodes          map[string]string // labels that a node must have
	Tolerations    []Toleration
	User           int64         // and group, that programs run as; 0: 65532. Never root
	Keep           unit.Duration // how long the cluster keeps an ended job; 0: a day
}

// Toleration lets pods on nodes with a taint, as Kubernetes has it.
type Toleration struct {
	Key      string `json:"key,omitempty"`
	Operator string `json:"operator,omitempty"`
	Value    string `json:"value,omitempty"`
	Effect   string `json:"effect,omitempty"`
}

// patience bounds every call.
const patience = 10 * time.Second

// Engine is a cluster.Engine of one namespace.
type Engine struct {
	opts Options
	server
}

// New reads how to reach the cluster. It calls nobody.
func New(o Options) (*Engine, error) {
	s, err := find(o)
	if err != nil {
		return nil, err
	}
	if o.User < 0 {
		return nil, fault.New(fault.Invalid, "pods cannot run as the user %d", o.User)
	}
	if o.User == 0 {
		o.User = 65532
	}
	if o.Keep == 0 {
		o.Keep = unit.Duration(24 * time.Hour)
	}
	return &Engine{opts: o, server: s}, nil
}

// Start makes the Job and then its Secret, for which the pod waits: so the Secret has an
// owner from its first moment, and goes with the Job.
func (e *Engine) Start(ctx context.Context, s cluster.Spec) (cluster.Ref, error) {
	want, err := e.job(s)
	if err != nil {
		return cluster.Ref{}, err
	}
	var j job
	switch err := e.call(ctx, http.MethodPost, e.jobs(""), want, &j); {
	case fault.Is(err, fault.Conflict):
		if err := e.call(ctx, http.MethodGet, e.jobs(s.Name), nil, &j); err != nil {
			return cluster.Ref{}, err
		}
		if j.Metadata.Annotations[digest] != s.Digest {
			return cluster.Ref{}, fault.New(fault.Conflict, "the namespace %s has another Job %s", e.namespace, s.Name)
		}
	case err != nil:
		return cluster.Ref{}, err
	}
	if len(s.Env) > 0 {
		err := e.call(ctx, http.MethodPost, e.secrets(), e.secret(s, j.Metadata.UID), nil)
		if err != nil && !fault.Is(err, fault.Conflict) {
			return cluster.Ref{}, err
		}
	}
	return cluster.Ref{Name: s.Name, ID: j.Metadata.UID}, nil
}

// Look lists the jobs of the namespace that Flyball made, and their pods: two calls, a third
// while Kueue holds some of them, and one more for each 500 objects.
func (e *Engine) Look(ctx context.Context, refs []cluster.Ref) (map[string]cluster.Seen, error) {
	ctx, done := context.WithTimeout(ctx, patience)
	defer done()
	if len(refs) == 0 {
		return map[string]cluster.Seen{}, nil
	}
	wanted := map[string]string{}
	for _, r := range refs {
		wanted[r.Name] = r.ID
	}
	jobs, err := list[job](ctx, e, e.jobs(""), ours)
	if err != nil {
		return nil, err
	}
	pods, err := list[pod](ctx, e, e.core("pods"), ours)
	if err != nil {
		return nil, err
	}
	of := map[string][]pod{} // by the UID of the job
	for _, p := range pods {
		for _, o := range p.Metadata.Owners {
			of[o.UID] = append(of[o.UID], p)
		}
	}
	out, held := map[string]cluster.Seen{}, map[string]string{}
	for _, j := range jobs {
		name, uid := j.Metadata.Name, j.Metadata.UID
		if id, ok := wanted[name]; ok && (id == "" || id == uid) && j.Metadata.Deleted == "" {
			out[name] = seen(j, of[uid])
			if j.Metadata.Labels[queue] != "" && j.Spec.Suspend && out[name].Phase == cluster.Queued {
				held[uid] = name
			}
		}
	}
	if len(held) > 0 {
		e.explain(ctx, held, out)
	}
	return out, nil
}

// explain has jobs that wait, names by their UIDs, say why Kueue holds them. It is a word to
// a person: where nobody tells, since there is no Kueue or a role of an earlier release, they
// say that they are suspended.
func (e *Engine) explain(ctx context.Context, held map[string]string, out map[string]cluster.Seen) {
	path := fmt.Sprintf("/apis/kueue.x-k8s.io/v1beta2/namespaces/%s/workloads", url.PathEscape(e.namespace))
	all, _ := list[workload](ctx, e, path, uidOf+" in ("+strings.Join(slices.Sorted(maps.Keys(held)), ",")+")")
	for _, w := range all {
		name, ok := held[w.Metadata.Labels[uidOf]]
		if why := w.held(); ok && why != "" {
			out[name] = cluster.Seen{Phase: cluster.Queued, Reason: why}
		}
	}
}

// ours selects what Flyball made.
const ours = madeBy + "=flyball"

// list reads all of one kind that a selector of labels finds, a page at a time.
func list[T any](ctx context.Context, e *Engine, path, selector string) ([]T, error) {
	var all []T
	query := url.Values{"labelSelector": {selector}, "limit": {"500"}}
	for {
		var page struct {
			Metadata struct {
				Continue string `json:"continue"`
			} `json:"metadata"`
			Items []T `json:"items"`
		}
		if err := e.call(ctx, http.MethodGet, path+"?"+query.Encode(), nil, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if page.Metadata.Continue == "" {
			return all, nil
		}
		query.Set("continue", page.Metadata.Continue)
	}
}

// Stop deletes the job. Its pods get SIGTERM, and go with it.
func (e *Engine) Stop(ctx context.Context, r cluster.Ref) error {
	how := map[string]any{"propagationPolicy": "Background"}
	if r.ID != "" {
		how["preconditions"] = map[string]string{"uid": r.ID}
	}
	err := e.call(ctx, http.MethodDelete, e.jobs(r.Name), how, nil)
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Conflict) { // gone, or another of that name
		return nil
	}
	return err
}

// Clean deletes what is left of the job.
func (e *Engine) Clean(ctx context.Context, r cluster.Ref) error { return e.Stop(ctx, r) }

func (e *Engine) jobs(name string) string {
	path := fmt.Sprintf("/apis/batch/v1/namespaces/%s/jobs", url.PathEscape(e.namespace))
	if name != "" {
		path += "/" + url.PathEscape(name)
	}
	return path
}

func (e *Engine) core(kind string) string {
	return fmt.Sprintf("/api/v1/namespaces/%s/%s", url.PathEscape(e.namespace), kind)
}

func (e *Engine) secrets() string { return e.core("secrets") }
