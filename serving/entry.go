// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"slices"
	"strconv"
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
	Explain  string                // which predictions keep their reasons
	Stop     string                // why nothing may be answered; empty: it may
	Late     time.Duration         // after which a candidate that waits is answered for; 0: half of the time there is
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

// bundle is the version that answered a record; nil for the fallback.
func (e *Entry) bundle(r *prediction.Record) *model.Bundle {
	switch r.Arm {
	case prediction.Fallback:
		return nil
	case prediction.Baseline:
		return e.Baseline
	}
	return e.Versions[r.Version]
}

// standsFor reports whether the version is what all that is not on trial is answered by:
// the live one, or the candidate that has all traffic.
func (e *Entry) standsFor(version int) bool {
	if e.Route.Share >= 1 {
		return version == e.Route.Candidate
	}
	return version == e.Route.Live
}

// main is the version that a caller has a right to: the live one, or, at a first
// release, the candidate. It is nil where there is neither.
func (e *Entry) main() *model.Bundle {
	if e.Route.Live == 0 {
		return e.Versions[e.Route.Candidate]
	}
	return e.Versions[e.Route.Live]
}

// bundles are all that the entry names, each once.
func (e *Entry) bundles() []*model.Bundle {
	var out []*model.Bundle
	add := func(b *model.Bundle) {
		if b != nil && !slices.Contains(out, b) {
			out = append(out, b)
		}
	}
	for _, b := range e.Versions {
		add(b)
	}
	add(e.Baseline)
	return out
}

// published is an entry in a table. It is used by the table that has it and by each
// request that took it, and lets its bundles go after the last of them.
type published struct {
	Entry
	*meter
	meta    []frame.Field         // id, time and due_at of a request, as text
	plan    *frame.Plan           // reads rows for meta and then for each bundle; nil: each reads by itself
	readers map[*model.Bundle]int // a bundle's place among those the plan reads for
	answers map[string]prometheus.Counter
	uses    atomic.Int64
	ended   func()
	counts  atomic.Pointer[hour] // of the hour in which somebody asked last
}

func (s *Server) published(name string, e Entry) *published {
	p := &published{Entry: e, meter: s.meter(name), meta: metaFields(e.Task), readers: map[*model.Bundle]int{}}
	bundles := e.bundles()
	s.held.Lock()
	for _, b := range bundles {
		s.uses[b]++
	}
	s.held.Unlock()
	p.uses.Store(1)
	p.ended = func() { s.release(bundles) }
	opts := []frame.DecodeOptions{{Required: p.meta, Loose: true}}
	for _, b := range bundles {
		p.readers[b] = len(opts)
		opts = append(opts, frame.DecodeOptions{Required: b.Inputs()})
	}
	p.plan, _ = frame.NewPlan(opts...) // a bundle that asks for a column twice is told so by each request
	p.answers = map[string]prometheus.Counter{}
	for arm, version := range map[string]int{
		prediction.Live: e.Route.Live, prediction.Candidate: e.Route.Candidate, prediction.Baseline: e.Route.Baseline, prediction.Fallback: 0,
	} {
		if version != 0 || arm == prediction.Fallback {
			p.answers[arm] = s.metrics.rows.WithLabelValues(name, strconv.Itoa(version), arm)
		}
	}
	return p
}

// take has the entry kept while it is used; false when it is gone already.
func (p *published) take() bool {
	for {
		n := p.uses.Load()
		if n == 0 {
			return false
		}
		if p.uses.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// drop ends a use.
func (p *published) drop() {
	if p.uses.Add(-1) == 0 {
		p.ended()
	}
}

// take is the model's entry, to be dropped after its use; nil where it has none.
func (s *Server) take(name string) *published {
	for {
		p := s.table.Load().entries[name]
		if p == nil || p.take() {
			return p // one that is gone has been replaced
		}
	}
}

// release closes those of the bundles that no other entry names.
func (s *Server) release(bundles []*model.Bundle) {
	s.held.Lock()
	defer s.held.Unlock()
	for _, b := range bundles {
		if s.uses[b]--; s.uses[b] > 0 {
			continue
		}
		delete(s.uses, b)
		if b.Waits() {
			s.closing.Go(func() { _ = b.Close() }) // a process may take its time, and a request shall not
		}
	}
}

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
