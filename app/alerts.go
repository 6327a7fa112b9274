// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"encoding/json"
	"strings"

	"flyball/blob"
	"flyball/governance/access"
	"flyball/governance/alert"
	"flyball/governance/approval"
	"flyball/notify"
)

// openAlerts makes what brings alerts to people. A configuration that cannot be is an
// Invalid fault.
func (a *App) openAlerts() error {
	quiet, err := alert.ParseHours(a.cfg.Quiet)
	if err != nil {
		return err
	}
	if a.sender, err = notify.New(notify.Options{Outbox: a.store, Config: a.cfg.Alerts, Now: a.clock.now, Logger: a.cfg.Logger}); err != nil {
		return err
	}
	a.router = alert.NewRouter(alert.Options{
		Store:    a.store,
		Look:     func(ctx context.Context) ([]alert.Model, error) { return a.control.Look(ctx) }, // control is made later
		HandOver: func(ctx context.Context) error { return a.control.HandOver(ctx) },
		Leads:    a.leads, Ways: a.ways, Link: a.link, Quiet: quiet, Now: a.clock.now, Logger: a.cfg.Logger,
	})
	return nil
}

// leads are those who answer for the model.
func (a *App) leads(model string) []string { return a.people(approval.Owner, model) }

// people are the users who have the role for the model.
func (a *App) people(role, model string) []string {
	var out []string
	for _, u := range a.door.Users() {
		for _, g := range u.Grants {
			if g.Role == role && (g.Model == "" || g.Model == model) && !u.Disabled {
				out = append(out, u.Name)
				break
			}
		}
	}
	return out
}

// link is where somebody who is told of an alert can look and answer. Only a mail, which goes
// to one person, has a link that answers in their name; a webhook and a chat are read by many.
func (a *App) link(of alert.Alert, who, way string) string {
	if a.external == "" {
		return ""
	}
	var about struct {
		Request string      `json:"request"`
		Digest  blob.Digest `json:"digest"`
	}
	if of.Kind != alert.Leave || way != notify.Mail || json.Unmarshal(of.Data, &about) != nil {
		return a.external + "/inbox"
	}
	l := approval.Link{Model: of.Model, ID: about.Request, Person: who}
	l.Sign = a.links.Sign(l.Model, l.ID, l.Person, about.Digest)
	return a.external + l.Path()
}

// ways are those by which a person can be told: the webhook and the chat, where there is
// one, for everybody; by mail who has an address.
func (a *App) ways(name string) []notify.Address {
	var out []notify.Address
	for _, way := range a.cfg.Alerts.Ways() {
		to := notify.Address{Way: way}
		if way == notify.Mail {
			if to.To = a.mailOf(name); to.To == "" {
				continue
			}
		}
		out = append(out, to)
	}
	return out
}

// mailOf is the address of a user, or a name that is one; empty: none is known.
func (a *App) mailOf(name string) string {
	for _, u := range a.door.Users() {
		if u.Name == name && !u.Disabled {
			return u.Mail
		}
	}
	if strings.Contains(name, "@") && (access.User{Name: "x", Mail: name}).Check() == nil {
		return name
	}
	return ""
}

// alert brings alerts on their way, once, and sends what is due.
func (a *App) alert(ctx context.Context) error {
	if err := a.router.Turn(ctx); err != nil {
		return err
	}
	if err := a.weekly(ctx); err != nil {
		return err
	}
	if err := a.control.OpenUntaken(ctx); err != nil {
		return err
	}
	if err := a.tellEvents(ctx); err != nil {
		return err
	}
	return a.sender.Turn(ctx)
}

// inboxAlerts are the alerts as the pages ask for them.
type inboxAlerts struct {
	*alert.Router
	kept alert.Kept
}

// Open are those that are open, of all models.
func (o inboxAlerts) Open(ctx context.Context) ([]alert.Alert, error) {
	return o.List(ctx, o.kept, "", true)
}
