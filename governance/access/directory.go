// SPDX-License-Identifier: Apache-2.0

package access

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"flyball/fault"
	"flyball/governance/audit"
)

// Store keeps users, tokens and sessions, and tells of each change in the audit chain.
// Package store implements it.
type Store interface {
	// AccessGeneration rises with each change of what is kept.
	AccessGeneration(ctx context.Context) (int64, error)
	Users(ctx context.Context) ([]User, error)
	Tokens(ctx context.Context) ([]Token, error)
	Sessions(ctx context.Context) ([]Session, error)
	// ChangeUsers gives all users to decide, and keeps the user that it returns, new or
	// changed. No other change comes between.
	ChangeUsers(ctx context.Context, decide func(all []User) (User, audit.Record, error)) error
	AddToken(ctx context.Context, t Token, rec audit.Record) error
	EndToken(ctx context.Context, id string, at time.Time, rec audit.Record) error
	AddSession(ctx context.Context, s Session) error
	// EndSessions ends the session of a digest, or all of a user; and forgets those that
	// are over by now.
	EndSessions(ctx context.Context, digest, user string, now time.Time) error
}

// Session is a browser that signed in.
type Session struct {
	Digest    string
	User      string
	Via       string // password or oidc
	CreatedAt time.Time
	ExpiresAt time.Time
}

// sessionAge is how long a browser stays signed in.
const sessionAge = 12 * time.Hour

// Options are what a directory is opened with.
type Options struct {
	Store  Store
	Now    func() time.Time // the machine's, for what expires; nil: time.Now
	Logger *slog.Logger     // nil: silent

	Changes int // that one caller may make in a minute; 0: no bound

	// Broken are the models whose glass somebody broke, and that holds; nil: of none.
	Broken func(name string) []string
}

// Directory knows who may what. It answers from memory, which it renews when what is
// kept has changed. It may be used by many goroutines at once.
type Directory struct {
	Options
	known    atomic.Pointer[known]
	reading  sync.Mutex
	hashing  chan struct{} // a password takes 19 MiB and 20 ms to check
	checked  checked
	failures failures
	wrong    pace // tokens, sessions and links that are not known, by address
	arrivals pace // sign-ins that ask somebody else, by address
	changes  pace // by caller
}

// known is what is kept, at one generation.
type known struct {
	generation int64
	users      map[string]User
	grants     map[string][]held  // by user
	tokens     map[string]Token   // by id
	sessions   map[string]Session // by digest
}

// NewDirectory reads who may what.
func NewDirectory(ctx context.Context, o Options) (*Directory, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	d := &Directory{Options: o, hashing: make(chan struct{}, 2), checked: newChecked()}
	d.wrong = pace{burst: 25, every: time.Second}
	d.arrivals = pace{burst: 60, every: time.Second}
	if o.Changes > 0 {
		d.changes = pace{burst: o.Changes, every: time.Minute / time.Duration(o.Changes)}
	}
	d.known.Store(&known{generation: -1})
	return d, d.Refresh(ctx)
}

// Refresh reads anew what has changed, if anything has.
func (d *Directory) Refresh(ctx context.Context) error {
	d.reading.Lock()
	defer d.reading.Unlock()
	g, err := d.Store.AccessGeneration(ctx)
	if err != nil || g == d.known.Load().generation {
		return err
	}
	users, err := d.Store.Users(ctx)
	if err != nil {
		return err
	}
	tokens, err := d.Store.Tokens(ctx)
	if err != nil {
		return err
	}
	sessions, err := d.Store.Sessions(ctx)
	if err != nil {
		return err
	}
	k := &known{generation: g, users: map[string]User{}, grants: map[string][]held{ourselves: allHeld([]Grant{{Role: "trainer"}})}, tokens: map[string]Token{}, sessions: map[string]Session{}}
	for _, u := range users {
		k.users[u.Name], k.grants[u.Name] = u, allHeld(u.Grants)
	}
	for _, t := range tokens {
		k.tokens[t.ID] = t
	}
	for _, s := range sessions {
		k.sessions[s.Digest] = s
	}
	d.known.Store(k)
	return nil
}

// Run renews what is known every few seconds, for other processes change it too, until
// ctx is done. While the records cannot be read, what was known goes on to hold.
func (d *Directory) Run(ctx context.Context) error {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := d.Refresh(ctx); err != nil && ctx.Err() == nil {
				d.Logger.WarnContext(ctx, "who may what cannot be read; what was known holds", "error", err)
			}
		}
	}
}

// Guarded says whether there are users, so that whoever asks must sign in.
func (d *Directory) Guarded() bool { return len(d.known.Load().users) > 0 }

// unknown is the one answer to whoever did not prove who they are: it does not say what
// was wrong.
func unknown(what string) error {
	return fault.New(fault.Unauthenticated, "%s", what).Do("sign in with flyball login, or send a token that flyball tokens add made (FLYBALL_TOKEN)")
}

// Nobody is the fault for who sent nothing to prove who they are.
func Nobody() error { return unknown("this server wants to know who asks") }

// user is the identity of a user who may act.
func (k *known) user(name string) (Identity, bool) {
	if name == ourselves {
		return Identity{Name: name, grants: k.grants[ourselves]}, true
	}
	u, ok := k.users[name]
	if !ok || u.Disabled {
		return Identity{}, false
	}
	return Identity{Name: name, grants: k.grants[name]}, true
}

