// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"time"

	"flyball/data/dataset"
	"flyball/serving/prediction"
)

// Standing is how a version stands by its newest rows: figures for a page. Whether any
// of them is unusual is for Step to judge, and nothing is decided by them.
type Standing struct {
	Model       string        `json:"model"`
	Version     int           `json:"version"`
	At          time.Time     `json:"at"`
	Rows        int           `json:"rows" doc:"the newest ones, that this is told of"`
	From        time.Time     `json:"from,omitzero" doc:"event time of the first of them"`
	To          time.Time     `json:"to,omitzero"`
	Unknown     []string      `json:"unknown,omitempty" doc:"what cannot be told, and why"`
	Performance []Performance `json:"performance,omitempty"`
	Caveat      string        `json:"caveat" doc:"of every estimated figure"`
}

// StandingInput is what a Standing is made of.
type StandingInput struct {
	Policy  Policy
	Task    dataset.Task
	Profile *Profile // nil: little can be told
	Model   string
	Version int
	Newest  []prediction.Joined // the newest rows that the version scored, in order of event time
	Due     []prediction.Joined // the newest of those whose truth is due, in order of event time
	Now     time.Time
}

// Stand tells how the version stands. It is pure.
func Stand(in StandingInput) Standing {
	out := Standing{Model: in.Model, Version: in.Version, At: in.Now, Rows: len(in.Newest), Caveat: Caveat}
	if n := len(in.Newest); n > 0 {
		out.From, out.To = in.Newest[0].Time, in.Newest[n-1].Time
	}
	if in.Profile == nil {
		out.Unknown = append(out.Unknown, "the version has no profile: nothing to compare with")
		return out
	}
	s := newStepper(Input{Policy: in.Policy.withDefaults(), Task: in.Task, Profile: in.Profile, Model: in.Model, Version: in.Version, Now: in.Now})
	out.Performance = s.performanceNow(in.Newest, in.Due, in.Now)
	if in.Profile.Unlabelled == nil {
		out.Unknown = append(out.Unknown, "estimated performance: the profile has no calibration of the scores, of 200 held-out rows or more")
	}
	return out
}
