// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"flyball/governance/access"
)

// living is the stream of all pages. A page NAME.html that lives defines a template
// NAME.live, of elements with ids, and names this address in its frame; the browser asks
// it with the page's own address.
const living = "/stream"

// The times of a stream: between two beats, by which silence is told from a broken line;
// between two looks at what no event tells of; and at least between any two looks, however
// much happens.
const (
	beatEvery = 5 * time.Second
	lookEvery = 30 * time.Second
	calm      = 500 * time.Millisecond
)

// pieceKey is where a request that the stream sends carries its piece.
type pieceKey struct{}

// piece is what lives of a page; nil: nothing does.
type piece struct{ html []byte }

// pieceAsked is where the living part goes; nil: the whole page is asked for.
func pieceAsked(ctx context.Context) *piece {
	p, _ := ctx.Value(pieceKey{}).(*piece)
	return p
}

// sendPiece renders what lives of a page.
func (p *pages) sendPiece(ctx context.Context, to *piece, name string, view any) {
	name = strings.TrimSuffix(name, ".html") + ".live"
	if p.templates.Lookup(name) == nil {
		return
	}
	var out bytes.Buffer
	if err := p.templates.ExecuteTemplate(&out, name, view); err != nil {
		if ctx.Err() == nil {
			p.Logger.ErrorContext(ctx, "the page cannot be sent again", "error", err)
		}
		return
	}
	to.html = out.Bytes()
}

// nowhere takes an answer of which only its living part is wanted.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header         { return n.header }
func (n nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (n nowhere) WriteHeader(int)             {}

// look asks for a page as its reader would, through its own route: who may no longer see
// it gets nothing.
func (p *pages) look(r *http.Request, page *url.URL) []byte {
	got := &piece{}
	in := r.Clone(context.WithValue(r.Context(), pieceKey{}, got))
	in.URL, in.RequestURI, in.Form, in.PostForm = page, page.RequestURI(), nil, nil
	p.routes.ServeHTTP(nowhere{http.Header{}}, in)
	return got.html
}

// stream sends what lives of a page, finished, whenever it is another than the browser
// has. The id of an event is the digest of what it carries, so that a browser that comes
// back is sent only what it lacks.
func (p *pages) stream(w http.ResponseWriter, r *http.Request) {
	page, err := url.ParseRequestURI(cmp.Or(r.FormValue("page"), "/"))
	if err != nil || page.Host != "" || pieceAsked(r.Context()) != nil {
		http.Error(w, "this is no page", http.StatusBadRequest)
		return
	}
	changed := p.Changed()
	html := p.look(r, page)
	if html == nil { // an answer that is no stream ends it for good
		protect(w)
		http.Error(w, "nothing changes there", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	for has := r.Header.Get("Last-Event-ID"); html != nil; html = p.look(r, page) {
		sum := sha256.Sum256(html)
		if id := fmt.Sprintf("%x", sum[:8]); id != has {
			has = id
			if _, err := fmt.Fprintf(w, "id: %s\nevent: swap\ndata: %s\n\n", id, strings.ReplaceAll(string(html), "\n", "\ndata: ")); err != nil {
				return
			}
		}
		if !p.pause(w, r, beat.C, changed) {
			return
		}
		changed = p.Changed()
	}
}

// pause beats until it is time to look again; false: nobody listens any more, or may.
func (p *pages) pause(w http.ResponseWriter, r *http.Request, beat <-chan time.Time, changed <-chan struct{}) bool {
	out, rest, next := http.NewResponseController(w), time.After(calm), time.After(lookEvery)
	var due <-chan struct{} // changed, as soon as the rest is over
	for out.Flush() == nil {
		select {
		case <-r.Context().Done():
			return false
		case <-rest:
			due = changed
		case <-due:
			return true
		case <-next:
			return true
		case <-beat:
			if _, err := p.door.Again(r, access.Read); err != nil { // signed out, or lost the role
				return false
			}
			if _, err := fmt.Fprint(w, "event: beat\ndata: \n\n"); err != nil {
				return false
			}
		}
	}
	return false
}
