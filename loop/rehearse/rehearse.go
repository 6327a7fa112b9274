// SPDX-License-Identifier: Apache-2.0

// Package rehearse runs the loop on the past: what would this policy have done? The code
// is the loop's own (loop.Turn, the trainer, the gate, the release, the watch, serving),
// on a clock of its own and with everything in memory, in one process that waits for
// nothing. Rows are asked at their time, and labels come when they came. It measures no
// latency, for it asks in batches, and it writes nothing anywhere.
package rehearse

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"flyball/blob"
	"flyball/experiment/gate"
	"flyball/fault"
	"flyball/ident"
	"flyball/job"
	"flyball/loop"
	"flyball/model"
	"flyball/serving"
	"flyball/serving/prediction"
	"flyball/training"
)

// Options are of one rehearsal. Model and Decoders are needed.
type Options struct {
	Policy   string     // what it is called; empty: the model's name
	Model    loop.Model // the policy; its data is the stream's
	Decoders model.Decoders
	Workers  int                            // of a training; 0: one per CPU
	Progress func(at time.Time, say string) // nil: nobody looks
	Logger   *slog.Logger                   // nil: nothing is told
	Rivals   *Rivals                        // made before, for the same stream; nil: made anew
	Fits     *training.Fits                 // of earlier rehearsals; nil: nothing was fitted yet

	// Arrived takes rows for mature when their label is there, once the first version is
	// live: what a model file may not ask for, to see what it would cost.
	Arrived bool
}

// Sweep rehearses policies on the same stream. Rivals that come out the same are made once.
func Sweep(ctx context.Context, s *Stream, all []Options) ([]Report, error) {
	rivals, fits := map[string]*Rivals{}, &training.Fits{}
	var out []Report
	for _, o := range all {
		key, err := rivalKey(s, o)
		if err != nil {
			return nil, err
		}
		o.Fits, o.Rivals = cmp.Or(o.Fits, fits), cmp.Or(o.Rivals, rivals[key])
		r, made, err := rehearse(ctx, s, o)
		if err != nil {
			return nil, err
		}
		out, rivals[key] = append(out, r), made
	}
	return out, nil
}

// check refuses what cannot be rehearsed.
func (o Options) check() error {
	if o.Model.Recipe.Train.With == training.Command {
		return fault.New(fault.Invalid, "a rehearsal trains with the built-in learners, and %s trains by a command", o.Model.Name).
			Do("rehearse the policy with train: {with: builtin/gbdt} in a --policy file")
	}
	return nil
}

// Run rehearses the policy on the stream.
func Run(ctx context.Context, s *Stream, o Options) (Report, error) {
	r, _, err := rehearse(ctx, s, o)
	return r, err
}

// rehearse is Run, with the rivals that were made. They are made beside the loop: both are
// mostly fits, and what one has fitted the other finds.
func rehearse(ctx context.Context, s *Stream, o Options) (_ Report, _ *Rivals, err error) {
	if err := o.check(); err != nil {
		return Report{}, nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Progress == nil {
		o.Progress = func(time.Time, string) {}
	}
	if o.Fits == nil {
		o.Fits = &training.Fits{}
	}
	ctx, stop := context.WithCancel(ctx)
	rivals := o.rivals(ctx, s)
	defer func() {
		stop()
		<-rivals.done // nothing is left running
	}()
	if o.Arrived {
		s = s.arrived()
	}
	r := newRun(s, o)
	defer func() { err = errors.Join(err, r.close()) }()
	if err := r.drive(ctx); err != nil {
		return Report{}, nil, err
	}
	if <-rivals.done; rivals.err != nil {
		return Report{}, nil, rivals.err
	}
	r.Rivals = rivals.made
	out, err := r.report(ctx)
	return out, r.Rivals, err
}

// making is rivals that are made; made and err are there when it is done.
type making struct {
	done chan struct{}
	made *Rivals
	err  error
}

// rivals begins to make the rivals, where they were not made before.
func (o Options) rivals(ctx context.Context, s *Stream) *making {
	m := &making{done: make(chan struct{}), made: o.Rivals}
	if m.made != nil {
		close(m.done)
		return m
	}
	o.Progress = nil // the loop's days are told
	go func() {
		defer close(m.done)
		m.made, m.err = MakeRivals(ctx, s, o)
	}()
	return m
}

// clock is the time of the rehearsal.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = t
}

