// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"flyball/fault"
	"flyball/serving/prediction"
	"flyball/serving/release"
)

// hours counts the requests of every route by the hour, since the process began. A
// request adds to a count that it finds without a lock; only the first of an hour makes
// one.
type hours struct {
	mu  sync.Mutex
	all map[hourOf]*hour
}

// hourOf names one count.
type hourOf struct {
	model      string
	start      int64 // hours since 1970
	generation int64
}

// hour is one count.
type hour struct {
	hourOf
	answered, failed, rows atomic.Int64
}

// of is the count of a route at a moment, made at its first use.
func (h *hours) of(model string, generation int64, at time.Time) *hour {
	k := hourOf{model, at.Unix() / 3600, generation}
	h.mu.Lock()
	defer h.mu.Unlock()
	out := h.all[k]
	if out == nil {
		out = &hour{hourOf: k}
		h.all[k] = out
	}
	return out
}

// hour is what the entry counts on now.
func (p *published) hour(h *hours, now time.Time) *hour {
	c := p.counts.Load()
	if c == nil || c.start != now.Unix()/3600 {
		c = h.of(p.Route.Model, p.Route.Generation, now)
		p.counts.Store(c)
	}
	return c
}

// count counts a request by what came of it. What was wrong with the request itself, and
// who did not wait for the answer, is no failure.
func (s *Server) count(ctx context.Context, p *published, err error) {
	c := p.hour(&s.hours, s.opts.Now())
	switch k := fault.KindOf(err); {
	case err == nil:
		c.answered.Add(1)
	case k == fault.Invalid || k == fault.TooLarge || errors.Is(ctx.Err(), context.Canceled):
	default:
		c.failed.Add(1)
	}
}

// countRows counts records that the log has taken, in the hour of their answer.
func (s *Server) countRows(p *published, rs []prediction.Record) {
	p.hour(&s.hours, rs[0].At).rows.Add(int64(len(rs)))
}

// Hours are the counts of every hour since the process began that Forget did not forget,
// in their order; each model that has a route has one of now.
func (s *Server) Hours() []release.Hour {
	now := s.opts.Now()
	for _, p := range s.table.Load().entries {
		p.hour(&s.hours, now)
	}
	s.hours.mu.Lock()
	defer s.hours.mu.Unlock()
	out := make([]release.Hour, 0, len(s.hours.all))
	for k, c := range s.hours.all {
		out = append(out, release.Hour{
			Model: k.model, Start: time.Unix(k.start*3600, 0).UTC(), Generation: k.generation, Answered: c.answered.Load(), Failed: c.failed.Load(),
			Rows: c.rows.Load(),
		})
	}
	slices.SortFunc(out, func(a, b release.Hour) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Model, b.Model), cmp.Compare(a.Generation, b.Generation))
	})
	return out
}

// ForgetHours lets go of counts that are kept elsewhere as they are, of hours that were
// over an hour ago: nothing is added to those any more.
func (s *Server) ForgetHours(kept []release.Hour) {
	over := s.opts.Now().Unix()/3600 - 1
	s.hours.mu.Lock()
	defer s.hours.mu.Unlock()
	for _, h := range kept {
		k := hourOf{h.Model, h.Start.Unix() / 3600, h.Generation}
		if c := s.hours.all[k]; c != nil && k.start < over && c.answered.Load() == h.Answered && c.failed.Load() == h.Failed && c.rows.Load() == h.Rows {
			delete(s.hours.all, k)
		}
	}
}
