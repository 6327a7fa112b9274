// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"flyball/blob"
	"flyball/event"
	"flyball/governance/approval"
	"flyball/governance/audit"
	"flyball/ident"
	"flyball/job"
)

// Approvals keeps the requests for leave. Package store implements it.
type Approvals interface {
	// AskApproval keeps a request with its record and events, once.
	AskApproval(ctx context.Context, r approval.Request, rec audit.Record, evs ...event.Event) error

	// Approval is one request of a model.
	Approval(ctx context.Context, model, id string) (approval.Request, error)

	// Approvals are the requests of a model, the newest first; of all where it is empty.
	Approvals(ctx context.Context, model string, waiting bool) ([]approval.Request, error)

	// ChangeApproval keeps what decide makes of a request, with its record and events; a
	// nil record keeps nothing.
	ChangeApproval(ctx context.Context, model, id string, decide func(approval.Request) (approval.Request, *audit.Record, []event.Event, error)) error

	// Authors are those who had a hand in a version.
	Authors(ctx context.Context, ref ident.Ref) ([]string, error)
}

// Waits is a release that waits for somebody's leave.
type Waits struct {
	Wanted
	Request string    `json:"request"` // its ID
	Cause   string    `json:"cause"`   // of the training
	Since   time.Time `json:"since"`
}

// begin begins the release of a version that passed, or asks for leave first. By is
// empty where nobody but the loop wants it.
func (s State) begin(w Wanted, o Observation, now time.Time) (State, []Action) {
	if o.Asks {
		s = s.rest(now)
		s.Waits = &Waits{Wanted: w, Cause: s.Cause, Since: now}
		return s, []Action{{Ask: &w.Outcome, By: w.By, Why: w.Why}}
	}
	s.Phase, s.Since, s.Candidate, s.Job = Releasing, now, w.Version, ""
	return s, []Action{{Release: &w.Outcome, By: w.By, Why: w.Why, Mark: w.Mark}}
}

// leave goes on with the release that waits for leave: it begins, when there is leave and
// no other is under way, or it is given up. ok is false while it waits.
func (s State) leave(o Observation, now time.Time) (_ State, _ []Action, ok bool) {
	w := s.Waits
	switch {
	case o.Leave.State == "" || o.Leave.State == approval.Waiting:
		return s, nil, false
	case !o.Leave.State.Goes():
		s.Waits = nil
		return s, nil, true
	case o.Release != nil && !o.Release.Done():
		return s, nil, false
	}
	s.Waits, s.Cause = nil, w.Cause
	s.Phase, s.Since, s.Candidate = Releasing, now, w.Version
	mark := w.Mark
	if o.Leave.State == approval.Overridden {
		mark = o.Leave.Why
	}
	return s, []Action{{Release: &w.Outcome, By: w.By, Why: o.Leave.Why, Mark: mark}}, true
}

// subject is what leave is asked for, as it is now.
func (l *Loop) subject(ctx context.Context, m *Model, version int) (blob.Digest, error) {
	v, err := l.opts.Store.Version(ctx, ident.Ref{Model: m.Name, Version: version})
	if err != nil {
		return "", err
	}
	plan, err := json.Marshal(m.Plan)
	if err != nil {
		return "", fmt.Errorf("encode the plan of the release: %w", err)
	}
	s := approval.Subject{Model: m.Name, Version: version, Bundle: v.Bundle, Judged: v.Judged, Verdict: v.Verdict, Report: v.Report, Plan: plan, Risk: m.Risk}
	return s.Digest()
}

// Leave is how a request of the model stands now.
func (l *Loop) Leave(ctx context.Context, m *Model, r approval.Request, now time.Time) (blob.Digest, approval.Decision, error) {
	digest, err := l.subject(ctx, m, r.Version)
	return digest, r.Decide(digest, now), err
}

// observeLeave adds to an observation what Next has to know of leave: whether a release
// that may begin now needs it, and how the one that waits stands.
func (l *Loop) observeLeave(ctx context.Context, m *Model, s State, o *Observation, now time.Time) error {
	if l.opts.Approvals == nil {
		return nil
	}
	if s.Waits != nil {
		r, err := l.opts.Approvals.Approval(ctx, m.Name, s.Waits.Request)
		if err == nil {
			_, o.Leave, err = l.Leave(ctx, m, r, now)
		}
		if err != nil {
			return err
		}
	}
	if s.Wanted == nil && (o.Job == nil || o.Job.State != job.Done) {
		return nil
	}
	all, err := l.opts.Approvals.Approvals(ctx, m.Name, false)
	o.Asks = len(approval.Needed(m.Risk, all).Needs()) > 0
	return err
}

