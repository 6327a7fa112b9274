// SPDX-License-Identifier: Apache-2.0

package access

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"flyball/fault"
	"flyball/governance/audit"
)

// Change is what is asked of a user; nil leaves as it is.
type Change struct {
	Mail     *string
	Grants   []Grant // nil: as they are
	Password *string // in the clear; it is kept as HashPassword has it. Empty: none
	Disabled *bool
}

// AddUser makes a user, by whom. The first one must be one who keeps users: from then
// on whoever asks has to sign in.
func (d *Directory) AddUser(ctx context.Context, by, name string, c Change) (User, error) {
	c, err := c.hashed(name)
	if err != nil {
		return User{}, err
	}
	return d.change(ctx, by, "add user", name, func(all []User) (User, error) {
		if slices.ContainsFunc(all, func(u User) bool { return u.Name == name }) {
			return User{}, fault.New(fault.Conflict, "there is a user %s", name).Do("change them with flyball users set %s", name)
		}
		return c.apply(User{Name: name, CreatedAt: d.Now().UTC(), CreatedBy: by}), nil
	})
}

// SetUser changes a user. Who keeps users cannot be taken away where nobody else does.
func (d *Directory) SetUser(ctx context.Context, by, name string, c Change) (User, error) {
	c, err := c.hashed(name)
	if err != nil {
		return User{}, err
	}
	u, err := d.change(ctx, by, "set user", name, func(all []User) (User, error) {
		at := slices.IndexFunc(all, func(u User) bool { return u.Name == name })
		if at < 0 {
			return User{}, fault.New(fault.NotFound, "there is no user %s", name).Do("see flyball users list")
		}
		now := d.Now().UTC()
		u := c.apply(all[at])
		u.Changed = &now
		return u, nil
	})
	if err == nil && (c.Password != nil || u.Disabled) { // whoever knew the old one is out
		if err = d.Store.EndSessions(ctx, "", name, d.Now()); err == nil {
			err = d.Refresh(ctx)
		}
	}
	return u, err
}

// SetPassword changes the password of who asks, who proves it by the old one.
func (d *Directory) SetPassword(ctx context.Context, who Identity, old, password string) (User, error) {
	if _, err := d.ByPassword(ctx, who.Name, old, "the password's owner"); err != nil {
		return User{}, err
	}
	return d.SetUser(ctx, who.Name, who.Name, Change{Password: &password})
}

// hashed is the change with its password as it is kept.
func (c Change) hashed(name string) (Change, error) {
	if c.Password == nil || *c.Password == "" {
		return c, nil
	}
	if err := CheckPassword(name, *c.Password); err != nil {
		return c, err
	}
	hash := HashPassword(*c.Password)
	c.Password = &hash
	return c, nil
}

func (c Change) apply(u User) User {
	if c.Mail != nil {
		u.Mail = *c.Mail
	}
	if c.Grants != nil {
		u.Grants = c.Grants
	}
	if c.Password != nil {
		u.Password = *c.Password
	}
	if c.Disabled != nil {
		u.Disabled = *c.Disabled
	}
	return u
}

// change keeps the user that decide returns, with what it tells the audit chain.
func (d *Directory) change(ctx context.Context, by, action, name string, decide func(all []User) (User, error)) (out User, err error) {
	err = d.Store.ChangeUsers(ctx, func(all []User) (User, audit.Record, error) {
		u, err := decide(all)
		if err != nil {
			return u, audit.Record{}, err
		}
		if err := u.Check(); err != nil {
			return u, audit.Record{}, err
		}
		if !keeps(u) && !slices.ContainsFunc(all, func(o User) bool { return o.Name != name && keeps(o) }) {
			return u, audit.Record{}, fault.New(fault.Invalid, "nobody would be left who keeps users").Do("give somebody the role admin for all models first")
		}
		data, err := json.Marshal(u) // without the password
		out = u
		return u, audit.Record{At: d.Now(), Actor: by, Action: action, Object: "user " + name, Data: data}, err
	})
	if err != nil {
		return User{}, err
	}
	return out, d.Refresh(ctx)
}