// run is one rehearsal under way.
type run struct {
	Options
	twice   bool // the policy has each candidate made twice
	stream  *Stream
	clock   *clock
	blobs   *blob.Bucket
	memory  *memory
	log     *log
	serving *serving.Server
	loop    *loop.Loop
	worker  *job.Worker
	trainer *training.Trainer

	answers    []answer // of each served row
	unanswered int
	refusal    string // why the first row was not answered
	spent      spent
}

// answer is what one row was told, by whom.
type answer struct {
	scores  []float64 // nil: nothing
	classes []string
	arm     string
	version int
	id      string
}

// newRun builds what a server is built from, in memory.
func newRun(s *Stream, o Options) *run {
	r := &run{Options: o, stream: s, clock: &clock{at: s.From}, blobs: blob.Memory(), memory: newMemory(), log: newLog()}
	r.Model, r.twice = rehearsed(o.Model, s), o.Model.Recipe.Gate.Reproduce != ""
	r.answers = make([]answer, s.Rows())
	r.trainer = &training.Trainer{
		Blobs: r.blobs, Log: r.log, Decoders: o.Decoders, Workers: o.Workers, Fits: o.Fits, Logger: o.Logger,
		Sources: &sources{stream: s, grows: r.Model.Recipe.Data.Also == "none", now: r.clock.now},
	}
	r.serving = serving.New(serving.Options{Log: r.log, Now: r.clock.now})
	r.worker = job.New(job.Options{
		Store: r.memory, Now: r.clock.now, Logger: o.Logger,
		Handlers: map[string]job.Handler{training.JobKind: r.metered(r.trainer.Handler(r.memory))},
	})
	r.loop = loop.New(loop.Options{
		Store: r.memory, Blobs: r.blobs, Decoders: o.Decoders, Log: r.log, Serving: r.serving, Now: r.clock.now, Logger: o.Logger, Replay: true,
		Models: r.models,
	})
	return r
}

// models is the one model, as the loop asks for it.
func (r *run) models(context.Context) ([]loop.Model, error) {
	m := r.Model
	if r.Arrived && len(r.memory.releases) > 0 {
		due := m.Recipe.Task.Truth
		m.Recipe.Level, m.Recipe.Task.Truth.DueAt = &due, arrivedAt
		m.Generation++ // as if somebody had applied the file again
	}
	return []loop.Model{m}, nil
}

func (r *run) close() error { return errors.Join(r.serving.Close(), r.blobs.Close()) }

// rehearsed is the model as it is rehearsed: its source is the history, and nothing asks
// for how long an answer takes, which is another thing in batches. What is made twice to
// see that it comes out the same is made once.
func rehearsed(m loop.Model, s *Stream) loop.Model {
	m.Files, m.Code, m.Generation = nil, nil, 1
	m.Columns = s.rows.Fields()
	r := &m.Recipe
	r.Task = s.Task
	r.Data.Source, r.Data.Query = place, ""
	r.Gate.Reproduce = ""
	r.Gate.Metrics = slices.DeleteFunc(slices.Clone(r.Gate.Metrics), func(g gate.Rule) bool { return strings.HasPrefix(g.Name, "latency") })
	m.Plan.BackIf.LatencyP99 = nil
	m.Explain = serving.KeepNone
	m.Durable, m.Wait = false, true
	return m
}

