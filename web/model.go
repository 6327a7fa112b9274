// SPDX-License-Identifier: Apache-2.0

package web

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"flyball/api/wire"
	"flyball/control"
	"flyball/event"
	"flyball/experiment/compare"
	"flyball/experiment/gate"
	"flyball/experiment/gate/report"
	"flyball/fault"
	"flyball/model/registry"
	"flyball/monitoring"
	"flyball/serving/release"
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
