// SPDX-License-Identifier: Apache-2.0

package web

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"flyball/api/wire"
	"flyball/chart"
	"flyball/control"
	"flyball/event"
	"flyball/experiment/compare"
	"flyball/experiment/gate"
	"flyball/experiment/gate/report"
	"flyball/fault"
	"flyball/governance/access"
	"flyball/model/registry"
	"flyball/monitoring"
	"flyball/serving/release"
	"flyball/unit"
)

// Models is what the pages of a model are made of.
type Models interface {
	AliasHistory(ctx context.Context, model string) ([]registry.Move, error)
	Releases(ctx context.Context, model string) ([]release.State, error)
	Findings(ctx context.Context, model string, openOnly bool) ([]monitoring.Finding, error)
}

// Care is what the pages of a model ask for, and have done.
type Care interface {
	Status(ctx context.Context, model string) (wire.Status, error)
	Standing(ctx context.Context, model string, version int) (monitoring.Standing, error)
	Rollback(ctx context.Context, model, by, why string) (wire.Changed, error)
	Known(ctx context.Context, model string) error
	Versions(ctx context.Context, model string) ([]registry.Version, error) // without what the reader may not see
	Reproductions(ctx context.Context, model string, version int) ([]registry.Reproduction, error)
	Explain(ctx context.Context, model, name string, ask control.Ask) (wire.Explained, error)
}

// modelFrame surrounds a page of a model.
func modelFrame(model, here, title, command string) frame {
	return frame{
		Title: title + " · " + model, Here: here, Model: model, Command: command, Stream: living,
		Crumbs: []crumb{{"Flyball", "/"}, {model, modelPage("model", model)}, {title, ""}},
	}
}

func modelPage(page, model string) string {
	return "/" + page + "?" + url.Values{"model": {model}}.Encode()
}

// modelAsked is the model that a page is about, by its query: reads need the permission on it.
func modelAsked(r *http.Request) string { return r.FormValue("model") }

// verdictRow is a rule of the gate as a page shows it.
type verdictRow struct {
	report.Row
	Mark event.Mark
}

// verdictMark is the mark of what a rule said.
func verdictMark(verdict string, bad bool) event.Mark {
	switch {
	case bad:
		return event.Stop
	case strings.Contains(verdict, "INCONCLUSIVE") || strings.Contains(verdict, "not judged"):
		return event.None
	}
	return event.OK
}

func marked(rows []report.Row) []verdictRow {
	out := make([]verdictRow, len(rows))
	for i, r := range rows {
		out[i] = verdictRow{r, verdictMark(r.Verdict, r.Bad)}
	}
	return out
}

// versionView is what the page of a version shows.
type versionView struct {
	Frame    frame
	What     string
	Headline []span
	More     string
	Word     string
	Compared []verdictRow
	Others   []verdictRow
	Slices   []verdictRow
	Notes    []string
	Facts    []pair
	Moves    []registry.Move
	Versions table
	Compare  string
	Quality  []figure
	Proof    string // below which the documents about it lie
}

// version shows one version: what the gate said of it, what it was made of, and what became of it.
func (p *pages) version(w http.ResponseWriter, r *http.Request) {
	model := modelAsked(r)
	f := modelFrame(model, "version", "Version", "flyball versions "+shell(model))
	vs, err := p.Care.Versions(r.Context(), model)
	if err == nil && len(vs) == 0 {
		if err = p.Care.Known(r.Context(), model); err == nil {
			err = fault.New(fault.NotFound, "%s has no version yet", model).Do("flyball retrain %s makes the first", model)
		}
	}
	var v registry.Version
	if err == nil {
		v, err = chosen(vs, r.FormValue("version"))
	}
	var moves []registry.Move
	if err == nil {
		moves, err = p.Models.AliasHistory(r.Context(), model)
	}
	var remade []registry.Reproduction
	if err == nil {
		remade, err = p.Care.Reproductions(r.Context(), model, v.Version)
	}
	if err != nil {
		p.refuse(w, r, f, err)
		return
	}
	view := versionView{Frame: f, What: "Version of " + model, Versions: versionsOf(r.URL, vs, v), Facts: append(made(v), again(v, remade))}
	view.Frame.Title = v.Ref.String()
	view.Proof = fmt.Sprintf("/v1/models/%s/versions/%d", url.PathEscape(model), v.Version)
	view.Frame.Command = "flyball gate show " + shell(v.Ref.String())
	if i := previous(vs, v); i != nil {
		view.Compare = "/compare?" + url.Values{"ref": {v.Ref.String()}, "against": {i.Ref.String()}}.Encode()
	}
	for _, m := range moves {
		if m.From == v.Version || m.To == v.Version {
			view.Moves = append(view.Moves, m)
		}
	}
	view.Moves = view.Moves[:min(len(view.Moves), tableRows)]
	if err := view.judge(v); err != nil {
		p.broken(w, r, err)
		return
	}
	if pieceAsked(r.Context()) == nil && len(v.Report) > 0 { // what it said then does not change
		rep, err := p.Finder.Compare(r.Context(), compare.Question{Refs: []string{v.Ref.String()}, Against: "baseline", Curves: true})
		if err == nil {
			view.Quality = qualityOf(rep)
		}
	}
	p.show(w, r, http.StatusOK, "version.html", view)
}

