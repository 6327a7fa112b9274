// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// asker asks for row n of those that are asked for in turn, and says whether the answer
// is the model's where check is true. It may be used by many goroutines at once.
type asker func(ctx context.Context, n int, check bool) error

// warming is how long a server is asked before it is measured; every answer is checked then.
const warming = time.Second

// checkOne is one of how many answers is checked while it is measured.
const checkOne = 16

// result is what was measured.
type result struct {
	perSecond, perCore float64
	p50, p99           time.Duration
	failed             int64
	first              error // of those that failed
}

// ready asks until the server answers, for so long at most.
func (a asker) ready(ctx context.Context, most time.Duration) error {
	until := time.Now().Add(most)
	for {
		err := a(ctx, 0, false)
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Now().After(until) {
			return fmt.Errorf("it does not answer after %s: %w", most, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// measure asks for a while after a warm-up. The processor's seconds are those of the
// process and all that it started.
func (a asker) measure(ctx context.Context, pid int, s settings) (result, error) {
	warm, err := a.during(ctx, s, warming, 1)
	if err != nil {
		return result{}, err
	}
	if warm.failed > 0 {
		return result{}, warm.first
	}
	before, err := processor(pid)
	if err != nil {
		return result{}, err
	}
	began := time.Now()
	r, err := a.during(ctx, s, s.each, checkOne)
	if err != nil {
		return r, err
	}
	took := time.Since(began).Seconds()
	after, err := processor(pid)
	r.perSecond /= took
	r.perCore = r.perSecond * took / (after - before)
	return r, err
}

// during asks for so long; perSecond is the number of answers then. In an open loop a
// latency counts from when the request was due, whether or not a caller was free.
func (a asker) during(ctx context.Context, s settings, long time.Duration, checkOne int64) (result, error) {
	var all sync.WaitGroup
	var mu sync.Mutex
	var times []time.Duration
	var sent, failed atomic.Int64
	var first atomic.Pointer[error]
	began := time.Now()
	for range s.callers {
		all.Go(func() {
			var mine []time.Duration
			for ctx.Err() == nil {
				n := sent.Add(1)
				due := time.Now()
				if s.rate > 0 {
					due = began.Add(time.Duration(float64(n) / s.rate * float64(time.Second)))
					time.Sleep(time.Until(due))
				}
				if time.Since(began) > long {
					break
				}
				if err := a(ctx, int(n), n%checkOne == 0); err != nil {
					failed.Add(1)
					first.CompareAndSwap(nil, &err)
					continue
				}
				mine = append(mine, time.Since(due))
			}
			mu.Lock()
			times = append(times, mine...)
			mu.Unlock()
		})
	}
	all.Wait()
	r := result{perSecond: float64(len(times)), failed: failed.Load()}
	if err := first.Load(); err != nil {
		r.first = *err
	}
	if len(times) == 0 {
		return r, errors.Join(errors.New("no answer"), r.first)
	}
	slices.Sort(times)
	at := func(q float64) time.Duration { return times[int(q*float64(len(times)-1))] }
	r.p50, r.p99 = at(0.5), at(0.99)
	return r, nil
}