// keeps says whether the user may say who may what.
func keeps(u User) bool {
	return !u.Disabled && u.Password != "" && slices.ContainsFunc(u.Grants, func(g Grant) bool { return g.allows(Users, "") })
}

// AddToken makes a token for its user, by whom; the secret is shown nowhere else. What
// has no expiry gets the usual one. Whoever does not keep users makes tokens of their
// own, and with a token none that may more.
func (d *Directory) AddToken(ctx context.Context, by Identity, t Token) (Token, string, error) {
	now := d.Now().UTC()
	t.User = cmp.Or(t.User, by.Name)
	t.CreatedAt, t.CreatedBy = now, by.Name
	if t.ExpiresAt.IsZero() {
		t.ExpiresAt = now.Add(UsualTokenAge)
	}
	u, known := d.known.Load().users[t.User]
	switch {
	case t.User != by.Name && !by.May(Users, ""):
		return t, "", fault.New(fault.Denied, "%s makes no tokens for %s", by.Name, t.User).Do("ask an admin")
	case !known || u.Disabled:
		return t, "", fault.New(fault.NotFound, "there is no user %s who may sign in", t.User).Do("make one with flyball users add")
	case !t.ExpiresAt.After(now) || t.ExpiresAt.Sub(now) > MaxTokenAge:
		return t, "", fault.New(fault.Invalid, "a token is good for a time between now and a year")
	case by.scope != nil && t.User == by.Name && !t.Scope.within(*by.scope):
		return t, "", fault.New(fault.Denied, "a token makes none that may more than itself").Do("sign in with a password")
	case len(t.About) > 200:
		return t, "", fault.New(fault.Invalid, "what a token is for takes at most 200 bytes")
	}
	if err := t.Scope.Check(); err != nil {
		return t, "", err
	}
	t, secret := newToken(t)
	data, err := json.Marshal(t) // without the digest
	if err != nil {
		return t, "", fault.Wrap(err, fault.Internal, "the token cannot be told")
	}
	rec := audit.Record{At: now, Actor: by.Name, Action: "add token", Object: "user " + t.User, Data: data}
	if err := d.Store.AddToken(ctx, t, rec); err != nil {
		return t, "", err
	}
	return t, secret, d.Refresh(ctx)
}

// Lend makes a token for a program that the server itself starts, such as a training
// that logs its run: it logs, and nothing else, for as long as is given. While nobody
// has to sign in there is none to make: the secret is empty.
func (d *Directory) Lend(ctx context.Context, about string, age time.Duration) (secret string, err error) {
	if !d.Guarded() {
		return "", nil
	}
	now := d.Now().UTC()
	t, secret := newToken(Token{User: ourselves, About: about[:min(len(about), 200)], CreatedAt: now, CreatedBy: ourselves, ExpiresAt: now.Add(age), Scope: Scope{May: []Permission{Read, Track}}})
	rec := audit.Record{At: now, Actor: ourselves, Action: "add token", Object: "user " + ourselves}
	if err := d.Store.AddToken(ctx, t, rec); err != nil {
		return "", err
	}
	return secret, d.Refresh(ctx)
}

// ourselves is the name that the server acts under. No user has it.
const ourselves = "flyball"

// EndToken takes a token back. Whoever does not keep users takes back their own.
func (d *Directory) EndToken(ctx context.Context, by Identity, id string) error {
	t, ok := d.known.Load().tokens[id]
	if !ok || t.User != by.Name && !by.May(Users, "") {
		return fault.New(fault.NotFound, "there is no token %s", id).Do("see flyball tokens list")
	}
	now := d.Now().UTC()
	rec := audit.Record{At: now, Actor: by.Name, Action: "end token", Object: "user " + t.User, Data: json.RawMessage(`{"token":"` + t.ID + `"}`)}
	if err := d.Store.EndToken(ctx, t.ID, now, rec); err != nil {
		return err
	}
	return d.Refresh(ctx)
}

// Left is how long a token is still good; 0 when it is not.
func (t Token) Left(now time.Time) time.Duration {
	if t.EndedAt != nil {
		return 0
	}
	return max(0, t.ExpiresAt.Sub(now))
}
