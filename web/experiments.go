// SPDX-License-Identifier: Apache-2.0

package web

import (
	"net/http"
	"time"

	"flyball/experiment"
	"flyball/unit"
)

// spacesView is what the template of the experiments shows.
type spacesView struct {
	Frame    frame
	Headline []span
	List     table
}

// experiments lists the experiments, those that changed last first.
func (p *pages) experiments(w http.ResponseWriter, r *http.Request) {
	f := frame{Title: "Experiments", Here: "experiments", Command: "flyball runs", Crumbs: []crumb{{"Flyball", "/"}, {"Experiments", ""}}}
	found, next, err := p.Experiments.SearchExperiments(r.Context(), experiment.Ask{
		Order: []string{"last_update_time DESC"}, View: experiment.ActiveOnly, Page: experiment.Page{Limit: pageOfSpaces},
	})
	if err != nil {
		p.broken(w, r, err)
		return
	}
	v := spacesView{Frame: f, Headline: []span{{unit.Count(len(found)) + " experiments", true}, {" hold the runs.", false}}}
	switch {
	case len(found) == 1:
		v.Headline = []span{{"1 experiment", true}, {" holds the runs.", false}}
	case next != "":
		v.Headline = []span{{"The " + unit.Count(len(found)) + " experiments that changed last", true}, {", of more.", false}}
	}
	v.List = table{ID: "experiments", Name: "experiments", Columns: []column{{"name", "Experiment", false}, {"changed", "Changed", true}, {"made", "Made", true}}}
	rows := make([]tableRow, len(found))
	for i, e := range found {
		rows[i] = tableRow{Key: e.ID.String(), Cells: []tableCell{
			{Text: clip(e.Name, 120), Href: runsOf(e.Name)}, number(day(e.Updated), float64(e.Updated)), number(day(e.Created), float64(e.Created)),
		}}
	}
	v.List.lay(r.URL, rows)
	p.show(w, r, http.StatusOK, "experiments.html", v)
}

// day is a moment in ms as a table shows it.
func day(ms int64) string {
	if ms <= 0 {
		return "–"
	}
	return time.UnixMilli(ms).UTC().Format("2 Jan 2006 15:04")
}
