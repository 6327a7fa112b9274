// SPDX-License-Identifier: Apache-2.0

package releasetest

import (
	"context"
	"maps"
	"testing"

	"go.uber.org/goleak"

	"flyball/event"
	"flyball/fault"
	"flyball/governance/audit"
	"flyball/serving/release"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a store in memory; its flaws are what a store must not have.
type memory struct {
	state   release.State
	aliases map[string]int

	careless bool // writes without comparing
	forgets  bool // keeps the state without the aliases
}

func (m *memory) Release(context.Context, string) (release.State, bool, error) {
	return m.state, m.state.Generation != 0, nil
}

func (m *memory) Aliases(context.Context, string) (map[string]int, error) {
	return maps.Clone(m.aliases), nil
}

func (m *memory) SaveRelease(ctx context.Context, from int64, s release.State, aliases map[string]int, _ *audit.Record, _ ...event.Event) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if from != m.state.Generation && !m.careless {
		return fault.New(fault.Conflict, "it changed meanwhile")
	}
	m.state = s
	for name, v := range aliases {
		switch {
		case m.forgets:
		case v == 0:
			delete(m.aliases, name)
		default:
			m.aliases[name] = v
		}
	}
	return nil
}

func TestNoCrashNoRaceAndNobodyBreaksARelease(t *testing.T) {
	for seed := range uint64(300) {
		Walk(t, &memory{aliases: map[string]int{}}, seed, 1000)
	}
}

func TestAStoreThatBreaksItsPromiseIsFound(t *testing.T) {
	for name, flawed := range map[string]*memory{
		"it writes without comparing":            {careless: true},
		"it keeps the state without its aliases": {forgets: true},
	} {
		t.Run(name, func(t *testing.T) {
			found := 0
			for seed := range uint64(20) {
				if Try(t.Context(), &memory{aliases: map[string]int{}, careless: flawed.careless, forgets: flawed.forgets}, seed, 1000) != nil {
					found++
				}
			}
			if found != 20 {
				t.Errorf("found in %d of 20 walks", found)
			}
		})
	}
}

func TestAnUnlawfulChangeIsFound(t *testing.T) {
	plan := release.Plan{Canary: []release.Step{{Share: 0.05}, {Share: 0.25}, {Share: 1}}}
	at := func(p release.Phase, step int, paused string, generation int64) release.State {
		return release.State{ID: "a", Live: 1, Candidate: 2, Plan: plan, Phase: p, Step: step, Paused: paused, Generation: generation}
	}
	w := &world{aliases: map[string]int{}}
	for name, c := range map[string]struct{ from, to release.State }{
		"a step is skipped":           {at(release.Canary, 0, "", 1), at(release.Full, 0, "", 2)},
		"a step is taken backwards":   {at(release.Canary, 1, "", 1), at(release.Canary, 0, "", 2)},
		"the share rises when paused": {at(release.Canary, 0, "hold on", 1), at(release.Canary, 1, "", 2)},
		"what is over goes on":        {at(release.Aborted, 0, "", 1), at(release.Preload, 0, "", 2)},
		"a generation is left out":    {at(release.Pending, 0, "", 1), at(release.Preload, 0, "", 3)},
	} {
		if w.lawful(c.from, c.to, false) == nil {
			t.Errorf("%s: not found", name)
		}
	}
	if err := w.lawful(at(release.Canary, 1, "", 1), at(release.Full, 0, "", 2), false); err != nil {
		t.Errorf("a lawful step: %v", err)
	}
}
