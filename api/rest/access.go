// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"net/http"

	"flyball/api/wire"
	"flyball/governance/access"
)

// accessRoutes say who may what. Without a directory there are none.
func (f *face) accessRoutes() {
	if f.Door == nil {
		return
	}
	type none struct{}
	anywhere(f, access.Known, http.MethodGet, "/v1/me", "me", "Who asks, and what they may",
		func(ctx context.Context, _ *none) (*body[wire.Me], error) {
			who := access.From(ctx)
			return answer(wire.Me{Identity: who, Grants: who.Grants(), Guarded: f.Door.Guarded()}, nil)
		})
	route(f, access.Known, http.MethodGet, "/v1/roles", "roles", "The roles, and what each may",
		func(context.Context, *none) (*body[[]access.Role], error) { return answer(access.Roles(), nil) })
	f.userRoutes()
	f.tokenRoutes()
}

func (f *face) userRoutes() {
	type none struct{}
	route(f, access.Users, http.MethodGet, "/v1/users", "users", "All users",
		func(context.Context, *none) (*body[[]access.User], error) { return answer(f.Door.Users(), nil) })
	type user struct {
		Name string `path:"name" doc:"the user's name"`
		Body wire.User
	}
	route(f, access.Users, http.MethodPost, "/v1/users/{name}", "user-add", "Make a user; the first one has all who ask sign in from then on",
		func(ctx context.Context, in *user) (*body[access.User], error) {
			return answer(f.Door.AddUser(ctx, access.Actor(ctx), in.Name, in.Body.Change()))
		})
	route(f, access.Users, http.MethodPatch, "/v1/users/{name}", "user-set", "Change a user",
		func(ctx context.Context, in *user) (*body[access.User], error) {
			return answer(f.Door.SetUser(ctx, access.Actor(ctx), in.Name, in.Body.Change()))
		})
	type password struct{ Body wire.Password }
	route(f, access.Known, http.MethodPost, "/v1/me/password", "password", "Change one's own password",
		func(ctx context.Context, in *password) (*body[access.User], error) {
			return answer(f.Door.SetPassword(ctx, access.From(ctx), in.Body.Old, in.Body.New))
		})
}

func (f *face) tokenRoutes() {
	type mine struct {
		All bool `query:"all" doc:"of all users, for whoever keeps users"`
	}
	route(f, access.Known, http.MethodGet, "/v1/tokens", "tokens", "Tokens, newest first; their secrets are not kept",
		func(ctx context.Context, in *mine) (*body[[]access.Token], error) {
			who := access.From(ctx)
			if !in.All {
				return answer(f.Door.Tokens(who.Name), nil)
			}
			if err := who.Allow(access.Users, ""); err != nil {
				return nil, err
			}
			return answer(f.Door.Tokens(""), nil)
		})
	type add struct{ Body wire.Token }
	route(f, access.Known, http.MethodPost, "/v1/tokens", "token-add", "Make a token; its secret is shown this once",
		func(ctx context.Context, in *add) (*body[wire.NewToken], error) {
			t, secret, err := f.Door.AddToken(ctx, access.From(ctx), in.Body.Token(f.Door.Now()))
			return answer(wire.NewToken{Token: t, Secret: secret}, err)
		})
	type one struct {
		ID string `path:"id" doc:"the token's id"`
	}
	route(f, access.Known, http.MethodDelete, "/v1/tokens/{id}", "token-end", "Take a token back",
		func(ctx context.Context, in *one) (*body[wire.Changed], error) {
			err := f.Door.EndToken(ctx, access.From(ctx), in.ID)
			return answer(wire.Changed{Text: "token " + in.ID + " is no longer good"}, err)
		})
}
