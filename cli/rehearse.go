// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/control"
	"flyball/data/frame"
	sources "flyball/data/source"
	"flyball/data/source/remote"
	"flyball/fault"
	"flyball/loop"
	"flyball/loop/rehearse"
	"flyball/spec"
	"flyball/training/learner"
)

func rehearseCommand(e *env) *cobra.Command {
	var r rehearsal
	c := &cobra.Command{
		Use: "rehearse FILE|MODEL", Short: "What would this policy have done? Runs the loop on the past", Args: cobra.ExactArgs(1),
		Long: "Runs the loop over the model file's own history, on a clock that waits for nothing: every\n" +
			"row is asked at its time, every label comes when it came, and training, gate, release and\n" +
			"watch are the server's own code. Of a model, its file and the rows of its newest snapshot,\n" +
			"what was served among them, come from the server. All of it runs here, in memory: nothing\n" +
			"is written anywhere.\n\n" +
			"Rows asked before --from are the history that the first version is trained on. What was\n" +
			"served is then held against never retraining, always retraining, always on a window, the\n" +
			"baseline, and the best version at each moment, on the same rows.\n\n" +
			"--policy names a model file, or a part of one (data, train, gate, release, watch, retrain),\n" +
			"that is rehearsed beside; several give a table that compares them.",
		Example: "  flyball rehearse model.yaml --from 2016-01-01\n" +
			"  flyball rehearse model.yaml --from 2016-01-01 --policy weekly.yaml --policy windows.yaml\n" +
			"  flyball rehearse hotel-cancel --from 2016-07-01 --months",
		RunE: func(cmd *cobra.Command, args []string) error { return e.rehearse(cmd.Context(), args[0], r) },
	}
	f := c.Flags()
	f.StringArrayVar(&r.policies, "policy", nil, "a model file or a part of one to rehearse beside; may be given again")
	f.StringVar(&r.from, "from", "", "the first moment served; rows asked before are history (default: the middle)")
	f.StringVar(&r.to, "to", "", "the end (default: after the last row)")
	f.BoolVar(&r.arrived, "arrived", false, "retrain on labels as they arrive, due or not: to see what that would cost")
	f.BoolVar(&r.months, "months", false, "show the months, each by itself")
	f.BoolVar(&r.all, "all", false, "tell everything that happened, steps of releases too")
	return c
}

// rehearsal is what is asked of one run of the command.
type rehearsal struct {
	policies []string
	from, to string
	arrived  bool
	months   bool
	all      bool
}

func (e *env) rehearse(ctx context.Context, path string, r rehearsal) error {
	past, err := e.past(ctx, path)
	if err != nil {
		return err
	}
	base, err := e.policies(past.application, r.policies)
	if err != nil {
		return err
	}
	var from, to time.Time
	for _, t := range []struct {
		text string
		to   *time.Time
	}{{r.from, &from}, {r.to, &to}} {
		if t.text == "" {
			continue
		}
		us, err := frame.ParseTime(t.text)
		if err != nil {
			return err
		}
		*t.to = time.UnixMicro(us).UTC()
	}
	rows, err := past.rows(ctx, base[0].model)
	if err != nil {
		return err
	}
	stream, err := rehearse.NewStream(base[0].model.Recipe.Task, rows, from, to)
	if err != nil {
		return err
	}
	e.say("%s: %s", base[0].model.Name, stream)
	began := time.Now()
	var all []rehearse.Options
	for _, p := range base {
		all = append(all, rehearse.Options{Policy: p.name, Model: p.model, Decoders: learner.Decoders(), Progress: e.moments(p.name), Arrived: r.arrived})
	}
	out, err := rehearse.Sweep(ctx, stream, all)
	if e.terminal {
		fmt.Fprint(e.err, "\r\x1b[K")
	}
	if err != nil {
		return err
	}
	e.say("rehearsed in %.1f s", time.Since(began).Seconds())
	return e.showRehearsals(out, r)
}

// moments shows on a terminal which day it is.
func (e *env) moments(policy string) func(time.Time, string) {
	if !e.terminal {
		return nil
	}
	var told time.Time
	return func(at time.Time, say string) {
		if say == "" && time.Since(told) < 100*time.Millisecond {
			return
		}
		told = time.Now()
		fmt.Fprintf(e.err, "\r\x1b[K%s %s %s", policy, at.Format(time.DateOnly), say)
	}
}

