// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/blob"
	"flyball/control"
	"flyball/model/registry"
	"flyball/serving/prediction"
	"flyball/training"
	"flyball/training/learner"
)

// now is when the trainings of this file happen: four weeks of the replay are served,
// and some of the labels came before they were due.
var now = begins.AddDate(0, 0, 28)

// turned says by the day its truth is due whether a row's label is turned round.
type turned func(due time.Time) bool

func none(time.Time) bool       { return false }
func notDue(due time.Time) bool { return due.After(now) }
func isDue(due time.Time) bool  { return !due.After(now) }

// read reads the model file, changed at the texts of change: old, new, old, new.
func read(t *testing.T, change ...string) training.Recipe {
	t.Helper()
	text := func(name string) string {
		raw, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	file := text("model.yaml")
	for i := 0; i < len(change); i += 2 {
		if !strings.Contains(file, change[i]) {
			t.Fatalf("the model file has no %q to change", change[i])
		}
		file = strings.Replace(file, change[i], change[i+1], 1)
	}
	m, _, err := control.Read(control.Application{
		Name: "model.yaml", File: file, PipelineName: "hotel-features.yaml", Pipeline: text("hotel-features.yaml"),
		Data: map[string]registry.DataFile{"bookings.csv.gz": {}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m.Recipe
}

// extract is every twentieth booking: enough to choose rows from.
type extract struct {
	source [][]string
	served *bookings
}

func extracted(t *testing.T) extract {
	t.Helper()
	o := options{dir: "..", thin: 20, days: 28}
	rows, err := history(o, func(booked time.Time) bool { return booked.Before(begins) })
	if err != nil {
		t.Fatal(err)
	}
	served, err := load(o, read(t))
	if err != nil {
		t.Fatal(err)
	}
	return extract{rows, served}
}

// trained makes a version of the extract by the changed model file, with some labels
// turned round, in the source and in the log alike.
func (e extract) trained(t *testing.T, change []string, turn turned) training.Result {
	t.Helper()
	recipe := read(t, change...)
	recipe.Train.Settings = map[string]any{"trees": 5, "depth": 3}
	recipe.Gate.Reproduce, recipe.Data.Checks = "", nil // an extract has too few rows for them
	raw, err := pack(turnRows(t, e.source, turn))
	if err != nil {
		t.Fatal(err)
	}
	memory := blob.Memory()
	source, err := training.SourceBytes(t.Context(), memory, raw)
	if err != nil {
		t.Fatal(err)
	}
	tr := training.Trainer{Blobs: memory, Decoders: learner.Decoders(), Log: servedLog{e.served, turn}, Logger: slog.New(slog.DiscardHandler)}
	res, err := tr.Run(t.Context(), training.Request{Recipe: recipe, Files: map[string]registry.DataFile{"bookings.csv.gz": source}, Now: now}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// turnRows is the rows of a source (booking_id, booked_on, label_due_on, label_on,
// is_canceled, …) with labels turned round.
func turnRows(t *testing.T, rows [][]string, turn turned) [][]string {
	t.Helper()
	out := slices.Clone(rows)
	for i, row := range rows[1:] {
		due, err := time.Parse(time.DateOnly, row[2])
		if err != nil {
			t.Fatal(err)
		}
		if turn(due) {
			row = slices.Clone(row)
			row[4] = other(row[4])
			out[i+1] = row
		}
	}
	return out
}

func other(label string) string {
	if label == "1" {
		return "0"
	}
	return "1"
}

// servedLog is a log in which every booking of the replay was answered, with the
// labels that came by now.
type servedLog struct {
	*bookings
	turn turned
}

func (l servedLog) Append(context.Context, bool, bool, ...prediction.Record) error { return nil }

func (l servedLog) AppendLabels(context.Context, ...prediction.Label) (int, error) { return 0, nil }

func (l servedLog) Scan(_ context.Context, q prediction.Query, visit func(prediction.Joined) error) error {
	for i := range l.key {
		j := prediction.Joined{Record: prediction.Record{Model: q.Model, At: l.booked[i], Time: l.booked[i], Due: l.due[i], Key: l.key[i], Row: l.asked[i]}}
		if !l.known[i].After(q.AsOf) {
			j.Label = &prediction.Label{Model: q.Model, Key: l.key[i], Value: l.label[i], At: l.known[i]}
			if l.turn(l.due[i]) {
				j.Label.Value = other(l.label[i])
			}
		}
		if err := visit(j); err != nil {
			return err
		}
	}
	return nil
}

// TestLabelsThatOnlyArrivedTrainNothing turns round the label of every row that is not
// due, whether it has come or not: the versions, the judged and the released one and the baseline, must
// come out byte for byte the same, and the gate must say the same. Turning the labels
// of due rows round changes them, so the test can fail.
func TestLabelsThatOnlyArrivedTrainNothing(t *testing.T) {
	truth, test := "truth: {due_at: label_due_on, known_at: label_on}", "test:  {window: 28d, at_least: 300}"
	e := extracted(t)
	for _, c := range []struct {
		name   string
		change []string
	}{
		{"as the example is", nil},
		{"with nothing but what must be said", []string{
			"  also: predictions", "  # also", "  train: all", "  # train: all", "  " + test, "  #", "  refit: after_gate", "  # refit",
		}},
		{"without what was served", []string{"also: predictions", "also: none"}},
		{"trained on the newest 90 days", []string{"train: all", "train: {window: 90d}"}},
		{"tested on a week", []string{test, "test: {window: 7d, at_least: 1}"}},
		{"tested on more than there is of late", []string{test, "test: {window: 7d, at_least: 600}"}},
		{"tested on half a year", []string{test, "test: {window: 180d}"}},
		{"a missing label taken as a no", []string{truth, "truth: {due_at: label_due_on, known_at: label_on, missing: negative}"}},
		{"a source that does not tell when labels came", []string{truth, "truth: {due_at: label_due_on}"}},
		{"never fitted again", []string{"refit: after_gate", "refit: never"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			plain, turned := e.trained(t, c.change, none), e.trained(t, c.change, notDue)
			if plain.Bundle != turned.Bundle || plain.Judged != turned.Judged || plain.Floor != turned.Floor {
				t.Errorf("labels that only arrived changed a version: %s and %s", plain.Bundle, turned.Bundle)
			}
			a, b := verdict(t, plain), verdict(t, turned)
			if a != b {
				t.Errorf("labels that only arrived changed the verdict:\n%s\n%s", a, b)
			}
			if plain.Snapshot == turned.Snapshot {
				t.Error("no label was turned round, so the test tells nothing")
			}
			if due := e.trained(t, c.change, isDue); due.Judged == plain.Judged {
				t.Error("turning the labels of due rows round changed nothing")
			}
		})
	}
}

// verdict is what the gate said, but for what it took from the machine's speed.
func verdict(t *testing.T, r training.Result) string {
	t.Helper()
	raw, err := json.Marshal(r.Verdict.Differences)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestArrivedLabelsAreNotDueOnes shows what the rows above are chosen by the due date
// for: of the bookings whose label has come, far more are cancelled than of those that
// are due.
func TestArrivedLabelsAreNotDueOnes(t *testing.T) {
	rows, err := history(options{dir: "..", thin: 1}, func(booked time.Time) bool { return booked.Before(begins) })
	if err != nil {
		t.Fatal(err)
	}
	today := begins.Format(time.DateOnly)
	var early, due, earlyYes, dueYes float64
	for _, row := range rows[1:] {
		switch yes := row[4] == "1"; {
		case row[2] <= today:
			due++
			if yes {
				dueYes++
			}
		case row[3] <= today:
			early++
			if yes {
				earlyYes++
			}
		}
	}
	if got := math.Round(100 * earlyYes / early); got != 100 {
		t.Errorf("of %.0f labels that came early %.0f %% are cancellations, want 100", early, got)
	}
	if got := math.Round(100 * dueYes / due); got != 37 {
		t.Errorf("of %.0f due bookings %.0f %% were cancelled, want 37", due, got)
	}
}
