// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"fmt"
	"slices"

	"flyball/data/dataset"
	"flyball/experiment/gate"
	"flyball/experiment/online"
	"flyball/serving"
	"flyball/serving/prediction"
	"flyball/serving/release"
)

// split adds up the records of a release by who was to answer them and who did: while
// the candidate has a share of the traffic, each unit is drawn for one of two arms. A
// unit is a key, or a row where rows have none.
type split struct {
	task  *dataset.Task
	state *release.State
	steps []online.Step
	units []drawn
	byKey map[keyAt]int // place in units

	wrong   int    // rows that were answered by another version than the route meant
	example string // one of them
}

type keyAt struct {
	key  string
	step int
}

// drawn is one unit.
type drawn struct {
	step                int
	candidate, control  bool
	then, due, labelled bool
	again               bool // it was drawn in an earlier step, too
	cost                float64
}

// add takes a record in. A caller may ask for a version by its number: that row was not
// drawn. Neither is one that no version answered.
func (s *split) add(j *prediction.Joined, due bool) {
	share, at := s.state.ShareAt(j.Generation)
	if at < 0 || share <= 0 || share >= 1 || j.Arm == prediction.Fallback || slices.Contains(j.Flags, serving.FlagAsked) {
		return
	}
	key := j.Key
	if key == "" {
		key = string(j.ID)
	}
	its := release.Assign(s.state.Seed, key, share)
	answered := j.Arm == prediction.Candidate && j.Version == s.state.Candidate
	other := j.Arm == prediction.Live && j.Version == s.state.Live || j.Arm == prediction.Baseline
	if its && !answered && failed(j, s.state.Candidate) {
		answered, other = true, false // the live version answered for it
	}
	if its != answered || answered == other {
		if s.wrong++; s.example == "" {
			s.example = key
		}
	}
	u := drawn{
		step: s.step(at, share), candidate: answered, control: !answered && release.Control(s.state.Seed, key, share),
		then: s.task.Decide != nil && j.Decision == s.task.Decide.Then, due: due, labelled: j.Label != nil,
	}
	if due {
		u.cost = s.cost(u.then, j.Label)
	}
	s.keep(j.Key, u)
}

// failed reports whether the candidate was asked and could not answer.
func failed(j *prediction.Joined, candidate int) bool {
	return slices.ContainsFunc(j.Others, func(o prediction.Other) bool {
		return o.Role == prediction.Candidate && o.Version == candidate && o.Error != ""
	})
}

// step is the place of the stretch of the release with that share; at is its place in
// the release's shares.
func (s *split) step(at int, share float64) int {
	for len(s.steps) <= at {
		s.steps = append(s.steps, online.Step{})
	}
	s.steps[at].Share = share
	return at
}

// keep keeps a unit; asked for again within a step it is one, and the newest answer
// stands.
func (s *split) keep(key string, u drawn) {
	at := keyAt{key, u.step}
	if i, again := s.byKey[at]; again && key != "" {
		s.units[i] = u
		return
	}
	if key != "" {
		if s.byKey == nil {
			s.byKey = map[keyAt]int{}
		}
		s.byKey[at] = len(s.units)
	}
	s.units = append(s.units, u)
}

// cost is what came of a decision: by predict.cost where the truth is known or its
// absence is one. Of a decision whose truth nobody ever learns, nothing comes.
func (s *split) cost(then bool, label *prediction.Label) float64 {
	truth := ""
	switch {
	case label != nil:
		truth = label.Value
	case s.task.Truth.Missing == "negative":
		truth = "0"
	}
	return s.task.Cost[truth][map[bool]string{true: "1", false: "0"}[then]]
}

// sums are the steps of the release with all that is known of their arms. A unit that comes
// again in a later step is the same draw: its truth and what came of it count in the step in
// which it came first.
func (s *split) sums() []online.Step {
	s.mark()
	hangs := s.task.LabelDependsOnDecision
	for _, u := range s.units {
		step := &s.steps[u.step]
		arm := &step.Rest
		if u.candidate {
			arm = &step.Candidate
		}
		arm.Units++
		if !u.due || u.again {
			continue
		}
		stratum := &arm.Strata[0]
		if hangs && u.then {
			stratum = &arm.Strata[1] // truths come of the one decision and not of the other
		}
		stratum.Due++
		if u.labelled {
			stratum.Labelled++
		}
		if u.candidate {
			step.Candidate.Outcomes.Add(u.cost)
		} else if u.control {
			step.Control.Outcomes.Add(u.cost)
		}
	}
	s.units, s.byKey = nil, nil
	return s.steps
}

// mark finds the units that were drawn in an earlier step, too.
func (s *split) mark() {
	first := map[string]int{}
	for at := range s.byKey {
		if step, seen := first[at.key]; !seen || at.step < step {
			first[at.key] = at.step
		}
	}
	for at, i := range s.byKey {
		s.units[i].again = at.step > first[at.key]
	}
}

// into says what the split tells: that it is broken, or, where labels hang on decisions,
// what came of the answers.
func (s *split) into(f *release.Facts, margin float64) {
	steps := s.sums()
	why := ""
	switch {
	case s.wrong > 0:
		why = fmt.Sprintf("%d rows were answered by another version than the route meant, such as %s", s.wrong, s.example)
	default:
		why = online.CheckSplit(steps)
	}
	hangs := s.task.LabelDependsOnDecision
	// Where a missing label is a truth, and hangs on the decision, it says nothing of how
	// well truths come.
	if why == "" && !(hangs && s.task.Truth.Missing == "negative") {
		why = online.CheckKnown(steps)
	}
	if hangs {
		f.Split = true
		v := online.Outcomes(steps, online.Policy{Metric: "cost", Margin: margin})
		f.Online, f.OnlineText = v.Verdict, v.Text
	}
	if why != "" {
		f.Online, f.OnlineText = release.Invalid, why
	}
}

// costMargin is by how much more a candidate's decisions may cost: as the gate has it.
func costMargin(rules []gate.Rule) float64 {
	for _, r := range rules {
		if r.Name == "cost" && r.Margin != nil && r.Against != prediction.Baseline {
			return *r.Margin
		}
	}
	return 0
}
