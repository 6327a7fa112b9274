// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"net/http"
	"net/url"

	"flyball/api/wire"
	"flyball/governance/access"
)

// As returns a client that sends a name and a password in the place of a token.
func (c *Client) As(name, password string) *Client {
	out := *c
	out.user, out.password = name, password
	return &out
}

// Me is who the server takes the caller for.
func (c *Client) Me(ctx context.Context) (out wire.Me, err error) {
	return out, c.do(ctx, http.MethodGet, "/v1/me", nil, &out)
}

// Roles are the roles that there are.
func (c *Client) Roles(ctx context.Context) (out []access.Role, err error) {
	return out, c.do(ctx, http.MethodGet, "/v1/roles", nil, &out)
}

// Users are all users.
func (c *Client) Users(ctx context.Context) (out []access.User, err error) {
	return out, c.do(ctx, http.MethodGet, "/v1/users", nil, &out)
}

// AddUser makes a user.
func (c *Client) AddUser(ctx context.Context, name string, u wire.User) (out access.User, err error) {
	return out, c.do(ctx, http.MethodPost, "/v1/users/"+url.PathEscape(name), u, &out)
}

// SetUser changes a user.
func (c *Client) SetUser(ctx context.Context, name string, u wire.User) (out access.User, err error) {
	return out, c.do(ctx, http.MethodPatch, "/v1/users/"+url.PathEscape(name), u, &out)
}

// SetPassword changes the caller's own password.
func (c *Client) SetPassword(ctx context.Context, old, password string) (out access.User, err error) {
	return out, c.do(ctx, http.MethodPost, "/v1/me/password", wire.Password{Old: old, New: password}, &out)
}

// Tokens are the caller's tokens, or all.
func (c *Client) Tokens(ctx context.Context, all bool) (out []access.Token, err error) {
	path := "/v1/tokens"
	if all {
		path += "?all=true"
	}
	return out, c.do(ctx, http.MethodGet, path, nil, &out)
}

// AddToken makes a token; its secret is in the answer and nowhere else.
func (c *Client) AddToken(ctx context.Context, t wire.Token) (out wire.NewToken, err error) {
	return out, c.do(ctx, http.MethodPost, "/v1/tokens", t, &out)
}

// EndToken takes a token back.
func (c *Client) EndToken(ctx context.Context, id string) (out wire.Changed, err error) {
	return out, c.do(ctx, http.MethodDelete, "/v1/tokens/"+url.PathEscape(id), nil, &out)
}
