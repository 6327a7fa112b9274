// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"flyball/asof"
	"flyball/event"
	"flyball/fault"
	"flyball/governance/audit"
	"flyball/governance/duty"
	"flyball/notify"
)

// Store is what a router needs kept. Package store implements it.
type Store interface {
	// UnsettledAlerts are the alerts that are open, or over without all being told.
	UnsettledAlerts(ctx context.Context) ([]Alert, error)

	// Alert is one by its id; a NotFound fault when there is none.
	Alert(ctx context.Context, id string) (Alert, error)

	// SaveAlert keeps the alert under its generation with the messages that it sends, the
	// record (nil: none) and the events, all or nothing. It is a Conflict fault, and
	// nothing is kept, unless the alert has the generation before (0: there is none).
	SaveAlert(ctx context.Context, a Alert, messages []notify.Message, rec *audit.Record, evs ...event.Event) error

	// Silences are those that were kept, over or not.
	Silences(ctx context.Context) ([]Silence, error)

	// KeepSilence keeps a silence in the place of the model's one before.
	KeepSilence(ctx context.Context, s Silence, rec audit.Record, ev event.Event) error
}

// Model is a model with its duties and what is wrong with it now.
type Model struct {
	Name   string
	Duties duty.Duties
	Causes []Cause
}

// Options are what a Router is built from. All are needed but HandOver, Leads, Link and Quiet.
type Options struct {
	Store    Store
	Look     func(ctx context.Context) ([]Model, error) // how all models stand now
	HandOver func(ctx context.Context) error            // tells who has a duty from now on, before each turn; nil: none goes by turns
	Leads    func(model string) []string                // who answers for a model, when owner and backup do not
	Ways     func(name string) []notify.Address         // by which a person can be told
	Link     func(a Alert, who, way string) string      // where somebody can look and answer; nil or empty: nowhere
	Quiet    Hours
	Now      func() time.Time // the process's clock
	Logger   *slog.Logger
}

// Router turns what is wrong into alerts, and alerts into messages. Its methods may be
// called at once.
type Router struct{ opts Options }

// NewRouter makes a router that does not turn yet.
func NewRouter(o Options) *Router {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Router{opts: o}
}

