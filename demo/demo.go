// SPDX-License-Identifier: Apache-2.0

// Package demo runs the loop over a year of real history: bikes hired per hour,
// trained on 2011, with 2012 replayed as HTTP traffic on a fast clock. Nothing is
// planted but one broken version at the end. It speaks to the server as any client
// does, and every figure it tells is computed in the run that tells it.
package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
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
	"flyball/event"
	"flyball/examples"
	"flyball/fault"
	"flyball/model/registry"
)

const (
	name = "bike-demand"
	wide = 100 // columns of a line
)

// Options are of one run.
type Options struct {
	Out      io.Writer
	In       io.Reader // for Step
	Keep     string    // folder that is kept; empty: a temporary one, removed at the end
	Step     bool      // wait for Enter after each line
	Fast     bool      // 12 weeks instead of a year, and fewer claims: for tests
	Listen   string    // empty: any free port of this machine
	Stay     bool      // leave the server up until ctx is done
	Progress bool      // show on the way which day it is
}

// run is one run under way.
type run struct {
	Options
	dir    string
	server *app.App
	client *client.Client
	blobs  *blob.Bucket

	hours    []hour // to replay
	past     []hour // trained on at first
	original application
	last     int64 // event told last
	sent     int   // requests for predictions
	answered int
	claims   []claim
	stdin    *bufio.Reader
	held     bool
	broken   brokenVersion
}

// claim is something the run must show.
type claim struct {
	holds bool
	text  string
}

// application is a model file with its data, as it is applied.
type application struct {
	file string
	data map[string]registry.DataFile
}

// Run runs the demo and returns nil if every claim held. A claim that did not hold
// is a Refused fault.
func Run(ctx context.Context, opts Options) (err error) {
	r := &run{Options: opts, dir: opts.Keep}
	if r.In != nil {
		r.stdin = bufio.NewReader(r.In)
	}
	if r.dir == "" {
		if r.dir, err = os.MkdirTemp("", "flyball-demo-"); err != nil {
			return fault.Wrap(err, fault.Unavailable, "no folder can be made for the demo")
		}
		defer func() { err = errors.Join(err, os.RemoveAll(r.dir)) }()
	} else if _, err := os.Stat(filepath.Join(r.dir, "flyball.db")); err == nil {
		return fault.New(fault.Conflict, "%s holds a demo already", r.dir).Do("choose another folder with --keep, or remove it")
	}
	return r.run(ctx)
}

func (r *run) run(ctx context.Context) (err error) {
	if err := r.load(); err != nil {
		return err
	}
	r.server, err = app.New(ctx, app.Config{
		Data: r.dir, Listen: r.Listen, Manual: true, Start: r.hours[0].moment(), Version: "demo", Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- r.server.Run(serving) }()
	defer func() {
		stop()
		err = errors.Join(err, <-served, r.server.Close())
	}()
	r.client = client.New(r.server.URL(), "", &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4}})
	if r.blobs, err = blob.OpenDir(filepath.Join(r.dir, "blobs")); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.blobs.Close()) }()
	for _, act := range []func(context.Context) error{r.first, r.replay, r.reckon} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	err = r.verdict()
	if r.Stay && ctx.Err() == nil {
		r.say("The server is up at %s with the year in it; Ctrl-C ends it.", r.server.URL())
		<-ctx.Done()
	}
	return err
}

// load reads the history and writes what a user would have in a folder.
func (r *run) load() error {
	all, err := history()
	if err != nil {
		return err
	}
	for _, h := range all {
		if h.local.Year() == 2011 {
			r.past = append(r.past, h)
		} else {
			r.hours = append(r.hours, h)
		}
	}
	if r.Fast {
		r.hours = r.hours[:12*7*24]
	}
	raw, err := examples.Bike.ReadFile("bike-demand/model.yaml")
	if err != nil {
		return fmt.Errorf("read the model file: %w", err)
	}
	r.original.file = string(raw)
	source, err := file(r.past)
	if err != nil {
		return err
	}
	folder := filepath.Join(r.dir, name)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fault.Wrap(err, fault.Unavailable, "the demo's folder cannot be made")
	}
	for path, b := range map[string][]byte{"model.yaml": raw, "bikes_2011.csv.gz": source} {
		if err := os.WriteFile(filepath.Join(folder, path), b, 0o600); err != nil {
			return fault.Wrap(err, fault.Unavailable, "the demo's folder cannot be written")
		}
	}
	return nil
}

// upload sends a source file and returns what apply needs of it.
func (r *run) upload(ctx context.Context, fileName string, raw []byte) (map[string]registry.DataFile, error) {
	up, err := r.client.Upload(ctx, strings.NewReader(string(raw)))
	if err != nil {
		return nil, err
	}
	return map[string]registry.DataFile{fileName: {Digest: blob.Digest(up.Digest), Size: up.Size}}, nil
}

func (r *run) apply(ctx context.Context, a application) error {
	_, err := r.client.Apply(ctx, wire.ApplyRequest{Name: "model.yaml", File: a.file, Data: a.data})
	return err
}

// say tells one line that is no happening.
func (r *run) say(format string, args ...any) { fmt.Fprintf(r.Out, format+"\n", args...) }

// tell tells one happening in one line, with the command that shows the same.
func (r *run) tell(at time.Time, mark, text, command string) {
	line := fmt.Sprintf("%s %s ", at.In(zone).Format("02 Jan"), mark)
	command = strings.TrimSuffix(command, " "+name) // the only model need not be named
	room := wide - width(line) - width(command) - 4
	if width(text) > room {
		cut := []rune(text)[:room-1]
		text = strings.TrimRight(string(cut), " ,;:(") + "…"
	}
	gap := max(2, wide-width(line)-width(text)-width(command)-2)
	r.say("%s%s%s$ %s", line, text, strings.Repeat(" ", gap), command)
	if r.Step && r.stdin != nil {
		if _, err := r.stdin.ReadString('\n'); err != nil {
			r.Step = false
		}
	}
}

func width(s string) int { return len([]rune(s)) }

var marks = map[event.Mark]string{
	event.OK: "✓", event.Move: "→", event.Wait: "‖", event.Off: "−", event.Warn: "!", event.Stop: "✗", event.None: "?",
}

// claimed notes a claim and whether it held.
func (r *run) claimed(holds bool, format string, args ...any) {
	r.claims = append(r.claims, claim{holds, fmt.Sprintf(format, args...)})
}

// verdict is nil if every claim held.
func (r *run) verdict() error {
	var broken []string
	for _, c := range r.claims {
		mark := "✓"
		if !c.holds {
			mark = "✗"
			broken = append(broken, c.text)
		}
		r.say("  %s %s", mark, c.text)
	}
	if len(broken) > 0 {
		return fault.New(fault.Refused, "%d of %d claims did not hold: %s", len(broken), len(r.claims), strings.Join(broken, "; "))
	}
	r.say("All %d claims held.", len(r.claims))
	return nil
}
