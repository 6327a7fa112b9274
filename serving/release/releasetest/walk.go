// SPDX-License-Identifier: Apache-2.0

// Package releasetest walks releases over a store at random, with controllers that
// crash, replicas that are late and people who interfere, and says what must never
// happen and did. Only tests import it.
package releasetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"flyball/event"
	"flyball/fault"
	"flyball/governance/audit"
	"flyball/serving/release"
	"flyball/unit"
)

// Store is what is walked on. Package store implements it.
type Store interface {
	Release(ctx context.Context, model string) (release.State, bool, error)
	SaveRelease(ctx context.Context, from int64, s release.State, aliases map[string]int, rec *audit.Record, evs ...event.Event) error
	Aliases(ctx context.Context, model string) (map[string]int, error)
}

// Walk takes so many random steps over the store and fails the test where a promise
// is broken. The same seed takes the same steps, but for where a write is broken off.
func Walk(t testing.TB, store Store, seed uint64, steps int) {
	t.Helper()
	if err := Try(t.Context(), store, seed, steps); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
}

// Try is Walk that returns the first broken promise.
func Try(ctx context.Context, store Store, seed uint64, steps int) error {
	w := &world{
		store: store, r: rand.New(rand.NewPCG(seed, 11)), model: fmt.Sprintf("walk-%d", seed),
		now: time.Date(2012, 1, 1, 0, 0, 0, 0, time.UTC), aliases: map[string]int{},
	}
	for n := range steps {
		w.now = w.now.Add(time.Duration(w.r.IntN(12)) * time.Hour)
		if err := w.step(ctx); err != nil {
			return fmt.Errorf("step %d, %s of v%d in generation %d: %w", n, w.kept.Phase, w.kept.Candidate, w.kept.Generation, err)
		}
	}
	if err := w.calm(ctx); err != nil {
		return fmt.Errorf("when all is calm again: %w", err)
	}
	return nil
}

// replica serves by the route that it knows.
type replica struct {
	route     release.Route
	candidate int  // loaded
	lost      bool // without contact it serves the live version, and holds no lease
}

// look is what a controller saw before it writes.
type look struct {
	state release.State
	facts release.Facts
}

type world struct {
	store    Store
	r        *rand.Rand
	model    string
	now      time.Time
	kept     release.State  // what the store must hold
	aliases  map[string]int // the same
	replicas [2]replica
	looks    [2]*look
}

func (w *world) step(ctx context.Context) error {
	k := w.r.IntN(2)
	switch w.r.IntN(8) {
	case 0:
		w.apply(k)
	case 1: // it crashes and comes back, or loses contact: with the live version only
		w.replicas[k] = replica{lost: w.r.IntN(2) == 0}
	case 2, 3:
		return w.look(ctx, k)
	case 4, 5:
		return w.decided(ctx, k)
	case 6:
		return w.byHand(ctx)
	case 7:
		return w.begin(ctx)
	}
	return w.served()
}

// apply has the replica k load and serve by the newest route.
func (w *world) apply(k int) {
	w.replicas[k] = replica{route: w.kept.Route(), candidate: w.kept.Candidate}
}

// look reads the store, which must hold what was kept, and gathers facts.
func (w *world) look(ctx context.Context, k int) error {
	s, err := w.read(ctx)
	if err != nil || s.Generation == 0 {
		return err
	}
	f := w.calmFacts()
	f.Requests, f.ErrorsHigh, f.LatencyP99 = w.r.IntN(1000), w.r.IntN(80) == 0, 0.01
	f.Online = []release.Verdict{release.NoData, release.Pass, release.Inconclusive}[w.r.IntN(3)]
	if w.r.IntN(50) == 0 {
		f.Online = release.Harm
	}
	if w.r.IntN(10) == 0 {
		f.Duties = errors.New("fix has no owner")
	}
	w.looks[k] = &look{s, f}
	return nil
}

func (w *world) calmFacts() release.Facts {
	var f release.Facts
	for i, rep := range w.replicas {
		if !rep.lost {
			f.Replicas = append(f.Replicas, release.Replica{Name: string(rune('a' + i)), Generation: rep.route.Generation, Candidate: rep.candidate})
		}
	}
	return f
}

// decided writes what controller k decides on what it saw, unless it crashed since.
func (w *world) decided(ctx context.Context, k int) error {
	l := w.looks[k]
	w.looks[k] = nil
	if l == nil || w.r.IntN(5) == 0 {
		return nil
	}
	next, changed := release.Next(l.state, l.facts, w.now)
	if !changed {
		return nil
	}
	return w.save(ctx, l.state, next, false)
}

