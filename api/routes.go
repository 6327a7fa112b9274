// SPDX-License-Identifier: Apache-2.0

// Package api is what the faces share: the routes of one server, each with the
// permission that it asks for, and how a request proves who sends it. It knows no
// protocol; packages rest and mlflow do.
package api

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"flyball/fault"
	"flyball/governance/access"
)

// Route is one entry of the table of all that a server answers.
type Route struct {
	Permission access.Permission
	Pattern    string // as http.ServeMux reads it, such as GET /v1/models/{model}
	Anywhere   bool   // a role for any model is enough: the answer leaves out the others
	Past       bool   // it tells how things stood at a moment; others refuse to be asked of one
}

// Routes is the table of a server's routes, and what they are served by. Faces add to
// it before it serves; then it may be used by many goroutines at once.
type Routes struct {
	mux   *http.ServeMux
	door  *access.Directory // nil: whoever asks is the local user
	cross *http.CrossOriginProtection
	now   func() time.Time
	first func(ctx context.Context) (time.Time, error) // nil: not known
	table []Route
}

// NewRoutes is a table without routes. Who asks is found in door; nil lets everybody in
// as the local user, for tests.
func NewRoutes(door *access.Directory) *Routes {
	return &Routes{mux: http.NewServeMux(), door: door, cross: http.NewCrossOriginProtection(), now: time.Now}
}

// ServeHTTP answers by the route that the request means.
func (rs *Routes) ServeHTTP(w http.ResponseWriter, r *http.Request) { rs.mux.ServeHTTP(w, r) }

// Table is all routes, in the order of their patterns.
func (rs *Routes) Table() []Route {
	out := slices.Clone(rs.table)
	slices.SortFunc(out, func(a, b Route) int { return strings.Compare(a.Pattern, b.Pattern) })
	return out
}

// Face adds routes that refuse in one protocol's way.
type Face struct {
	routes   *Routes
	refuse   func(w http.ResponseWriter, r *http.Request, err error)
	model    func(r *http.Request) string
	anywhere bool
	past     bool
}

// Face is the way in for one face. refuse answers a fault in the face's own form. model
// says which model a request is about (empty: none); nil takes {model} of the pattern.
func (rs *Routes) Face(refuse func(w http.ResponseWriter, r *http.Request, err error), model func(r *http.Request) string) Face {
	if model == nil {
		model = func(r *http.Request) string { return r.PathValue("model") }
	}
	return Face{routes: rs, refuse: refuse, model: model}
}

// Anywhere is the face for routes that whoever has a role for any one model may ask, and
// that show each what they may see: access.Identity.Models says what that is.
func (f Face) Anywhere() Face {
	f.anywhere = true
	return f
}

// Past is the face for routes that tell how things stood at a moment: they read all that
// they answer with by their request's context, where the moment is (package asof).
func (f Face) Past() Face {
	f.past = true
	return f
}

// Handle adds a route. One without a permission is a defect that shows at the first start.
func (f Face) Handle(p access.Permission, pattern string, do http.HandlerFunc) {
	f.routes.mux.HandleFunc(pattern, f.Guard(p, pattern, do))
}

// Guard enters a route into the table and returns do behind its permission, for a face
// that puts several routes behind one pattern.
func (f Face) Guard(p access.Permission, pattern string, do http.HandlerFunc) http.HandlerFunc {
	if p == "" {
		panic(fmt.Sprintf("api: %s has no permission", pattern))
	}
	f.routes.table = append(f.routes.table, Route{Permission: p, Pattern: pattern, Anywhere: f.anywhere, Past: f.past})
	return func(w http.ResponseWriter, r *http.Request) {
		if p == access.Open {
			do(w, r)
			return
		}
		who, err := f.Again(r, p)
		if err == nil && r.Method != http.MethodGet && r.Method != http.MethodHead {
			err = f.routes.Pace(who, p)
		}
		if err != nil {
			Later(w, err)
			if fault.Is(err, fault.Unauthenticated) {
				w.Header().Set("WWW-Authenticate", `Bearer realm="flyball"`)
			}
			f.refuse(w, r, err)
			return
		}
		ctx, err := f.moment(r)
		if err != nil {
			f.refuse(w, r, err)
			return
		}
		do(w, r.WithContext(access.With(ctx, who)))
	}
}

