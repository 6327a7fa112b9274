// SPDX-License-Identifier: Apache-2.0

package web

import (
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"flyball/chart"
	"flyball/event"
	"flyball/governance/access"
	"flyball/serving/release"
	"flyball/unit"
)

// releaseView is what the page of releases shows.
type releaseView struct {
	Frame    frame
	Headline []span
	More     string
	Steps    []step
	Route    []pair
	Traffic  template.HTML
	May      bool // the reader may roll back
	Back     string
	All      table
}

// step is one of a release's plan.
type step struct {
	Mark               event.Mark
	Word, Name, Detail string
	Now, Todo          bool
}

// release shows who answers what share, and how the newest release goes.
func (p *pages) release(w http.ResponseWriter, r *http.Request) {
	model := modelAsked(r)
	f := modelFrame(model, "release", "Release", "flyball releases "+shell(model))
	st, err := p.Care.Status(r.Context(), model)
	var all []release.State
	if err == nil {
		all, err = p.Models.Releases(r.Context(), model)
	}
	if err != nil {
		p.refuse(w, r, f, err)
		return
	}
	v := releaseView{Frame: f, All: releasesOf(r.URL, all), May: access.From(r.Context()).May(access.Retreat, model)}
	if len(all) == 0 {
		v.Headline = []span{{"No version of " + model + " was released yet.", false}}
		p.show(w, r, http.StatusOK, "release.html", v)
		return
	}
	s := all[0]
	_, can := s.Rollback("", "", s.EnteredAt)
	v.May = v.May && can
	v.Headline, v.More = released(s), capital(s.Reason)
	v.Steps = steps(s)
	if route := st.Route; route != nil {
		v.Route = routed(*route)
		v.Traffic = chart.Traffic("traffic", fmt.Sprintf("v%d", route.Live), fmt.Sprintf("v%d", route.Candidate), route.Share)
	}
	if s.Live != 0 {
		v.Back = fmt.Sprintf("v%d", s.Live)
	}
	p.show(w, r, http.StatusOK, "release.html", v)
}

func releasesOf(at *url.URL, all []release.State) table {
	t := table{ID: "releases", Name: "releases", Columns: []column{{"version", "Version", false}, {"phase", "Phase", false}, {"begun", "Begun", true}, {"since", "Since", true}, {"cause", "Cause", false}, {"by", "By", false}, {"", "Why", false}}}
	t.Empty = "Here will be a row for each release. A version that passes the gate begins one by itself; flyball promote does it by hand."
	rows := make([]tableRow, len(all))
	for i, s := range all {
		q := url.Values{"model": {s.Model}, "version": {strconv.Itoa(s.Candidate)}}
		rows[i] = tableRow{Key: strconv.FormatInt(s.StartedAt.UnixMicro(), 10), Cells: []tableCell{
			{Text: fmt.Sprintf("v%d", s.Candidate), Href: "/model?" + q.Encode(), By: float64(s.Candidate)},
			{Text: string(s.Phase)},
			number(moment(s.StartedAt), float64(s.StartedAt.UnixMicro())), number(moment(s.EnteredAt), float64(s.EnteredAt.UnixMicro())),
			{Text: s.Cause},
			{Text: s.By},
			{Text: strings.TrimSuffix(s.Reason+"; "+s.Mark, "; ")},
		}}
	}
	t.lay(at, rows)
	return t
}

// rollback takes the newest version back, and shows the page again.
func (p *pages) rollback(w http.ResponseWriter, r *http.Request) {
	model := modelAsked(r)
	if _, err := p.Care.Rollback(r.Context(), model, access.Actor(r.Context()), strings.TrimSpace(r.FormValue("why"))); err != nil {
		p.refuse(w, r, modelFrame(model, "release", "Release", "flyball rollback "+shell(model)+" --why …"), err)
		return
	}
	protect(w)
	http.Redirect(w, r, modelPage("release", model), http.StatusSeeOther)
}

