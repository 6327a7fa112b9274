// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"flyball/event"
	"flyball/fault"
	"flyball/governance/access"
	"flyball/governance/alert"
	"flyball/governance/audit"
	"flyball/governance/incident"
	"flyball/ident"
	"flyball/notify"
	"flyball/unit"
)

// IncidentStore keeps incidents. Package store implements it.
type IncidentStore interface {
	OpenIncident(ctx context.Context, i incident.Incident, why string, messages ...notify.Message) error
	ChangeIncident(ctx context.Context, id string, decide func(incident.Incident) (incident.Incident, audit.Record, event.Event, error)) error
	Incidents(ctx context.Context, model string, openOnly bool) ([]incident.Incident, error)
}

// Incidents are those of a model, the newest first, or of all models where it is empty;
// open: those alone that are open. One that nobody took is taken by whoever acknowledged
// its alert.
func (s *Service) Incidents(ctx context.Context, model string, open bool) ([]incident.Incident, error) {
	all, err := s.opts.Store.Incidents(ctx, model, open)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 && model != "" {
		return []incident.Incident{}, s.Known(ctx, model)
	}
	alerts, err := s.opts.Store.Alerts(ctx, model, false)
	if err != nil {
		return nil, err
	}
	acks := map[string]*alert.Ack{}
	for _, a := range alerts {
		acks["alert "+a.ID] = a.Acked
		if id, ok := strings.CutPrefix(a.Key, takenBack); ok {
			acks["release "+id] = a.Acked
		}
	}
	for k, i := range all {
		if ack := acks[i.Signal]; ack != nil {
			all[k] = i.Take(ack.By, ack.At)
		}
	}
	return all, nil
}

// OpenIncident opens one by hand, in the name of who asks.
func (s *Service) OpenIncident(ctx context.Context, model, why string) (incident.Incident, error) {
	if err := s.Known(ctx, model); err != nil {
		return incident.Incident{}, err
	}
	i, err := incident.ByHand(model, access.Actor(ctx), why, s.opts.Now())
	if err != nil {
		return i, err
	}
	return i, s.opts.Store.OpenIncident(ctx, i, i.Text)
}

// Learnt is what closes an incident.
type Learnt struct {
	ID     string `json:"id,omitempty" doc:"absent: the model's only open one"`
	Cause  string `json:"cause" doc:"why it went wrong"`
	Change string `json:"change" doc:"what was changed because of it: a version, by its number or as MODEL@N, or a commit"`
}

// CloseIncident closes one with what was learnt from it. A version that is said to be the
// change must be there, and another than the one that the incident is about.
func (s *Service) CloseIncident(ctx context.Context, model string, l Learnt) (incident.Incident, error) {
	open, err := s.Incidents(ctx, model, true)
	if err != nil {
		return incident.Incident{}, err
	}
	at := slices.IndexFunc(open, func(i incident.Incident) bool { return i.ID == l.ID })
	switch {
	case l.ID == "" && len(open) == 1:
		at = 0
	case l.ID == "" && len(open) > 1:
		return incident.Incident{}, fault.New(fault.Invalid, "%s has %d open incidents", model, len(open)).Do("say which: --id %s", open[0].ID)
	case at < 0:
		return incident.Incident{}, fault.New(fault.NotFound, "%s has no such open incident", model).Do("see flyball incidents %s", model)
	}
	taken, now, by := open[at], s.opts.Now(), access.Actor(ctx)
	if l.Change, err = s.changed(ctx, taken, l.Change); err != nil {
		return incident.Incident{}, err
	}
	var out incident.Incident
	err = s.opts.Store.ChangeIncident(ctx, taken.ID, func(i incident.Incident) (incident.Incident, audit.Record, event.Event, error) {
		if !taken.Acknowledged.IsZero() {
			i = i.Take(taken.Owner, taken.Acknowledged)
		}
		i, err := i.Close(by, l.Cause, l.Change, now)
		out = i
		rec, ev := i.Told("close", by, i.Cause, now)
		return i, rec, ev, err
	})
	return out, err
}