// Again is who sends the request, and whether they may, as it is now. What goes on for long,
// such as a stream, asks it again and ends by its error: a token may have been taken back
// meanwhile, or a role.
func (f Face) Again(r *http.Request, p access.Permission) (access.Identity, error) {
	who, err := f.routes.Identify(r)
	if err != nil {
		return who, err
	}
	return who, f.allow(who, p, r)
}

// Later says in an answer when to try again, where the error does.
func Later(w http.ResponseWriter, err error) {
	if after := fault.RetryAfter(err); after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(after))
	}
}

func (f Face) allow(who access.Identity, p access.Permission, r *http.Request) error {
	if f.anywhere {
		if names, all := who.Models(p); all || len(names) > 0 {
			return nil
		}
	}
	return who.Allow(p, f.model(r))
}

// Pass puts a handler behind a pattern that several guarded routes share.
func (f Face) Pass(pattern string, do http.HandlerFunc) { f.routes.mux.HandleFunc(pattern, do) }

// SessionCookie is the name of the cookie that holds the secret of a session.
const SessionCookie = "flyball_session"

// Identify is who sends the request: by a token or a password in its Authorization
// header, which a program sends, or by the cookie that a browser sends. A cookie counts
// only when the request comes from a page of this server, so that no other site can act
// in a reader's name. While there are no users it is the local user.
func (rs *Routes) Identify(r *http.Request) (access.Identity, error) {
	if rs.door == nil || !rs.door.Guarded() {
		return access.Anyone(), nil
	}
	if h := r.Header.Get("Authorization"); h != "" {
		return rs.ByHeader(r.Context(), h, Address(r))
	}
	c, err := r.Cookie(SessionCookie)
	if err != nil {
		return access.Identity{}, access.Nobody()
	}
	if err := rs.cross.Check(r); err != nil {
		return access.Identity{}, fault.New(fault.Denied, "a page of another site may not ask this")
	}
	who, err := rs.door.BySession(c.Value)
	return who, rs.door.Unknown(Address(r), err)
}

// Pace refuses, by an Exhausted fault, who makes more changes than one caller may. p is the
// permission that the change asks for.
func (rs *Routes) Pace(who access.Identity, p access.Permission) error {
	if rs.door == nil || !p.Changes() {
		return nil
	}
	return rs.door.Pace(who)
}

// ByHeader is who an Authorization header stands for, sent from an address: a token as
// Bearer, or a name and password as Basic. A token in the place of the password is one
// too: clients of MLflow can send that without knowing of tokens. While there are no
// users it is the local user.
func (rs *Routes) ByHeader(ctx context.Context, header, from string) (access.Identity, error) {
	if rs.door == nil || !rs.door.Guarded() {
		return access.Anyone(), nil
	}
	if secret, ok := bearer(header); ok {
		who, err := rs.door.ByToken(secret)
		return who, rs.door.Unknown(from, err)
	}
	r := http.Request{Header: http.Header{"Authorization": {header}}}
	name, password, ok := r.BasicAuth()
	if !ok {
		return access.Identity{}, access.Nobody()
	}
	if who, err := rs.door.ByToken(password); err == nil {
		return who, nil
	}
	return rs.door.ByPassword(ctx, name, password, from)
}

// Address is where a request comes from, without the port.
func Address(r *http.Request) string {
	return Host(r.RemoteAddr)
}

// Host is an address without its port.
func Host(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}

// bearer is the secret of an Authorization header that has one.
func bearer(header string) (string, bool) {
	scheme, secret, ok := strings.Cut(header, " ")
	return strings.TrimSpace(secret), ok && strings.EqualFold(scheme, "Bearer")
}
