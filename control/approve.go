// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"flyball/blob"
	"flyball/event"
	"flyball/fault"
	"flyball/governance/access"
	"flyball/governance/approval"
	"flyball/governance/audit"
	"flyball/loop"
)

// Approval is a request for leave, and how it stands.
type Approval struct {
	approval.Request
	Decision approval.Decision `json:"decision"`
}

// Approvals are the requests of a model, the newest first, or those that wait of all
// models where it is empty.
func (s *Service) Approvals(ctx context.Context, model string) ([]Approval, error) {
	if model != "" {
		if err := s.Known(ctx, model); err != nil {
			return nil, err
		}
	}
	all, err := s.opts.Store.Approvals(ctx, model, model == "")
	if err != nil {
		return nil, err
	}
	out := make([]Approval, 0, len(all))
	for _, r := range all {
		a := Approval{Request: r}
		if r.Ended != nil {
			a.Decision = r.Decide(r.Digest, s.now(ctx))
		} else if m, err := s.Model(ctx, r.Model); err != nil {
			return nil, err
		} else if _, a.Decision, err = s.opts.Loop.Leave(ctx, &m, r, s.now(ctx)); err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

// Linked is the request that a link answers, and how it stands. An Unauthenticated fault says
// that the link is none, a Conflict that it is over.
func (s *Service) Linked(ctx context.Context, l approval.Link) (Approval, error) {
	r, err := s.opts.Store.Approval(ctx, l.Model, l.ID)
	if fault.Is(err, fault.NotFound) {
		err = approval.Forged()
	}
	if err == nil {
		err = s.opts.Links.Check(l, r, s.opts.Now())
	}
	if err != nil {
		return Approval{}, err
	}
	m, err := s.Model(ctx, r.Model)
	if err != nil {
		return Approval{}, err
	}
	_, d, err := s.opts.Loop.Leave(ctx, &m, r, s.opts.Now())
	return Approval{Request: r, Decision: d}, err
}

// Say is what somebody says to a request. Digest is of what they looked at; empty: of
// what the request is about.
type Say struct {
	Why    string      `json:"why,omitempty" doc:"the reason, for the record; needed to reject and to override"`
	Digest blob.Digest `json:"digest,omitempty" doc:"of the request that was looked at; another one is refused"`
}

// Approve gives leave in the name of who asks; the release begins at once when nobody
// else's is needed. A Denied fault says who may not, and why.
func (s *Service) Approve(ctx context.Context, model, id string, say Say) (Changed, error) {
	return s.say(ctx, model, id, approval.Approve, say)
}

// Reject refuses leave: the version stays out.
func (s *Service) Reject(ctx context.Context, model, id string, say Say) (Changed, error) {
	return s.say(ctx, model, id, approval.Reject, say)
}

// Override has a release go ahead without leave, when a second person does the same.
func (s *Service) Override(ctx context.Context, model, id string, say Say) (Changed, error) {
	return s.say(ctx, model, id, approval.Override, say)
}

// mostWhy bounds a reason, in bytes.
const mostWhy = 2000

func (s *Service) say(ctx context.Context, model, id string, kind approval.Kind, say Say) (Changed, error) {
	if len(say.Why) > mostWhy {
		return Changed{}, fault.New(fault.Invalid, "a reason takes at most %d bytes", mostWhy)
	}
	m, err := s.Model(ctx, model)
	if err != nil {
		return Changed{}, err
	}
	who, now := access.From(ctx), s.now(ctx)
	g := approval.Given{Kind: kind, By: access.Actor(ctx), Roles: roles(who, model), Why: strings.TrimSpace(say.Why), Digest: say.Digest}
	asked, err := s.opts.Store.Approval(ctx, model, id)
	if err != nil {
		return Changed{}, err
	}
	digest, after, err := s.opts.Loop.Leave(ctx, &m, asked, now)
	if err != nil {
		return Changed{}, err
	}
	ref := asked.Ref()
	err = s.opts.Store.ChangeApproval(ctx, model, id, func(r approval.Request) (approval.Request, *audit.Record, []event.Event, error) {
		r, err := r.Add(g, digest, now)
		if err != nil {
			return r, nil, nil, err
		}
		after = r.Decide(digest, now)
		data, err := json.Marshal(map[string]any{"id": r.ID, "digest": r.Digest, "risk": r.Risk, "roles": g.Roles, "via": who.Via})
		if err != nil {
			return r, nil, nil, fmt.Errorf("encode the audit record: %w", err)
		}
		rec := audit.Record{At: now, Actor: g.By, Action: string(kind), Object: ref.String(), Why: g.Why, Data: data}
		return r, &rec, []event.Event{told(r, g, after)}, nil
	})
	if err != nil {
		return Changed{}, err
	}
	if err := s.opts.Loop.Turn(ctx, s.now(ctx)); err != nil {
		return Changed{}, err
	}
	text := fmt.Sprintf("%s: %s", ref, after.Why)
	if after.State.Goes() {
		text += "; its release begins"
	}
	return Changed{Text: text}, nil
}

// told is what somebody said as an event, at the moment of the last word.
func told(r approval.Request, g approval.Given, after approval.Decision) event.Event {
	ev := event.Event{At: r.Given[len(r.Given)-1].At, Model: r.Model, By: g.By, Mark: event.OK, Kind: "approval", Command: "flyball approvals " + r.Model}
	switch g.Kind {
	case approval.Approve:
		ev.Text = fmt.Sprintf("%s approves v%d", g.By, r.Version)
	case approval.Reject:
		ev.Mark, ev.Text = event.Off, fmt.Sprintf("%s rejects v%d", g.By, r.Version)
	case approval.Override:
		ev.Mark, ev.Text = event.Warn, fmt.Sprintf("%s overrides the missing leave for v%d", g.By, r.Version)
	}
	if g.Why != "" {
		ev.Text += ": " + g.Why
	}
	if after.State == approval.Waiting {
		ev.Text += "; " + after.Why
	}
	return ev
}

// roles are the names of the roles that somebody has for a model.
func roles(who access.Identity, model string) []string {
	out := []string{}
	for _, g := range who.Grants() {
		if (g.Model == "" || g.Model == model) && !slices.Contains(out, g.Role) {
			out = append(out, g.Role)
		}
	}
	return out
}

// waiting is the fault for a version whose release waits for leave; nil where it does not.
// 0 is whichever version of the model waits.
func (s *Service) waiting(ctx context.Context, m *loop.Model, version int) error {
	st, _, err := s.opts.Loop.State(ctx, m.Name)
	if err != nil || st.Waits == nil || version != 0 && st.Waits.Version != version {
		return err
	}
	r, err := s.opts.Store.Approval(ctx, m.Name, st.Waits.Request)
	if err != nil {
		return err
	}
	_, d, err := s.opts.Loop.Leave(ctx, m, r, s.now(ctx))
	if err != nil {
		return err
	}
	return fault.New(fault.Waiting, "%s is not released yet: %s", r.Ref(), d.Why).
		Do("have somebody who neither proposed nor made it look at flyball approvals %s, and then flyball approvals approve %s", r.Model, r.Ref())
}
