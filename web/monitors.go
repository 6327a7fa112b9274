// SPDX-License-Identifier: Apache-2.0

package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"flyball/fault"
	"flyball/monitoring"
	"flyball/serving/release"
	"flyball/unit"
)

// monitorsView is what the page of the watch shows.
type monitorsView struct {
	Frame       frame
	Headline    []span
	More        string
	Open        []monitoring.Finding
	Closed      table
	Performance []performance
	Features    table
	Score       *figure
	Unknown     []string
	Caveat      string
}

type performance struct{ Metric, HeldOut, Due, Estimated, Blind string }

// monitors shows what the watch found, and how rows and performance stand.
func (p *pages) monitors(w http.ResponseWriter, r *http.Request) {
	model := modelAsked(r)
	f := modelFrame(model, "monitors", "Monitors", "flyball alerts "+shell(model))
	err := p.Care.Known(r.Context(), model)
	var found []monitoring.Finding
	if err == nil {
		found, err = p.Models.Findings(r.Context(), model, false)
	}
	if err != nil {
		p.refuse(w, r, f, err)
		return
	}
	v := monitorsView{Frame: f}
	var closed []monitoring.Finding
	for _, x := range monitoring.Advised(found) {
		if x.Closed.IsZero() {
			v.Open = append(v.Open, x)
		} else {
			closed = append(closed, x)
		}
	}
	v.Closed = closedOf(r.URL, closed)
	switch n := len(v.Open); n {
	case 0:
		v.Headline = []span{{"Nothing is to be looked at", true}, {" at " + model + ".", false}}
	default:
		be := " are"
		if n == 1 {
			be = " is"
		}
		v.Headline = []span{{many(n, "finding"), true}, {be + " open at " + model + ": " + v.Open[0].Text + ".", false}}
	}
	v.Open = v.Open[:min(len(v.Open), tableRows)] // as many as somebody can look at; the sentence counts them all
	st, err := p.Care.Standing(r.Context(), model, 0)
	switch {
	case err == nil:
		v.stand(r.URL, st)
		var all []release.State
		if all, err = p.Models.Releases(r.Context(), model); err != nil {
			p.broken(w, r, err)
			return
		}
		v.Score = courseOf(st, all)
	case fault.KindOf(err) == fault.Internal:
		p.broken(w, r, err)
		return
	default: // nothing live yet, as it says
		v.Unknown = []string{err.Error()}
	}
	p.show(w, r, http.StatusOK, "monitors.html", v)
}

// stand adds how the newest rows stand.
func (v *monitorsView) stand(at *url.URL, st monitoring.Standing) {
	v.Unknown, v.Caveat = st.Unknown, st.Caveat
	if st.Rows > 0 {
		v.More = fmt.Sprintf("The newest %s, from %s to %s, answered by v%d.", many(st.Rows, "row"), dayAt(st.From), dayAt(st.To), st.Version)
	}
	for _, x := range st.Performance {
		v.Performance = append(v.Performance, performance{x.Metric, plainly(x.HeldOut), figured(x.Due), figured(x.Estimated), some(x.Blind)})
	}
	v.Features = shiftsOf(at, st)
}

// shiftsOf is how each column is distributed, against training.
func shiftsOf(at *url.URL, st monitoring.Standing) table {
	all := st.Features
	t := table{ID: "shifts", Name: "columns, the newest rows against those of training", Columns: []column{
		{"column", "Column", false}, {"rows", "Rows", true}, {"psi", "PSI", true}, {"", "Its course", false}, {"missing", "Missing", true}, {"new", "New", true}, {"odd", "Odd", true}, {"", "Blind below", true},
	}}
	rows := make([]tableRow, len(all))
	for i, x := range all {
		b := "–"
		switch {
		case x.Blind.SD > 0:
			b = "+" + plainly(x.Blind.SD) + " sd"
		case x.Blind.Share > 0:
			b = percentOf(x.Blind.Share)
		}
		rows[i] = tableRow{Key: x.Feature, Cells: []tableCell{
			{Text: x.Feature},
			number(unit.Count(x.Rows), float64(x.Rows)), number(plainly(x.PSI), x.PSI),
			{Drawn: sparkOf(i, x.Feature, st.Course)},
			number(percentOf(x.Missing), x.Missing),
			number(percentOf(x.New), x.New), number(plainly(x.Odd), x.Odd),
			{Text: b},
		}}
	}
	t.lay(at, rows)
	return t
}

func closedOf(at *url.URL, all []monitoring.Finding) table {
	t := table{ID: "past", Name: "closed findings", Columns: []column{{"from", "From", true}, {"to", "To", true}, {"kind", "Kind", false}, {"subject", "Of", false}, {"", "What", false}, {"duty", "Duty", false}}}
	rows := make([]tableRow, len(all))
	for i, x := range all {
		rows[i] = tableRow{Key: x.ID, Cells: []tableCell{
			number(moment(x.Opened), float64(x.Opened.UnixMicro())), number(moment(x.Closed), float64(x.Closed.UnixMicro())),
			{Text: string(x.Kind)},
			{Text: x.Subject},
			{Text: x.Text},
			{Text: string(x.Duty)},
		}}
	}
	t.lay(at, rows)
	return t
}

func dayAt(t time.Time) string { return t.Format("2 Jan 2006") }

func some(x float64) string {
	if x == 0 {
		return "–"
	}
	return plainly(x)
}

func figured(f *monitoring.Figure) string {
	if f == nil {
		return "–"
	}
	out := plainly(f.Value)
	if f.Half > 0 {
		out += " ± " + plainly(f.Half)
	}
	return out
}

func percentOf(x float64) string { return strconv.FormatFloat(100*x, 'g', 3, 64) + " %" }

func plainly(x float64) string { return alone(&x) }
