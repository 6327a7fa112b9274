// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"flyball/control"
	"flyball/data/dataset"
	"flyball/event"
	"flyball/fault"
	"flyball/loop"
	"flyball/serving/prediction"
	"flyball/unit"
)

// Data is what is known of a model's data.
type Data interface {
	Model(ctx context.Context, name string) (loop.Model, error)
	Snapshots(ctx context.Context, model string) ([]control.SnapshotUse, error)
	Snapshot(ctx context.Context, model, id string) (dataset.Snapshot, error)
	DiffSnapshots(ctx context.Context, model, from, to string) ([]dataset.Change, error)
	CheckSnapshot(ctx context.Context, model, id string) ([]dataset.Problem, error)
}

// labelRows is how many of the newest predictions the arrival of truths is told of.
const labelRows = 5000

// dataView is what the page of a model's data shows.
type dataView struct {
	Frame     frame
	Headline  []span
	More      string
	Sources   []pair
	Snapshots table
	ID        string // of the snapshot below, short; empty: there is none
	Facts     []pair
	Checks    []checkRow
	Columns   table
	Changes   []dataset.Change
	Before    string // the snapshot that the changes are against; empty: this is the first
	Labels    []pair
	Waits     string // why nothing is said of labels
}

// checkRow is a check of the model file on a snapshot.
type checkRow struct {
	Mark        event.Mark
	Name, Found string
}

// data shows the data of a model: where it comes from, its snapshots, and one of them.
func (p *pages) data(w http.ResponseWriter, r *http.Request) {
	model, asked := modelAsked(r), r.FormValue("snapshot")
	f := modelFrame(model, "data", "Data", "flyball data list "+shell(model))
	m, err := p.Data.Model(r.Context(), model)
	var all []control.SnapshotUse
	if err == nil {
		all, err = p.Data.Snapshots(r.Context(), model)
	}
	v := dataView{Frame: f, Sources: sourcesOf(&m)}
	if err == nil && len(all) > 0 {
		err = v.open(r, p, &m, all, asked)
	}
	if err == nil {
		err = v.arrival(r.Context(), p, model)
	}
	if err != nil {
		p.refuse(w, r, f, err)
		return
	}
	if len(all) == 0 {
		v.Headline = []span{{"No snapshot of " + model + "’s data yet.", false}}
		v.More = "Its first training keeps the rows that it sees."
	}
	v.Snapshots = snapshotsOf(r.URL, model, all, v.ID)
	p.show(w, r, http.StatusOK, "data.html", v)
}

// sourcesOf is where a model's rows come from.
func sourcesOf(m *loop.Model) []pair {
	out := make([]pair, 0, len(m.Files))
	for name, f := range m.Files {
		out = append(out, pair{Key: name, Value: sizeOf(f.Size) + ", " + string(f.Digest)[:min(12, len(f.Digest))]})
	}
	slices.SortFunc(out, func(a, b pair) int { return strings.Compare(a.Key, b.Key) })
	return out
}

func snapshotsOf(at *url.URL, model string, all []control.SnapshotUse, here string) table {
	t := table{ID: "snapshots", Name: "snapshots", Empty: "Here will be a row for each snapshot: the rows that a training saw.", Columns: []column{
		{"id", "Snapshot", false}, {"made", "Made", true}, {"rows", "Rows", true}, {"size", "Size", true}, {"cause", "Cause", false}, {"versions", "Versions", false},
	}}
	rows := make([]tableRow, len(all))
	for i, s := range all {
		id := string(s.ID)[:min(12, len(s.ID))]
		newest, names := 0.0, make([]string, len(s.Versions))
		for k, n := range s.Versions {
			names[k], newest = "v"+strconv.Itoa(n), max(newest, float64(n))
		}
		made := tableCell{Text: strings.Join(names, ", "), By: newest}
		if len(s.Versions) > 0 {
			made.Href = "/model?" + url.Values{"model": {model}, "version": {strconv.Itoa(s.Versions[0])}}.Encode()
		}
		rows[i] = tableRow{Key: string(s.ID), Here: id == here, Cells: []tableCell{
			{Text: id, Href: "/data?" + url.Values{"model": {model}, "snapshot": {id}}.Encode()},
			number(moment(s.At), float64(s.At.UnixMicro())), number(unit.Count(s.Rows), float64(s.Rows)), number(sizeOf(s.Bytes), float64(s.Bytes)),
			{Text: s.Cause},
			made,
		}}
	}
	t.lay(at, rows)
	return t
}

// open reads the snapshot that is asked for, or the newest.
func (v *dataView) open(r *http.Request, p *pages, m *loop.Model, all []control.SnapshotUse, asked string) error {
	ctx, model := r.Context(), m.Name
	s, err := p.Data.Snapshot(ctx, model, asked)
	if err != nil {
		return err
	}
	id := string(s.ID)
	v.ID = id[:min(12, len(id))]
	if asked != "" {
		v.Frame.Command = "flyball data show " + shell(model) + " " + v.ID
	}
	at := slices.IndexFunc(all, func(x control.SnapshotUse) bool { return x.ID == s.ID })
	which := "The newest snapshot"
	if at > 0 {
		which = "Snapshot " + v.ID
	}
	v.Facts, v.Columns = factsOf(s, m), columnsIn(r.URL, s)
	if pieceAsked(ctx) != nil { // what a snapshot holds does not change
		return nil
	}
	if at >= 0 && at+1 < len(all) {
		before := string(all[at+1].ID)
		v.Before = before[:min(12, len(before))]
		if v.Changes, err = p.Data.DiffSnapshots(ctx, model, before, id); fault.Is(err, fault.NotFound) { // its rows were removed
			v.Before, err = "", nil
		}
	}
	wrong := 0
	if err == nil {
		wrong, err = v.check(ctx, p, m, id)
	}
	said := ": all " + many(len(v.Checks), "check") + " hold."
	switch {
	case len(v.Checks) == 0:
		said = "; the model file checks nothing of it."
	case wrong == 1:
		said = ": 1 of " + many(len(v.Checks), "check") + " does not hold."
	case wrong > 0:
		said = fmt.Sprintf(": %d of %s do not hold.", wrong, many(len(v.Checks), "check"))
	}
	v.Headline = []span{{which + " has ", false}, {many(s.Count, "row"), true}, {said, wrong > 0}}
	if at >= 0 {
		v.More = "Made " + moment(all[at].At) + " UTC for a training by cause of: " + all[at].Cause + "."
	}
	return err
}

