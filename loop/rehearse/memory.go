// SPDX-License-Identifier: Apache-2.0

package rehearse

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"flyball/event"
	"flyball/fault"
	"flyball/governance/audit"
	"flyball/ident"
	"flyball/job"
	"flyball/loop"
	"flyball/model/registry"
	"flyball/monitoring"
	"flyball/serving/release"
	"flyball/training"
)

var (
	_ loop.Store        = (*memory)(nil)
	_ job.Store         = (*memory)(nil)
	_ training.Registry = (*memory)(nil)
)

// memory keeps what a server keeps in its database, of one model and as long as the
// rehearsal lasts. It is safe for use at once: a job renews its lease beside its work.
type memory struct {
	mu       sync.Mutex
	releases []release.State // the newest state of each
	state    json.RawMessage
	change   int64 // generation of state
	jobs     []job.Job
	versions map[string][]registry.Version // by model: it, and its baseline
	watch    json.RawMessage
	findings []monitoring.Finding
	events   []event.Event
}

func newMemory() *memory { return &memory{versions: map[string][]registry.Version{}} }

func (m *memory) tell(evs []event.Event) {
	for _, e := range evs {
		e.Seq = int64(len(m.events) + 1)
		m.events = append(m.events, e)
	}
}

func moved(what string) error { return fault.New(fault.Conflict, "%s was changed meanwhile", what) }

// Release is the newest release.
func (m *memory) Release(context.Context, string) (release.State, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.releases) == 0 {
		return release.State{}, false, nil
	}
	return m.releases[len(m.releases)-1], true, nil
}

// SaveRelease keeps a state whose predecessor has the generation from.
func (m *memory) SaveRelease(_ context.Context, from int64, s release.State, _ map[string]int, _ *audit.Record, evs ...event.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := len(m.releases)
	switch {
	case n == 0 && from != 0, n > 0 && m.releases[n-1].Generation != from:
		return moved("the release")
	case n > 0 && m.releases[n-1].ID == s.ID:
		m.releases[n-1] = s
	default:
		m.releases = append(m.releases, s)
	}
	m.tell(evs)
	return nil
}

// LoopState is the loop's state of the model.
func (m *memory) LoopState(context.Context, string) (json.RawMessage, int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state, m.change, nil
}

// SaveLoop keeps it, when nobody changed it since.
func (m *memory) SaveLoop(_ context.Context, _ string, from int64, state json.RawMessage, _ *audit.Record, evs ...event.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if from != m.change {
		return moved("the loop's state")
	}
	m.state, m.change = state, m.change+1
	m.tell(evs)
	return nil
}

// MonitorState is the state of the watch.
func (m *memory) MonitorState(context.Context, string) (json.RawMessage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.watch, nil
}

// SaveMonitoring keeps what a look found.
func (m *memory) SaveMonitoring(_ context.Context, _ string, state json.RawMessage, findings []monitoring.Finding, _ []monitoring.Window, evs ...event.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.watch = state
	for _, f := range findings {
		if i := slices.IndexFunc(m.findings, func(o monitoring.Finding) bool { return o.ID == f.ID }); i >= 0 {
			m.findings[i] = f
		} else {
			m.findings = append(m.findings, f)
		}
	}
	m.tell(evs)
	return nil
}

// Findings are those that were opened, or only those that are open.
func (m *memory) Findings(_ context.Context, _ string, openOnly bool) ([]monitoring.Finding, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []monitoring.Finding
	for _, f := range m.findings {
		if !openOnly || f.Closed.IsZero() {
			out = append(out, f)
		}
	}
	return out, nil
}

// AddVersion registers a version, once for its key.
func (m *memory) AddVersion(_ context.Context, v registry.Version, evs ...event.Event) (registry.Version, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.versions[v.Model]
	if i := slices.IndexFunc(all, func(o registry.Version) bool { return o.Key == v.Key }); i >= 0 {
		return all[i], nil
	}
	v.Version = len(all) + 1
	m.versions[v.Model] = append(all, v)
	m.tell(evs)
	return v, nil
}

// Version is a version that was registered.
func (m *memory) Version(_ context.Context, r ident.Ref) (registry.Version, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.versions[r.Model]
	if r.Version < 1 || r.Version > len(all) {
		return registry.Version{}, fault.New(fault.NotFound, "there is no version %s", r)
	}
	return all[r.Version-1], nil
}

// AddJob adds a job, once for its kind and key.
func (m *memory) AddJob(_ context.Context, j job.Job) (job.Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := slices.IndexFunc(m.jobs, func(o job.Job) bool { return o.Kind == j.Kind && o.Key == j.Key }); i >= 0 {
		return m.jobs[i], nil
	}
	j.ID, j.State = fmt.Sprintf("job-%d", len(m.jobs)+1), job.Queued
	m.jobs = append(m.jobs, j)
	return j, nil
}

// ClaimJob gives the oldest job that is queued. There is one worker: no lease ends.
func (m *memory) ClaimJob(context.Context, []string, string, time.Duration, int) (job.Job, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.jobs {
		if j := &m.jobs[i]; j.State == job.Queued {
			j.State, j.Attempt, j.Fence = job.Running, j.Attempt+1, j.Fence+1
			return *j, true, nil
		}
	}
	return job.Job{}, false, nil
}

func (m *memory) running(id string, fence int64, change func(*job.Job)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.jobs {
		if j := &m.jobs[i]; j.ID == id && j.Fence == fence && j.State == job.Running {
			change(j)
			return nil
		}
	}
	return moved("the job")
}

// RenewJob keeps the progress.
func (m *memory) RenewJob(_ context.Context, id string, fence int64, _ time.Duration, progress string) error {
	return m.running(id, fence, func(j *job.Job) { j.Progress = progress })
}

// EndJob ends a running job.
func (m *memory) EndJob(_ context.Context, id string, fence int64, state job.State, result json.RawMessage, problem string, now time.Time) error {
	return m.running(id, fence, func(j *job.Job) { j.State, j.Result, j.Error, j.EndedAt = state, result, problem, now })
}

// ReturnJob gives a running job back.
func (m *memory) ReturnJob(_ context.Context, id string, fence int64) error {
	return m.running(id, fence, func(j *job.Job) { j.State = job.Queued })
}

// Job is one job.
func (m *memory) Job(_ context.Context, id string) (job.Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, j := range m.jobs {
		if j.ID == id {
			return j, nil
		}
	}
	return job.Job{}, fault.New(fault.NotFound, "there is no job %s", id)
}
