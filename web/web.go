// SPDX-License-Identifier: Apache-2.0

// Package web is the pages: rendered on the server from what the API gives, working
// without a script, with no request to another machine. It holds no rule.
package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"flyball/api"
	"flyball/api/wire"
	"flyball/event"
	"flyball/fault"
	"flyball/governance/access"
	"flyball/governance/audit"
	"flyball/unit"
)

//go:embed templates static
var files embed.FS

// Options are what the pages are built from. All but Door and Company are needed.
type Options struct {
	Statuses   func(ctx context.Context) ([]wire.Status, error)
	LastEvents func(ctx context.Context, model string, n int) ([]event.Event, error)
	Changed    func() <-chan struct{} // closed when events were written
	Logger     *slog.Logger
	Door       *access.Directory // who signs in; nil: nobody does, and whoever asks is the local user
	Company    *Company          // the company's login; nil: there is none

	Experiments Experiments
	Names       Names
	Finder      Finder
	Models      Models
	Care        Care
	Predictions Predictions
	Waiting     Waiting
	Alerts      Alerts
	Proof       Proof
	Data        Data
	Audit       Audit
	Auditor     *audit.Auditor
	LastAnchor  func() (last audit.Anchor, any bool, err error) // kept beside the database
}

// Style is the style sheet of the pages, for documents that carry it inside.
func Style() (string, error) {
	raw, err := files.ReadFile("static/style.css")
	return string(raw), err
}

// policy lets a page load from its own server alone.
const policy = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// pages are the routes and what they render from.
type pages struct {
	Options
	templates *template.Template
	assets    map[string]asset // by path
	door      api.Face         // by which a stream asks again who reads it
	routes    http.Handler     // all of the server's, through which a stream asks for its page
}

// New adds the pages to the routes of a server. It fails when a template cannot be read.
func New(routes *api.Routes, opts Options) error {
	t, err := template.New("").Funcs(template.FuncMap{
		"count": unit.Count, "leads": leads, "guarded": func() bool { return opts.Door != nil && opts.Door.Guarded() },
	}).ParseFS(files, "templates/*.html")
	if err != nil {
		return fault.Wrap(err, fault.Internal, "the pages' templates cannot be read")
	}
	p := &pages{Options: opts, templates: t, routes: routes}
	if p.assets, err = assets(files); err != nil {
		return fault.Wrap(err, fault.Internal, "the pages' files cannot be read")
	}
	door := routes.Face(p.turnedAway, nil)
	p.door = door.Anywhere()
	door.Handle(access.Open, "GET /static/", p.static)
	door.Handle(access.Open, "GET /login", p.login)
	door.Handle(access.Open, "POST /login", p.signIn)
	door.Handle(access.Open, "POST /logout", p.signOut)
	door.Handle(access.Open, "GET /login/company", p.company)
	door.Handle(access.Open, "GET /login/callback", p.callback)
	door.Handle(access.Open, "GET /leave", p.leave)
	door.Handle(access.Open, "POST /leave", p.answerLeave)
	door.Anywhere().Past().Handle(access.Read, "GET /{$}", p.loop)
	door.Anywhere().Handle(access.Read, "GET /stream", p.stream)
	door.Anywhere().Handle(access.Read, "GET /find", p.find)
	door.Handle(access.Read, "GET /runs", p.runs)
	door.Handle(access.Read, "GET /run", p.run)
	door.Handle(access.Read, "GET /compare", p.compared)
	door.Anywhere().Past().Handle(access.Read, "GET /inbox", p.inbox)
	door.Anywhere().Handle(access.Ack, "POST /inbox/take", p.take)
	door.Past().Handle(access.Audit, "GET /audit", p.audit)
	door.Handle(access.Audit, "POST /audit/verify", p.verifyAudit)
	door.Handle(access.Known, "GET /settings", p.settings)
	door.Handle(access.Known, "POST /settings/tokens/end", p.endToken)
	door.Handle(access.Known, "POST /settings/password", p.newPassword)
	own := routes.Face(p.turnedAway, modelAsked)
	own.Past().Handle(access.Read, "GET /evidence", p.evidence)
	own.Handle(access.Approve, "POST /inbox/approve", p.approve)
	own.Handle(access.Approve, "POST /inbox/reject", p.reject)
	own.Past().Handle(access.Read, "GET /model", p.version)
	own.Past().Handle(access.Read, "GET /data", p.data)
	own.Past().Handle(access.Read, "GET /release", p.release)
	own.Handle(access.Retreat, "POST /release/rollback", p.rollback)
	own.Past().Handle(access.Read, "GET /monitors", p.monitors)
	own.Past().Handle(access.Rows, "GET /predictions", p.predictions)
	own.Past().Handle(access.Rows, "GET /prediction", p.prediction)
	// One segment only, so that the API's own answers (404 as JSON, 405) stay its own.
	door.Handle(access.Open, "GET /{page}", p.missing)
	return nil
}

// asset is a style sheet, a script or a picture.
type asset struct {
	bytes []byte
	tag   string // by which a browser asks whether its copy is still good: an embedded file has no time
}

// assets are the static files by their path.
func assets(files fs.FS) (map[string]asset, error) {
	out := map[string]asset{}
	err := fs.WalkDir(files, "static", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(files, path)
		out["/"+path] = asset{b, fmt.Sprintf(`W/"%x"`, sha256.Sum256(b))}
		return err
	})
	return out, err
}

// static serves an asset. The browser keeps its copy and asks each time whether it is
// still good, so that a new release is never shown in old clothes.
func (p *pages) static(w http.ResponseWriter, r *http.Request) {
	a, ok := p.assets[r.URL.Path]
	if !ok {
		p.missing(w, r)
		return
	}
	protect(w)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", a.tag)
	http.ServeContent(w, r, r.URL.Path, time.Time{}, bytes.NewReader(press(w, r, a.bytes)))
}

// missing says that there is no such page, and where to go on.
func (p *pages) missing(w http.ResponseWriter, r *http.Request) {
	protect(w)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNotFound)
	if err := p.templates.ExecuteTemplate(w, "missing.html", r.URL.Path); err != nil {
		p.Logger.DebugContext(r.Context(), "the reader has gone", "error", err)
	}
}

// protect sets what every answer to a browser carries.
func protect(w http.ResponseWriter) {
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	// Not no-referrer: with that a browser sends "Origin: null" with a form, which is what
	// a page of another site could send.
	w.Header().Set("Referrer-Policy", "same-origin")
}

// shown is how many events the page shows.
const shown = 60

// loop shows the loop of every model.
func (p *pages) loop(w http.ResponseWriter, r *http.Request) {
	statuses, err := p.Statuses(r.Context())
	var evs []event.Event
	if err == nil {
		evs, err = p.LastEvents(r.Context(), "", shown)
	}
	if err != nil {
		p.broken(w, r, err)
		return
	}
	who := access.From(r.Context())
	statuses = slices.DeleteFunc(statuses, func(s wire.Status) bool { return !who.May(access.Read, s.Model) })
	evs = slices.DeleteFunc(evs, func(e event.Event) bool { return !who.May(access.Read, e.Model) })
	p.show(w, r, http.StatusOK, "loop.html", newView(statuses, evs))
}