// commit is the name of one, short or whole.
var commit = regexp.MustCompile(`^[0-9a-f]{7,64}$`)

// changed is what is said to be the change, as it is kept.
func (s *Service) changed(ctx context.Context, i incident.Incident, change string) (string, error) {
	ref := ident.Ref{Model: i.Model}
	if n, err := ident.ParseName(change); err == nil && n.Version > 0 {
		ref = ident.Ref{Model: n.Model, Version: n.Version}
	} else if n, err := strconv.Atoi(strings.TrimPrefix(change, "v")); err == nil && len(change) < 7 {
		ref.Version = n
	} else if commit.MatchString(change) {
		return change, nil
	} else {
		return "", fault.New(fault.Invalid, "%q is no version and no commit", change).Do("say --change %s@N, or a commit by 7 characters at least", i.Model)
	}
	v, err := s.opts.Store.Version(ctx, ref)
	if err != nil {
		return "", err
	}
	if ref.Model == i.Model && (ref.Version == i.Version || !v.CreatedAt.After(i.Opened)) {
		return "", fault.New(fault.Invalid, "%s was there before the incident %s, so it is not what was changed because of it", ref, i.ID).
			Do("name the version, or the commit, that came of it")
	}
	return ref.String(), nil
}

// BreakGlass gives who asks two hours without others' leave for a model, opens an
// incident, and tells the owner and who answers for the model. It is a Refused fault for
// whoever has no name, and where nobody but who asks would hear of it.
func (s *Service) BreakGlass(ctx context.Context, model, why string) (Changed, error) {
	m, err := s.Model(ctx, model)
	if err != nil {
		return Changed{}, err
	}
	who := access.From(ctx)
	if who.Via == access.Local || who.Name == "" || program(who) {
		return Changed{}, fault.New(fault.Refused, "only a person with a name breaks the glass, and you ask as %s", access.Actor(ctx)).Do("sign in: flyball login NAME")
	}
	now := s.opts.Now()
	if held, err := s.brokenBy(ctx, model, now); err != nil || held.ID != "" {
		if err == nil {
			err = fault.New(fault.Conflict, "%s broke the glass of %s already, until %s", held.By, model, held.Until.Format("15:04 UTC")).Do("end it with flyball break-glass %s --end", model)
		}
		return Changed{}, err
	}
	i, err := incident.Break(model, who.Name, why, now)
	if err != nil {
		return Changed{}, err
	}
	hear := []string{m.Duties.Fix.Owner, m.Duties.Fix.Backup}
	if s.opts.People != nil {
		hear = append(hear, s.opts.People("owner", model)...)
	}
	slices.Sort(hear)
	hear = slices.DeleteFunc(slices.Compact(hear), func(name string) bool { return name == "" || name == who.Name })
	if len(hear) == 0 {
		return Changed{}, fault.New(fault.Refused, "nobody but %s would hear of it: %s has no other owner or backup for the duty fix, and no lead", who.Name, model).
			Do("name them under duties in the model file")
	}
	if err := s.opts.Store.OpenIncident(ctx, i, strings.TrimSpace(why), s.breaking(i, hear, now)...); err != nil {
		return Changed{}, err
	}
	if err := s.RefreshGlass(ctx); err != nil {
		return Changed{}, err
	}
	return Changed{Text: fmt.Sprintf("you need nobody's leave for %s until %s; incident %s is open, and is told to %s", model, i.Until.Format("15:04 UTC"), i.ID, strings.Join(hear, ", "))}, nil
}

// breaking are the messages that tell of a broken glass, to each who is to hear by each
// way by which they can be told.
func (s *Service) breaking(i incident.Incident, hear []string, now time.Time) []notify.Message {
	if s.opts.Ways == nil {
		return nil
	}
	body, err := json.Marshal(map[string]any{"type": "break-glass", "incident": i, "run": "flyball incidents " + i.Model})
	if err != nil {
		return nil
	}
	var out []notify.Message
	for _, name := range hear {
		for _, to := range s.opts.Ways(name) {
			out = append(out, notify.Message{
				ID: notify.ID("glass", i.ID, to.Way, to.To), Address: to, Subject: "Flyball: " + i.By + " breaks the glass of " + i.Model,
				Text: i.Text + "\nIncident " + i.ID + " is open: flyball incidents " + i.Model, Body: body, CreatedAt: now,
			})
		}
	}
	return out
}

