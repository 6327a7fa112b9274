// SPDX-License-Identifier: Apache-2.0

package web

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"flyball/api"
	"flyball/fault"
	"flyball/governance/access"
)

// signing is what the login page shows.
type signing struct {
	Name  string // as it was sent
	Next  string // where to go from here
	Wrong string // what was wrong, and what to do

	Company bool // the company's login is offered too
}

// turnedAway leads who is not signed in to the login page and back, and tells who may
// not see a page what they lack.
func (p *pages) turnedAway(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case fault.Is(err, fault.Exhausted):
		p.busy(w, r, err)
	case !fault.Is(err, fault.Unauthenticated):
		if fault.Is(err, fault.Invalid) { // a moment that is none, or of which this page cannot tell
			p.trouble(w, r, http.StatusBadRequest, frame{Title: "Not told of the past"}, err)
			return
		}
		if !fault.Is(err, fault.Denied) {
			p.broken(w, r, err)
			return
		}
		p.trouble(w, r, http.StatusForbidden, frame{Title: "Not allowed"}, err)
	case r.URL.Path == "/stream": // an answer that is no stream ends it for good
		protect(w)
		http.Error(w, "signed out", http.StatusUnauthorized)
	default:
		protect(w)
		http.Redirect(w, r, "/login?"+url.Values{"next": {r.URL.RequestURI()}}.Encode(), http.StatusSeeOther)
	}
}

// busy tells who asks too often when to come again.
func (p *pages) busy(w http.ResponseWriter, r *http.Request, err error) {
	api.Later(w, err)
	p.trouble(w, r, http.StatusTooManyRequests, frame{Title: "Too often"}, err)
}

// trouble tells of a fault on a page.
func (p *pages) trouble(w http.ResponseWriter, r *http.Request, status int, f frame, err error) {
	e, known := errors.AsType[*fault.Error](err)
	if !known {
		p.broken(w, r, err)
		return
	}
	p.show(w, r, status, "trouble.html", trouble{Frame: f, What: e.What, Do: e.Advice})
}

// here is an address of this server and no other: a path with what comes after it.
func here(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") || strings.ContainsAny(next, "\\\r\n") {
		return "/"
	}
	return next
}

// login shows the form; and the loop instead, while there are no users.
func (p *pages) login(w http.ResponseWriter, r *http.Request) {
	next := here(r.URL.Query().Get("next"))
	if p.Door == nil || !p.Door.Guarded() {
		protect(w)
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	p.show(w, r, http.StatusOK, "login.html", signing{Next: next, Company: p.Company != nil})
}

// maxForm bounds a form of the login page.
const maxForm = 4 << 10

// signIn takes the form.
func (p *pages) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil || p.Door == nil {
		protect(w)
		http.Error(w, "the form cannot be read", http.StatusBadRequest)
		return
	}
	in := signing{Name: r.PostForm.Get("user"), Next: here(r.PostForm.Get("next")), Company: p.Company != nil}
	who, err := p.Door.ByPassword(r.Context(), in.Name, r.PostForm.Get("password"), api.Address(r))
	if err == nil {
		err = p.signedIn(w, r, who)
	}
	if err == nil {
		protect(w)
		http.Redirect(w, r, in.Next, http.StatusSeeOther)
		return
	}
	status := http.StatusUnauthorized
	e, known := errors.AsType[*fault.Error](err)
	switch {
	case !known:
		p.broken(w, r, err)
		return
	case e.Kind == fault.Unauthenticated:
		in.Wrong = "That name and password do not match."
	case e.Kind == fault.Exhausted:
		api.Later(w, err)
		status, in.Wrong = http.StatusTooManyRequests, "Too many wrong passwords: "+e.Advice+"."
	default:
		p.broken(w, r, err)
		return
	}
	p.show(w, r, status, "login.html", in)
}

// signedIn begins a session and gives the browser its cookie.
func (p *pages) signedIn(w http.ResponseWriter, r *http.Request, who access.Identity) error {
	secret, until, err := p.Door.SignIn(r.Context(), who.Name, who.Via)
	if err != nil {
		return err
	}
	http.SetCookie(w, &http.Cookie{
		Name: api.SessionCookie, Value: secret, Path: "/", Expires: until,
		HttpOnly: true, Secure: secure(r), SameSite: http.SameSiteLaxMode,
	})
	return nil
}

// signOut ends the session.
func (p *pages) signOut(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie(api.SessionCookie); err == nil && p.Door != nil {
		if err := p.Door.SignOut(r.Context(), c.Value); err != nil {
			p.broken(w, r, err)
			return
		}
	}
	http.SetCookie(w, &http.Cookie{Name: api.SessionCookie, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	protect(w)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}
