// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"maps"
	"slices"
	"time"

	"flyball/governance/alert"
	"flyball/notify"
)

// digest is what the loop did in the week before to, and what waits for whom.
func (a *App) digest(ctx context.Context, to time.Time) (alert.Digest, error) {
	evs, err := a.store.LastEvents(ctx, "", 10_000)
	if err != nil {
		return alert.Digest{}, err
	}
	alerts, err := a.router.List(ctx, a.store, "", true)
	if err != nil {
		return alert.Digest{}, err
	}
	models, err := a.control.Models(ctx)
	if err != nil {
		return alert.Digest{}, err
	}
	var waits []alert.Wait
	for _, m := range models {
		st, _, err := a.loop.State(ctx, m.Name)
		if err != nil {
			return alert.Digest{}, err
		}
		if st.Hold != "" {
			waits = append(waits, alert.Wait{Model: m.Name, Who: m.Duties.Retrain.Owner, Text: "nothing is retrained: " + st.Hold, Command: "flyball resume " + m.Name})
		}
		if err := m.Duties.Check(); err != nil {
			waits = append(waits, alert.Wait{Model: m.Name, Text: "it has duties that nobody has", Command: "flyball owners " + m.Name})
		}
	}
	return alert.Summarise(evs, alerts, waits, to), nil
}

// late is how long after its time a digest is sent still.
const late = 12 * time.Hour

// weekly sends the digest once on each Monday at eight: all of it to the webhook and the
// chat, and by mail to whoever has a duty, about the models of theirs.
func (a *App) weekly(ctx context.Context) error {
	now := a.clock.now()
	to := alert.Monday(now, time.Local)
	if a.digested.Equal(to) || now.Sub(to) > late || len(a.cfg.Alerts.Ways()) == 0 {
		return nil
	}
	d, err := a.digest(ctx, to)
	if err != nil {
		return err
	}
	of, err := a.concerned(ctx)
	if err != nil {
		return err
	}
	var out []notify.Message
	for _, way := range a.cfg.Alerts.Ways() {
		if way != notify.Mail {
			out = append(out, d.Message(notify.Address{Way: way}, now))
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(of)) {
			if mail := a.mailOf(name); mail != "" {
				theirs := d.Of(func(model string) bool { return slices.Contains(of[name], model) })
				out = append(out, theirs.Message(notify.Address{Way: way, To: mail}, now))
			}
		}
	}
	if err := a.store.AddMessages(ctx, out...); err != nil { // one that is there stays as it is
		return err
	}
	a.digested = to
	return nil
}

// concerned are the models of each person who has a duty, or answers for one.
func (a *App) concerned(ctx context.Context) (map[string][]string, error) {
	owners, err := a.control.Owners(ctx, "")
	out := map[string][]string{}
	for _, o := range owners {
		for _, name := range append(a.leads(o.Model), o.Owner, o.Backup) {
			if name != "" && !slices.Contains(out[name], o.Model) {
				out[name] = append(out[name], o.Model)
			}
		}
	}
	return out, err
}

// digests looks every minute whether it is time, until ctx is done.
func (a *App) digests(ctx context.Context) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		if err := a.weekly(ctx); err != nil && ctx.Err() == nil {
			a.cfg.Logger.Error("the digest of the week could not be made", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