// check runs the checks of the model file, and returns how many do not hold.
func (v *dataView) check(ctx context.Context, p *pages, m *loop.Model, id string) (int, error) {
	found, err := p.Data.CheckSnapshot(ctx, m.Name, id)
	if err != nil {
		return 0, err
	}
	wrong := 0
	for _, c := range m.Recipe.Data.Checks {
		row := checkRow{Mark: event.OK, Name: c.String(), Found: "holds"}
		if i := slices.IndexFunc(found, func(x dataset.Problem) bool { return x.Check == row.Name }); i >= 0 {
			wrong++
			row.Mark, row.Found = event.Warn, found[i].Text
			if found[i].Severity == "stop" {
				row.Mark = event.Stop
			}
		}
		v.Checks = append(v.Checks, row)
	}
	return wrong, nil
}

func factsOf(s dataset.Snapshot, m *loop.Model) []pair {
	out := []pair{
		{Key: "digest", Value: string(s.ID)},
		{Key: "rows", Value: unit.Count(s.Count)},
		{Key: "with a label", Value: unit.Count(s.Labelled)},
		{Key: "files", Value: fmt.Sprintf("%d, %s", len(s.Files), sizeOf(s.Bytes))},
	}
	for _, c := range s.Columns {
		if c.Name == m.Recipe.Task.Time && !c.To.IsZero() {
			out = append(out, pair{Key: "rows from", Value: moment(c.From)}, pair{Key: "rows to", Value: moment(c.To)})
		}
	}
	if !s.Watermark.IsZero() {
		out = append(out, pair{Key: "newest label", Value: moment(s.Watermark)})
	}
	for _, c := range m.Recipe.Data.Checks {
		if c.Fresh != nil {
			out = append(out, pair{Key: "newest row within", Value: c.Fresh.Within.String() + " at a training"})
		}
	}
	return out
}

func columnsIn(at *url.URL, s dataset.Snapshot) table {
	t := table{ID: "columns", Name: "columns of the snapshot", Columns: []column{
		{"name", "Column", false}, {"kind", "Kind", false}, {"missing", "Missing", true}, {"distinct", "Distinct", true}, {"", "From", true}, {"", "Median or most frequent", true}, {"", "To", true},
	}}
	rows := make([]tableRow, len(s.Columns))
	for i, c := range s.Columns {
		kind, from, middle, to := "", "–", "–", "–"
		if i < len(s.Schema) {
			kind = s.Schema[i].Kind.String()
		}
		switch {
		case !c.To.IsZero():
			from, to = moment(c.From), moment(c.To)
		case len(c.Quantiles) > 0:
			from, middle, to = plainly(c.Min), plainly(c.Quantiles[len(c.Quantiles)/2]), plainly(c.Max)
		case len(c.Top) > 0:
			middle = clip(c.Top[0].Value, 40)
		}
		rows[i] = tableRow{Key: c.Name, Cells: []tableCell{
			{Text: c.Name}, {Text: kind}, number(percentOf(float64(c.Missing)/float64(max(s.Count, 1))), float64(c.Missing)), number(unit.Count(c.Distinct), float64(c.Distinct)), {Text: from}, {Text: middle}, {Text: to},
		}}
	}
	t.lay(at, rows)
	return t
}

// arrival tells how the truths of the newest predictions come in.
func (v *dataView) arrival(ctx context.Context, p *pages, model string) error {
	n, known := 0, 0
	var delays []time.Duration
	var dues []time.Time // of those whose truth is not known
	var newest time.Time
	err := p.Predictions.Scan(ctx, prediction.Query{Model: model, Last: labelRows}, func(j prediction.Joined) error {
		n++
		if newest.Before(j.At) {
			newest = j.At
		}
		if j.Label != nil {
			known++
			delays = append(delays, j.Label.At.Sub(j.Time))
		}
		if j.Label == nil {
			dues = append(dues, j.Due)
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case n == 0:
		v.Waits = "Nothing was answered yet, so no truth is waited for."
		return nil
	}
	late := 0
	for _, due := range dues {
		if due.Before(newest) {
			late++
		}
	}
	share := func(k, of int) string {
		return fmt.Sprintf("%s of %s, %s", unit.Count(k), unit.Count(of), percentOf(float64(k)/float64(max(of, 1))))
	}
	v.Labels = []pair{{Key: "looked at", Value: many(n, "prediction") + ", the newest"}, {Key: "truth known", Value: share(known, n)}, {Key: "overdue", Value: unit.Count(late)}}
	if len(delays) > 0 {
		slices.Sort(delays)
		v.Labels = append(v.Labels, pair{Key: "half within", Value: unit.Duration(delays[len(delays)/2].Round(time.Minute)).String()},
			pair{Key: "nine of ten within", Value: unit.Duration(delays[len(delays)*9/10].Round(time.Minute)).String()})
	}
	v.Labels = append(v.Labels, pair{Key: "newest answer", Value: moment(newest)})
	return nil
}
