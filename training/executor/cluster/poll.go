// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"sync"
	"time"

	"flyball/fault"
	"flyball/training/executor"
)

// looks is the last answer of the engine about all that is followed.
type looks struct {
	mu    sync.Mutex // held while the engine is asked
	at    time.Time
	count int // answers so far
	asked map[string]bool
	seen  map[string]Seen
	err   error
}

// Poll says where the job is. One that the engine was not asked for, since its submitter
// died in between, is asked for now.
func (e *Executor) Poll(ctx context.Context, h executor.Handle) (executor.Status, error) {
	id, a, err := e.known(ctx, h)
	if err != nil {
		return executor.Status{}, err
	}
	a.mu.Lock()
	s, fresh := a.status, a.over == nil && !a.at.IsZero() && time.Since(a.at) < e.opts.Every
	a.mu.Unlock()
	if fresh {
		return s, nil
	}
	s, err = e.poll(ctx, id, a)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		a.sign, a.at = "", time.Time{} // who cannot look cannot say that it was quiet
		return s, err
	}
	a.status, a.at = s, time.Now()
	return s, nil
}

// poll looks at what is kept, then asks the engine, and keeps an end that it comes to.
func (e *Executor) poll(ctx context.Context, id string, a *attempt) (executor.Status, error) {
	if over, err := e.endOf(ctx, id, a); over != nil || err != nil {
		return value(over), err
	}
	ref, err := e.refOf(ctx, id, a)
	if err == nil && ref == nil {
		if err = e.start(ctx, id, a); err == nil {
			ref, err = e.refOf(ctx, id, a)
		}
		if fault.Is(err, fault.Invalid) {
			return e.finish(ctx, id, a, executor.Status{State: executor.Failed, Reason: err.Error()})
		}
	}
	if err != nil && !fault.Is(err, fault.Unavailable) {
		return executor.Status{}, err
	}
	f := facts{beat: e.opts.Beat}
	if ref != nil {
		f.seen, f.answered, f.missed = e.look(ctx, id, a)
	}
	who, b, err := e.signs(ctx, id, a, &f)
	if err != nil {
		return executor.Status{}, err
	}
	s := judge(f)
	if s.State.Final() {
		s.Usage = b.Usage
		if s.Ended = time.Now(); who != nil {
			s.Began = who.At
		}
		return e.finish(ctx, id, a, s)
	}
	if who != nil {
		s.Began, s.Usage = who.At, b.Usage
		s.Usage.Seconds = time.Since(who.At).Seconds()
	}
	return s, nil
}

func value(s *executor.Status) executor.Status {
	if s == nil {
		return executor.Status{}
	}
	return *s
}

// signs reads what the run of an attempt left of itself, and how long it has been quiet: as
// we saw it, since a server that was away, or a store that was, heard of nobody.
func (e *Executor) signs(ctx context.Context, id string, a *attempt, f *facts) (*run, beat, error) {
	var b beat
	who, err := e.runOf(ctx, id, a)
	if err != nil || who == nil {
		return nil, b, err
	}
	var l left
	if _, err := e.keep.read(ctx, id, beatFile, &b); err != nil {
		return nil, b, err
	}
	if _, err := e.keep.read(ctx, id, leftFile, &l); err != nil {
		return nil, b, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	now, sign := time.Now(), who.ID+" "+b.At.String()
	if a.sign != sign || now.Sub(a.last) > manyBeats*e.opts.Beat { // a new one, or nobody looked meanwhile
		a.sign, a.since = sign, now
	}
	a.last = now
	f.claimed, f.left, f.quiet = true, l.Reason, now.Sub(a.since)
	return who, b, nil
}

// look is what the engine says of an attempt: nil where it does not know it, which missed
// counts. One call asks for all that is followed, and its answer does for a while.
func (e *Executor) look(ctx context.Context, id string, a *attempt) (seen *Seen, answered bool, missed int) {
	l := &e.looks
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.asked[id] || time.Since(l.at) >= e.opts.Every {
		e.ask(ctx, l)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if l.err != nil {
		return nil, false, a.missed
	}
	if s, ok := l.seen[id]; ok {
		a.missed = 0
		return &s, true, 0
	}
	if a.look != l.count {
		a.look = l.count
		a.missed++
	}
	return nil, true, a.missed
}

// ask asks the engine for all that is followed.
func (e *Executor) ask(ctx context.Context, l *looks) {
	var refs []Ref
	asked := map[string]bool{}
	e.mu.Lock()
	for id, a := range e.attempts {
		a.mu.Lock()
		if a.ref != nil && a.over == nil {
			refs, asked[id] = append(refs, *a.ref), true
		}
		a.mu.Unlock()
	}
	e.mu.Unlock()
	seen, err := e.opts.Engine.Look(ctx, refs)
	if ctx.Err() != nil && err != nil {
		return // who asked went away: it says nothing of the engine
	}
	if err != nil && l.err == nil {
		e.opts.Logger.Warn("an engine does not answer; its jobs are taken to go on", "engine", e.opts.Name, "error", err)
	}
	l.at, l.asked, l.err = time.Now(), asked, err
	if err == nil {
		l.seen = seen
		l.count++
	}
}

// finish keeps how an attempt ended, unless an end is kept, and returns the one that is.
func (e *Executor) finish(ctx context.Context, id string, a *attempt, s executor.Status) (executor.Status, error) {
	first, err := e.keep.once(ctx, id, endFile, s)
	if err != nil {
		return executor.Status{}, err
	}
	over, err := e.endOf(ctx, id, a)
	if err == nil && over == nil {
		err = fault.New(fault.NotFound, "job %s was forgotten", id)
	}
	if err == nil && first {
		e.opts.Logger.Info("a job ended", "engine", e.opts.Name, "job", id, "state", over.State, "reason", over.Reason)
		if over.State == executor.Lost || over.State == executor.Canceled {
			e.stop(ctx, id, a) // nobody waits for it
		}
	}
	return value(over), err
}

// stop asks the engine to end what it has of an attempt.
func (e *Executor) stop(ctx context.Context, id string, a *attempt) {
	ref, err := e.refOf(ctx, id, a)
	if err == nil && ref != nil {
		err = e.opts.Engine.Stop(ctx, *ref)
	}
	if err != nil {
		e.opts.Logger.Warn("an engine was not told to end a job, which ends when it next asks", "engine", e.opts.Name, "job", id, "error", err)
	}
}

// endOf is how an attempt ended; nil: it has not.
func (e *Executor) endOf(ctx context.Context, id string, a *attempt) (*executor.Status, error) {
	return once(ctx, e, id, a, endFile, func() **executor.Status { return &a.over })
}

// refOf is how the engine calls it; nil: it was not asked, as far as is known.
func (e *Executor) refOf(ctx context.Context, id string, a *attempt) (*Ref, error) {
	return once(ctx, e, id, a, refFile, func() **Ref { return &a.ref })
}

// runOf is the run of an attempt; nil: there is none yet.
func (e *Executor) runOf(ctx context.Context, id string, a *attempt) (*run, error) {
	return once(ctx, e, id, a, runFile, func() **run { return &a.run })
}

// once reads a record that never changes, and remembers it.
func once[T any](ctx context.Context, e *Executor, id string, a *attempt, name string, at func() **T) (*T, error) {
	a.mu.Lock()
	have := *at()
	a.mu.Unlock()
	if have != nil {
		return have, nil
	}
	v := new(T)
	ok, err := e.keep.read(ctx, id, name, v)
	if !ok || err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	*at() = v
	return v, nil
}
