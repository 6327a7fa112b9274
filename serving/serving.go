// SPDX-License-Identifier: Apache-2.0

// Package serving answers predictions online: from a row as the caller sent it to
// an answer and its record. It answers from one immutable table that is swapped
// whole, so a request under way finishes on the table it began with. It never waits
// for the database, and it does not decide which version answers (package release).
// What has no route is scored from a shelf: versions asked for by number or alias, and
// models that were only registered.
package serving

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/fault"
	"flyball/model"
	"flyball/serving/prediction"
)

// Table is what is served at one moment. It is immutable.
type Table struct {
	entries map[string]*published
}

// Options are what a Server is built from.
type Options struct {
	Log     prediction.Log
	Now     func() time.Time
	Metrics prometheus.Registerer // nil: none
	MaxRows int                   // of one request; 0: 10,000
	Shelf   Shelf                 // nil: only what is published is answered
	Reasons *Reasoner             // keeps why predictions are what they are; nil: nobody does
	Limits  Limits                // of each model
	Alone   func() bool           // nobody may be told of what this process answers, so no version on trial does; nil: never
	Time    time.Duration         // that a request has whose caller names none, where a version waits for a process; 0: 30 s
}

// Server answers predictions. All methods may be called at once.
type Server struct {
	opts    Options
	table   atomic.Pointer[Table]
	change  sync.Mutex // held by Publish and Close
	metrics *metrics
	meters  sync.Map // *meter by model
	hours   hours
	beside  chan struct{} // one for each request that has a version score after its answer

	held    sync.Mutex            // guards uses
	uses    map[*model.Bundle]int // by how many entries a bundle is named, those still draining among them
	closing sync.WaitGroup        // bundles on their way out, and versions that score after the answer
}

// New makes a server that serves nothing yet.
func New(opts Options) *Server {
	if opts.MaxRows == 0 {
		opts.MaxRows = 10_000
	}
	if opts.Time == 0 {
		opts.Time = 30 * time.Second
	}
	if opts.Limits.InFlight == 0 {
		opts.Limits.InFlight = 512
	}
	if opts.Limits.Queue == 0 {
		opts.Limits.Queue = 2048
	}
	s := &Server{opts: opts, metrics: newMetrics(opts.Metrics), uses: map[*model.Bundle]int{}, hours: hours{all: map[hourOf]*hour{}}, beside: make(chan struct{}, besideAtOnce)}
	s.table.Store(&Table{})
	return s
}

// Publish serves the model by e from now on. An entry whose route is older than the
// one served is refused with a Conflict fault, one whose route names a version that
// it does not hold with an Invalid one. What is refused stays the caller's; else the
// server has the entry's bundles from then on: each is closed when no entry names it
// any more and the last request that could ask it has finished.
func (s *Server) Publish(name string, e Entry) error {
	if err := e.check(name); err != nil {
		return err
	}
	s.change.Lock()
	defer s.change.Unlock()
	old := s.table.Load()
	before := old.entries[name]
	if before != nil && before.Route.Generation > e.Route.Generation {
		return fault.New(fault.Conflict, "%s is served by generation %d; %d is older", name, before.Route.Generation, e.Route.Generation)
	}
	entries := maps.Clone(old.entries)
	if entries == nil {
		entries = map[string]*published{}
	}
	entries[name] = s.published(name, e)
	s.table.Store(&Table{entries: entries})
	s.metrics.route.WithLabelValues(name).Set(float64(e.Route.Generation))
	if before != nil {
		before.drop()
	}
	return nil
}

// Close serves nothing any more, and returns when every bundle that no request uses is
// closed; the others are closed after their last request.
func (s *Server) Close() error {
	s.change.Lock()
	old := s.table.Swap(&Table{})
	s.change.Unlock()
	for _, p := range old.entries {
		p.drop()
	}
	var err error
	if s.opts.Shelf != nil {
		err = s.opts.Shelf.Close()
	}
	s.closing.Wait()
	return err
}

// Entry is how the model is served now; false when it is not. Its bundles may be closed
// at any time: Lend gives one to use.
func (s *Server) Entry(name string) (Entry, bool) {
	p, ok := s.table.Load().entries[name]
	if !ok {
		return Entry{}, false
	}
	return p.Entry, true
}

// Names are the models that are served by a route, sorted.
func (s *Server) Names() []string { return slices.Sorted(maps.Keys(s.table.Load().entries)) }

// log keeps the records of an answer as the entry asks, and counts those that are kept.
func (s *Server) log(ctx context.Context, p *published, rs []prediction.Record) error {
	err := s.opts.Log.Append(ctx, p.Durable, p.Wait, rs...)
	if err == nil {
		s.countRows(p, rs)
	}
	if p.Durable {
		return err
	}
	return nil
}
