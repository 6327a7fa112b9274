// SPDX-License-Identifier: Apache-2.0

// Package access says who may what: users, the roles they have for one model or for all,
// the tokens of programs, the sessions of browsers. It keeps no password and no secret,
// only what they are checked against, and it decides from memory: an answer never waits
// for the database. It knows no protocol; package api asks it for each route.
package access

import (
	"context"
	"slices"
	"strings"
	"time"

	"flyball/fault"
)

// User is a person, or a program that has an account of its own.
type User struct {
	Name      string     `json:"name"` // to sign in with, and what records call them: lower case
	Mail      string     `json:"mail,omitempty"`
	Grants    []Grant    `json:"grants"`
	Password  string     `json:"-"`                  // as HashPassword gives it; empty: none
	Disabled  bool       `json:"disabled,omitempty"` // may do nothing, and is kept for the records
	CreatedAt time.Time  `json:"created_at"`
	CreatedBy string     `json:"created_by"`
	Changed   *time.Time `json:"changed_at,omitempty"`
}

// Machine says whether the user is a program: all its roles are those of machines.
func (u User) Machine() bool {
	if len(u.Grants) == 0 {
		return false
	}
	return !slices.ContainsFunc(u.Grants, func(g Grant) bool {
		r, err := RoleOf(g.Role)
		return err != nil || !r.Machine
	})
}

// Check says whether the user can be kept: an Invalid fault says why not.
func (u User) Check() error {
	if err := CheckName(u.Name); err != nil {
		return err
	}
	for _, g := range u.Grants {
		if _, err := RoleOf(g.Role); err != nil {
			return err
		}
	}
	if u.Machine() && u.Password != "" {
		return fault.New(fault.Invalid, "%s has the roles of programs alone, so it gets no password", u.Name).Do("give it a token: flyball tokens add --user %s", u.Name)
	}
	if len(u.Mail) > 254 || u.Mail != "" && !strings.Contains(u.Mail, "@") || strings.ContainsFunc(u.Mail, func(r rune) bool { return r <= ' ' }) {
		return fault.New(fault.Invalid, "%q is no mail address", u.Mail)
	}
	return nil
}

// Local is who asks while there are no users: whoever uses this machine.
const Local = "local"

// CheckName says whether a user can have the name: 1 to 40 of a-z, 0-9, dot, dash and
// underscore, beginning with a letter or digit; not one that Flyball itself acts under.
func CheckName(name string) error {
	ok := name != "" && len(name) <= 40 && !strings.ContainsAny(name[:1], ".-_")
	for _, r := range name {
		ok = ok && (r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune(".-_", r))
	}
	if !ok {
		return fault.New(fault.Invalid, "%q is no name of a user: 1 to 40 of a-z, 0-9, dot, dash and underscore, a letter or digit first", name)
	}
	if name == Local || name == ourselves {
		return fault.New(fault.Invalid, "%q cannot be a user's name: records call the server, or whoever uses its machine, so", name)
	}
	return nil
}

// Identity is who asks, and how they proved it. The zero value may nothing.
type Identity struct {
	Name  string `json:"name"`
	Via   string `json:"via"` // local, password, token or session
	Token string `json:"token,omitempty"`

	local  bool
	grants []held
	scope  *Scope
}

// Anyone is the identity of the local user, who may everything: for while there are no users.
func Anyone() Identity { return Identity{Name: Local, Via: Local, local: true} }

// May says whether the identity has the permission on the model. An empty model is what
// belongs to none, such as the list of runs: that needs a role for all models.
func (i Identity) May(p Permission, model string) bool {
	if p == Open || i.local || p == Known && i.Name != "" {
		return true
	}
	if i.scope != nil && !i.scope.allows(p, model) {
		return false
	}
	return slices.ContainsFunc(i.grants, func(h held) bool { return h.allows(p, model) })
}

// Allow is May as an error: a Denied fault that says what is missing.
func (i Identity) Allow(p Permission, model string) error {
	if i.May(p, model) {
		return nil
	}
	what := "this needs a role for all models"
	if model != "" {
		what = "this needs a role for " + model
	}
	return fault.New(fault.Denied, "%s may not do this: %s that may %s", i.Name, what, p).Do("see flyball users roles, and ask an admin")
}

// Models says for which models the identity has the permission; all is true when for every one.
func (i Identity) Models(p Permission) (names []string, all bool) {
	if i.May(p, "") {
		return nil, true
	}
	for _, g := range i.grants {
		if g.Model != "" && i.May(p, g.Model) && !slices.Contains(names, g.Model) {
			names = append(names, g.Model)
		}
	}
	return names, false
}

// Grants are the roles of the identity; nil for the local user.
func (i Identity) Grants() []Grant {
	if i.grants == nil {
		return nil
	}
	out := make([]Grant, len(i.grants))
	for at, h := range i.grants {
		out[at] = h.Grant
	}
	return out
}

type key struct{}

// With says in the context who asks.
func With(ctx context.Context, i Identity) context.Context { return context.WithValue(ctx, key{}, i) }

// From is who asks; the zero Identity, which may nothing, where nobody said.
func From(ctx context.Context) Identity {
	i, _ := ctx.Value(key{}).(Identity)
	return i
}

// Actor is who asks, as records name them: local where nobody said.
func Actor(ctx context.Context) string {
	if i := From(ctx); i.Name != "" {
		return i.Name
	}
	return Local
}
