// SPDX-License-Identifier: Apache-2.0

package web

import (
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

// predictionsShown is how many predictions a page lists.
const predictionsShown = 100

// predictionsView is what the page of predictions shows.
type predictionsView struct {
	Frame    frame
	Headline []span
	Asked    url.Values // the filter, as it was sent
	Rows     []answeredRow
}

// answeredRow is one prediction of a list.
type answeredRow struct {
	Href, Key, Time, By, Said, Truth, Flags string
}

// predictions lists what was answered last, or what the filter asks for.
func (p *pages) predictions(w http.ResponseWriter, r *http.Request) {
	model, in := modelAsked(r), r.URL.Query()
	f := modelFrame(model, "predictions", "Predictions", "flyball predictions "+shell(model))
	q, err := picked(model, in)
	if err == nil {
		err = p.Care.Known(r.Context(), model)
	}
	var rows []answeredRow
	if err == nil {
		err = p.Predictions.Scan(r.Context(), q, func(j prediction.Joined) error {
			rows = append(rows, answered(j))
			return nil
		})
	}
	if err != nil {
		p.refuse(w, r, f, err)
		return
	}
	slices.Reverse(rows) // the newest first
	v := predictionsView{Frame: f, Asked: in, Rows: rows}
	v.Headline = []span{{"No prediction of " + model + " is as asked.", false}}
	if n := len(rows); n > 0 {
		what := "The newest "
		if n < predictionsShown {
			what = "All "
		}
		v.Headline = []span{{what, false}, {many(n, "prediction"), true}, {" of " + model + " as asked.", false}}
	}
	p.show(w, r, http.StatusOK, "predictions.html", v)
}

// picked is the filter of the page: key, version, arm, decision, flag, truth.
func picked(model string, in url.Values) (prediction.Query, error) {
	q := prediction.Query{
		Model: model, Last: predictionsShown, Key: in.Get("key"), Arm: in.Get("arm"), Decision: in.Get("decision"), Flag: in.Get("flag"), Truth: in.Get("truth"),
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

func answered(j prediction.Joined) answeredRow {
	q := url.Values{"model": {j.Model}, "id": {string(j.ID)}}
	out := answeredRow{
		Href: "/prediction?" + q.Encode(), Key: clip(j.Key, 60), Time: j.Time.Format("2 Jan 2006 15:04"), By: fmt.Sprintf("v%d, %s", j.Version, j.Arm),
		Said: saidOf(j.Scores, nil, j.Decision), Truth: "waits", Flags: strings.Join(j.Flags, ", "),
	}
	if out.Key == "" {
		out.Key = string(j.ID)
	}
	if j.Version == 0 {
		out.By = "the fallback"
	}
	if j.Label != nil {
		out.Truth = clip(j.Label.Value, 40)
	}
	return out
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
	Reasons  []reason
	Without  string // why there are no reasons
	Replay   span
	Mark     event.Mark
	Dossier  string // its address
}

// reason is what a column added to the score.
type reason struct{ Feature, Value, Added, Bar string }

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
		v.Reasons = reasonsOf(*x.Reasons)
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
