// SPDX-License-Identifier: Apache-2.0

// Package loop turns findings into trainings, verdicts into releases, and harm into
// the way back. Next is pure; Turn looks, asks Next, and does. It speaks to the
// acts (training, serving, monitoring, release) through records and loads nothing
// from users.
package loop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"flyball/blob"
	"flyball/data/frame"
	"flyball/event"
	"flyball/fault"
	"flyball/governance/approval"
	"flyball/governance/audit"
	"flyball/governance/duty"
	"flyball/ident"
	"flyball/job"
	"flyball/model"
	"flyball/model/counterfactual"
	"flyball/model/registry"
	"flyball/monitoring"
	"flyball/serving"
	"flyball/serving/prediction"
	"flyball/serving/release"
	"flyball/serving/replica"
	"flyball/training"
)

// Model is a model file as the loop needs it: each part in its owner's type.
type Model struct {
	Name       string
	About      string
	Generation int64 // of the file
	Recipe     training.Recipe
	Files      map[string]registry.DataFile
	Code       map[string]registry.DataFile // of its command
	Commit     *registry.Commit             // the one it was applied from
	Columns    []frame.Field                // of its source, as they were pinned
	Plan       release.Plan
	Risk       approval.Risk
	Policy     Policy
	Duties     duty.Duties
	Durable    bool
	Wait       bool
	Explain    string // which predictions keep their reasons, as serving.Entry has it
	Flip       counterfactual.Rules
}

// watched is the state of a model's watch as it is kept: of which version, and where
// it stands.
type watched struct {
	Version  int              `json:"version"`
	State    monitoring.State `json:"state"`
	Suspects []string         `json:"suspects,omitempty"` // of State, when it was kept
}

// Store is what the loop needs kept. Package store implements it.
type Store interface {
	// Release is the model's newest release; false when there was none ever.
	Release(ctx context.Context, model string) (release.State, bool, error)

	// SaveRelease keeps s, the aliases (0 takes one away), the record and the events,
	// all or nothing. It is a Conflict fault, and nothing is kept, unless the model's
	// newest release has the generation from (0: there is none).
	SaveRelease(ctx context.Context, from int64, s release.State, aliases map[string]int, rec *audit.Record, evs ...event.Event) error

	// LoopState is the model's state as JSON and its generation; nil and 0 at first.
	LoopState(ctx context.Context, model string) (json.RawMessage, int64, error)

	// SaveLoop keeps the state under the same condition.
	SaveLoop(ctx context.Context, model string, from int64, state json.RawMessage, rec *audit.Record, evs ...event.Event) error

	AddJob(ctx context.Context, j job.Job) (job.Job, error)
	Job(ctx context.Context, id string) (job.Job, error)
	Version(ctx context.Context, r ident.Ref) (registry.Version, error)

	// MonitorState is the state of the model's watch as it was kept; nil at first. As of a
	// moment (package asof) it has the member suspects alone.
	MonitorState(ctx context.Context, model string) (json.RawMessage, error)

	// SaveMonitoring keeps what a look found, all or nothing.
	SaveMonitoring(ctx context.Context, model string, state json.RawMessage, findings []monitoring.Finding, windows []monitoring.Window, evs ...event.Event) error
	Findings(ctx context.Context, model string, openOnly bool) ([]monitoring.Finding, error)
}

// Options are what a Loop is built from. All are needed but Approvals,
// Replicas, Settled and Replay.
type Options struct {
	Store    Store
	Blobs    blob.Store
	Decoders model.Decoders
	Log      prediction.Log
	Serving  *serving.Server
	Models   func(ctx context.Context) ([]Model, error)
	Now      func() time.Time
	Poke     func() // looks for queued jobs at once
	Every    time.Duration
	Logger   *slog.Logger

	// Approvals keeps who gave leave. Nil: every release may begin, as in a rehearsal.
	Approvals Approvals

	// Replicas are the processes that only serve. Nil: this one alone does.
	Replicas func(ctx context.Context) ([]replica.State, error)

	// Settled is until when all that was answered is in the log, where other processes
	// answer too: no window that ends later is looked at. Nil: all is.
	Settled func(ctx context.Context, now time.Time) (time.Time, error)

	// Replay has every turn look at everything, however long that takes: a replay moves
	// the clock by hours between two turns. Else a look that took long is not taken
	// again at once.
	Replay bool
}