// lend gives the identity what it has by breaking the glass.
func (d *Directory) lend(i Identity) Identity {
	if d.Broken == nil {
		return i
	}
	for _, model := range d.Broken(i.Name) {
		i.grants = append(slices.Clip(i.grants), broken(model))
	}
	return i
}

// ByToken is whom a token's secret stands for.
func (d *Directory) ByToken(secret string) (Identity, error) {
	k := d.known.Load()
	t, ok := k.tokens[tokenID(secret)]
	if !ok || digest(secret) != t.Digest {
		return Identity{}, unknown("the token is not known")
	}
	if now := d.Now(); t.EndedAt != nil || !now.Before(t.ExpiresAt) {
		return Identity{}, unknown("the token " + t.ID + " is no longer good")
	}
	i, ok := k.user(t.User)
	if !ok {
		return Identity{}, unknown("the token's user may no longer sign in")
	}
	i.Via, i.Token, i.scope = "token", t.ID, &t.Scope
	return d.lend(i), nil
}

// BySession is who signed in with a browser; secret is what its cookie holds.
func (d *Directory) BySession(secret string) (Identity, error) {
	k := d.known.Load()
	s, ok := k.sessions[digest(secret)]
	if !ok || !d.Now().Before(s.ExpiresAt) {
		return Identity{}, unknown("the session is over")
	}
	i, ok := k.user(s.User)
	if !ok {
		return Identity{}, unknown("the session's user may no longer sign in")
	}
	i.Via = "session"
	return d.lend(i), nil
}

// ByLink is the user whom a link was made for, as far as the scope goes. Whoever asks has
// checked the link.
func (d *Directory) ByLink(name string, scope Scope) (Identity, error) {
	i, ok := d.known.Load().user(name)
	if !ok || name == ourselves {
		return Identity{}, unknown("the link's user may no longer sign in")
	}
	i.Via, i.scope = "link", &scope
	return i, nil
}

// ByPassword is the user of a name and password, asked from an address. Who fails often
// waits: an Exhausted fault says how long. A password that was right is not computed
// again for ten minutes, so that clients may send it with each request.
func (d *Directory) ByPassword(ctx context.Context, name, password, from string) (Identity, error) {
	k := d.known.Load()
	u := k.users[name]
	i, may := k.user(name)
	i.Via = "password"
	if may && u.Password != "" && d.checked.has(u, password, d.Now()) {
		return d.lend(i), nil
	}
	if wait := d.failures.wait(name, from, d.Now()); wait > 0 {
		return Identity{}, fault.New(fault.Exhausted, "too many wrong passwords").Do("try again in %s", wait.Round(time.Second)).In(wait)
	}
	select {
	case d.hashing <- struct{}{}:
		defer func() { <-d.hashing }()
	case <-ctx.Done():
		return Identity{}, ctx.Err()
	}
	hash := cmp.Or(u.Password, nobodys) // as much work for a name that is not known
	if !passwordIs(hash, password) || !may || u.Password == "" {
		d.failures.failed(name, from, d.Now())
		return Identity{}, unknown("the name or the password is wrong")
	}
	d.failures.succeeded(name, from)
	d.checked.add(u, password, d.Now())
	return d.lend(i), nil
}

// nobodys is a hash that no password has.
const nobodys = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// SignIn begins a session of a user who proved who they are in the way via says. The
// secret is for the browser's cookie.
func (d *Directory) SignIn(ctx context.Context, name, via string) (secret string, expires time.Time, err error) {
	now := d.Now()
	_, secret = newToken(Token{})
	s := Session{Digest: digest(secret), User: name, Via: via, CreatedAt: now, ExpiresAt: now.Add(sessionAge)}
	if err := d.Store.EndSessions(ctx, "", "", now); err != nil {
		return "", now, err
	}
	if err := d.Store.AddSession(ctx, s); err != nil {
		return "", now, err
	}
	return secret, s.ExpiresAt, d.Refresh(ctx)
}

// SignOut ends a session. One that is over stays so.
func (d *Directory) SignOut(ctx context.Context, secret string) error {
	if err := d.Store.EndSessions(ctx, digest(secret), "", d.Now()); err != nil {
		return err
	}
	return d.Refresh(ctx)
}

// Users are all users, by name.
func (d *Directory) Users() []User {
	return slices.SortedFunc(maps.Values(d.known.Load().users), func(a, b User) int { return cmp.Compare(a.Name, b.Name) })
}

// ByMail is the user with a mail address; a NotFound fault when there is none, or two.
func (d *Directory) ByMail(mail string) (User, error) {
	var found []User
	for _, u := range d.Users() {
		if mail != "" && u.Mail == mail {
			found = append(found, u)
		}
	}
	if len(found) != 1 {
		return User{}, fault.New(fault.NotFound, "no user has the address %q", mail).Do("ask an admin: flyball users add")
	}
	return found[0], nil
}

// Tokens are the tokens of a user, or of all where the name is empty, the newest first.
func (d *Directory) Tokens(user string) []Token {
	var out []Token
	for _, t := range d.known.Load().tokens {
		if user == "" || t.User == user {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b Token) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return out
}