func capital(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

// released is the sentence about a release.
func released(s release.State) []span {
	name := fmt.Sprintf("v%d", s.Candidate)
	rest := map[release.Phase]string{
		release.Pending: " is about to be loaded.", release.Preload: " is being loaded.", release.ShadowPhase: " scores all requests and answers none.",
		release.Full: " answers all requests.", release.BakePhase: " answers all requests, and is watched beside the version before it.",
		release.Succeeded: " is live.", release.Aborting: " is being taken back.", release.RollingBack: " is being taken back.",
		release.Aborted: " was taken back before it was live.", release.RolledBack: " was rolled back.",
	}[s.Phase]
	if s.Phase == release.Canary && s.Step < len(s.Plan.Canary) {
		rest = " answers " + s.Plan.Canary[s.Step].Share.String() + "."
	}
	out := []span{{name, true}, {rest, false}}
	if s.Live != 0 && (s.Phase == release.Aborted || s.Phase == release.RolledBack) {
		out = append(out, span{fmt.Sprintf(" v%d", s.Live), true}, span{" answers.", false})
	}
	if s.Paused != "" {
		out = append(out, span{" It is paused: " + s.Paused + ".", true})
	}
	if s.Floor {
		out = append(out, span{" The baseline answers instead: it is clearly better.", true})
	}
	return out
}

// steps are the plan of a release, and how far it is.
func steps(s release.State) []step {
	type part struct {
		phase release.Phase
		step  int
		name  string
		age   unit.Duration
	}
	parts := []part{}
	if s.Plan.Shadow.For > 0 {
		parts = append(parts, part{release.ShadowPhase, 0, "Shadow", s.Plan.Shadow.For})
	}
	for i, c := range s.Plan.Canary {
		if c.Share < 1 {
			parts = append(parts, part{release.Canary, i, c.Share.String(), c.For})
		}
	}
	parts = append(parts, part{release.BakePhase, 0, "All, watched", s.Plan.Bake.For})
	at := len(parts)
	for i, p := range parts {
		if p.phase == s.Phase && (p.phase != release.Canary || p.step == s.Step) {
			at = i
		}
	}
	switch s.Phase {
	case release.Pending, release.Preload:
		at = -1
	case release.Aborting, release.Aborted, release.RollingBack, release.RolledBack:
		return nil // the sentence says it all
	}
	out := make([]step, len(parts))
	for i, p := range parts {
		out[i] = step{Mark: event.OK, Word: "done", Name: p.name, Detail: "for " + p.age.String()}
		switch {
		case i == at:
			out[i].Mark, out[i].Word, out[i].Now = event.Move, "now", true
			out[i].Detail = "since " + s.EnteredAt.Format("2 Jan 15:04") + ", until " + s.EnteredAt.Add(p.age.D()).Format("2 Jan 15:04")
		case i > at:
			out[i].Mark, out[i].Word, out[i].Todo = event.None, "then", true
		}
	}
	return out
}

func routed(r release.Route) []pair {
	share := fmt.Sprintf("%g %%", 100*r.Share)
	out := []pair{{Key: "generation", Value: strconv.FormatInt(r.Generation, 10)}}
	name := func(v int) string { return fmt.Sprintf("v%d", v) }
	if r.Live != 0 {
		out = append(out, pair{Key: "live", Value: name(r.Live) + ", " + fmt.Sprintf("%g %%", 100*(1-r.Share))})
	}
	if r.Candidate != 0 {
		out = append(out, pair{Key: "candidate", Value: name(r.Candidate) + ", " + share})
	}
	if r.Previous != 0 {
		out = append(out, pair{Key: "kept loaded", Value: name(r.Previous)})
	}
	if r.Baseline != 0 {
		out = append(out, pair{Key: "baseline", Value: "its v" + strconv.Itoa(r.Baseline)})
	}
	return out
}