// chosen is the version of a number, else the live one, else the newest.
func chosen(vs []registry.Version, number string) (registry.Version, error) {
	if number == "" {
		for _, v := range vs {
			if slices.Contains(v.Aliases, "live") {
				return v, nil
			}
		}
		return vs[0], nil
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 {
		return registry.Version{}, fault.New(fault.Invalid, "%q is no version", clip(number, 40)).Do("versions are numbered from 1")
	}
	for _, v := range vs {
		if v.Version == n {
			return v, nil
		}
	}
	return registry.Version{}, fault.New(fault.NotFound, "%s has no version %d", vs[0].Model, n).Do("see flyball versions %s", vs[0].Model)
}

// previous is the version before v; nil: none.
func previous(vs []registry.Version, v registry.Version) *registry.Version {
	for i := range vs { // newest first
		if vs[i].Version < v.Version {
			return &vs[i]
		}
	}
	return nil
}

func versionsOf(at *url.URL, vs []registry.Version, here registry.Version) table {
	t := table{ID: "versions", Name: "versions", Columns: []column{{"version", "Version", false}, {"gate", "Gate", false}, {"alias", "Aliases", false}, {"cause", "Cause", false}, {"by", "By", false}, {"made", "Made", true}}}
	rows := make([]tableRow, len(vs))
	for i, v := range vs {
		name := fmt.Sprintf("v%d", v.Version)
		q := url.Values{"model": {v.Model}, "version": {strconv.Itoa(v.Version)}}
		rows[i] = tableRow{Key: name, Here: v.Version == here.Version, Cells: []tableCell{
			{Text: name, Href: "/model?" + q.Encode(), By: float64(v.Version)},
			{Text: cmp.Or(v.Verdict, "not judged")},
			{Text: strings.Join(v.Aliases, ", ")},
			{Text: v.Cause},
			{Text: v.CreatedBy},
			number(moment(v.CreatedAt), float64(v.CreatedAt.UnixMicro())),
		}}
	}
	t.lay(at, rows)
	return t
}

// made is what the version was made of.
func made(v registry.Version) []pair {
	var out []pair
	add := func(key, value string) {
		if value != "" {
			out = append(out, pair{Key: key, Value: value})
		}
	}
	add("made", v.CreatedAt.Format("2 Jan 2006 15:04")+" UTC, by "+v.CreatedBy)
	add("cause", v.Cause)
	if !v.SeenUntil.IsZero() {
		add("truths until", v.SeenUntil.Format("2 Jan 2006 15:04"))
	}
	add("bundle", string(v.Bundle))
	add("data", string(v.Snapshot))
	add("record", string(v.Record))
	add("run", string(v.RunID))
	add("source", v.Source)
	return out
}

// again says how equal a version came out when it was last made again.
func again(v registry.Version, remade []registry.Reproduction) pair {
	if len(remade) == 0 {
		return pair{Key: "made again", Value: "never; flyball reproduce " + v.Ref.String()}
	}
	last, words := remade[0], remade[0].Grade
	if got := (control.Reproduced{}); json.Unmarshal(last.Report, &got) == nil {
		words = got.Words()
	}
	return pair{Key: "made again", Value: fmt.Sprintf("%s: %s UTC, by %s; flyball reproduce %s", words, last.At.Format("2 Jan 2006 15:04"), last.By, v.Ref)}
}

// judge adds what the gate said.
func (v *versionView) judge(of registry.Version) error {
	name := fmt.Sprintf("v%d", of.Version)
	stands := ""
	if len(of.Aliases) > 0 {
		stands = " It is " + strings.Join(of.Aliases, " and ") + "."
	}
	if len(of.Report) == 0 {
		v.Headline = []span{{name, true}, {" was not judged yet." + stands, false}}
		v.More = "flyball gate " + of.Ref.String() + " has it judged."
		return nil
	}
	var verdict gate.Verdict
	if err := json.Unmarshal(of.Report, &verdict); err != nil {
		return fault.Wrap(err, fault.Internal, "the verdict of %s cannot be read", of.Ref)
	}
	rep := report.Of(of, verdict, 0)
	v.Word, v.Notes = rep.Word, rep.Notes
	v.Compared, v.Others, v.Slices = marked(rep.Compared), marked(rep.Others), marked(rep.Slices)
	all, bad := len(v.Compared)+len(v.Others), 0
	for _, rows := range [][]verdictRow{v.Compared, v.Others} {
		for _, r := range rows {
			if r.Bad {
				bad++
			}
		}
	}
	word := " passed the gate"
	if !verdict.Pass {
		word = " did not pass the gate"
	}
	v.Headline = []span{{name + word, true}, {fmt.Sprintf(": %d of %s hold on %s.%s", all-bad, many(all, "rule"), many(verdict.Rows, "row"), stands), false}}
	v.More = "In a word: " + rep.Word + "."
	return nil
}

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