// Loop turns for all models. Its methods may be called at once; turns follow one
// another.
type Loop struct {
	opts Options

	turn   sync.Mutex // held while a turn runs
	keeper *replica.Keeper
	seen   map[string]*looked
}

// looked is what this process remembers of a model between two looks.
type looked struct {
	profiles map[int]*monitoring.Profile
	rest     time.Time // by the machine's clock: until then the facts of the release below are not gathered again
	rested   int64     // generation of that release
}

// looked is what is remembered of the model.
func (l *Loop) looked(name string) *looked {
	h := l.seen[name]
	if h == nil {
		h = &looked{profiles: map[int]*monitoring.Profile{}}
		l.seen[name] = h
	}
	return h
}

// New makes a loop that does not turn yet.
func New(opts Options) *Loop {
	if opts.Every == 0 {
		opts.Every = time.Second
	}
	return &Loop{
		opts: opts, seen: map[string]*looked{},
		keeper: &replica.Keeper{Serving: opts.Serving, Open: func(ctx context.Context, d blob.Digest) (*model.Bundle, error) {
			return model.Ready(ctx, opts.Blobs, opts.Decoders, d)
		}},
	}
}

// Run turns the loop until ctx is done, and then returns nil.
func (l *Loop) Run(ctx context.Context) error {
	tick := time.NewTicker(l.opts.Every)
	defer tick.Stop()
	for {
		if err := l.Turn(ctx, l.opts.Now()); err != nil && ctx.Err() == nil {
			l.opts.Logger.Error("a turn of the loop failed", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Turn does one turn at the moment now, and again until nothing changes. A model
// that fails is left as it was, and the others go on; the error names those.
func (l *Loop) Turn(ctx context.Context, now time.Time) error {
	l.turn.Lock()
	defer l.turn.Unlock()
	models, err := l.opts.Models(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for i := range models {
		for range maxSteps {
			changed, err := l.step(ctx, &models[i], now)
			if fault.Is(err, fault.Conflict) {
				continue // somebody else changed the row: look again
			}
			if err != nil {
				failed = append(failed, fmt.Errorf("%s: %w", models[i].Name, err))
			}
			if err != nil || !changed {
				break
			}
		}
	}
	return errors.Join(failed...)
}

// maxSteps bounds one turn of one model: a release from its start to its end is
// seven.
const maxSteps = 20

// step looks at one model and does the first thing that is to be done.
func (l *Loop) step(ctx context.Context, m *Model, now time.Time) (bool, error) {
	rel, any, err := l.opts.Store.Release(ctx, m.Name)
	if err != nil {
		return false, err
	}
	if any {
		if err := l.publish(ctx, m, rel.Route()); err != nil {
			return false, err
		}
		if err := l.watch(ctx, m, rel, now); err != nil {
			return false, err
		}
		if changed, err := l.release(ctx, m, rel, now); changed || err != nil {
			return changed, err
		}
	}
	return l.decide(ctx, m, rel, any, now)
}

// decide asks Next, does what it says, and then keeps the state.
func (l *Loop) decide(ctx context.Context, m *Model, rel release.State, any bool, now time.Time) (bool, error) {
	s, generation, err := l.State(ctx, m.Name)
	if err != nil {
		return false, err
	}
	o, err := l.observe(ctx, m, s, rel, any, now)
	if err != nil {
		return false, err
	}
	next, actions := Next(m.Policy, s, o, now)
	if err := l.call(ctx, m, next.Refused, o.Called, now); err != nil {
		return false, err
	}
	if err := l.follow(ctx, m, s, &next, o, actions, generation, now); err != nil {
		return false, err
	}
	if s.Phase == "" {
		next.Phase, next.Since = Steady, now
		if len(actions) > 0 {
			next.Phase = Training
		}
	}
	var evs []event.Event
	var rec *audit.Record
	for _, a := range actions {
		if a.Release != nil {
			return true, l.startRelease(ctx, m, rel, any, a, next, generation, now)
		}
		if a.Ask != nil {
			continue // follow did it
		}
		j, err := l.train(ctx, m, a, o.Live, generation, now)
		if err != nil {
			return false, err
		}
		next.Job = j.ID
		rec = &audit.Record{At: now, Actor: a.By, Action: "train", Object: m.Name, Why: a.Why}
		evs = append(evs, event.Event{At: now, Model: m.Name, By: a.By, Mark: event.Move, Kind: "training", Text: "training begins: " + reasonOf(a), Command: "flyball status " + m.Name})
	}
	evs = append(evs, outcomeEvents(m, s, next, o, now)...)
	if same(s, next) {
		return false, nil
	}
	return true, l.save(ctx, m.Name, generation, next, rec, evs...)
}

func reasonOf(a Action) string {
	if a.Why == "" {
		return a.Train
	}
	return a.Train + ", " + a.Why
}

// outcomeEvents tell what became of a training, and a hold.
func outcomeEvents(m *Model, from, to State, o Observation, now time.Time) []event.Event {
	var out []event.Event
	tell := func(mark event.Mark, kind, text, command string) {
		out = append(out, event.Event{At: now, Model: m.Name, By: "flyball", Mark: mark, Kind: kind, Text: text, Command: command})
	}
	if from.Phase == Training && to.Phase == Steady && o.Job != nil {
		switch {
		case o.Job.State == job.Failed:
			tell(event.Stop, "training", "training failed: "+o.Job.Error, "flyball status "+m.Name)
		case o.Outcome != nil && o.Outcome.Pass && to.Waits != nil && to.Waits.Version == o.Outcome.Version: // its request tells
		case o.Outcome != nil && o.Outcome.Pass:
			tell(event.Off, "gate", fmt.Sprintf("v%d passes and stays out: %s", o.Outcome.Version, o.Outcome.Gain.why(o.Live)), fmt.Sprintf("flyball gate %s@%d", m.Name, o.Outcome.Version))
		case o.Outcome != nil:
			tell(event.Off, "gate", fmt.Sprintf("v%d %s", o.Outcome.Version, o.Outcome.Summary), fmt.Sprintf("flyball gate %s@%d", m.Name, o.Outcome.Version))
		}
	}
	if from.Hold == "" && to.Hold != "" {
		tell(event.Wait, "hold", "nothing is retrained: "+to.Hold, "flyball resume "+m.Name)
	}
	return out
}

// why is what keeps a version that passed out while live goes on.
func (g *Gain) why(live int) string {
	if g.Same {
		return fmt.Sprintf("it was made of the rows that v%d was made of, and answers as it does; rows that neither has seen must come first", live)
	}
	way, by := "better", g.Value
	if by < 0 {
		way, by = "worse", -by
	}
	return fmt.Sprintf("%s %s by %.3g, a release is worth %.3g", g.Metric, way, by, g.Worth)
}

func same(a, b State) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// State is the model's state and its generation.
func (l *Loop) State(ctx context.Context, name string) (State, int64, error) {
	raw, generation, err := l.opts.Store.LoopState(ctx, name)
	if err != nil {
		return State{}, 0, err
	}
	var s State
	if raw != nil {
		if err := json.Unmarshal(raw, &s); err != nil {
			return State{}, 0, fault.Wrap(err, fault.Internal, "the loop's state of %s cannot be read", name)
		}
	}
	return s, generation, nil
}

func (l *Loop) save(ctx context.Context, name string, from int64, s State, rec *audit.Record, evs ...event.Event) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode the loop's state: %w", err)
	}
	return l.opts.Store.SaveLoop(ctx, name, from, raw, rec, evs...)
}

// Change changes the model's state by hand: change says how, and rec is the record
// of who did.
func (l *Loop) Change(ctx context.Context, name string, change func(*State) error, rec audit.Record, ev event.Event) error {
	for range maxSteps {
		s, generation, err := l.State(ctx, name)
		if err != nil {
			return err
		}
		if err := change(&s); err != nil {
			return err
		}
		if err = l.save(ctx, name, generation, s, &rec, ev); !fault.Is(err, fault.Conflict) {
			return err
		}
	}
	return fault.New(fault.Conflict, "%s changes too fast; nothing was done", name).Do("try again")
}
