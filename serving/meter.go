// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"context"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/fault"
)

// meter is what is counted of one model, and its gate. It outlives the entries.
type meter struct {
	gate
	requests atomic.Int64
	rows     atomic.Int64
	refused  atomic.Int64 // requests, for their input
	failed   atomic.Int64 // requests, for any other reason
	turned   atomic.Int64 // requests that were not let in
	since    time.Time
	latency  window

	bad     prometheus.Counter
	away    prometheus.Counter
	seconds prometheus.Observer
}

// begin lets a request in.
func (m *meter) begin(ctx context.Context, req *Request) error {
	if err := m.enter(ctx, req.Model); err != nil {
		m.turned.Add(1)
		m.away.Inc()
		return err
	}
	return nil
}

// end counts a request of so many rows that was let in.
func (m *meter) end(began time.Time, rows int, err error) {
	now := time.Now()
	took := now.Sub(began)
	m.leave(took)
	m.requests.Add(1)
	switch {
	case err == nil:
		m.rows.Add(int64(rows))
		m.latency.add(now, took)
		m.seconds.Observe(took.Seconds() / float64(rows))
	case fault.Is(err, fault.Invalid):
		m.refused.Add(1)
		m.bad.Inc()
	default:
		m.failed.Add(1)
	}
}

// meter is the model's, made at its first use.
func (s *Server) meter(model string) *meter {
	if m, ok := s.meters.Load(model); ok {
		return m.(*meter) //nolint:forcetypeassert // nothing else is put there
	}
	m := &meter{since: time.Now(), bad: s.metrics.bad.WithLabelValues(model), away: s.metrics.turned.WithLabelValues(model), seconds: s.metrics.latency.WithLabelValues(model)}
	m.Limits = s.opts.Limits
	kept, _ := s.meters.LoadOrStore(model, m)
	return kept.(*meter) //nolint:forcetypeassert // nothing else is put there
}

// window holds how long the requests of the last minute or two took.
type window struct {
	mu    sync.Mutex
	at    atomic.Int64 // when now began, in nanoseconds since 1970
	now   atomic.Pointer[times]
	after *times // the minute before; under mu
}

// times counts requests by how long they took: eight steps between a power of two of
// nanoseconds and the next.
type times [40 * 8]atomic.Int64

// windowTime is how long a window counts before it begins anew.
const windowTime = time.Minute

func (w *window) add(at time.Time, took time.Duration) {
	now := w.current(at)
	now[stepOf(took)].Add(1)
}

// current is the counts to add to.
func (w *window) current(at time.Time) *times {
	now := w.now.Load()
	if now != nil && at.UnixNano()-w.at.Load() < int64(windowTime) {
		return now
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	now = w.now.Load()
	if past := at.UnixNano() - w.at.Load(); now == nil || past >= int64(windowTime) {
		w.after = now
		if past >= 2*int64(windowTime) {
			w.after = nil
		}
		now = &times{}
		w.now.Store(now)
		w.at.Store(at.UnixNano())
	}
	return now
}

// stepOf is the place of a time among the counts.
func stepOf(took time.Duration) int {
	n := uint64(max(took, 8))
	top := bits.Len64(n) - 1
	return min((top-3)*8+int(n>>(top-3)&7), len(times{})-1)
}

// step is the greatest time that is counted at a place.
func step(i int) time.Duration { return time.Duration(uint64(8+i%8+1)<<(i/8)) - 1 }

// quantiles are the times that so many of the requests did not pass, rounded up by at
// most an eighth; 0 where there were none.
func (w *window) quantiles(at time.Time, qs ...float64) []time.Duration {
	now := w.current(at)
	w.mu.Lock()
	before := w.after
	w.mu.Unlock()
	var all [len(times{})]int64
	total := int64(0)
	for i := range all {
		all[i] = now[i].Load()
		if before != nil {
			all[i] += before[i].Load()
		}
		total += all[i]
	}
	out := make([]time.Duration, len(qs))
	for k, q := range qs {
		want, seen := int64(q*float64(total)+0.5), int64(0)
		for i, n := range all {
			if seen += n; n > 0 && seen >= max(want, 1) {
				out[k] = step(i)
				break
			}
		}
	}
	return out
}
