// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"time"

	"flyball/event"
	"flyball/notify"
	"flyball/serving/release"
)

// tellEvents puts what happened to models into the outbox, where there is a subscriber.
func (a *App) tellEvents(ctx context.Context) error {
	if a.cfg.Alerts.Events == "" {
		return nil
	}
	return a.store.TellEvents(ctx, func(e event.Event) (notify.Message, bool, error) {
		if !notify.Lifecycle(e) {
			return notify.Message{}, false, nil
		}
		m, err := notify.Event(e, a.clock.now())
		return m, true, err
	})
}

// subscribed tells the subscriber every second what happened, until ctx is done.
func (a *App) subscribed(ctx context.Context) error {
	if a.cfg.Alerts.Events == "" {
		return nil
	}
	return every(ctx, time.Second, func() {
		if err := a.tellEvents(ctx); err != nil && ctx.Err() == nil {
			a.cfg.Logger.Error("events could not be brought on their way", "error", err)
		}
	})
}

// incidents opens an incident of each alert that nobody took, and reads whose glass is
// broken, for others may have broken one: every few seconds, until ctx is done.
func (a *App) incidents(ctx context.Context) error {
	return every(ctx, 5*time.Second, func() {
		err := a.control.OpenUntaken(ctx)
		if err == nil {
			err = a.control.RefreshGlass(ctx)
		}
		if err != nil && ctx.Err() == nil {
			a.cfg.Logger.Error("incidents could not be looked after", "error", err)
		}
	})
}

// every calls do now and then after each wait, until ctx is done.
func every(ctx context.Context, wait time.Duration, do func()) error {
	tick := time.NewTicker(wait)
	defer tick.Stop()
	for {
		do()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// hourTick is how often the counts of requests are kept: what a process counted since the
// last time is lost when it is killed. A replica reports its own as often.
const hourTick = 2 * time.Second

// keepHours keeps the counts of requests, where any changed, until ctx is done.
func (a *App) keepHours(ctx context.Context) error {
	return every(ctx, hourTick, func() { a.flushHours(ctx) })
}

// flushHours keeps what was counted since it was called last.
func (a *App) flushHours(ctx context.Context) {
	a.telling.Lock()
	defer a.telling.Unlock()
	all := a.serving.Hours()
	var changed []release.Hour
	for _, h := range all {
		if was, ok := a.hours[hourKey(h)]; !ok || was != h {
			changed = append(changed, h)
		}
	}
	if err := a.store.KeepHours(ctx, a.process, changed); err != nil {
		if ctx.Err() == nil {
			a.cfg.Logger.Error("the counts of requests could not be kept; they are kept the next time", "error", err)
		}
		return
	}
	a.serving.ForgetHours(all)
	a.hours = map[release.Hour]release.Hour{}
	for _, h := range all {
		a.hours[hourKey(h)] = h
	}
}

// hourKey is the hour without its counts.
func hourKey(h release.Hour) release.Hour {
	h.Answered, h.Failed, h.Rows = 0, 0, 0
	return h
}
