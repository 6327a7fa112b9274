// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"flyball/blob"
	"flyball/control"
	"flyball/data/frame"
	"flyball/data/source/remote"
	"flyball/experiment/evaluation"
	"flyball/experiment/gate"
	"flyball/fault"
	"flyball/job"
	"flyball/model/formats"
	"flyball/spec"
	"flyball/training"
	"flyball/training/environment"
	"flyball/training/executor/local"
	"flyball/training/learner"
	"flyball/unit"
)

func initCommand(e *env) *cobra.Command {
	var predict string
	c := &cobra.Command{
		Use: "init FILE", Short: "Write a model file for a table", Args: cobra.ExactArgs(1),
		Example: "  flyball init bookings.csv --predict is_canceled > model.yaml",
		RunE: func(_ *cobra.Command, args []string) error {
			r, err := frame.OpenFile(args[0], frame.CSVOptions{})
			if err != nil {
				return err
			}
			f, err := frame.ReadAll(r)
			if err != nil {
				return err
			}
			s, err := spec.Suggest(args[0], f, predict)
			if err != nil {
				return err
			}
			for _, l := range s.Left {
				e.say("left out %s: %s", l.Column, l.Reason)
			}
			_, err = io.WriteString(e.out, s.File)
			return err
		},
	}
	c.Flags().StringVar(&predict, "predict", "", "the column to predict")
	if err := c.MarkFlagRequired("predict"); err != nil {
		panic(err) // the flag is defined a line above
	}
	return c
}

func trainCommand(e *env) *cobra.Command {
	var at, out, junit string
	var wait time.Duration
	c := &cobra.Command{
		Use: "train FILE|MODEL", Short: "Train and judge: a file on this machine alone, a model on the server",
		Args:    cobra.ExactArgs(1),
		Example: "  flyball train model.yaml\n  flyball train model.yaml --now 2012-01-01 --out ./out\n  flyball train hotel-cancel --wait 10m",
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := os.Stat(args[0]); err != nil && !strings.ContainsAny(args[0], "./") {
				return e.change(cmd.Context(), args[0], "retrain", "", wait)
			}
			return e.trainFile(cmd.Context(), args[0], at, out, junit)
		},
	}
	c.Flags().StringVar(&at, "now", "", "train as at this time (a file; default now)")
	c.Flags().StringVar(&out, "out", "flyball-out", "folder for the bundle (a file)")
	c.Flags().StringVar(&junit, "junit", "", "write what gate.tests found to this file, as a JUnit report (a file)")
	c.Flags().DurationVar(&wait, "wait", 0, "wait for the verdict this long (a model)")
	return c
}

// trainFile trains a model file without any server: the first version, judged
// against the baseline.
func (e *env) trainFile(ctx context.Context, path, at, out, junit string) error {
	here, err := e.here(ctx, path, at, out)
	if err != nil {
		return err
	}
	defer here.close()
	res, err := here.trainer.Run(ctx, here.request, nil, e.progress())
	if here.trainer.Executor != nil && ctx.Err() == nil {
		here.trainer.Forget(ctx, res)
	}
	if err != nil {
		return err
	}
	if err := writeJUnit(junit, here.request.Recipe.Model, res.Verdict); err != nil {
		return err
	}
	return e.showTraining(here.request.Recipe.Model, out, res)
}

// here is what trains a model file on this machine, without any server.
type here struct {
	trainer *training.Trainer
	request training.Request
	close   func()
}

// here reads a model file with its data; what is made goes to the folder out.
func (e *env) here(ctx context.Context, path, at, out string) (here, error) {
	m, err := readModel(path)
	if err != nil {
		return here{}, err
	}
	return e.hereWith(ctx, m, at, out)
}

// hereWith is here for a model file that was read.
func (e *env) hereWith(ctx context.Context, m modelFile, at, out string) (here, error) {
	blobs, err := blob.OpenDir(filepath.Join(out, "blobs"))
	if err != nil {
		return here{}, err
	}
	h := here{close: func() { _ = blobs.Close() }}
	if err := h.read(ctx, e, m, at, blobs); err != nil {
		h.close()
		return here{}, err
	}
	h.trainer = &training.Trainer{Blobs: blobs, Sources: remote.All(), Decoders: learner.Decoders(), Logger: slog.New(slog.DiscardHandler)}
	if err := h.runs(h.request.Recipe, out); err != nil {
		h.close()
		return here{}, err
	}
	return h, nil
}

