// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/model"
	"flyball/model/unusual"
	"flyball/serving/prediction"
)

// ReasonerOptions are what a Reasoner is built from. Log is needed.
type ReasonerOptions struct {
	Log     prediction.ReasonLog
	Logger  *slog.Logger          // nil: slog.Default()
	Metrics prometheus.Registerer // nil: none
	Rows    int                   // that wait at most; 0: 16,384
	Share   float64               // of one processor's time that it takes at most; 0: a quarter
}

// Reasoner finds the reasons of predictions after they were answered, and has them kept.
// It takes a share of one processor: what comes faster is dropped and counted, but for
// predictions with a rare flag, which go first and for which others make room. All methods
// may be called at once; Run runs once.
type Reasoner struct {
	opts    ReasonerOptions
	metrics *reasonMetrics

	mu      sync.Mutex
	ended   bool
	flagged []unexplained
	plain   []unexplained
	wake    chan struct{}
	room    chan struct{} // closed and replaced when rows have left
}

// unexplained is a prediction that waits for its reasons. It holds the entry that its
// version belongs to.
type unexplained struct {
	entry   *published
	bundle  *model.Bundle
	record  prediction.Record
	reasons *prediction.Reasons // found already
}

// NewReasoner makes a reasoner. What it takes waits until it runs.
func NewReasoner(opts ReasonerOptions) *Reasoner {
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.Rows <= 0 {
		opts.Rows = 1 << 14
	}
	if opts.Share <= 0 || opts.Share > 1 {
		opts.Share = 0.25
	}
	r := &Reasoner{opts: opts, wake: make(chan struct{}, 1), room: make(chan struct{})}
	r.metrics = newReasonMetrics(opts.Metrics, r)
	return r
}

// keep has the reasons of the records kept, as the entry asks: found holds those that
// are known already, and may be nil. It waits only when the queue is full of flagged
// predictions, at most until ctx is done.
func (r *Reasoner) keep(ctx context.Context, p *published, records []prediction.Record, found []*prediction.Reasons) {
	if r == nil || p.Explain == KeepNone || p.Explain == "" {
		return
	}
	for i := range records {
		u := unexplained{entry: p, bundle: p.bundle(&records[i]), record: records[i]}
		if found != nil {
			u.reasons = found[i]
		}
		// A model that is only scored takes thousands of scores to explain: nobody may
		// find the server busy with what was not asked for.
		first := slices.ContainsFunc(u.record.Flags, rare)
		if u.bundle == nil || p.Explain == KeepFlagged && len(u.record.Flags) == 0 || !first && u.reasons == nil && !u.bundle.Exact() {
			continue
		}
		r.enter(ctx, u, first)
	}
}

// rare reports whether so few rows have the flag that their reasons may go first. One
// answer in ten may be unsure.
func rare(flag string) bool { return flag != unusual.Unsure && flag != unusual.Disagreeing }

func (r *Reasoner) enter(ctx context.Context, u unexplained, flagged bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for !r.ended && len(r.flagged)+len(r.plain) >= r.opts.Rows {
		if !flagged {
			break
		}
		if n := len(r.plain); n > 0 {
			r.plain[n-1].entry.drop()
			r.plain[n-1] = unexplained{}
			r.plain = r.plain[:n-1]
			r.metrics.dropped.Inc()
			break
		}
		room := r.room
		r.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
		}
		r.mu.Lock()
		if ctx.Err() != nil {
			break
		}
	}
	if r.ended || len(r.flagged)+len(r.plain) >= r.opts.Rows || !u.entry.take() {
		r.metrics.dropped.Inc()
		return
	}
	if flagged {
		r.flagged = append(r.flagged, u)
	} else {
		r.plain = append(r.plain, u)
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// atOnce is how many rows are explained together.
const atOnce = 64

// Run finds reasons until ctx is done, then those of the flagged predictions that still
// wait, and returns nil.
func (r *Reasoner) Run(ctx context.Context) error {
	defer r.end()
	for {
		batch := r.next(ctx.Err() != nil)
		if len(batch) == 0 {
			select {
			case <-ctx.Done():
				if r.waiting() == 0 {
					return nil
				}
			case <-r.wake:
			}
			continue
		}
		began := time.Now()
		r.explain(context.WithoutCancel(ctx), batch)
		rest := time.NewTimer(time.Duration(float64(time.Since(began)) * (1/r.opts.Share - 1)))
		select {
		case <-ctx.Done():
		case <-rest.C:
		}
		rest.Stop()
	}
}

// waiting is how many flagged predictions wait.
func (r *Reasoner) waiting() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.flagged)
}

