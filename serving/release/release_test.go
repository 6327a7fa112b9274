// SPDX-License-Identifier: Apache-2.0

package release

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"flyball/unit"
)

const hour = unit.Duration(time.Hour)

func plan() Plan {
	return Plan{
		Shadow: Shadow{For: 5 * 24 * hour, AtLeast: 100},
		Canary: []Step{{Share: 0.25, For: 24 * hour}, {Share: 0.5, For: 24 * hour}, {Share: 1}},
		Bake:   Bake{For: 7 * 24 * hour}, KeepWarm: 1,
		BackIf: BackIf{Errors: &Above{0.01}, LatencyP99: &Above{0.05}, Loss: "worse"},
	}
}

var start = time.Date(2012, 1, 1, 0, 0, 0, 0, time.UTC)

// story runs a release, an hour a turn, with facts that depend on the hour.
func story(s State, hours int, facts func(h int, s State) Facts) ([]Phase, State) {
	phases := []Phase{s.Phase}
	for h := range hours {
		for {
			next, changed := Next(s, facts(h, s), start.Add(time.Duration(h)*time.Hour))
			if !changed {
				break
			}
			if s = next; phases[len(phases)-1] != s.Phase {
				phases = append(phases, s.Phase)
			}
		}
	}
	return phases, s
}

// good are facts of a candidate that is loaded everywhere and harms nobody.
func good(h int, s State) Facts {
	return Facts{Replicas: []Replica{{Name: "a", Generation: s.Generation, Candidate: s.Candidate}}, Requests: h}
}

func begin(live int) State {
	return Start("bike", live, 4, 1, plan(), 10, "schedule", "flyball", start)
}

func TestAReleaseRunsItsCourse(t *testing.T) {
	phases, end := story(begin(3), 24*20, good)
	want := []Phase{Pending, Preload, ShadowPhase, Canary, Full, BakePhase, Succeeded}
	if !slices.Equal(phases, want) {
		t.Fatalf("got %v, want %v", phases, want)
	}
	if got := end.EndedAt.Sub(start); got != 14*24*time.Hour {
		t.Errorf("it took %s, want 14 days: 5 of shadow, 2 of canary, 7 of bake", got)
	}
	if r := end.Route(); r.Live != 4 || r.Candidate != 0 || r.Previous != 3 || r.Both {
		t.Errorf("route at the end: %+v", r)
	}
	if a := end.Aliases(); a["live"] != 4 || a["previous"] != 3 || a["candidate"] != 0 {
		t.Errorf("aliases at the end: %v", a)
	}
}

func TestHarmTakesTheCandidateBackFromAnyPhase(t *testing.T) {
	for _, c := range []struct {
		name  string
		after Phase
		harm  Facts
		end   Phase
	}{
		{"in shadow by its loss", ShadowPhase, Facts{Online: Harm, OnlineText: "mae worse by 60"}, Aborted},
		{"in canary by its errors", Canary, Facts{ErrorsHigh: true}, Aborted},
		{"in bake by its latency", BakePhase, Facts{LatencyP99: 0.06}, RolledBack},
		{"in preload by its golden rows", Preload, Facts{Replicas: []Replica{{Name: "a", Failed: "golden row 3 scores otherwise"}}}, Aborted},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, end := story(begin(3), 24*30, func(h int, s State) Facts {
				f := good(h, s)
				if s.Phase != c.after {
					return f
				}
				g := c.harm
				if g.Replicas == nil {
					g.Replicas = f.Replicas
				}
				return g
			})
			if end.Phase != c.end || end.Route().Live != 3 || end.Route().Share != 0 || end.Aliases()["live"] != 3 {
				t.Errorf("got %s by %+v: %s", end.Phase, end.Route(), end.Reason)
			}
		})
	}
}

func TestAPausedReleaseIsStillWatchedAndNeverGoesForward(t *testing.T) {
	s, _ := begin(3).Pause("wait for chen", start)
	if _, end := story(s, 24*30, good); end.Phase != Pending {
		t.Errorf("paused it went to %s", end.Phase)
	}
	harm := func(h int, s State) Facts { f := good(h, s); f.Online = Harm; return f }
	if _, end := story(s, 1, harm); end.Phase != Aborted {
		t.Errorf("paused and harmful it stayed %s", end.Phase)
	}
}

