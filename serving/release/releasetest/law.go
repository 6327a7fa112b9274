// SPDX-License-Identifier: Apache-2.0

package releasetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"flyball/serving/release"
)

// lawful says what is wrong with a change that was kept.
func (w *world) lawful(from, to release.State, hand bool) error {
	if to.Generation != from.Generation+1 {
		return fmt.Errorf("generation %d follows %d", to.Generation, from.Generation)
	}
	if to.ID != from.ID {
		if from.Generation != 0 && !from.Done() {
			return errors.New("a second release began while one was under way")
		}
		return nil
	}
	a, b := from.Route(), to.Route()
	named := w.moved(to)
	switch {
	case named["live"] != 0 && named["live"] == named["previous"]:
		return fmt.Errorf("live and previous are both v%d", named["live"])
	case from.Done() && !(hand && from.Phase == release.Succeeded && to.Phase == release.RollingBack):
		return fmt.Errorf("a release that is over went on to %s", to.Phase)
	case from.Paused != "" && b.Share > a.Share:
		return fmt.Errorf("the share rose from %g to %g while paused", a.Share, b.Share)
	case !to.Forward() && to.Phase != release.Succeeded && (b.Share != 0 || b.Candidate != 0 || b.Live != to.Live):
		return fmt.Errorf("taken back, and routed as %+v", b)
	case to.Phase == release.Succeeded && (b.Live != to.Candidate || b.Candidate != 0):
		return fmt.Errorf("at its end, and routed as %+v", b)
	case (to.Phase == release.Full || to.Phase == release.BakePhase) && to.Live != 0 && (b.Live != to.Live || !b.Both):
		return fmt.Errorf("the former live version is let go before the bake is over: %+v", b)
	}
	return stepped(from, to)
}

// stepped says whether a step was skipped, repeated or taken backwards.
func stepped(from, to release.State) error {
	if from.Phase == to.Phase && from.Step == to.Step {
		return nil // paused or resumed
	}
	first := to.Phase == release.Canary && to.Step == 0 || to.Phase == release.Full
	ok := false
	switch from.Phase {
	case release.Pending:
		ok = to.Phase == release.Preload
	case release.Preload:
		ok = to.Phase == release.ShadowPhase || first && (from.Live == 0 || from.Plan.Shadow == release.Shadow{})
	case release.ShadowPhase:
		ok = first
	case release.Canary:
		last := from.Step+1 == len(from.Plan.Canary) || from.Plan.Canary[from.Step+1].Share >= 1
		ok = to.Phase == release.Canary && to.Step == from.Step+1 && !last || to.Phase == release.Full && last
	case release.Full:
		ok = to.Phase == release.BakePhase
	case release.BakePhase:
		ok = to.Phase == release.Succeeded
	case release.Aborting:
		ok = to.Phase == release.Aborted
	case release.RollingBack:
		ok = to.Phase == release.RolledBack
	case release.Succeeded:
		ok = to.Phase == release.RollingBack
	}
	switch {
	case from.Phase == release.Full || from.Phase == release.BakePhase:
		ok = ok || to.Phase == release.RollingBack
	case from.Forward():
		ok = ok || to.Phase == release.Aborting
	}
	if !ok {
		return fmt.Errorf("a step from %s %d to %s %d", from.Phase, from.Step, to.Phase, to.Step)
	}
	return nil
}

// served says what is wrong with what replicas that hold a lease serve.
func (w *world) served() error {
	for i, rep := range w.replicas {
		if rep.lost || rep.route.Generation == 0 {
			continue
		}
		over := w.kept.Phase == release.Aborted || w.kept.Phase == release.RolledBack
		switch {
		case rep.route.Generation > w.kept.Generation:
			return fmt.Errorf("replica %d serves by a route that was never kept", i)
		case rep.route.Share > 0 && rep.candidate != rep.route.Candidate:
			return fmt.Errorf("replica %d routes to a version it has not loaded", i)
		case over && rep.route.Share > 0:
			return fmt.Errorf("replica %d still serves a candidate whose release is %s", i, w.kept.Phase)
		}
	}
	return nil
}

// calm lets nothing go wrong any more: the release under way must come to its end.
func (w *world) calm(ctx context.Context) error {
	for range 40 {
		s, err := w.read(ctx)
		if err != nil {
			return err
		}
		if s.Generation == 0 || s.Done() {
			return nil
		}
		w.apply(0)
		w.apply(1)
		w.now = w.now.Add(72 * time.Hour)
		next, changed := s.Resume(w.now)
		if !changed {
			f := w.calmFacts()
			f.Requests, f.Online = 1000, release.Pass
			next, changed = release.Next(s, f, w.now)
		}
		if !changed {
			return fmt.Errorf("%s is stuck", s.Phase)
		}
		if err := w.save(ctx, s, next, true); err != nil {
			return err
		}
	}
	return errors.New("the release does not end")
}
