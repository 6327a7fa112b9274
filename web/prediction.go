// SPDX-License-Identifier: Apache-2.0

package web

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"flyball/api/wire"
	"flyball/control"
	"flyball/event"
	"flyball/fault"
	"flyball/serving/prediction"
)

// Predictions is what was answered.
type Predictions interface {
	Scan(ctx context.Context, q prediction.Query, do func(prediction.Joined) error) error
}

// predictionsView is what the page of predictions shows.
type predictionsView struct {
	Frame    frame
	Headline []span
	Asked    url.Values // the filter, as it was sent
	List     table
}

// predictions lists what was answered last, or what the filter asks for.
func (p *pages) predictions(w http.ResponseWriter, r *http.Request) {
	model, in := modelAsked(r), r.URL.Query()
	f := modelFrame(model, "predictions", "Predictions", "flyball predictions "+shell(model))
	v := predictionsView{Frame: f, Asked: in, List: table{ID: "answers", Name: "predictions", Columns: []column{
		{"", "Key", false}, {"", "Event", true}, {"", "Answered by", false}, {"", "Said", false}, {"", "Truth", false}, {"", "Unusual", false},
	}}}
	v.List.Empty = "Here will be a row for each answer. flyball predict " + model + " rows.csv asks for some."
	q, err := picked(model, in)
	if err == nil {
		err = p.Care.Known(r.Context(), model)
	}
	after := v.List.at(in, "after")
	var got []prediction.Joined
	if err == nil {
		got, err = p.answers(r.Context(), q, after)
	}
	if err != nil {
		p.refuse(w, r, f, err)
		return
	}
	more := ""
	if len(got) > tableRows {
		got = got[:tableRows]
		more = placeOf(&got[tableRows-1].Record)
	}
	rows := make([]tableRow, len(got))
	for i, j := range got {
		rows[i] = answered(j)
	}
	v.List.show(r.URL, rows, more)
	v.Headline = []span{{"No prediction of " + model + " is as asked.", false}}
	if n := len(rows); n > 0 {
		what := "The newest "
		switch {
		case after != "":
			what = "Earlier "
		case more == "":
			what = "All "
		}
		v.Headline = []span{{what, false}, {many(n, "prediction"), true}, {" of " + model + " as asked.", false}}
	}
	p.show(w, r, http.StatusOK, "predictions.html", v)
}

// placeOf is where a prediction stands among those of its model: by event time, then id.
func placeOf(r *prediction.Record) string {
	return strconv.FormatInt(r.Time.UnixMicro(), 10) + "." + string(r.ID)
}

