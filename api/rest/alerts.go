// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"net/http"
	"slices"
	"time"

	"flyball/api/wire"
	"flyball/asof"
	"flyball/governance/access"
	"flyball/governance/alert"
)

// Alerts are on their way to people. Package alert implements it but for what is kept.
type Alerts struct {
	*alert.Router
	Kept   alert.Kept
	Digest func(ctx context.Context, to time.Time) (alert.Digest, error)
}

// InModel names a model in a query; empty: all that the caller may see.
type InModel struct {
	Model string `query:"model" doc:"the model's name; absent: all that the caller may see"`
}

// allow refuses a model that the caller may not see.
func (o InModel) allow(ctx context.Context) error {
	if o.Model == "" {
		return nil
	}
	return access.From(ctx).Allow(access.Read, o.Model)
}

func (f *face) alertRoutes() {
	type list struct {
		InModel
		Open bool `query:"open" doc:"only those that are open"`
	}
	anywhere(f.then(), access.Read, http.MethodGet, "/v1/alerts", "alerts", "What is wrong, and whom it was told",
		func(ctx context.Context, in *list) (*body[[]wire.Alert], error) {
			if err := in.allow(ctx); err != nil {
				return nil, err
			}
			all, err := f.Alerts.List(ctx, f.Alerts.Kept, in.Model, in.Open)
			if err == nil && len(all) == 0 && in.Model != "" {
				err = f.Control.Known(ctx, in.Model)
			}
			who := access.From(ctx)
			return answer(slices.DeleteFunc(all, func(a wire.Alert) bool { return !who.May(access.Read, a.Model) }), err)
		})
	type one struct {
		ID   string `path:"id" doc:"the alert's id"`
		Body wire.Change
	}
	anywhere(f, access.Ack, http.MethodPost, "/v1/alerts/{id}/ack", "alert-ack", "Take an alert, so that nobody else is told",
		func(ctx context.Context, in *one) (*body[wire.Changed], error) {
			a, err := f.Alerts.Find(ctx, in.ID)
			if err == nil {
				err = access.From(ctx).Allow(access.Ack, a.Model)
			}
			if err == nil {
				a, err = f.Alerts.Acknowledge(ctx, in.ID, access.Actor(ctx), in.Body.Why)
			}
			return answer(wire.Changed{Text: "yours now: " + a.Text}, err)
		})
	type silence struct {
		OfModel
		Body wire.Silence
	}
	route(f, access.Ack, http.MethodPost, "/v1/models/{model}/silence", "silence", "Have a model's alerts not told for a while",
		func(ctx context.Context, in *silence) (*body[wire.Changed], error) {
			err := f.Control.Known(ctx, in.Model)
			if err != nil {
				return nil, err
			}
			s, err := f.Alerts.Silence(ctx, in.Model, access.Actor(ctx), in.Body.Why, in.Body.For.D())
			text := "nobody is told of " + in.Model + " until " + s.Until.UTC().Format("2006-01-02 15:04 UTC")
			if in.Body.For == 0 {
				text = "alerts of " + in.Model + " are told again"
			}
			return answer(wire.Changed{Text: text}, err)
		})
	type none struct{}
	anywhere(f.then(), access.Read, http.MethodGet, "/v1/digest", "digest", "What the loop did in the last seven days, and what waits for whom",
		func(ctx context.Context, _ *none) (*body[wire.Digest], error) {
			d, err := f.Alerts.Digest(ctx, asof.Now(ctx, f.Now()))
			who := access.From(ctx)
			return answer(d.Of(func(model string) bool { return who.May(access.Read, model) }), err)
		})
	type away struct{ Body wire.Away }
	anywhere(f, access.Ack, http.MethodPost, "/v1/owners/away", "away", "Say that somebody cannot be called for a while, for all models",
		func(ctx context.Context, in *away) (*body[wire.Changed], error) {
			b := in.Body
			return answer(f.Control.Away(ctx, b.Person, b.From, b.To, b.Why))
		})
	anywhere(f.then(), access.Read, http.MethodGet, "/v1/owners", "owners", "Who has which duty, and where nobody may come",
		func(ctx context.Context, in *InModel) (*body[[]wire.Owner], error) {
			if err := in.allow(ctx); err != nil {
				return nil, err
			}
			all, err := f.Control.Owners(ctx, in.Model)
			who := access.From(ctx)
			all = slices.DeleteFunc(all, func(o wire.Owner) bool { return !who.May(access.Read, o.Model) })
			f.unknown(all)
			return answer(all, err)
		})
}

// unknown adds to the holes who is no user, or may not sign in.
func (f *face) unknown(all []wire.Owner) {
	if f.Door == nil || !f.Door.Guarded() {
		return
	}
	users := map[string]access.User{}
	for _, u := range f.Door.Users() {
		users[u.Name] = u
	}
	for i := range all {
		for _, name := range []string{all[i].Owner, all[i].Backup} {
			switch u, is := users[name]; {
			case name == "":
			case !is:
				all[i].Holes = append(all[i].Holes, "there is no user "+name)
			case u.Disabled:
				all[i].Holes = append(all[i].Holes, name+" is disabled")
			}
		}
	}
}
