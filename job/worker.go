// SPDX-License-Identifier: Apache-2.0

package job

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"flyball/fault"
)

// Handler does the work of one kind of job and returns its result. It may run again
// for the same job after a crash, so doing it twice must be doing it once. Its ctx
// is done when the worker stops, when the job is canceled, and when the lease is
// lost; it must return soon then. progress tells, in a few words, where the work is;
// it never blocks, and may be called at once.
type Handler func(ctx context.Context, j Job, progress func(string)) (json.RawMessage, error)

// ErrLost is the cause of a handler's done context when its job was canceled or is
// another worker's by now.
var ErrLost = errors.New("the job is no longer this worker's")

// Options are what a Worker is built from. Store, Handlers, Now and Logger are needed.
type Options struct {
	Store       Store
	Handlers    map[string]Handler // by kind; only these kinds are claimed
	Now         func() time.Time   // the process's clock, for when a job ended
	Logger      *slog.Logger
	Name        string        // of the worker, in the job's row; empty: flyball
	Lease       time.Duration // a lost worker's job is taken over after it; 0: 15 s
	Every       time.Duration // how often to look for work that nobody told of; 0: 1 s
	Parallel    int           // jobs at once; 0: 1
	MaxAttempts int           // claims of a job before it fails; 0: 3
}

// Worker claims jobs and has them done. Its methods may be called at once.
type Worker struct {
	opts  Options
	kinds []string
	poke  chan struct{}
}

// New makes a worker. Run starts it.
func New(opts Options) *Worker {
	opts.Name = cmp.Or(opts.Name, "flyball")
	opts.Lease = cmp.Or(opts.Lease, 15*time.Second)
	opts.Every = cmp.Or(opts.Every, time.Second)
	opts.Parallel = cmp.Or(opts.Parallel, 1)
	opts.MaxAttempts = cmp.Or(opts.MaxAttempts, 3)
	return &Worker{opts: opts, kinds: slices.Sorted(maps.Keys(opts.Handlers)), poke: make(chan struct{}, opts.Parallel)}
}

// Poke has the worker look for jobs at once: call it after one was added.
func (w *Worker) Poke() {
	select {
	case w.poke <- struct{}{}:
	default: // as many looks as there are lanes are due already
	}
}

// Run does jobs until ctx is done, and then returns nil: what is under way is
// stopped and given back to the queue, so that it starts elsewhere at once.
func (w *Worker) Run(ctx context.Context) error {
	var lanes sync.WaitGroup
	for range w.opts.Parallel {
		lanes.Go(func() { w.lane(ctx) })
	}
	lanes.Wait()
	return nil
}

func (w *Worker) lane(ctx context.Context) {
	tick := time.NewTicker(w.opts.Every)
	defer tick.Stop()
	for ctx.Err() == nil {
		ran, err := w.RunOne(ctx)
		if err != nil && ctx.Err() == nil {
			w.opts.Logger.Error("the queue of jobs does not work", "error", err)
		}
		if ran && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
		case <-w.poke:
		case <-tick.C:
		}
	}
}

// RunOne claims the oldest job and does it; false when there is none. The error is
// the store's: what went wrong in the work is in the job.
func (w *Worker) RunOne(ctx context.Context) (bool, error) {
	j, ok, err := w.opts.Store.ClaimJob(ctx, w.kinds, w.opts.Name, w.opts.Lease, w.opts.MaxAttempts)
	if err != nil || !ok {
		return false, err
	}
	log := w.opts.Logger.With("job", j.ID, "kind", j.Kind, "model", j.Model, "attempt", j.Attempt)
	log.Info("job started")
	began := time.Now()
	result, problem, lost := w.do(ctx, j, log)
	switch {
	case lost:
		log.Warn("job lost: it was canceled, or another worker has it")
		return true, nil
	case ctx.Err() != nil && problem != nil:
		log.Info("job given back: the worker stops")
		return true, w.settle(ctx, j, func(ctx context.Context) error { return w.opts.Store.ReturnJob(ctx, j.ID, j.Fence) })
	}
	state, text := Done, ""
	if problem != nil {
		state, text, result = Failed, problem.Error(), nil
		log.Warn("job failed", "error", problem, "seconds", time.Since(began).Seconds())
	} else {
		log.Info("job done", "seconds", time.Since(began).Seconds())
	}
	return true, w.settle(ctx, j, func(ctx context.Context) error {
		return w.opts.Store.EndJob(ctx, j.ID, j.Fence, state, result, text, w.opts.Now())
	})
}

// settle writes how a job came out, also while the worker stops. When the store does
// not answer it tries again until the lease would have ended: then the job is
// another's to do. A Conflict says that it is so already, and is no error.
func (w *Worker) settle(ctx context.Context, j Job, write func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.opts.Lease)
	defer cancel()
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := write(ctx)
		if fault.Is(err, fault.Conflict) {
			w.opts.Logger.Warn("job lost at its end", "job", j.ID)
			return nil
		}
		if !fault.Is(err, fault.Unavailable) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

// do runs the handler while the lease is renewed beside it.
func (w *Worker) do(ctx context.Context, j Job, log *slog.Logger) (result json.RawMessage, problem error, lost bool) {
	work, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var said atomic.Pointer[string]
	var renewing sync.WaitGroup
	renewing.Go(func() { w.renew(work, cancel, j, &said, log) })
	result, problem = w.call(work, j, func(s string) { said.Store(&s) }, log)
	lost = errors.Is(context.Cause(work), ErrLost)
	cancel(nil)
	renewing.Wait()
	return result, problem, lost
}

// call is the handler with its panic as an error.
func (w *Worker) call(ctx context.Context, j Job, progress func(string), log *slog.Logger) (result json.RawMessage, err error) {
	defer func() {
		if p := recover(); p != nil {
			log.Error("job broke down", "panic", p, "stack", string(debug.Stack()))
			result, err = nil, fault.New(fault.Internal, "the job broke down: %v", p)
		}
	}()
	result, err = w.opts.Handlers[j.Kind](ctx, j, progress)
	if err == nil && len(result) > 0 && !json.Valid(result) {
		return nil, fault.New(fault.Internal, "the result of the job is not JSON")
	}
	return result, err
}

// renew extends the lease three times in its length, and tells new progress once a
// second, until ctx is done. When the lease is lost, or could not be renewed for its
// whole length, it cancels the work with ErrLost.
func (w *Worker) renew(ctx context.Context, cancel context.CancelCauseFunc, j Job, said *atomic.Pointer[string], log *slog.Logger) {
	tick := time.NewTicker(max(min(w.opts.Lease/3, time.Second), time.Millisecond))
	defer tick.Stop()
	var told string
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := told
		if s := said.Load(); s != nil {
			now = *s
		}
		if now == told && time.Since(last) < w.opts.Lease/3 {
			continue
		}
		asked := time.Now()
		err := w.ask(ctx, j, now)
		switch {
		case err == nil:
			last, told = asked, now
		case ctx.Err() != nil:
			return
		case fault.Is(err, fault.Conflict) || time.Since(last) >= w.opts.Lease:
			cancel(fmt.Errorf("%w: %w", ErrLost, err))
			return
		default:
			log.Warn("the lease of a job was not renewed; trying again", "error", err)
		}
	}
}

// ask renews once, for a third of the lease at most: a store that hangs must not
// hide that the lease is over.
func (w *Worker) ask(ctx context.Context, j Job, progress string) error {
	ctx, cancel := context.WithTimeout(ctx, w.opts.Lease/3)
	defer cancel()
	return w.opts.Store.RenewJob(ctx, j.ID, j.Fence, w.opts.Lease, progress)
}
