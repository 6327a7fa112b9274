// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"strings"

	"flyball/governance/access"
	"flyball/governance/alert"
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
		Store: a.store, Look: func(ctx context.Context) ([]alert.Model, error) { return a.control.Look(ctx) },
		Leads: a.leads, Ways: a.ways, Quiet: quiet, Now: a.clock.now, Logger: a.cfg.Logger,
	})
	return nil
}

// leads are the users who have the role owner for the model.
func (a *App) leads(model string) []string {
	var out []string
	for _, u := range a.door.Users() {
		for _, g := range u.Grants {
			if g.Role == "owner" && (g.Model == "" || g.Model == model) && !u.Disabled {
				out = append(out, u.Name)
				break
			}
		}
	}
	return out
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
