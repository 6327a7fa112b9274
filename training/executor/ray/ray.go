// SPDX-License-Identifier: Apache-2.0

// Package ray starts attempts as jobs of a Ray cluster by its Jobs REST API, and knows no
// more than cluster.Engine asks. A job's variables travel in a package of files that Ray
// brings to the node, since whoever may look at Ray's jobs sees all that stands in their
// description. It starts no cluster, and no library of Ray is needed where it runs.
package ray

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"flyball/fault"
	"flyball/training/executor/cluster"
)

// Options say which cluster.
type Options struct {
	URL       string // of the dashboard of the head, such as http://ray-head:8265
	TokenFile string // where Ray asks for a token; it is read again at each call
	Python    string // of the nodes, with Ray in it: it spreads the tasks of an array; empty: python
}

// patience bounds every call: a head whose GCS died takes requests and never answers.
const patience = 10 * time.Second

// Engine is a cluster.Engine of one Ray cluster.
type Engine struct {
	opts Options
	http *http.Client
}

// New calls nobody.
func New(o Options) (*Engine, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fault.New(fault.Invalid, "%q is not the address of a Ray head", o.URL).Do("name that of its dashboard, such as http://ray-head:8265")
	}
	o.URL = strings.TrimRight(o.URL, "/")
	if o.Python == "" {
		o.Python = "python"
	}
	return &Engine{opts: o, http: &http.Client{
		Timeout:       patience,
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 4, IdleConnTimeout: patience},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // no token goes elsewhere
	}}, nil
}

// digest is the key of Spec.Digest in a job's metadata.
const digest = "flyball.digest"

// wish is a job as it is asked for.
type wish struct {
	ID         string            `json:"submission_id"`
	Entrypoint string            `json:"entrypoint"`
	Runtime    map[string]string `json:"runtime_env"`
	Metadata   map[string]string `json:"metadata"`
	CPUs       int               `json:"entrypoint_num_cpus"`
	GPUs       int               `json:"entrypoint_num_gpus"`
	Memory     int64             `json:"entrypoint_memory,omitempty"` // bytes
}

// Start brings the package and then the job. Ray runs an entrypoint once.
func (e *Engine) Start(ctx context.Context, s cluster.Spec) (cluster.Ref, error) {
	ctx, done := context.WithTimeout(ctx, patience)
	defer done()
	if s.Resources.Queue != "" || s.Resources.Image != "" {
		return cluster.Ref{}, fault.New(fault.Invalid, "Ray has no queues, and its nodes have their image already").Do("leave queue and image out of train.limits")
	}
	p, err := e.pack(s)
	if err != nil {
		return cluster.Ref{}, err
	}
	if err := e.send(ctx, http.MethodPut, "/api/packages/gcs/"+p.name, p.zip, nil); err != nil {
		return cluster.Ref{}, err
	}
	w := wish{
		ID: s.Name, Entrypoint: p.entrypoint, Runtime: map[string]string{"working_dir": "gcs://" + p.name},
		Metadata: map[string]string{digest: s.Digest},
	}
	if s.Resources.Tasks == 0 { // what spreads tasks needs nothing itself
		w.CPUs, w.GPUs, w.Memory = s.Resources.CPUs, s.Resources.GPUs, int64(s.Resources.Memory)
	}
	body, err := json.Marshal(w)
	if err != nil {
		return cluster.Ref{}, err
	}
	err = e.send(ctx, http.MethodPost, "/api/jobs/", body, nil)
	if fault.Is(err, fault.Conflict) {
		var known job
		if err := e.send(ctx, http.MethodGet, path(s.Name), nil, &known); err != nil {
			return cluster.Ref{}, err
		}
		if known.Metadata[digest] != s.Digest {
			return cluster.Ref{}, fault.New(fault.Conflict, "Ray has another job %s", s.Name)
		}
		err = nil
	}
	return cluster.Ref{Name: s.Name, ID: s.Name}, err
}

// Look lists all jobs that Ray knows: it has no call for some of them.
func (e *Engine) Look(ctx context.Context, refs []cluster.Ref) (map[string]cluster.Seen, error) {
	out := map[string]cluster.Seen{}
	if len(refs) == 0 {
		return out, nil
	}
	var all []job
	if err := e.send(ctx, http.MethodGet, "/api/jobs/", nil, &all); err != nil {
		return nil, err
	}
	known := map[string]job{}
	for _, j := range all {
		known[j.ID] = j
	}
	for _, r := range refs {
		if j, ok := known[r.Name]; ok {
			out[r.Name] = seen(j)
		}
	}
	return out, nil
}

// Stop asks Ray to end the job. Ray says yes of a job that waits for resources, and lets
// it wait on.
func (e *Engine) Stop(ctx context.Context, r cluster.Ref) error {
	return known(e.send(ctx, http.MethodPost, path(r.Name)+"/stop", nil, nil))
}

// Clean deletes what Ray keeps of the job, which it would for ever. A job that has not
// ended stays.
func (e *Engine) Clean(ctx context.Context, r cluster.Ref) error {
	return known(e.send(ctx, http.MethodDelete, path(r.Name), nil, nil))
}

// known takes an unknown job for one that has been dealt with.
func known(err error) error {
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

func path(name string) string { return "/api/jobs/" + url.PathEscape(name) }
