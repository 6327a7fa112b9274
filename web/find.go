// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"flyball/experiment"
	"flyball/fault"
	"flyball/governance/access"
	"flyball/ident"
	"flyball/serving/prediction"
)

// foundMost is how many things a search shows.
const foundMost = 60

// findView is what the page of a search shows.
type findView struct {
	Frame    frame
	Headline []span
	Asked    string
	Found    []foundRow
}

// foundRow is a thing that was found.
type foundRow struct{ Kind, Name, Href, About string }

// find looks for anything by its name: models, versions, experiments, runs, and
// predictions by their id or key, of what the reader may see.
func (p *pages) find(w http.ResponseWriter, r *http.Request) {
	q := strings.TrimSpace(r.URL.Query().Get("q"))
	v := findView{
		Frame: frame{Title: "Find", Here: "find", Command: "flyball status", Crumbs: []crumb{{"Flyball", "/"}, {"Find", ""}}},
		Asked: clip(q, 200), Headline: []span{{"Find anything", true}, {" by its name.", false}},
	}
	if q == "" {
		p.show(w, r, http.StatusOK, "find.html", v)
		return
	}
	for _, look := range []func(context.Context, string) ([]foundRow, error){p.findModels, p.findTracked} {
		rows, err := look(r.Context(), q)
		if err != nil {
			p.refuse(w, r, v.Frame, err)
			return
		}
		v.Found = append(v.Found, rows...)
	}
	more := ""
	if len(v.Found) > foundMost {
		v.Found, more = v.Found[:foundMost], " or more"
	}
	v.Headline = []span{{"Nothing is called “" + v.Asked + "”", true}, {" that you may see.", false}}
	if n := len(v.Found); n > 0 {
		be := " are called"
		if n == 1 {
			be = " is called"
		}
		v.Headline = []span{{many(n, "thing") + more, true}, {be + " “" + v.Asked + "”.", false}}
	}
	p.show(w, r, http.StatusOK, "find.html", v)
}

// findModels looks among models, their versions and what they answered.
func (p *pages) findModels(ctx context.Context, q string) ([]foundRow, error) {
	all, err := p.Statuses(ctx)
	if err != nil {
		return nil, err
	}
	who, low := access.From(ctx), strings.ToLower(q)
	var out []foundRow
	for _, s := range all {
		if !who.May(access.Read, s.Model) {
			continue
		}
		if strings.Contains(strings.ToLower(s.Model), low) {
			out = append(out, foundRow{"model", s.Model, modelPage("model", s.Model), s.About})
		}
		if name, number, found := strings.Cut(low, "@"); found && name == strings.ToLower(s.Model) {
			vs, err := p.Care.Versions(ctx, s.Model)
			if err != nil {
				return nil, err
			}
			for _, v := range vs {
				if n := strconv.Itoa(v.Version); strings.HasPrefix(n, strings.TrimPrefix(number, "v")) && len(out) <= foundMost {
					out = append(out, foundRow{"version", v.Ref.String(), "/model?" + url.Values{"model": {s.Model}, "version": {n}}.Encode(), strings.Join(v.Aliases, ", ")})
				}
			}
		}
		if !who.May(access.Rows, s.Model) {
			continue
		}
		for _, by := range []prediction.Query{{Model: s.Model, Key: q, Last: 10}, {Model: s.Model, ID: ident.PredictionID(q), Last: 1}} {
			err := p.Predictions.Scan(ctx, by, func(j prediction.Joined) error {
				out = append(out, foundRow{"prediction", string(j.ID), "/prediction?" + url.Values{"model": {s.Model}, "id": {string(j.ID)}}.Encode(), s.Model + ", " + moment(j.Time) + ", key " + clip(j.Key, 60)})
				return nil
			})
			if err != nil && !fault.Is(err, fault.Invalid) { // no id can be so
				return nil, err
			}
		}
	}
	return out, nil
}

// findTracked looks among experiments and runs, which whoever may read all may see.
func (p *pages) findTracked(ctx context.Context, q string) ([]foundRow, error) {
	if !access.From(ctx).May(access.Read, "") {
		return nil, nil
	}
	var out []foundRow
	all, _, err := p.Experiments.SearchExperiments(ctx, experiment.Ask{Order: []string{"last_update_time DESC"}, View: experiment.ActiveOnly, Page: experiment.Page{Limit: pageOfSpaces}})
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		if strings.Contains(strings.ToLower(e.Name), strings.ToLower(q)) && len(out) <= foundMost {
			out = append(out, foundRow{"experiment", e.Name, runsOf(e.Name), "changed " + day(e.Updated)})
		}
	}
	d, err := p.Finder.Run(ctx, q)
	switch {
	case err == nil:
		out = append(out, foundRow{"run", d.ID, runPage(d.ID), strings.TrimSpace(d.Name + " of " + d.ExperimentName)})
	case !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Invalid):
		return nil, err
	}
	return out, nil
}
