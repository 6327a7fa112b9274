// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"sync"
	"time"

	"flyball/fault"
)

// clock is the process's time: the machine's, or one that moves by request.
type clock struct {
	manual bool

	mu sync.Mutex
	at time.Time
}

// now is the time in UTC, to the microsecond.
func (c *clock) now() time.Time {
	if !c.manual {
		return time.Now().UTC().Truncate(time.Microsecond)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// set moves a manual clock; it never moves back.
func (c *clock) set(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	t = t.UTC().Truncate(time.Microsecond)
	if t.Before(c.at) {
		return fault.New(fault.Conflict, "the clock stands at %s and does not move back to %s", c.at.Format(time.RFC3339), t.Format(time.RFC3339))
	}
	c.at = t
	return nil
}

// resumeClock lets a manual clock go on from the newest thing that happened.
func (a *App) resumeClock(ctx context.Context) error {
	if !a.cfg.Manual {
		return nil
	}
	last, err := a.store.LastEvents(ctx, "", 1)
	if err != nil {
		return err
	}
	for _, e := range last {
		if e.At.After(a.clock.at) {
			a.clock.at = e.At
		}
	}
	return nil
}

// Advance moves a manual clock to now and, with turn, turns the loop and does every job that this
// brings up before it returns: in life a training takes minutes, not days, so the
// clock holds while one runs.
func (a *App) Advance(ctx context.Context, now time.Time, turn bool) error {
	a.advance.Lock()
	defer a.advance.Unlock()
	if err := a.clock.set(now); err != nil {
		return err
	}
	if !turn {
		return nil
	}
	for {
		if err := a.loop.Turn(ctx, a.clock.now()); err != nil {
			return err
		}
		worked, err := a.worker.RunOne(ctx)
		if err != nil {
			return err
		}
		if !worked {
			return a.alert(ctx)
		}
	}
}
