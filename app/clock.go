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
	skew   time.Duration        // that the machine's time is wrong by, in tests
	apart  func() time.Duration // that it is behind the time of those who decide; nil: not known

	mu sync.Mutex
	at time.Time
}

// now is the time in UTC, to the microsecond.
func (c *clock) now() time.Time {
	if !c.manual {
		now := c.machine()
		if c.apart != nil {
			if apart := c.apart(); apart.Abs() > tolerated {
				now = now.Add(apart)
			}
		}
		return now
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// tolerated is how far the machine's time may be from the time of those who decide before
// it is set right.
const tolerated = 5 * time.Second

// machine is the time of the machine, right or wrong.
func (c *clock) machine() time.Time { return time.Now().Add(c.skew).UTC().Truncate(time.Microsecond) }

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
