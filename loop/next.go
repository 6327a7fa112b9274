// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"fmt"
	"slices"
	"time"

	"flyball/governance/approval"
	"flyball/job"
	"flyball/monitoring"
	"flyball/serving/release"
	"flyball/unit"
)

// Phase is where a model is on its way around the loop.
type Phase string

// The phases.
const (
	Steady    Phase = "steady"    // watching
	Training  Phase = "training"  // a job trains and judges a candidate
	Releasing Phase = "releasing" // release.Next alone decides
)

// The causes of a training.
const (
	ByFirst    = "first"    // nothing is live yet
	BySchedule = "schedule" //
	ByDrift    = "drift"    //
	ByScore    = "score"    //
	ByHand     = "hand"     //
)

// State is a model's place in the loop: a row, changed by compare-and-swap.
type State struct {
	Phase     Phase       `json:"phase"`
	Since     time.Time   `json:"since"`
	Trained   []time.Time `json:"trained,omitempty"`   // when trainings began, the newest last; those of the last 30 days and one more
	Applied   int64       `json:"applied,omitempty"`   // generation of the model file that the newest training used
	Job       string      `json:"job,omitempty"`       // of the training under way
	Candidate int         `json:"candidate,omitempty"` // under release
	Failures  int         `json:"failures,omitempty"`  // trainings that failed in a row
	Cause     string      `json:"cause,omitempty"`     // of the newest training
	Hold      string      `json:"hold,omitempty"`      // why nothing is trained by itself; empty: nothing holds
	Asked     *Asked      `json:"asked,omitempty"`     // a training asked for by hand
	Wanted    *Wanted     `json:"wanted,omitempty"`    // a release asked for by hand
	Weighed   time.Time   `json:"weighed,omitzero"`    // end of the newest rollback that was weighed for a hold
	Waits     *Waits      `json:"waits,omitempty"`     // a release that waits for leave; nil: none does
	Refused   *Refused    `json:"refused,omitempty"`   // candidates that were kept out for one reason; nil: the newest was not
}

// Asked is a training that somebody asked for.
type Asked struct {
	By  string `json:"by"`
	Why string `json:"why,omitempty"`
}

// Wanted is the release of a version that passed, which somebody asked for.
type Wanted struct {
	Outcome
	Asked
	Mark string `json:"mark,omitempty"` // of the release: who begins it without others' leave
}

// Observation is what Next decides by, gathered at one moment.
type Observation struct {
	Live    int            // the version that serves; 0: none
	Applied int64          // generation of the model file
	Drift   string         // an open drift finding that may cause a training, in words; empty: none
	Score   string         // the same of a score finding
	BadData string         // an open finding that forbids training: bad data would be learnt; empty: none
	Delay   time.Duration  // from a row to its truth: an alarm waits so long after a training, for before nothing new is known
	Job     *job.Job       // State.Job, as it stands; nil: unknown
	Outcome *Outcome       // of the job, when it is done
	Release *release.State // newest release of the model; nil: none ever

	Asks  bool              // a release needs somebody's leave before it begins
	Leave approval.Decision // on State.Waits

	Called *monitoring.Finding // the open finding that calls a person; Next does not ask for it
}

// Outcome is what a training came to.
type Outcome struct {
	Version  int
	Baseline int
	Pass     bool
	Summary  string
	Against  string // what the gate has against it, in words that are the same for the same reason
	Gain     *Gain  // against the live version; nil: there was nothing to compare with
}

// Gain is by how much a candidate was better than the live version on the rows that
// judged it, and how much is worth a release: the margin by which the gate would let it
// be worse. Both are in the metric's unit, and positive is better.
type Gain struct {
	Metric       string
	Value, Worth float64
	Same         bool // it answered every row as the live version did: what a release would gain is not known
}

// small reports whether a release would gain too little.
func (g *Gain) small() bool { return g != nil && (g.Value < g.Worth || g.Value <= 0) }

// Action is what Next asks to be done. Exactly one of Train, Release and Ask is set.
type Action struct {
	Train   string // the cause
	By      string // who asked
	Why     string
	Release *Outcome
	Ask     *Outcome // for leave to release it
	Mark    string   // of the release
}

// Next is the model's state one step on, and what is to be done. It is pure, and
// asking again after doing asks for the same again until the doing shows in o.
func Next(p Policy, s State, o Observation, now time.Time) (State, []Action) {
	switch s.Phase {
	case Training:
		return s.training(p, o, now)
	case Releasing:
		return s.releasing(p, o, now), nil
	}
	return s.steady(p, o, now)
}

// steady decides whether to train.
func (s State) steady(p Policy, o Observation, now time.Time) (State, []Action) {
	s = s.weigh(p, o) // a version may be rolled back long after its release
	if s.Refused != nil && s.Refused.Applied != o.Applied {
		s.Refused = nil // somebody changed the model file
	}
	if s.Wanted != nil && (o.Release == nil || o.Release.Done()) {
		w := *s.Wanted
		s.Wanted, s.Cause = nil, ByHand
		if !o.Asks {
			s.Waits = nil
		}
		return s.begin(w, o, now)
	}
	if s.Waits != nil {
		if s, actions, ok := s.leave(o, now); ok {
			return s, actions
		}
	}
	if s.Asked != nil {
		a := Action{Train: ByHand, By: s.Asked.By, Why: s.Asked.Why}
		s.Asked = nil
		return s.train(a, o, now)
	}
	if o.Live == 0 && s.Applied != o.Applied && (o.Release == nil || o.Release.Done()) {
		return s.train(Action{Train: ByFirst, By: "flyball"}, o, now)
	}
	if s.Hold != "" || s.Waits != nil || o.BadData != "" || o.Live == 0 && (s.Cause != ByFirst || s.Failures == 0) {
		return s, nil
	}
	cause, why := s.due(p, o, now)
	if cause == "" || !s.may(p, now) {
		return s, nil
	}
	return s.train(Action{Train: cause, By: "flyball", Why: why}, o, now)
}

