// SPDX-License-Identifier: Apache-2.0

// Package serving answers predictions online: from a row as the caller sent it to
// an answer and its record. It answers from one immutable table that is swapped
// whole, so a request under way finishes on the table it began with. It never waits
// for the database, and it does not decide which version answers (package release).
package serving

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/fault"
	"flyball/model"
	"flyball/serving/prediction"
	"flyball/serving/release"
)

// Entry is a model as it is served: its route and the bundles the route names.
type Entry struct {
	Task     dataset.Task
	Route    release.Route
	Versions map[int]*model.Bundle // every version that Route names, loaded and verified
	Baseline *model.Bundle         // Route.Baseline; nil: none
	Durable  bool                  // answer after the record is on disk
	Wait     bool                  // a full log waits instead of dropping
	Stop     string                // why nothing may be answered; empty: it may

	meta []frame.Field // id, time and due_at of a request, as text
}

// Table is what is served at one moment. It is immutable.
type Table struct {
	entries map[string]*Entry
}

// Options are what a Server is built from.
type Options struct {
	Log     prediction.Log
	Now     func() time.Time
	Metrics prometheus.Registerer // nil: none
	MaxRows int                   // of one request; 0: 10,000
}

// Server answers predictions. All methods may be called at once.
type Server struct {
	opts    Options
	table   atomic.Pointer[Table]
	change  sync.Mutex // held by Publish and Withdraw
	metrics *metrics
}

// New makes a server that serves nothing yet.
func New(opts Options) *Server {
	if opts.MaxRows == 0 {
		opts.MaxRows = 10_000
	}
	s := &Server{opts: opts, metrics: newMetrics(opts.Metrics)}
	s.table.Store(&Table{})
	return s
}

// Publish serves the model by e from now on. An entry whose route is older than the
// one served is refused with a Conflict fault, one whose route names a version that
// it does not hold with an Invalid one.
func (s *Server) Publish(name string, e Entry) error {
	if err := e.check(name); err != nil {
		return err
	}
	e.meta = metaFields(e.Task)
	s.change.Lock()
	defer s.change.Unlock()
	old := s.table.Load()
	if have := old.entries[name]; have != nil && have.Route.Generation > e.Route.Generation {
		return fault.New(fault.Conflict, "%s is served by generation %d; %d is older", name, have.Route.Generation, e.Route.Generation)
	}
	entries := maps.Clone(old.entries)
	if entries == nil {
		entries = map[string]*Entry{}
	}
	entries[name] = &e
	s.table.Store(&Table{entries: entries})
	return nil
}

func (e *Entry) check(name string) error {
	r := e.Route
	need := []int{r.Live}
	if r.Share > 0 || r.Both {
		need = append(need, r.Candidate)
	}
	for _, v := range need {
		if v != 0 && e.Versions[v] == nil {
			return fault.New(fault.Invalid, "the route of %s names version %d, which is not loaded", name, v)
		}
	}
	return nil
}

// Entry is how the model is served now; false when it is not.
func (s *Server) Entry(name string) (Entry, bool) {
	e, ok := s.table.Load().entries[name]
	if !ok {
		return Entry{}, false
	}
	return *e, true
}

// Names are the models that are served, sorted.
func (s *Server) Names() []string { return slices.Sorted(maps.Keys(s.table.Load().entries)) }

// metaFields are the request's columns that say which row this is and when: all
// read as the exact text sent.
func metaFields(t dataset.Task) []frame.Field {
	var out []frame.Field
	for _, name := range []string{t.ID, t.Time, t.Truth.DueAt} {
		if name != "" && !slices.ContainsFunc(out, func(f frame.Field) bool { return f.Name == name }) {
			out = append(out, frame.Field{Name: name, Kind: frame.Text})
		}
	}
	return out
}

// log keeps the records of an answer as the entry asks.
func (s *Server) log(ctx context.Context, e *Entry, rs []prediction.Record) error {
	if err := s.opts.Log.Append(ctx, e.Durable, e.Wait, rs...); err != nil && e.Durable {
		return err
	}
	return nil
}
