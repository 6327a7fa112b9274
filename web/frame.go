// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bytes"
	"errors"
	"html/template"
	"net/http"
	"net/url"

	"flyball/asof"
	"flyball/fault"
)

// frame is what surrounds a page.
type frame struct {
	Title      string
	Here       string  // loop, experiments, runs, run, compare, version, release, monitors or predictions
	Experiment string  // whose pages are beside; empty: none
	Model      string  // the same of a model
	Crumbs     []crumb // the last one is this page
	Command    string  // that says the same in a terminal
	Stream     string  // address of the stream of what changes; empty: nothing does
}

// Runs is the address of the experiment's runs.
func (f frame) Runs() string { return runsOf(f.Experiment) }

func runsOf(experiment string) string {
	return "/runs?" + url.Values{"experiment": {experiment}}.Encode()
}

// crumb is a step of the way here; without Href it is this page.
type crumb struct{ Name, Href string }

// figure is a chart with its finding and its data.
type figure struct {
	Finding, How string
	SVG          template.HTML
	Data         grid
	Time         bool // x is time: where it does not fit, its end is shown
}

// grid is a table of texts; the first column names the row.
type grid struct {
	Name string
	Fold string // what opens it, when it is not behind a chart
	Head []string
	Rows [][]string
}

// show writes a page, whole or not at all.
func (p *pages) show(w http.ResponseWriter, r *http.Request, status int, name string, view any) {
	if to := pieceAsked(r.Context()); to != nil {
		p.sendPiece(r.Context(), to, name, view)
		return
	}
	var out bytes.Buffer
	if err := p.templates.ExecuteTemplate(&out, name, view); err != nil {
		p.broken(w, r, err)
		return
	}
	page := out.Bytes()
	if at, past := asof.At(r.Context()); past {
		page = ofThePast(page, at, r.URL)
	}
	protect(w)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Link", "</static/style.css>; rel=preload; as=style") // it is fetched before the page is read
	page = press(w, r, page)
	w.WriteHeader(status)
	_, _ = w.Write(page) // the reader may have gone
}

// broken says that a page cannot be shown, and tells the log why.
func (p *pages) broken(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() == nil {
		p.Logger.ErrorContext(r.Context(), "the page cannot be shown", "error", err)
	}
	protect(w)
	http.Error(w, "The page cannot be shown; the server's log says why.", http.StatusInternalServerError)
}

// trouble is a fault as a page says it: what, and what to do.
type trouble struct {
	Frame frame
	What  string
	Do    string
}

// refuse shows a fault that whoever asked can do something about; another one is
// broken.
func (p *pages) refuse(w http.ResponseWriter, r *http.Request, f frame, err error) {
	e, known := errors.AsType[*fault.Error](err)
	if !known {
		p.broken(w, r, err)
		return
	}
	status := http.StatusBadRequest
	switch e.Kind {
	case fault.Invalid:
	case fault.NotFound:
		status = http.StatusNotFound
	case fault.Refused, fault.Conflict:
		status = http.StatusUnprocessableEntity
	default:
		p.broken(w, r, err)
		return
	}
	p.show(w, r, status, "trouble.html", trouble{Frame: f, What: e.What, Do: e.Advice})
}
