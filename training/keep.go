// SPDX-License-Identifier: Apache-2.0

package training

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"flyball/blob"
	"flyball/data/dataset"
	"flyball/event"
	"flyball/fault"
	"flyball/monitoring"
)

// Keeper keeps what a training says of its data, whether it comes to a version or not.
// Package store implements it.
type Keeper interface {
	// AddSnapshot notes that a snapshot was made for a model. One that is noted already
	// is as new as the newest run that made it.
	AddSnapshot(ctx context.Context, s dataset.Made) error

	Findings(ctx context.Context, model string, openOnly bool) ([]monitoring.Finding, error)
	SaveMonitoring(ctx context.Context, model string, state json.RawMessage, findings []monitoring.Finding, windows []monitoring.Window, evs ...event.Event) error
}

// onData is how the subject of a finding of the data's checks begins.
const onData = "data: "

// given is what the checks know besides the rows.
func (w *work) given(ctx context.Context) (dataset.Given, error) {
	g := dataset.Given{Now: w.request.Now}
	for _, f := range w.recipe.Pipeline.Inputs {
		g.Inputs = append(g.Inputs, f.Name)
	}
	if w.live == nil || w.live.Snapshot == "" {
		return g, nil
	}
	before, err := dataset.Open(ctx, w.Blobs, w.live.Snapshot)
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Invalid) {
		return g, nil // a version from elsewhere, or one whose data is not kept
	}
	g.Before = before.Count
	return g, err
}

// keep notes the snapshot of a training, and opens and closes findings for what its
// checks stopped at. What cannot be kept is told, and keeps no version from being made.
func (t *Trainer) keep(ctx context.Context, r Request, res Result) {
	if t.Keeper == nil || res.Snapshot == "" {
		return
	}
	if err := errors.Join(t.note(ctx, r, res.Snapshot, r.Cause), t.tell(ctx, r, res)); err != nil {
		t.Logger.Warn("what a training said of its data was not kept", "model", r.Recipe.Model, "snapshot", res.Snapshot, "error", err)
	}
}

// note notes the snapshot of a training or a judging.
func (t *Trainer) note(ctx context.Context, r Request, id blob.Digest, cause string) error {
	if t.Keeper == nil || id == "" {
		return nil
	}
	s, err := dataset.Open(ctx, t.Blobs, id)
	if err != nil {
		return err
	}
	return t.Keeper.AddSnapshot(ctx, dataset.Made{Model: r.Recipe.Model, ID: s.ID, At: r.Now, Rows: s.Count, Bytes: s.Bytes, Cause: cause})
}

// tell opens a finding for each check that stops, and closes those of checks that the
// data passes now. They are for the one who feeds the data.
func (t *Trainer) tell(ctx context.Context, r Request, res Result) error {
	name := r.Recipe.Model
	findings, err := t.Keeper.Findings(ctx, name, true)
	if err != nil {
		return err
	}
	open := map[string]bool{}
	var change []monitoring.Finding
	var evs []event.Event
	failing := map[string]bool{}
	for _, p := range res.Problems {
		failing[onData+p.Check] = failing[onData+p.Check] || p.Severity == "stop"
	}
	for _, f := range findings {
		if f.Kind != monitoring.Quality || !strings.HasPrefix(f.Subject, onData) {
			continue
		}
		if open[f.Subject] = true; failing[f.Subject] {
			continue
		}
		f.Closed = r.Now
		change = append(change, f)
		evs = append(evs, event.Event{At: r.Now, Model: name, By: "flyball", Mark: event.OK, Kind: monitoring.Quality, Text: f.Subject + " holds again", Command: "flyball alerts " + name})
	}
	for _, p := range res.Problems {
		subject := onData + p.Check
		if p.Severity != "stop" || open[subject] {
			continue
		}
		open[subject] = true
		data, err := json.Marshal(map[string]any{"snapshot": res.Snapshot, "rows": p.Rows, "count": p.Count})
		if err != nil {
			return fmt.Errorf("encode a finding: %w", err)
		}
		f := monitoring.Finding{
			ID:    fmt.Sprintf("%s/%d/%s/%s/%s", name, r.Live, monitoring.Quality, subject, r.Now.UTC().Format("20060102T150405Z")),
			Model: name, Version: r.Live, Kind: monitoring.Quality, Subject: subject, Severity: "warn", Duty: "feed", Opened: r.Now,
			Text: "nothing was trained, the live version stays: " + p.Text, Data: data,
		}
		change = append(change, f)
		evs = append(evs, event.Event{
			At: r.Now, Model: name, By: "flyball", Mark: event.Stop, Kind: monitoring.Quality, Text: f.Text,
			Command: fmt.Sprintf("flyball data check %s", name), Data: data,
		})
	}
	if len(change) == 0 {
		return nil
	}
	return t.Keeper.SaveMonitoring(ctx, name, nil, change, nil, evs...)
}