// ask asks for leave to release a candidate. Its ID is made of the state's generation:
// asked again before the state was kept, it is the same request.
func (l *Loop) ask(ctx context.Context, m *Model, a Action, next *State, generation int64, now time.Time) error {
	all, err := l.opts.Approvals.Approvals(ctx, m.Name, false)
	if err != nil {
		return err
	}
	id := fmt.Sprintf("%d-%d", a.Ask.Version, generation+1)
	next.Waits.Request = id
	for i, r := range all {
		if r.ID == id {
			all = all[i+1:] // what was there before it
			break
		}
	}
	r := approval.Request{
		ID: id, Model: m.Name, Version: a.Ask.Version, Risk: approval.Needed(m.Risk, all), Filed: m.Risk, By: cmp.Or(a.By, "flyball"), Why: a.Why,
		Summary: a.Ask.Summary, AskedAt: now.UTC(), Expires: now.UTC().Add(approval.Lifetime),
	}
	if r.Digest, err = l.subject(ctx, m, r.Version); err != nil {
		return err
	}
	if r.Authors, err = l.opts.Approvals.Authors(ctx, r.Ref()); err != nil {
		return err
	}
	data, err := json.Marshal(map[string]any{"id": id, "digest": r.Digest, "risk": r.Risk, "authors": r.Authors, "expires": r.Expires})
	if err != nil {
		return fmt.Errorf("encode the audit record: %w", err)
	}
	text := fmt.Sprintf("v%d %s; %s", r.Version, cmp.Or(r.Summary, "passes"), r.Decide(r.Digest, now).Why)
	return l.opts.Approvals.AskApproval(ctx, r, audit.Record{At: now, Actor: r.By, Action: "ask approval", Object: r.Ref().String(), Why: r.Why, Data: data},
		event.Event{At: now, Model: m.Name, By: r.By, Mark: event.Wait, Kind: "approval", Text: text, Command: "flyball approvals " + m.Name})
}

// endLeave writes down what the request that waited came to, once.
func (l *Loop) endLeave(ctx context.Context, m *Model, w *Waits, d approval.Decision, now time.Time) error {
	return l.opts.Approvals.ChangeApproval(ctx, m.Name, w.Request, func(r approval.Request) (approval.Request, *audit.Record, []event.Event, error) {
		if r.Ended != nil {
			return r, nil, nil, nil
		}
		r.Ended = &approval.Ended{State: d.State, Why: d.Why, At: now.UTC()}
		data, err := json.Marshal(map[string]any{"id": r.ID, "digest": r.Digest, "risk": r.Risk, "given": r.Given})
		if err != nil {
			return r, nil, nil, fmt.Errorf("encode the audit record: %w", err)
		}
		ev := event.Event{At: now, Model: m.Name, By: "flyball", Mark: event.Off, Kind: "approval", Text: fmt.Sprintf("v%d stays out: %s", r.Version, d.Why), Command: "flyball approvals " + m.Name}
		switch d.State {
		case approval.Approved:
			ev.Mark, ev.Text = event.OK, fmt.Sprintf("v%d is %s", r.Version, d.Why)
		case approval.Overridden:
			ev.Mark, ev.Text = event.Warn, fmt.Sprintf("v%d goes ahead with %s", r.Version, d.Why)
		}
		return r, &audit.Record{At: now, Actor: "flyball", Action: "approval " + string(d.State), Object: r.Ref().String(), Why: d.Why, Data: data}, []event.Event{ev}, nil
	})
}

// follow keeps the requests in step with the state: the one that waited ends when its
// release begins or it is given up, or when another waits in its place.
func (l *Loop) follow(ctx context.Context, m *Model, from State, next *State, o Observation, actions []Action, generation int64, now time.Time) error {
	for _, a := range actions {
		if a.Ask != nil {
			if err := l.ask(ctx, m, a, next, generation, now); err != nil {
				return err
			}
		}
	}
	was := from.Waits
	switch {
	case was == nil || next.Waits != nil && next.Waits.Request == was.Request:
		return nil
	case next.Waits != nil:
		return l.endLeave(ctx, m, was, approval.Decision{State: approval.Replaced, Why: fmt.Sprintf("v%d was asked for in its place", next.Waits.Version)}, now)
	case o.Leave.State == "" || o.Leave.State == approval.Waiting: // another release began that needs no leave
		return l.endLeave(ctx, m, was, approval.Decision{State: approval.Replaced, Why: "another version is released in its place"}, now)
	}
	return l.endLeave(ctx, m, was, o.Leave, now)
}
