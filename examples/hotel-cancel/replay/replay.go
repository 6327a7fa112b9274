// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"flyball/api/wire"
	"flyball/app"
	"flyball/blob"
	"flyball/client"
	"flyball/control"
	"flyball/event"
	"flyball/fault"
	"flyball/loop"
	"flyball/model/registry"
)

// batch is how many rows go into one request.
const batch = 50

// run is one replay under way.
type run struct {
	options
	client *client.Client
	file   control.Application
	model  loop.Model
	raw    []byte // the source
	*bookings
	last   int64 // event told last
	sent   int   // rows asked
	failed int   // rows that no version of the model answered
}

// replay takes the model file and the days of the replay through a server and
// compares. A server that served worse than never retraining, or failed, is a Refused
// fault.
func replay(ctx context.Context, o options) (err error) {
	r := &run{options: o}
	if err := r.read(); err != nil {
		return err
	}
	if r.url == "" {
		stop, err2 := r.serve(ctx)
		if err2 != nil {
			return err2
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	r.client = client.New(r.url, os.Getenv("FLYBALL_TOKEN"), &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4}})
	for _, act := range []func(context.Context) error{r.apply, r.year, r.reckon} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	return nil
}

// read reads the model file, the pipeline it names, its source and the history.
func (r *run) read() error {
	file, err := os.ReadFile(filepath.Join(r.dir, "model.yaml"))
	if err != nil {
		return fault.Wrap(err, fault.NotFound, "the model file cannot be read: give its folder with --dir")
	}
	pipeline, err := os.ReadFile(filepath.Join(r.dir, "hotel-features.yaml"))
	if err != nil {
		return fault.Wrap(err, fault.NotFound, "the pipeline file cannot be read")
	}
	if r.raw, err = os.ReadFile(r.source); err != nil {
		return fault.Wrap(err, fault.NotFound, "the source cannot be read: make it with prepare")
	}
	r.file = control.Application{Name: "model.yaml", File: string(file), PipelineName: "hotel-features.yaml", Pipeline: string(pipeline), Data: map[string]registry.DataFile{}}
	if r.model, _, err = control.Read(r.file); err != nil {
		return err
	}
	r.bookings, err = load(r.options, r.model.Recipe)
	return err
}

// serve starts a server of its own and returns what stops it.
func (r *run) serve(ctx context.Context) (stop func() error, err error) {
	dir, err := os.MkdirTemp("", "flyball-replay-")
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "no folder can be made for the server")
	}
	a, err := app.New(ctx, app.Config{Data: dir, Listen: "127.0.0.1:0", Manual: true, Start: begins, Version: "replay", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	r.url = a.URL()
	serving, end := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- a.Run(serving) }()
	return func() error {
		end()
		return errors.Join(<-served, a.Close(), os.RemoveAll(dir))
	}, nil
}

// apply sends the source and the model file; the loop's first turn trains version 1.
func (r *run) apply(ctx context.Context) error {
	up, err := r.client.Upload(ctx, strings.NewReader(string(r.raw)))
	if err != nil {
		return err
	}
	r.file.Data[filepath.Base(r.model.Recipe.Data.Source)] = registry.DataFile{Digest: blob.Digest(up.Digest), Size: up.Size}
	a := r.file
	if _, err := r.client.Apply(ctx, wire.ApplyRequest{Name: a.Name, File: a.File, PipelineName: a.PipelineName, Pipeline: a.Pipeline, Data: a.Data}); err != nil {
		return err
	}
	if err := r.client.Advance(ctx, begins); err != nil {
		return err
	}
	if err := r.events(ctx); err != nil {
		return err
	}
	st, err := r.client.Status(ctx, r.model.Name)
	if err == nil && st.Live != 1 {
		err = fault.New(fault.Refused, "version 1 is not live")
	}
	return err
}

// year replays day by day: its bookings in the morning, the truths of the day, the
// loop in the evening. A truth comes on the day it is known, so that by evening the
// rows that are due have the truths they will have.
func (r *run) year(ctx context.Context) error {
	byDay := map[time.Time][]int{}
	for i, at := range r.known {
		byDay[at] = append(byDay[at], i)
	}
	next := 0
	for d := range r.days {
		day := begins.AddDate(0, 0, d)
		if err := r.client.SetClock(ctx, day); err != nil {
			return err
		}
		first := next
		for next < len(r.booked) && r.booked[next].Equal(day) {
			next++
		}
		if err := r.ask(ctx, first, next); err != nil {
			return err
		}
		if err := r.tell(ctx, byDay[day]); err != nil {
			return err
		}
		if err := r.client.Advance(ctx, day.Add(21*time.Hour)); err != nil {
			return err
		}
		if err := r.events(ctx); err != nil {
			return err
		}
	}
	return nil
}

// ask sends the bookings from first up to end.
func (r *run) ask(ctx context.Context, first, end int) error {
	for at := first; at < end; at += batch {
		rows := r.asked[at:min(at+batch, end)]
		r.sent += len(rows)
		got, err := r.client.Predict(ctx, r.model.Name, rows)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			r.say("a request failed: %v", err)
			r.failed += len(rows)
			continue
		}
		r.failed += len(rows) - len(got.Predictions)
		for _, p := range got.Predictions {
			if p.Value == nil || p.Arm == "fallback" {
				r.failed++
			}
		}
	}
	return nil
}

// tell tells the truths of the bookings.
func (r *run) tell(ctx context.Context, at []int) error {
	var labels []wire.Label
	for _, i := range at {
		labels = append(labels, wire.Label{Key: r.key[i], Value: json.RawMessage(r.label[i]), At: r.known[i].Format(time.RFC3339)})
	}
	if len(labels) == 0 {
		return nil
	}
	_, err := r.client.Label(ctx, r.model.Name, labels)
	return err
}

var marks = map[event.Mark]string{
	event.OK: "✓", event.Move: "→", event.Wait: "‖", event.Off: "−", event.Warn: "!", event.Stop: "✗", event.None: "?",
}

// events tells what happened since the last time.
func (r *run) events(ctx context.Context) error {
	for {
		evs, err := r.client.Events(ctx, r.last, r.model.Name)
		if err != nil || len(evs) == 0 {
			return err
		}
		for _, e := range evs {
			r.last = e.Seq
			if e.Kind == "note" || e.Kind == "apply" {
				continue
			}
			r.say("%s %s %s", e.At.Format("02 Jan"), marks[e.Mark], e.Text)
		}
	}
}

func four(x float64) string { return fmt.Sprintf("%.4f", x) }
