// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"fmt"
	"strings"

	"flyball/event"
	"flyball/fault"
	"flyball/governance/audit"
	"flyball/loop"
	"flyball/model/registry"
	"flyball/serving/release"
)

// changes is how often a change by hand is tried when the row moves meanwhile.
const changes = 10

// record is the audit record and the line in the feed of a change by hand.
func (s *Service) record(model, by, action, why string) (audit.Record, event.Event) {
	now := s.opts.Now()
	text := fmt.Sprintf("%s asks: %s", by, action)
	if why != "" {
		text += ": " + why
	}
	return audit.Record{At: now, Actor: by, Action: action, Object: model, Why: why},
		event.Event{At: now, Model: model, By: by, Mark: event.Move, Kind: action, Text: text, Command: "flyball status " + model}
}

// Retrain asks for a training now, whatever the loop holds. It is begun at once.
func (s *Service) Retrain(ctx context.Context, model, by, why string) (Changed, error) {
	if _, err := s.Model(ctx, model); err != nil {
		return Changed{}, err
	}
	rec, ev := s.record(model, by, "retrain", why)
	err := s.opts.Loop.Change(ctx, model, func(st *loop.State) error {
		if st.Phase == loop.Training || st.Phase == loop.Releasing {
			return fault.New(fault.Conflict, "%s is %s already", model, st.Phase).Do("wait until that is over, or roll it back")
		}
		if st.Phase == "" {
			st.Phase, st.Since = loop.Steady, rec.At
		}
		st.Asked = &loop.Asked{By: by, Why: why}
		return nil
	}, rec, ev)
	if err != nil {
		return Changed{}, err
	}
	if err := s.opts.Loop.Turn(ctx, s.now(ctx)); err != nil {
		return Changed{}, err
	}
	st, _, err := s.opts.Loop.State(ctx, model)
	return Changed{Text: "training of " + model + " begins", Job: st.Job}, err
}

// Hold stops trainings by themselves until Resume.
func (s *Service) Hold(ctx context.Context, model, by, why string) (Changed, error) {
	if why == "" {
		return Changed{}, fault.New(fault.Invalid, "a hold needs a reason").Do("say --why \"…\"")
	}
	return s.setHold(ctx, model, by, "hold", why, "held by "+by+": "+why)
}

// Resume ends a hold.
func (s *Service) Resume(ctx context.Context, model, by, why string) (Changed, error) {
	return s.setHold(ctx, model, by, "resume", why, "")
}

func (s *Service) setHold(ctx context.Context, model, by, action, why, hold string) (Changed, error) {
	if _, err := s.Model(ctx, model); err != nil {
		return Changed{}, err
	}
	rec, ev := s.record(model, by, action, why)
	err := s.opts.Loop.Change(ctx, model, func(st *loop.State) error {
		if st.Phase == "" {
			st.Phase, st.Since = loop.Steady, rec.At
		}
		if st.Hold = hold; hold == "" {
			st.Refused = nil // somebody has looked at it
		}
		return nil
	}, rec, ev)
	word := map[string]string{"hold": "retrains no more by itself", "resume": "retrains by itself again"}[action]
	return Changed{Text: model + " " + word}, err
}

// Promote moves a release that is under way on at once. It does not override harm, nor
// the want of somebody's leave.
func (s *Service) Promote(ctx context.Context, model, by, why string) (Changed, error) {
	m, err := s.Model(ctx, model)
	if err != nil {
		return Changed{}, err
	}
	got, err := s.move(ctx, model, by, func(st release.State) (release.State, bool, error) {
		if why == "" {
			why = "promoted by " + by
		}
		next, ok := st.Promote(why, s.now(ctx))
		if !ok {
			return st, false, fault.New(fault.Conflict, "%s has no release that waits (%s)", model, st.Phase).Do("see flyball releases %s", model)
		}
		return next, true, nil
	})
	if fault.Is(err, fault.Conflict) || fault.Is(err, fault.NotFound) {
		if waits := s.waiting(ctx, &m, 0); waits != nil {
			return Changed{}, waits
		}
	}
	return got, err
}

// Rollback takes the newest candidate back at once, or, when its release is over,
// brings the version before it back. It needs nobody's leave.
func (s *Service) Rollback(ctx context.Context, model, by, why string) (Changed, error) {
	if why == "" {
		return Changed{}, fault.New(fault.Invalid, "a rollback needs a reason").Do("say --why \"…\"")
	}
	return s.move(ctx, model, by, func(st release.State) (release.State, bool, error) {
		next, ok := st.Rollback(by, why, s.now(ctx))
		if !ok {
			return st, false, fault.New(fault.Conflict, "there is nothing of %s to go back to", model).Do("see flyball releases %s", model)
		}
		return next, true, nil
	})
}

func (s *Service) move(ctx context.Context, model, by string, decide func(release.State) (release.State, bool, error)) (Changed, error) {
	m, err := s.Model(ctx, model)
	if err != nil {
		return Changed{}, err
	}
	for range changes {
		st, any, err := s.opts.Store.Release(ctx, model)
		if err != nil {
			return Changed{}, err
		}
		if !any {
			return Changed{}, fault.New(fault.NotFound, "%s was never released", model)
		}
		next, changed, err := decide(st)
		if err != nil || !changed {
			return Changed{}, err
		}
		if by := mark(ctx, model); by != "" && !strings.Contains(next.Mark, by) {
			next.Mark = strings.TrimPrefix(next.Mark+"; "+by, "; ")
		}
		err = s.opts.Loop.SaveRelease(ctx, &m, st, next, by, s.now(ctx))
		if fault.Is(err, fault.Conflict) {
			continue
		}
		if err == nil {
			err = s.opts.Loop.Turn(ctx, s.now(ctx))
		}
		return Changed{Text: fmt.Sprintf("%s: v%d is in %s", model, next.Candidate, next.Phase)}, err
	}
	return Changed{}, fault.New(fault.Conflict, "%s changes too fast; nothing was done", model).Do("try again")
}

// File is the model with its file as it was applied last; a NotFound fault when there is
// none.
func (s *Service) File(ctx context.Context, model string) (registry.Model, error) {
	m, err := s.opts.Store.Model(ctx, model)
	if err == nil && !m.Cared() {
		err = noFile(model)
	}
	return m, err
}

// Known is nil for a model that was applied or registered, and a NotFound fault
// otherwise.
func (s *Service) Known(ctx context.Context, model string) error {
	_, err := s.opts.Store.Model(ctx, model)
	return err
}