func TestWithoutAReplicaNothingAdvances(t *testing.T) {
	_, end := story(begin(3), 24*30, func(int, State) Facts { return Facts{Requests: 1e6} })
	if end.Phase != Preload {
		t.Errorf("it went to %s", end.Phase)
	}
}

func TestNobodyGoesLiveWithoutItsDuties(t *testing.T) {
	_, end := story(begin(0), 3, func(h int, s State) Facts {
		f := good(h, s)
		f.Duties = errors.New("fix has no owner")
		return f
	})
	if end.Phase != Pending || end.Paused != "fix has no owner" {
		t.Errorf("got %s, paused for %q", end.Phase, end.Paused)
	}
}

func TestAReleaseThatWaitsForADutyGoesOnWhenItHasItsOwner(t *testing.T) {
	s, _ := Next(begin(3), Facts{Duties: errors.New("fix has no owner")}, start)
	if _, changed := Next(s, Facts{Duties: errors.New("fix has no owner")}, start); changed {
		t.Error("it changed though nothing did")
	}
	next, changed := Next(s, Facts{}, start)
	if !changed || next.Phase != Preload || next.Paused != "" {
		t.Errorf("got %s, paused for %q", next.Phase, next.Paused)
	}
	held, _ := s.Pause("wait for chen", start)
	if _, changed := Next(held, Facts{}, start); changed {
		t.Error("what somebody paused went on by itself")
	}
}

func TestNobodyPromotesWhatIsPaused(t *testing.T) {
	s := begin(3)
	s.Phase = ShadowPhase
	s, _ = s.Pause("wait for chen", start)
	if _, ok := s.Promote("in a hurry", start); ok {
		t.Error("the share rose while paused")
	}
	s, _ = s.Resume(start)
	if next, ok := s.Promote("in a hurry", start); !ok || next.Phase != Canary {
		t.Errorf("resumed: got %v, %s", ok, next.Phase)
	}
}

func TestAShadowMayEndByItsRequestsAlone(t *testing.T) {
	s := begin(3)
	s.Plan.Shadow.For = 0
	phases, _ := story(s, 24*20, good)
	if !slices.Contains(phases, ShadowPhase) {
		t.Errorf("no row was compared before traffic: %v", phases)
	}
}

func TestAfterARollbackPreviousDoesNotNameTheLiveVersion(t *testing.T) {
	s := begin(3)
	s.Phase = BakePhase
	s, _ = s.Rollback("chen", "complaints", start)
	if a := s.Aliases(); a["live"] != 3 || a["previous"] != 0 || a["candidate"] != 0 {
		t.Errorf("got %v", a)
	}
}

func TestAFirstReleaseHasNobodyToShareWith(t *testing.T) {
	phases, end := story(begin(0), 2, good)
	if end.Phase != Succeeded || len(phases) != 5 || end.Route().Live != 4 {
		t.Errorf("got %v, %+v", phases, end.Route())
	}
}

func TestRollbackByHandNeedsNothing(t *testing.T) {
	_, done := story(begin(3), 24*20, good)
	s, ok := done.Rollback("chen", "complaints", start)
	if r := s.Route(); !ok || r.Live != 3 || r.Candidate != 0 || s.Aliases()["live"] != 3 {
		t.Errorf("got %v, %+v", ok, r)
	}
	if _, end := story(s, 1, good); end.Phase != RolledBack {
		t.Errorf("it ended as %s", end.Phase)
	}
}

func TestAUnitStaysWithTheCandidateAsItsShareGrows(t *testing.T) {
	const n = 20000
	in := 0
	for i := range n {
		unit := time.Unix(int64(i), 0).UTC().String()
		small, large := Assign("s", unit, 0.05), Assign("s", unit, 0.25)
		if small && !large {
			t.Fatalf("%s left the candidate as its share grew", unit)
		}
		if large {
			in++
		}
	}
	if share := float64(in) / n; share < 0.24 || share > 0.26 {
		t.Errorf("got a share of %.3f, want 0.25", share)
	}
	for unit, want := range map[string]float64{"2012-01-01T00:00-05:00": 0.3539339278916106, "": 0.9479502611002449} {
		if got := place("bike/4", unit); got != want {
			t.Errorf("%q: got %v, want %v: the place of a unit never changes between versions", unit, got, want)
		}
	}
}