// runs lets a recipe that trains by a command run it: the program is of whoever runs this.
// Where the model file names a cluster it runs here, too.
func (h *here) runs(r training.Recipe, out string) (err error) {
	if r.Train.With != training.Command || h.trainer.Executor != nil {
		return nil
	}
	l := &h.request.Recipe.Train.Limits
	l.GPUs, l.Image, l.Queue = 0, "", ""
	h.trainer.Executor, err = local.New(local.Options{Dir: filepath.Join(out, "work")})
	h.trainer.Environment = (&environment.Maker{Dir: filepath.Join(out, "environments")}).Make
	h.trainer.Decoders = formats.Decoders(nil)
	return err
}

// read makes the request of a model file.
func (h *here) read(ctx context.Context, e *env, m modelFile, at string, blobs blob.Store) error {
	if err := m.keepCode(ctx, blobs); err != nil {
		return err
	}
	lm, warnings, err := control.Read(m.application)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		e.say("warning: %s", w)
	}
	now := time.Now().UTC()
	if at != "" {
		us, err := frame.ParseTime(at)
		if err != nil {
			return err
		}
		now = time.UnixMicro(us).UTC()
	}
	h.request = training.Request{Recipe: lm.Recipe, Files: m.application.Data, Code: m.application.Code, Commit: m.application.Commit, Now: now, Cause: "hand", By: "local", Key: m.Name + "/file"}
	for name, p := range m.paths {
		in, err := os.Open(p)
		if err != nil {
			return fault.Wrap(err, fault.NotFound, "%s cannot be read", p)
		}
		h.request.Files[name], err = training.PutSource(ctx, blobs, in)
		if err = errors.Join(err, in.Close()); err != nil {
			return err
		}
	}
	return nil
}

// progress shows where a work is, on a terminal only; an empty text takes it away.
func (e *env) progress() func(string) {
	if !e.terminal {
		return func(string) {}
	}
	return func(text string) { fmt.Fprintf(e.err, "\r\x1b[K%s", text) }
}

// waiting tells that something takes long, from the second second on: on a terminal with
// its time, else once. It is over when done is called.
func (e *env) waiting(what string) (done func()) {
	tell, began, stop := e.progress(), time.Now(), make(chan struct{})
	var told sync.WaitGroup
	told.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for n := 1; ; n++ {
			select {
			case <-stop:
				tell("")
				return
			case <-tick.C:
			}
			if n > 1 && e.terminal {
				tell(fmt.Sprintf("%s, for %s", what, time.Since(began).Round(time.Second)))
			} else if n == 2 {
				e.say("%s", what)
			}
		}
	})
	return func() { close(stop); told.Wait() }
}

func (e *env) showTraining(name, out string, res training.Result) error {
	if e.terminal {
		fmt.Fprint(e.err, "\r\x1b[K")
	}
	for _, p := range res.Problems {
		e.say("%s: %s: %s", p.Severity, p.Check, p.Text)
	}
	e.say("%s: %d rows trained, %d held out (due %s to %s), %d not due yet, %d due without a label; %.1f s",
		name, res.Train, res.Test, when(res.TestFrom), when(res.TestTo), res.Immature, res.Unlabelled, res.Seconds)
	if said := res.Search(); said != "" {
		e.say("%s", said)
	}
	e.say("bundle %s in %s", res.Bundle, out)
	if err := e.showVerdict(res.Verdict); err != nil {
		return err
	}
	if !res.Verdict.Pass {
		return errNo
	}
	return nil
}

// showVerdict prints a verdict: its sentence, and each rule with what it found.
func (e *env) showVerdict(v gate.Verdict) error {
	t := table{head: []string{"verdict", "rule", "found"}}
	for _, r := range v.Reasons {
		t.add(r.Word(), r.Rule, r.Text)
	}
	words := e.format == "table" || e.format == "wide"
	if words {
		fmt.Fprintln(e.out, v.Summary)
	}
	if err := e.show(v, t); err != nil || !words {
		return err
	}
	if err := e.showEstimates(v.Estimates); err != nil {
		return err
	}
	return e.showGroups(v.Groups)
}

// showEstimates prints what was measured of the candidate on all rows.
func (e *env) showEstimates(all []evaluation.Estimate) error {
	t := table{head: []string{"metric", "value (95 %)", "rows"}}
	for _, x := range all {
		if x.Slice == "" && x.Role == "candidate" {
			t.add(x.Metric, gate.Measured(x), unit.Count(x.Rows))
		}
	}
	if len(t.rows) == 0 {
		return nil
	}
	fmt.Fprintln(e.out)
	return e.show(all, t)
}

// waitJob waits for a job to end; false when the time ran out.
func (e *env) waitJob(ctx context.Context, id string, limit time.Duration) (job.Job, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tell := e.progress()
	j, err := e.client().Await(ctx, id, tell)
	tell("")
	if ctx.Err() != nil {
		return j, false, nil
	}
	return j, err == nil, err
}