// policy is a model file as it is rehearsed.
type policy struct {
	name  string
	model loop.Model
}

// policies are the model file itself and those that are rehearsed beside.
func (e *env) policies(own control.Application, files []string) ([]policy, error) {
	out := []policy{{name: strings.TrimSuffix(filepath.Base(own.Name), filepath.Ext(own.Name))}}
	read := func(a control.Application) (loop.Model, error) {
		lm, warnings, err := control.Read(a)
		for _, w := range warnings {
			e.say("warning: %s", w)
		}
		return lm, err
	}
	var err error
	if out[0].model, err = read(own); err != nil {
		return nil, err
	}
	for _, path := range files {
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, fault.Wrap(err, fault.NotFound, "%s cannot be read", path)
		}
		merged, err := spec.WithPolicy([]byte(own.File), path, raw)
		if err != nil {
			return nil, err
		}
		a := own
		a.Name, a.File = path, string(merged)
		lm, err := read(a)
		if err != nil {
			return nil, err
		}
		if lm.Recipe.Data.Source != out[0].model.Recipe.Data.Source {
			return nil, fault.New(fault.Invalid, "%s names another source than the model file: policies are compared on the same rows", path)
		}
		out = append(out, policy{strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)), lm})
	}
	return out, nil
}

// past is a model file, and how to read the rows of its history.
type past struct {
	application control.Application
	rows        func(ctx context.Context, m loop.Model) (*frame.Frame, error)
}

// past finds a model file on this machine, or a model on the server.
func (e *env) past(ctx context.Context, path string) (past, error) {
	if _, err := os.Stat(path); err != nil && !strings.ContainsAny(path, "./") {
		return e.pastOf(ctx, path)
	}
	m, err := readModel(path)
	return past{m.application, func(ctx context.Context, lm loop.Model) (*frame.Frame, error) { return historyOf(ctx, m, lm) }}, err
}

// pastOf is a model's on the server: its rows are those of its newest snapshot.
func (e *env) pastOf(ctx context.Context, model string) (past, error) {
	got, err := e.client().File(ctx, model)
	if err != nil {
		return past{}, err
	}
	a := control.Application{Name: model, File: got.File, PipelineName: got.PipelineName, Pipeline: got.Pipeline, Data: got.Data, Code: got.Code}
	return past{a, func(ctx context.Context, lm loop.Model) (*frame.Frame, error) {
		made, err := e.client().Snapshots(ctx, model)
		if err != nil {
			return nil, err
		}
		if len(made) == 0 {
			return nil, fault.New(fault.NotFound, "%s has no snapshot yet: nothing was trained", model).Do("rehearse its model file")
		}
		var raw bytes.Buffer
		if err := e.client().ExportSnapshot(ctx, model, string(made[0].ID), &raw); err != nil {
			return nil, err
		}
		in, err := frame.OpenBytes("snapshot.parquet", raw.Bytes(), frame.CSVOptions{Kinds: lm.Recipe.Kinds()})
		if err != nil {
			return nil, err
		}
		return frame.ReadAll(in)
	}}, nil
}

// historyOf is all rows of a model file's source.
func historyOf(ctx context.Context, m modelFile, lm loop.Model) (_ *frame.Frame, err error) {
	data := lm.Recipe.Data
	set := &sources.Set{}
	if sources.Elsewhere(data.Source) {
		if set, err = remote.All().Open(ctx, data); err != nil {
			return nil, err
		}
	}
	defer func() { err = errors.Join(err, set.Close()) }()
	for _, name := range slices.Sorted(maps.Keys(m.paths)) {
		file := frame.FileSource(m.paths[name])
		set.Parts = append(set.Parts, sources.File(name, file, sources.Options(data)))
	}
	columns, err := set.Columns(ctx, lm.Recipe.Kinds())
	if err != nil {
		return nil, err
	}
	rows, err := set.Read(ctx, columns, nil)
	if err != nil {
		return nil, err
	}
	return frame.ReadAll(rows)
}