// byHand has somebody pause, resume, promote or roll back.
func (w *world) byHand(ctx context.Context) error {
	s, err := w.read(ctx)
	if err != nil || s.Generation == 0 {
		return err
	}
	if s.Forward() && s.Live != 0 {
		if _, ok := s.Rollback("chen", "a feeling", w.now); !ok {
			return errors.New("there is no way back")
		}
	}
	next, changed := s, false
	switch k := w.r.IntN(24); {
	case k == 0:
		next, changed = s.Rollback("chen", "a feeling", w.now)
	case k < 4:
		next, changed = s.Promote("in a hurry", w.now)
	case k < 8:
		next, changed = s.Pause("hold on", w.now)
	case k < 16:
		next, changed = s.Resume(w.now)
	}
	if !changed {
		return nil
	}
	return w.save(ctx, s, next, true)
}

// begin starts a release where none is under way; two plans take turns.
func (w *world) begin(ctx context.Context) error {
	s, err := w.read(ctx)
	if err != nil || s.Generation != 0 && !s.Done() {
		return err
	}
	const hour = unit.Duration(time.Hour)
	plan := release.Plan{
		Shadow: release.Shadow{For: 24 * hour, AtLeast: 100}, Bake: release.Bake{For: 48 * hour}, KeepWarm: 1,
		Canary: []release.Step{{Share: 0.05, For: 6 * hour}, {Share: 0.25, For: 12 * hour}, {Share: 1}},
		BackIf: release.BackIf{Errors: &release.Above{Above: 0.01}, LatencyP99: &release.Above{Above: 0.05}, Loss: "worse"},
	}
	if s.Candidate%2 == 1 {
		plan.Shadow, plan.Canary = release.Shadow{}, nil
	}
	next := release.Start(w.model, s.Aliases()["live"], s.Candidate+1, 0, plan, s.Generation, "hand", "ana", w.now)
	return w.save(ctx, s, next, true)
}

// read is what the store holds, which must be what was kept.
func (w *world) read(ctx context.Context) (release.State, error) {
	s, _, err := w.store.Release(ctx, w.model)
	if err != nil {
		return s, err
	}
	if s.Generation != w.kept.Generation || s.Phase != w.kept.Phase || s.Candidate != w.kept.Candidate || s.Paused != w.kept.Paused {
		return s, fmt.Errorf("the store holds %s of v%d in generation %d", s.Phase, s.Candidate, s.Generation)
	}
	return s, w.named(ctx, w.aliases)
}

// named checks the aliases that the store holds.
func (w *world) named(ctx context.Context, want map[string]int) error {
	got, err := w.store.Aliases(ctx, w.model)
	if err == nil && !maps.Equal(got, want) {
		err = fmt.Errorf("the aliases are %v, want %v", got, want)
	}
	return err
}

// moved are the aliases after a change to s.
func (w *world) moved(s release.State) map[string]int {
	out := maps.Clone(w.aliases)
	for name, v := range s.Aliases() {
		out[name] = v
		if v == 0 {
			delete(out, name)
		}
	}
	return out
}

// save writes next where it was decided on from. Some writes are broken off midway;
// then all of it was kept or nothing.
func (w *world) save(ctx context.Context, from, next release.State, hand bool) error {
	rec := audit.Record{At: w.now, Actor: "walk", Action: "release", Object: w.model}
	writing, stop := context.WithCancel(ctx)
	defer stop()
	broken := w.r.IntN(8) == 0
	done := make(chan struct{})
	yields := w.r.IntN(200)
	go func() {
		defer close(done)
		for range yields {
			runtime.Gosched()
		}
		if broken {
			stop()
		}
	}()
	err := w.store.SaveRelease(writing, from.Generation, next, next.Aliases(), &rec, event.Event{At: w.now, Model: w.model, By: "walk", Kind: "release", Text: next.Reason})
	<-done
	stale := from.Generation != w.kept.Generation
	switch {
	case err == nil && stale:
		return fmt.Errorf("a change decided on generation %d was kept", from.Generation)
	case err != nil && !broken && !(stale && fault.Is(err, fault.Conflict)):
		return err
	case err != nil:
		s, _, again := w.store.Release(ctx, w.model)
		if again != nil || stale || s.Generation != next.Generation {
			return errors.Join(again, w.named(ctx, w.aliases))
		}
	}
	if err := w.lawful(w.kept, next, hand); err != nil {
		return err
	}
	w.aliases, w.kept = w.moved(next), next
	return w.named(ctx, w.aliases)
}
