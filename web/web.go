// SPDX-License-Identifier: Apache-2.0

// Package web is the pages: rendered on the server from what the API gives, working
// without a script, with no request to another machine. It holds no rule.
package web

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"flyball/api/wire"
	"flyball/event"
	"flyball/fault"
)

//go:embed templates static
var files embed.FS

// Options are what the pages are built from. All are needed.
type Options struct {
	Statuses   func(ctx context.Context) ([]wire.Status, error)
	LastEvents func(ctx context.Context, model string, n int) ([]event.Event, error)
	Changed    func() <-chan struct{} // closed when events were written
	Logger     *slog.Logger
}

// policy lets a page load from its own server alone.
const policy = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// pages are the routes and what they render from.
type pages struct {
	Options
	templates *template.Template
}

// New adds the pages to mux. It fails when a template cannot be read.
func New(mux *http.ServeMux, opts Options) error {
	t, err := template.ParseFS(files, "templates/*.html")
	if err != nil {
		return fault.Wrap(err, fault.Internal, "the pages' templates cannot be read")
	}
	p := &pages{Options: opts, templates: t}
	static := http.FileServerFS(files)
	mux.HandleFunc("GET /static/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=3600")
		if strings.HasSuffix(r.URL.Path, "/") {
			http.NotFound(w, r) // no list of files
			return
		}
		static.ServeHTTP(w, r)
	})
	mux.HandleFunc("GET /{$}", p.loop)
	mux.HandleFunc("GET /stream", p.stream)
	return nil
}

// loop shows the loop of every model.
func (p *pages) loop(w http.ResponseWriter, r *http.Request) {
	html, err := p.render(r.Context(), "loop.html")
	if err != nil {
		p.Logger.ErrorContext(r.Context(), "the page cannot be shown", "error", err)
		http.Error(w, "The page cannot be shown; the server's log says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(html) // the reader may have gone
}

// shown is how many events the page shows.
const shown = 60

func (p *pages) render(ctx context.Context, name string) ([]byte, error) {
	statuses, err := p.Statuses(ctx)
	if err != nil {
		return nil, err
	}
	evs, err := p.LastEvents(ctx, "", shown)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = p.templates.ExecuteTemplate(&out, name, newView(statuses, evs))
	return out.Bytes(), err
}

// stream sends the living parts of the page, finished, whenever they change, and a
// beat every five seconds, so that silence can be told from a broken line.
func (p *pages) stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	beat := time.NewTicker(5 * time.Second)
	defer beat.Stop()
	var sent []byte
	for {
		changed := p.Changed()
		html, err := p.render(r.Context(), "live")
		if err != nil {
			return
		}
		if !bytes.Equal(html, sent) {
			if _, err := fmt.Fprintf(w, "event: swap\ndata: %s\n\n", strings.ReplaceAll(string(html), "\n", "\ndata: ")); err != nil {
				return
			}
			sent = html
		}
		if out.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-changed:
		case <-beat.C:
			if _, err := fmt.Fprint(w, "event: beat\ndata: \n\n"); err != nil {
				return
			}
		}
	}
}