// Run turns every two seconds until ctx is done, and then returns nil.
func (r *Router) Run(ctx context.Context) error {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		if err := r.Turn(ctx); err != nil && ctx.Err() == nil {
			r.opts.Logger.Error("alerts could not be brought on their way", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Turn looks once, and does what is to be done now. An alert that fails is left as it
// was, and the others go on; the error names those.
func (r *Router) Turn(ctx context.Context) error {
	if r.opts.HandOver != nil {
		if err := r.opts.HandOver(ctx); err != nil {
			return err
		}
	}
	models, err := r.opts.Look(ctx)
	if err != nil {
		return err
	}
	alerts, err := r.opts.Store.UnsettledAlerts(ctx)
	if err != nil {
		return err
	}
	silenced, err := r.Silenced(ctx)
	if err != nil {
		return err
	}
	now := r.opts.Now()
	duties, holds, asked := map[string]duty.Duties{}, map[string]bool{}, map[string]duty.Duty{}
	open := map[string]bool{}
	for _, a := range alerts {
		if a.Closed.IsZero() {
			open[a.Key] = true
		}
	}
	var failed []error
	for _, m := range models {
		duties[m.Name] = m.Duties
		for _, c := range m.Causes {
			holds[c.Key] = true
			if c.Asked != nil {
				asked[c.Key] = *c.Asked
			}
			if open[c.Key] {
				continue
			}
			a := Open(c)
			switch _, err := r.opts.Store.Alert(ctx, a.ID); {
			case fault.Is(err, fault.NotFound):
				alerts = append(alerts, a)
			case err != nil:
				failed = append(failed, err)
			}
		}
	}
	for _, a := range alerts {
		called, ok := asked[a.Key]
		if !ok {
			called = duties[a.Model].Of(a.Duty)
		}
		f := Facts{
			Holds: holds[a.Key], Duty: called, Leads: r.leads(a.Model, duties[a.Model]), Quiet: r.opts.Quiet, Silenced: silenced[a.Model],
			Ways: func(name string) []string { return ways(r.opts.Ways(name)) },
		}
		if err := r.route(ctx, a, f, now); err != nil && !fault.Is(err, fault.Conflict) { // somebody changed it meanwhile: the next turn looks again
			failed = append(failed, fmt.Errorf("alert %s: %w", a.ID, err))
		}
	}
	return errors.Join(failed...)
}

// route asks Next about one alert, and keeps what it says.
func (r *Router) route(ctx context.Context, a Alert, f Facts, now time.Time) error {
	next, steps := Next(a, f, now)
	if a.Generation > 0 && len(steps) == 0 && a.Settled == next.Settled && a.Closed.Equal(next.Closed) &&
		a.Owner == next.Owner && a.Backup == next.Backup && a.Within == next.Within {
		return nil
	}
	next.Generation++
	var messages []notify.Message
	var evs []event.Event
	for i, s := range steps {
		messages = append(messages, next.messages(len(a.Told)+i, r.opts.Ways(s.Who), r.opts.Link, now)...)
		evs = append(evs, next.happening(s))
	}
	return r.opts.Store.SaveAlert(ctx, next, messages, nil, evs...)
}

// leads are who answers for the model; where nobody does, the owner of the duty fix.
func (r *Router) leads(model string, d duty.Duties) []string {
	if r.opts.Leads != nil {
		if all := r.opts.Leads(model); len(all) > 0 {
			return all
		}
	}
	return []string{d.Fix.Owner}
}

func ways(to []notify.Address) []string {
	var out []string
	for _, a := range to {
		out = append(out, a.Way)
	}
	return out
}

// Silenced is until when each model is silenced that is.
func (r *Router) Silenced(ctx context.Context) (map[string]time.Time, error) {
	all, err := r.opts.Store.Silences(ctx)
	out := map[string]time.Time{}
	now := asof.Now(ctx, r.opts.Now())
	for _, s := range all {
		if now.Before(s.Until) {
			out[s.Model] = s.Until
		}
	}
	return out, err
}

// changes is how often an acknowledgement is tried when the alert moves meanwhile.
const changes = 10

// Acknowledge has by take an alert, so that nobody else is told. One that is not there is
// a NotFound fault, one that was taken or is over a Conflict.
func (r *Router) Acknowledge(ctx context.Context, id, by, why string) (Alert, error) {
	for range changes {
		a, err := r.Find(ctx, id)
		if err != nil {
			return Alert{}, err
		}
		now := r.opts.Now()
		next, ok := a.Acknowledge(by, why, now)
		switch {
		case !ok && a.Acked != nil:
			return a, fault.New(fault.Conflict, "%s has acknowledged the alert %s already", a.Acked.By, id)
		case !ok:
			return a, fault.New(fault.Conflict, "the alert %s is over", id)
		}
		next.Generation++
		rec := audit.Record{At: now, Actor: by, Action: "acknowledge", Object: a.Model, Why: why, Data: []byte(`{"alert":"` + a.ID + `"}`)}
		ev := event.Event{At: now, Model: a.Model, By: by, Mark: event.OK, Kind: "alert", Text: by + " acknowledges: " + a.Text, Command: "flyball alerts " + a.Model}
		if err = r.opts.Store.SaveAlert(ctx, next, nil, &rec, ev); !fault.Is(err, fault.Conflict) {
			return next, err
		}
	}
	return Alert{}, fault.New(fault.Conflict, "the alert %s changes too fast", id).Do("try again")
}

// Find is an alert by its id, also of a cause that no turn has seen yet; a NotFound fault
// when there is none.
func (r *Router) Find(ctx context.Context, id string) (Alert, error) {
	a, err := r.opts.Store.Alert(ctx, id)
	if !fault.Is(err, fault.NotFound) {
		return a, err
	}
	if turned := r.Turn(ctx); turned != nil {
		return a, turned
	}
	return r.opts.Store.Alert(ctx, id)
}

// longest is how long a model may be silenced.
const longest = 7 * 24 * time.Hour

// Silence keeps a model's alerts from being told for so long, a week at most; 0 ends a
// silence. It needs a reason.
func (r *Router) Silence(ctx context.Context, model, by, why string, lasts time.Duration) (Silence, error) {
	switch {
	case lasts < 0 || lasts > longest:
		return Silence{}, fault.New(fault.Invalid, "a silence lasts a week at most").Do("say --for 2h, or change what is watched in the model file")
	case why == "" && lasts > 0:
		return Silence{}, fault.New(fault.Invalid, "a silence needs a reason").Do("say --why \"…\"")
	}
	now := r.opts.Now()
	s := Silence{Model: model, Until: now.Add(lasts), By: by, At: now, Why: why}
	rec := audit.Record{At: now, Actor: by, Action: "silence", Object: model, Why: why, Data: []byte(`{"until":"` + s.Until.UTC().Format(time.RFC3339) + `"}`)}
	text := fmt.Sprintf("%s silences alerts until %s: %s", by, s.Until.UTC().Format("2 Jan 15:04"), why)
	ev := event.Event{At: now, Model: model, By: by, Mark: event.Off, Kind: "alert", Text: text, Command: "flyball alerts " + model}
	if lasts == 0 {
		rec.Action, ev.Text = "end silence", by+" ends the silence"
	}
	return s, r.opts.Store.KeepSilence(ctx, s, rec, ev)
}