// next takes predictions of one version off the queue, flagged ones first.
func (r *Reasoner) next(flaggedOnly bool) []unexplained {
	r.mu.Lock()
	defer r.mu.Unlock()
	from := &r.flagged
	if len(r.flagged) == 0 && !flaggedOnly {
		from = &r.plain
	}
	n := 0
	for n < min(len(*from), atOnce) && (*from)[n].bundle == (*from)[0].bundle {
		n++
	}
	out := append([]unexplained(nil), (*from)[:n]...)
	clear((*from)[:n])
	if *from = (*from)[n:]; len(*from) == 0 {
		*from = nil
	}
	if n > 0 {
		close(r.room)
		r.room = make(chan struct{})
	}
	return out
}

// end lets go of what still waits.
func (r *Reasoner) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	for _, u := range append(r.flagged, r.plain...) {
		u.entry.drop()
		r.metrics.dropped.Inc()
	}
	r.flagged, r.plain = nil, nil
	close(r.room)
	r.room = make(chan struct{})
}

// explain finds the reasons of a batch and has them kept.
func (r *Reasoner) explain(ctx context.Context, batch []unexplained) {
	began := time.Now()
	defer func() {
		for _, u := range batch {
			u.entry.drop()
		}
		r.metrics.seconds.Observe(time.Since(began).Seconds() / float64(len(batch)))
	}()
	found := make([]*prediction.Reasons, len(batch))
	var todo []int
	var rows []json.RawMessage
	var records []prediction.Record
	for i, u := range batch {
		if found[i] = u.reasons; found[i] == nil {
			todo = append(todo, i)
			rows, records = append(rows, u.record.Row), append(records, u.record)
		}
	}
	if len(todo) > 0 {
		got, why := explain(ctx, func(*prediction.Record) *model.Bundle { return batch[0].bundle }, input{raw: rows}, records)
		if why != "" {
			r.metrics.failed.Add(float64(len(todo)))
			r.opts.Logger.Warn("predictions keep no reasons", "model", records[0].Model, "version", records[0].Version, "rows", len(todo), "error", why)
		}
		for k, i := range todo {
			found[i] = got[k]
		}
	}
	var out []prediction.Reasoned
	for i, why := range found {
		if why == nil {
			continue
		}
		kept := *why
		kept.Top = append([]prediction.Reason(nil), why.Top...)
		for k := range kept.Top {
			kept.Top[k].Value = nil // it is in the row
		}
		raw, err := json.Marshal(kept)
		if err != nil {
			continue // no number is infinite, and the rest can be written
		}
		rec := &batch[i].record
		out = append(out, prediction.Reasoned{Model: rec.Model, ID: rec.ID, Time: rec.Time, Reasons: raw})
	}
	if err := r.opts.Log.AppendReasons(ctx, out...); err != nil {
		r.metrics.failed.Add(float64(len(out)))
		r.opts.Logger.Warn("reasons were not kept", "model", batch[0].record.Model, "error", err)
		return
	}
	r.metrics.kept.Add(float64(len(out)))
}

// reasonMetrics are what a scraper sees of a reasoner.
type reasonMetrics struct {
	kept, dropped, failed prometheus.Counter
	seconds               prometheus.Histogram
}

func newReasonMetrics(reg prometheus.Registerer, r *Reasoner) *reasonMetrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &reasonMetrics{
		kept:    counter("flyball_serving_reasons_total", "Predictions whose reasons were found and handed to the log."),
		dropped: counter("flyball_serving_dropped_reasons_total", "Predictions without reasons: they came faster than reasons may be found."),
		failed:  counter("flyball_serving_failed_reasons_total", "Predictions without reasons: the version could not be explained, or the log did not take them."),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "flyball_serving_reason_seconds", Help: "Time to find the reasons of a row.",
			Buckets: prometheus.ExponentialBuckets(1e-6, 4, 12),
		}),
	}
	if reg != nil {
		reg.MustRegister(m.kept, m.dropped, m.failed, m.seconds, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "flyball_serving_unexplained_rows", Help: "Predictions that wait for their reasons.",
		}, func() float64 {
			r.mu.Lock()
			defer r.mu.Unlock()
			return float64(len(r.flagged) + len(r.plain))
		}))
	}
	return m
}