// drive moves the clock from turn to turn until the last label has come or the time is
// over: first what became known, then the loop and its jobs, then the rows that are
// asked until the next turn.
func (r *run) drive(ctx context.Context) error {
	s := r.stream
	arrive, next := s.arrivals(), s.first
	step := r.step()
	for at := s.From; !at.After(s.To); at = at.Add(step) {
		r.clock.set(at)
		var err error
		if arrive, err = r.tell(ctx, arrive, at); err != nil {
			return err
		}
		if err := r.turn(ctx, at); err != nil {
			return err
		}
		end := min(s.before(at.Add(step)), s.last)
		if err := r.ask(ctx, next, end); err != nil {
			return err
		}
		next = end
		r.Progress(at, "")
	}
	return nil
}

// step is how long the loop rests between two turns: four hours, less where windows are
// shorter, more where the rehearsal is long. Nothing that it waits for is shorter than a
// window or a phase of a release.
func (r *run) step() time.Duration {
	step := 4 * time.Hour
	if every := r.Model.Recipe.Watch.Every.D(); every > 0 {
		step = min(step, every)
	}
	for r.stream.To.Sub(r.stream.From)/step > mostTurns {
		step *= 2
	}
	return step
}

// mostTurns bounds the turns of a rehearsal.
const mostTurns = 20_000

// tell hands in the labels that are known by now, of rows that were answered.
func (r *run) tell(ctx context.Context, arrive []int, at time.Time) ([]int, error) {
	var ls []prediction.Label
	n := 0
	for ; n < len(arrive) && r.stream.known[arrive[n]] <= at.UnixMicro(); n++ {
		i := arrive[n]
		a := &r.answers[i-r.stream.first]
		if a.id == "" {
			if r.stream.asked[i] >= at.UnixMicro() {
				break // it is asked at this very moment, after the turn
			}
			continue
		}
		ls = append(ls, prediction.Label{
			Model: r.Model.Name, ID: ident.PredictionID(a.id), Value: r.stream.label(i), At: time.UnixMicro(r.stream.known[i]).UTC(), Received: at,
		})
	}
	if len(ls) == 0 {
		return arrive[n:], nil
	}
	_, err := r.log.AppendLabels(ctx, ls...)
	return arrive[n:], err
}

// turn turns the loop and does every job that this brings up, as a server does whose
// clock is moved by hand.
func (r *run) turn(ctx context.Context, at time.Time) error {
	for {
		if err := ctx.Err(); err != nil { // a job that was stopped goes back into the queue
			return interrupted(err)
		}
		if err := r.loop.Turn(ctx, at); err != nil {
			return err
		}
		worked, err := r.worker.RunOne(ctx)
		if err != nil || !worked {
			return err
		}
	}
}

func interrupted(err error) error {
	return fault.Wrap(err, fault.Unavailable, "the rehearsal was interrupted")
}

// ask has the rows [from, to) answered.
func (r *run) ask(ctx context.Context, from, to int) error {
	for ; from < to; from = min(from+batch, to) {
		end := min(from+batch, to)
		rows, err := r.stream.requests(from, end)
		if err != nil {
			return err
		}
		got, err := r.serving.Predict(ctx, serving.Request{Model: r.Model.Name, Frame: rows})
		if err != nil {
			if ctx.Err() != nil {
				return err
			}
			if r.unanswered == 0 {
				r.refusal = err.Error()
			}
			r.unanswered += end - from
			continue
		}
		for k := range got.Records {
			rec := &got.Records[k]
			r.answers[from-r.stream.first+k] = answer{scores: rec.Scores, classes: r.classes(), arm: rec.Arm, version: rec.Version, id: string(rec.ID)}
		}
	}
	return nil
}

// batch is how many rows are asked at once.
const batch = 4096

// classes are those of the version that is served; all versions of a route agree.
func (r *run) classes() []string {
	e, ok := r.serving.Entry(r.Model.Name)
	if !ok {
		return nil
	}
	for _, b := range e.Versions {
		return b.Manifest.Classes
	}
	return nil
}