// EndGlass ends what a broken glass gives. Anybody may who could have broken it.
func (s *Service) EndGlass(ctx context.Context, model string) (Changed, error) {
	now, by := s.opts.Now(), access.Actor(ctx)
	i, err := s.brokenBy(ctx, model, now)
	if err == nil && i.ID == "" {
		err = fault.New(fault.Conflict, "the glass of %s is whole", model).Do("see flyball incidents %s", model)
	}
	if err != nil {
		return Changed{}, err
	}
	err = s.opts.Store.ChangeIncident(ctx, i.ID, func(i incident.Incident) (incident.Incident, audit.Record, event.Event, error) {
		i = i.End(now)
		rec, ev := i.Told("end break-glass of", by, "", now)
		ev.Text = by + " ends the break-glass of " + i.By
		return i, rec, ev, nil
	})
	if err != nil {
		return Changed{}, err
	}
	return Changed{Text: "the glass of " + model + " is whole again; incident " + i.ID + " stays open"}, s.RefreshGlass(ctx)
}

// brokenBy is the broken glass of a model that holds; zero: none does.
func (s *Service) brokenBy(ctx context.Context, model string, now time.Time) (incident.Incident, error) {
	all, err := s.opts.Store.Incidents(ctx, model, true)
	for _, i := range all {
		if i.Holds(now) {
			return i, err
		}
	}
	return incident.Incident{}, err
}

// RefreshGlass reads anew whose glass is broken; others may have broken or ended one.
func (s *Service) RefreshGlass(ctx context.Context) error {
	all, err := s.opts.Store.Incidents(ctx, "", true)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(i incident.Incident) bool { return i.Kind != incident.Glass })
	s.glass.Store(&all)
	return nil
}

// Broken are the models whose glass somebody broke, and that holds. It asks memory alone.
func (s *Service) Broken(name string) []string {
	all := s.glass.Load()
	if all == nil || len(*all) == 0 {
		return nil
	}
	var out []string
	now := s.opts.Now()
	for _, i := range *all {
		if i.By == name && i.Holds(now) {
			out = append(out, i.Model)
		}
	}
	return out
}

// mark is what a release says for ever that somebody moves who broke the glass; empty for
// everybody else.
func mark(ctx context.Context, model string) string {
	if slices.Contains(roles(access.From(ctx), model), access.BreakGlass) {
		return access.Actor(ctx) + " broke the glass"
	}
	return ""
}

// OpenUntaken opens an incident of each alert that nobody took: not the owner, nor the
// backup, nor the leads, each within the limit of the duty.
func (s *Service) OpenUntaken(ctx context.Context) error {
	alerts, err := s.opts.Store.Alerts(ctx, "", true)
	if err != nil {
		return err
	}
	now := s.opts.Now()
	for _, a := range alerts {
		if !untaken(a, now) {
			continue
		}
		i := incident.New(incident.Untaken, a.Model, "alert "+a.ID, "nobody took the alert: "+a.Text, "flyball", now)
		i.Version = a.Version
		if err := s.opts.Store.OpenIncident(ctx, i, a.Text); err != nil {
			return err
		}
	}
	return nil
}

// untaken reports whether everybody was told of an alert, each in turn, and nobody took
// it. What a release or a broken glass tells has an incident of its own.
func untaken(a alert.Alert, now time.Time) bool {
	within := a.Within
	if within == 0 {
		within = unit.Duration(alert.Within)
	}
	own := strings.HasPrefix(a.Key, takenBack) || strings.HasPrefix(a.Key, glassKey)
	return a.Acked == nil && a.Closed.IsZero() && a.Severity != alert.Note && !own && len(a.Told) > 0 && !now.Before(a.Told[0].At.Add(3*within.D()))
}

// The beginnings of the keys of alerts that have an incident of their own.
const (
	takenBack = "taken back/"
	glassKey  = "glass/"
)
