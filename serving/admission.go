// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"flyball/fault"
)

// Limits bound what is worked on for one model. The zero value is good.
type Limits struct {
	InFlight int // requests worked on at once; 0: 512
	Queue    int // that wait for their turn; 0: 2,048
}

// gate lets in as many requests as may be worked on at once, and the others in their
// order. It turns away whom its turn would reach too late.
type gate struct {
	Limits
	inside  atomic.Int64
	waiting atomic.Int64 // how many are in line
	usual   atomic.Int64 // nanoseconds that a request takes, lately

	mu   sync.Mutex
	line []chan struct{} // closed when its turn has come
}

// enter lets a request in when its turn comes; leave must be called after it.
func (g *gate) enter(ctx context.Context, model string) error {
	if g.waiting.Load() == 0 && g.slip() {
		return nil
	}
	turn, err := g.queue(ctx, model)
	if turn == nil {
		return err
	}
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.line, turn); i >= 0 {
		g.line = slices.Delete(g.line, i, i+1)
		g.waiting.Add(-1)
	} else { // its turn came in the same moment
		g.inside.Add(-1)
		g.call()
	}
	return fault.Wrap(context.Cause(ctx), fault.Unavailable, "%s did not get its turn in time", model)
}

// slip takes a free place.
func (g *gate) slip() bool {
	for {
		n := g.inside.Load()
		if n >= int64(g.InFlight) {
			return false
		}
		if g.inside.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// queue gives a place in the line; none and no error where one became free meanwhile.
func (g *gate) queue(ctx context.Context, model string) (chan struct{}, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting.Add(1) // before the look at what is free: leave looks the other way round
	if len(g.line) == 0 && g.slip() {
		g.waiting.Add(-1)
		return nil, nil
	}
	wait := time.Duration(g.usual.Load()) * time.Duration(len(g.line)+1) / time.Duration(g.InFlight)
	if len(g.line) >= g.Queue {
		g.waiting.Add(-1)
		return nil, fault.New(fault.Exhausted, "%d requests to %s wait already", len(g.line), model).In(max(wait, time.Millisecond))
	}
	if until, ok := ctx.Deadline(); ok && time.Until(until) < wait {
		g.waiting.Add(-1)
		return nil, fault.New(fault.Unavailable, "%s cannot answer within the time that the request leaves", model).In(wait)
	}
	turn := make(chan struct{})
	g.line = append(g.line, turn)
	return turn, nil
}

// leave gives the place to the next in line. took is how long the request took.
func (g *gate) leave(took time.Duration) {
	usual := g.usual.Load()
	g.usual.Store(usual + (int64(took)-usual)/16)
	g.inside.Add(-1)
	if g.waiting.Load() > 0 {
		g.mu.Lock()
		g.call()
		g.mu.Unlock()
	}
}

// call has the next in line come in while there are places.
func (g *gate) call() {
	for len(g.line) > 0 && g.slip() {
		close(g.line[0])
		g.line[0] = nil
		g.line = g.line[1:]
		g.waiting.Add(-1)
	}
}