// due is the strongest reason to train now; empty: none.
func (s State) due(p Policy, o Observation, now time.Time) (cause, why string) {
	if o.Live == 0 { // only a first training that failed is tried again
		p.When = nil
	}
	cool := s.Failures > 0 || !now.Before(s.cooled(p, o))
	switch {
	case o.Score != "" && slices.Contains(p.When, ByScore) && cool && !s.stuck(ByScore):
		return ByScore, o.Score
	case o.Drift != "" && slices.Contains(p.When, ByDrift) && cool && !s.stuck(ByDrift):
		return ByDrift, o.Drift
	case slices.Contains(p.When, BySchedule) && p.Every > 0 && now.Sub(s.last()) >= p.Every.D():
		return BySchedule, "every " + p.Every.String()
	case s.Failures > 0 && s.Failures < tries && now.Sub(s.last()) >= backOff(s.Failures):
		return s.Cause, fmt.Sprintf("attempt %d after a failure", s.Failures+1)
	}
	return "", ""
}

// tries is how often a training that fails is tried before it is left to the next
// trigger.
const tries = 3

// backOff is how long after the n-th failure in a row the next attempt is made.
func backOff(n int) time.Duration { return time.Hour << (2 * (n - 1)) }

// may reports whether a training by itself is allowed now: not sooner than wait
// after the one before, unless that failed, and within the budget of 30 days.
func (s State) may(p Policy, now time.Time) bool {
	if s.Failures == 0 && now.Sub(s.last()) < p.Wait.D() {
		return false
	}
	if s.Failures > 0 && now.Sub(s.last()) < backOff(min(s.Failures, tries)) {
		return false
	}
	n := 0
	for _, t := range s.Trained {
		if now.Sub(t) < month {
			n++
		}
	}
	return p.Budget == 0 || float64(n) < float64(p.Budget)
}

const month = 30 * 24 * time.Hour

// last is when the newest training began; the zero time when there was none.
func (s State) last() time.Time {
	if len(s.Trained) == 0 {
		return time.Time{}
	}
	return s.Trained[len(s.Trained)-1]
}

func (s State) train(a Action, o Observation, now time.Time) (State, []Action) {
	s.Phase, s.Since, s.Cause, s.Applied = Training, now, a.Train, o.Applied
	kept := slices.Clone(s.Trained)
	for len(kept) > 1 && now.Sub(kept[0]) >= month {
		kept = kept[1:]
	}
	s.Trained = append(kept, now)
	return s, []Action{a}
}

// training waits for the job, and turns a pass into a release, unless it would gain too
// little: then the live version stays, and the next candidate is held against it again.
func (s State) training(p Policy, o Observation, now time.Time) (State, []Action) {
	if o.Job == nil {
		return s, nil
	}
	switch o.Job.State {
	case job.Canceled: // somebody did not want it: it is not tried again by itself
		s.Failures = 0
		return s.rest(now), nil
	case job.Failed:
		s.Failures++
		return s.rest(now), nil
	case job.Done:
		s.Failures = 0
		if o.Outcome == nil || !o.Outcome.Pass {
			s.Refused = s.refused(o.Outcome)
			return s.rest(now), nil
		}
		s.Refused = nil
		if s.keeps(p, o) {
			return s.rest(now), nil
		}
		if r := o.Release; r != nil && !r.Done() && r.Candidate != o.Outcome.Version {
			return s, nil // a rollback by hand is under way: one release at a time
		}
		if !o.Asks {
			s.Waits = nil
		}
		return s.begin(Wanted{Outcome: *o.Outcome}, o, now)
	}
	return s, nil
}

// keeps reports whether the live version stays although the candidate passed. What a
// person asked for is released, and so is whatever passed while the baseline answers.
func (s State) keeps(p Policy, o Observation) bool {
	floor := o.Release != nil && o.Release.Floor
	return p.Release != "passed" && s.Cause != ByHand && o.Live != 0 && !floor && o.Outcome.Gain.small()
}

// releasing waits for the release to end.
func (s State) releasing(p Policy, o Observation, now time.Time) State {
	if o.Release == nil || o.Release.Candidate != s.Candidate || !o.Release.Done() {
		return s
	}
	return s.weigh(p, o).rest(now)
}

// weigh holds after a rollback that was not weighed yet, unless the policy never does.
func (s State) weigh(p Policy, o Observation) State {
	r := o.Release
	if r == nil || r.Phase != release.RolledBack || !r.EndedAt.After(s.Weighed) {
		return s
	}
	s.Weighed = r.EndedAt
	if p.HoldAfter != "never" {
		s.Hold = fmt.Sprintf("v%d was rolled back: %s", r.Candidate, r.Reason)
	}
	return s
}

func (s State) rest(now time.Time) State {
	s.Phase, s.Since, s.Job, s.Candidate = Steady, now, "", 0
	return s
}

// NextDue is when the schedule asks for a training; the zero time when it does not.
func (s State) NextDue(p Policy) time.Time {
	if !slices.Contains(p.When, BySchedule) || p.Every == 0 || len(s.Trained) == 0 {
		return time.Time{}
	}
	return s.last().Add(max(p.Every, unit.Duration(0)).D())
}