// answers are the newest predictions that stand before a place (empty: of all), the newest
// first: as many as a page has and one more, if there are.
func (p *pages) answers(ctx context.Context, q prediction.Query, before string) ([]prediction.Joined, error) {
	at, id := int64(0), ""
	if before != "" {
		micro, name, _ := strings.Cut(before, ".")
		n, err := strconv.ParseInt(micro, 10, 64)
		if err != nil {
			return nil, fault.New(fault.Invalid, "%q is no place among predictions", clip(before, 60))
		}
		at, id = n, name
		q.To = time.UnixMicro(n + 1)
	}
	const most = 1 << 16 // that have one time
	for q.Last = tableRows + 1; ; q.Last *= 4 {
		var out []prediction.Joined
		seen := 0
		err := p.Predictions.Scan(ctx, q, func(j prediction.Joined) error {
			if seen++; before == "" || j.Time.UnixMicro() < at || string(j.ID) < id {
				out = append(out, j)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if len(out) > tableRows || seen < q.Last || q.Last > most {
			slices.Reverse(out)
			return out[:min(len(out), tableRows+1)], nil
		}
	}
}

// picked is the filter of the page: key, version, arm, decision, flag, truth.
func picked(model string, in url.Values) (prediction.Query, error) {
	q := prediction.Query{
		Model: model, Key: in.Get("key"), Arm: in.Get("arm"), Decision: in.Get("decision"), Flag: in.Get("flag"), Truth: in.Get("truth"),
	}
	if v := in.Get("version"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			return q, fault.New(fault.Invalid, "%q is no version", clip(v, 40)).Do("versions are numbered from 1")
		}
		q.Version = n
	}
	if q.Truth != "" && q.Truth != "known" && q.Truth != "waiting" {
		return q, fault.New(fault.Invalid, "a truth is known or waiting, and not %q", clip(q.Truth, 40))
	}
	return q, nil
}

func answered(j prediction.Joined) tableRow {
	q := url.Values{"model": {j.Model}, "id": {string(j.ID)}}
	by, truth := fmt.Sprintf("v%d, %s", j.Version, j.Arm), "waits"
	if j.Version == 0 {
		by = "the fallback"
	}
	if j.Label != nil {
		truth = clip(j.Label.Value, 40)
	}
	return tableRow{Key: string(j.ID), Cells: []tableCell{
		{Text: cmp.Or(clip(j.Key, 60), string(j.ID)), Href: "/prediction?" + q.Encode()},
		{Text: moment(j.Time)},
		{Text: by},
		{Text: saidOf(j.Scores, nil, j.Decision)},
		{Text: truth},
		{Text: strings.Join(j.Flags, ", ")},
	}}
}

// saidOf are scores and what was decided of them.
func saidOf(scores []float64, classes []string, decision string) string {
	parts := make([]string, len(scores))
	for i, s := range scores {
		parts[i] = plainly(s)
		if len(classes) == len(scores) && len(scores) > 1 {
			parts[i] = classes[i] + " " + parts[i]
		}
	}
	text := strings.Join(parts, ", ")
	if text == "" {
		text = "nothing"
	}
	if decision != "" {
		text += ": " + decision
	}
	return text
}

// predictionView is what the page of a prediction shows.
type predictionView struct {
	Frame    frame
	Headline []span
	More     string
	Facts    []pair
	Row      []pair
	Why      *figure
	Without  string // why there are no reasons
	Replay   span
	Mark     event.Mark
	Dossier  string // its address
}

// reason is what a column added to the score.
type reason struct{ Feature, Value, Added, Word string }

// prediction shows one answer: what was asked, what was said and why, and whether the
// version still says so.
func (p *pages) prediction(w http.ResponseWriter, r *http.Request) {
	model, id := modelAsked(r), r.FormValue("id")
	f := modelFrame(model, "predictions", "Prediction", "flyball explain "+shell(id)+" -m "+shell(model))
	x, err := p.Care.Explain(r.Context(), model, id, control.Ask{})
	var row json.RawMessage
	if err == nil {
		err = p.Predictions.Scan(r.Context(), prediction.Query{Model: model, ID: x.ID, Last: 1}, func(j prediction.Joined) error {
			row = j.Row
			return nil
		})
	}
	if err != nil {
		p.refuse(w, r, f, err)
		return
	}
	v := explained(x)
	v.Frame, v.Row = f, columnsOf(row)
	v.Dossier = "/v1/models/" + url.PathEscape(model) + "/predictions/" + url.PathEscape(string(x.ID)) + "/dossier?format=html"
	p.show(w, r, http.StatusOK, "prediction.html", v)
}

func explained(x wire.Explained) predictionView {
	who := fmt.Sprintf("v%d", x.Version)
	if x.Version == 0 {
		who = "The fallback"
	}
	said := saidOf(x.Scores, x.Classes, x.Decision)
	v := predictionView{
		Headline: []span{{who + " said " + said, true}, {" on " + x.At.Format("2 Jan 2006 15:04") + ".", false}},
		Without:  x.Unexplained,
	}
	switch {
	case x.Replay.Equal:
		v.Mark, v.Replay = event.OK, span{"scored again: equal to the last bit", false}
	case x.Replay.Scores == nil:
		v.Mark, v.Replay = event.None, span{"not scored again: " + x.Replay.Why, false}
	default:
		v.Mark, v.Replay = event.Stop, span{"scored again: not equal, " + x.Replay.Why, false}
	}
	v.Facts = []pair{{Key: "prediction", Value: string(x.ID)}, {Key: "key", Value: x.Key}, {Key: "event", Value: x.Time.Format(time.RFC3339)}, {Key: "role", Value: x.Arm}}
	truth := "not known yet"
	if x.Truth != nil {
		truth = *x.Truth
	}
	v.Facts = append(v.Facts, pair{Key: "truth", Value: truth})
	if len(x.Flags) > 0 {
		v.Facts = append(v.Facts, pair{Key: "unusual", Value: strings.Join(x.Flags, ", ")})
	}
	if x.Reasons != nil {
		v.Why = reasonsChart(x.Reasons, reasonsOf(*x.Reasons))
		v.More = fmt.Sprintf("It began at %s (%s) and moved by what each column adds.", plainly(x.Reasons.Base), x.Reasons.Space)
	}
	return v
}

// reasonsShown is how many columns a page shows by themselves.
const reasonsShown = 12

func reasonsOf(r prediction.Reasons) []reason {
	out, rest, most := []reason{}, r.Rest, 0.0
	for _, t := range r.Top {
		most = max(most, math.Abs(t.Contribution))
	}
	for i, t := range r.Top {
		if i >= reasonsShown {
			rest += t.Contribution
			continue
		}
		out = append(out, reason{t.Feature, clip(string(t.Value), 60), signedOf(t.Contribution), wayOf(t.Contribution, most)})
	}
	if rest != 0 {
		out = append(out, reason{Feature: "all others", Added: signedOf(rest)})
	}
	return out
}

// wayOf says in a word how much a column moved the score.
func wayOf(x, most float64) string {
	way := "raised"
	if x < 0 {
		way = "lowered"
	}
	switch {
	case x == 0 || most == 0:
		return ""
	case math.Abs(x) > most/2:
		return way + " it most"
	}
	return way + " it"
}

func signedOf(x float64) string {
	if x > 0 {
		return "+" + plainly(x)
	}
	return plainly(x)
}

// columnsOf are the columns of a row as it was sent, by name.
func columnsOf(raw json.RawMessage) []pair {
	var row map[string]json.RawMessage
	if json.Unmarshal(raw, &row) != nil {
		return nil
	}
	out := make([]pair, 0, len(row))
	for k, v := range row {
		out = append(out, pair{Key: k, Value: clip(string(v), 200)})
	}
	slices.SortFunc(out, func(a, b pair) int { return strings.Compare(a.Key, b.Key) })
	return out
}