// TestNoCrashAndNoRaceBreaksARelease lets two controllers, either of which may crash
// between its look and its write, and two replicas, which apply routes late, crash
// and come back, do anything in any order, and checks what must always hold.
func TestNoCrashAndNoRaceBreaksARelease(t *testing.T) {
	for seed := range uint64(300) {
		w := &world{t: t, r: rand.New(rand.NewPCG(seed, 7)), now: start, kept: begin(3)}
		w.replicas = [2]replica{{route: Route{Live: 3}}, {route: Route{Live: 3}}}
		for range 400 {
			w.step()
			w.check()
		}
	}
}

type replica struct {
	route     Route
	candidate int // loaded
}

type look struct {
	state State
	facts Facts
}

type world struct {
	t         *testing.T
	r         *rand.Rand
	now       time.Time
	kept      State // in the store
	replicas  [2]replica
	looks     [2]*look // of the controllers
	retreated bool
}

func (w *world) step() {
	w.now = w.now.Add(time.Duration(w.r.IntN(12)) * time.Hour)
	switch k := w.r.IntN(2); w.r.IntN(7) {
	case 0: // a replica loads the candidate and applies the newest route
		w.replicas[k] = replica{w.kept.Route(), w.kept.Candidate}
	case 1: // a replica crashes and comes back with nothing but the live version
		w.replicas[k] = replica{route: Route{Live: 3}}
	case 2:
		w.looks[k] = &look{w.kept, w.facts()}
	case 3:
		w.write(k)
	case 4:
		if s, ok := w.kept.Pause("hold on", w.now); ok && w.r.IntN(4) == 0 {
			w.kept = s
		}
	case 5:
		if s, ok := w.kept.Resume(w.now); ok {
			w.kept = s
		}
	case 6:
		if s, ok := w.kept.Rollback("chen", "a feeling", w.now); ok && w.r.IntN(60) == 0 {
			w.kept = s
		}
	}
}

func (w *world) facts() Facts {
	f := Facts{Requests: w.r.IntN(1000), ErrorsHigh: w.r.IntN(60) == 0, LatencyP99: 0.01}
	f.Online = []Verdict{NoData, Pass, Inconclusive}[w.r.IntN(3)]
	if w.r.IntN(40) == 0 {
		f.Online = Harm
	}
	for i, rep := range w.replicas {
		f.Replicas = append(f.Replicas, Replica{Name: string(rune('a' + i)), Generation: rep.route.Generation, Candidate: rep.candidate})
	}
	return f
}

// write keeps what controller k decided, unless it crashed or lost the race.
func (w *world) write(k int) {
	l := w.looks[k]
	w.looks[k] = nil
	if l == nil || w.r.IntN(5) == 0 {
		return
	}
	next, changed := Next(l.state, l.facts, w.now)
	if !changed || l.state.Generation != w.kept.Generation {
		return
	}
	order := []Phase{Pending, Preload, ShadowPhase, Canary, Full, BakePhase, Succeeded}
	from, to := slices.Index(order, w.kept.Phase), slices.Index(order, next.Phase)
	switch {
	case w.kept.Done():
		w.t.Fatalf("a release that is over went on: %s to %s", w.kept.Phase, next.Phase)
	case next.Generation != w.kept.Generation+1:
		w.t.Fatalf("generation %d to %d", w.kept.Generation, next.Generation)
	case w.kept.Paused != "" && next.Route().Share > w.kept.Route().Share:
		w.t.Fatal("the share rose while paused")
	case from >= 0 && to >= 0 && (to < from || to > from+1 && w.kept.Phase != ShadowPhase):
		w.t.Fatalf("a step from %s to %s", w.kept.Phase, next.Phase)
	}
	w.kept = next
}

func (w *world) check() {
	w.retreated = w.retreated || w.kept.Phase == Aborting || w.kept.Phase == RollingBack
	if r := w.kept.Route(); w.retreated && (r.Share != 0 || r.Live != 3) {
		w.t.Fatalf("the candidate was taken back and the route is %+v", r)
	}
	for i, rep := range w.replicas {
		if rep.route.Share > 0 && rep.candidate != w.kept.Candidate {
			w.t.Fatalf("replica %d routes to a version it has not loaded", i)
		}
	}
}
