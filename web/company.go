// SPDX-License-Identifier: Apache-2.0

package web

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"flyball/api"
	"flyball/fault"
	"flyball/governance/access"
)

// Company is the sign-in of a company by OpenID Connect (Core 1.0, the code flow with
// PKCE). It says who somebody is, by their mail address; what they may is said here.
type Company struct {
	Issuer string // address of the provider, as its tokens name it
	Client string // the client's id there
	Secret string // the client's secret; empty for a public client
	Server string // address of this server as the provider knows it; empty: as the browser asked for it
	HTTP   *http.Client

	mu       sync.Mutex
	provider *oidc.Provider // nil: not asked yet, or it did not answer
}

// companyCookie holds, for the few minutes that signing in takes, what the answer must
// belong to.
const companyCookie = "flyball_company"

const companyTime = 10 * time.Minute

// context is one in which the provider is asked.
func (c *Company) context(ctx context.Context) context.Context {
	h := c.HTTP
	if h == nil {
		h = &http.Client{Timeout: 15 * time.Second}
	}
	return oidc.ClientContext(ctx, h)
}

// config asks the provider where it signs people in, once.
func (c *Company) config(ctx context.Context, r *http.Request) (*oauth2.Config, *oidc.Provider, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.provider == nil {
		p, err := oidc.NewProvider(c.context(context.WithoutCancel(ctx)), c.Issuer) // it keeps the context for its keys
		if err != nil {
			return nil, nil, fault.Wrap(err, fault.Unavailable, "the company's login does not answer")
		}
		c.provider = p
	}
	return &oauth2.Config{
		ClientID: c.Client, ClientSecret: c.Secret, Endpoint: c.provider.Endpoint(),
		RedirectURL: cmp.Or(c.Server, origin(r)) + "/login/callback", Scopes: []string{oidc.ScopeOpenID, "email"},
	}, c.provider, nil
}

// secure says whether the browser speaks TLS, to the server or to a proxy before it.
func secure(r *http.Request) bool {
	return r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"
}

// origin is the server's address as the browser has it.
func origin(r *http.Request) string {
	if secure(r) {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// company sends the browser to the company's login.
func (p *pages) company(w http.ResponseWriter, r *http.Request) {
	if p.Company == nil {
		p.missing(w, r)
		return
	}
	if !p.arrives(w, r) {
		return
	}
	config, _, err := p.Company.config(r.Context(), r)
	if err != nil {
		p.unsigned(w, r, err)
		return
	}
	state, nonce, verifier := rand.Text(), rand.Text(), oauth2.GenerateVerifier()
	http.SetCookie(w, &http.Cookie{
		Name: companyCookie, Value: strings.Join([]string{state, nonce, verifier}, "."), Path: "/login", MaxAge: int(companyTime.Seconds()),
		HttpOnly: true, Secure: secure(r), SameSite: http.SameSiteLaxMode, // the provider leads back by a link
	})
	http.Redirect(w, r, config.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)), http.StatusSeeOther)
}

// callback is where the company's login leads back to.
func (p *pages) callback(w http.ResponseWriter, r *http.Request) {
	if p.Company == nil || p.Door == nil {
		p.missing(w, r)
		return
	}
	if !p.arrives(w, r) {
		return
	}
	mail, err := p.Company.mail(r)
	http.SetCookie(w, &http.Cookie{Name: companyCookie, Path: "/login", MaxAge: -1, HttpOnly: true})
	var u access.User
	if err == nil {
		u, err = p.Door.ByMail(mail)
	}
	if err == nil && u.Disabled {
		err = fault.New(fault.Denied, "%s may no longer sign in", u.Name).Do("ask an admin")
	}
	if err == nil {
		err = p.signedIn(w, r, access.Identity{Name: u.Name, Via: "oidc"})
	}
	if err != nil {
		p.unsigned(w, r, err)
		return
	}
	protect(w)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// arrives reports whether one more sign-in from the request's address is taken, for each
// asks the company's login; else it answers.
func (p *pages) arrives(w http.ResponseWriter, r *http.Request) bool {
	if p.Door == nil {
		return true
	}
	err := p.Door.Arrive(api.Address(r))
	if err != nil {
		p.busy(w, r, err)
	}
	return err == nil
}

// unsigned shows why nobody was signed in.
func (p *pages) unsigned(w http.ResponseWriter, r *http.Request, err error) {
	p.Logger.WarnContext(r.Context(), "nobody was signed in by the company's login", "error", err)
	what := "The company's login did not sign you in."
	switch fault.KindOf(err) {
	case fault.NotFound, fault.Denied, fault.Unauthenticated:
		what = strings.ToUpper(err.Error()[:1]) + err.Error()[1:] + "."
	}
	p.show(w, r, http.StatusUnauthorized, "login.html", signing{Next: "/", Wrong: what, Company: true})
}

// mail is the address that the provider vouches for.
func (c *Company) mail(r *http.Request) (string, error) {
	cookie, err := r.Cookie(companyCookie)
	if err != nil {
		return "", fault.New(fault.Unauthenticated, "signing in took too long, or began in another browser").Do("begin again")
	}
	state, rest, _ := strings.Cut(cookie.Value, ".")
	nonce, verifier, _ := strings.Cut(rest, ".")
	q := r.URL.Query()
	if state == "" || subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(state)) != 1 {
		return "", fault.New(fault.Unauthenticated, "the answer of the company's login belongs to another sign-in").Do("begin again")
	}
	if why := q.Get("error"); why != "" {
		return "", fault.New(fault.Unauthenticated, "the company's login refused: %.100q", why)
	}
	config, provider, err := c.config(r.Context(), r)
	if err != nil {
		return "", err
	}
	ctx := c.context(r.Context())
	token, err := config.Exchange(ctx, q.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		return "", fault.Wrap(err, fault.Unavailable, "the company's login did not take the code back")
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := provider.Verifier(&oidc.Config{ClientID: c.Client}).Verify(ctx, raw)
	if err != nil {
		return "", fault.Wrap(err, fault.Internal, "the company's login sent a token that does not hold")
	}
	var claims struct {
		Mail     string `json:"email"`
		Verified bool   `json:"email_verified"`
	}
	if err := id.Claims(&claims); err != nil {
		return "", fault.Wrap(err, fault.Internal, "the company's login sent a token that cannot be read")
	}
	switch {
	case subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(nonce)) != 1:
		return "", fault.New(fault.Unauthenticated, "the answer of the company's login belongs to another sign-in").Do("begin again")
	case claims.Mail == "" || !claims.Verified:
		return "", fault.New(fault.Denied, "the company's login vouches for no mail address").Do("have it send email and email_verified")
	}
	return claims.Mail, nil
}
