// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"context"
	"fmt"
	"strings"
	"time"

	"flyball/asof"
)

// Stand is how a model stands between a first sign and what is done about it, in one
// word and a sentence. It is for people: Next decides.
type Stand struct {
	Word  string    `json:"word" doc:"ok, suspect, confirmed, action or cooldown"`
	Why   string    `json:"why,omitempty"`
	Until time.Time `json:"until,omitzero" doc:"of a cooldown"`
}

// The words of a Stand.
const (
	OK        = "ok"        // nothing is seen
	Suspect   = "suspect"   // the evidence is half of what an alarm asks for, and not yet below a quarter again
	Confirmed = "confirmed" // a finding is open; it closes only after several quiet windows
	Acting    = "action"    // a candidate is trained or released
	CoolDown  = "cooldown"  // something was done, and what it did cannot be seen yet
)

// StandOf is how a model stands. suspects are the watches that have gathered half of the
// evidence for an alarm, in words. It is pure.
func StandOf(p Policy, s State, o Observation, suspects []string, now time.Time) Stand {
	found := o.Score
	if found == "" {
		found = o.Drift
	}
	switch {
	case s.Phase == Training:
		return Stand{Word: Acting, Why: "a candidate is trained by " + s.Cause}
	case s.Phase == Releasing:
		return Stand{Word: Acting, Why: "a candidate is released"}
	case s.Waits != nil:
		return Stand{Word: Acting, Why: fmt.Sprintf("v%d waits for leave to be released", s.Waits.Version)}
	case o.BadData != "":
		return Stand{Word: Confirmed, Why: o.BadData + "; bad data are not learnt, so nothing is trained"}
	case found != "" && s.Hold != "":
		return Stand{Word: Confirmed, Why: found + "; nothing is trained: " + s.Hold}
	case (o.Score == "" || s.stuck(ByScore)) && (o.Drift == "" || s.stuck(ByDrift)) && found != "":
		return Stand{Word: Confirmed, Why: found + "; a person is called: " + s.Refused.For}
	case found != "" && now.Before(s.cooled(p, o)):
		return Stand{Word: CoolDown, Why: found + "; what the training before did must be seen first", Until: s.cooled(p, o)}
	case found != "":
		return Stand{Word: Confirmed, Why: found}
	case len(suspects) > 0:
		return Stand{Word: Suspect, Why: strings.Join(suspects, ", ")}
	case now.Before(s.cooled(p, o)):
		return Stand{Word: CoolDown, Until: s.cooled(p, o)}
	}
	return Stand{Word: OK}
}

// cooled is when an alarm may cause a training again: after the policy's wait, and not
// before rows that the newest training did not see have their truth.
func (s State) cooled(p Policy, o Observation) time.Time {
	if len(s.Trained) == 0 {
		return time.Time{}
	}
	return s.last().Add(max(p.Wait.D(), o.Delay))
}

// Stand is how the model stands now.
func (l *Loop) Stand(ctx context.Context, m *Model, now time.Time) (Stand, error) {
	rel, any, err := l.opts.Store.Release(ctx, m.Name)
	if err != nil {
		return Stand{}, err
	}
	s, _, err := l.State(ctx, m.Name)
	if err != nil {
		return Stand{}, err
	}
	s.Job = "" // what came of it is not asked
	o, err := l.observe(ctx, m, s, rel, any, now)
	if err != nil {
		return Stand{}, err
	}
	w, err := l.watched(ctx, m.Name)
	if err != nil {
		return Stand{}, err
	}
	suspects := w.State.Suspects()
	if _, past := asof.At(ctx); past { // of the state no more is kept
		suspects = w.Suspects
	}
	return StandOf(m.Policy, s, o, suspects, now), nil
}
