// SPDX-License-Identifier: Apache-2.0

package rehearse

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"flyball/event"
	"flyball/experiment/gate"
	"flyball/job"
	"flyball/serving/prediction"
	"flyball/serving/release"
	"flyball/training"
	"flyball/unit"
)

// Report is what a policy would have done, and what it would have come to.
type Report struct {
	Model  string    `json:"model"`
	Policy string    `json:"policy"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`

	Rows       int    `json:"rows"`       // asked
	Unanswered int    `json:"unanswered"` // of them
	Problem    string `json:"problem,omitempty"`
	Judged     int    `json:"judged"` // answered, and their truth was due by the end of the history
	Blocks     int    `json:"blocks"` // independent draws among these
	AtEnd      int    `json:"at_end"` // of the judged, due by the end of the rehearsal

	Metric string    `json:"metric"`
	Served Score     `json:"served"`
	Rivals []Score   `json:"rivals"`
	Did    Did       `json:"did"`
	Cost   Cost      `json:"cost"`
	Parts  []Part    `json:"parts"`
	Made   []Version `json:"versions"`
	Shares []Share   `json:"served_by"`

	Events []event.Event `json:"events"`
}

// Score is how good a policy's answers were, with 95 % intervals, on the judged rows.
// Gain is by how much what was served was better, in pairs, whichever way the metric
// points: above zero, the policy of the rehearsal is better.
type Score struct {
	Name      string  `json:"name"`
	About     string  `json:"about,omitempty"`
	Value     float64 `json:"value"`
	Low       float64 `json:"low"`
	High      float64 `json:"high"`
	Gain      float64 `json:"gain"`
	GainLow   float64 `json:"gain_low"`
	GainHigh  float64 `json:"gain_high"`
	AtEnd     float64 `json:"at_end"` // the value on the rows that were due by the end of the rehearsal
	Trainings int     `json:"trainings"`
	Releases  int     `json:"releases"`
}

// Part is a stretch of the rehearsal: a month, or what there is of it.
type Part struct {
	From   time.Time          `json:"from"`
	Rows   int                `json:"rows"`
	Values map[string]float64 `json:"values"` // of the metric, by policy; one that cannot be told is left out
}

// Did counts what the loop did.
type Did struct {
	Trainings int `json:"trainings"`
	Refused   int `json:"refused"`  // candidates that the gate kept out
	Kept      int `json:"kept"`     // that passed, and would have gained too little
	Failed    int `json:"failed"`   // trainings that came to nothing
	Releases  int `json:"releases"` // versions that became live, the first among them
	Back      int `json:"back"`     // taken back before they were live, or rolled back
	Holds     int `json:"holds"`
	Findings  int `json:"findings"` // of the watch
	Floor     int `json:"floor"`    // times the baseline took over
}

// Cost is what the trainings of a policy took.
type Cost struct {
	Fits    int     `json:"fits"`        // of the estimator, as the policy would have run them: with what gate.reproduce asks for
	Seconds float64 `json:"seconds"`     // here, by the wall
	CPU     float64 `json:"cpu_seconds"` // here, of this process; 0: not known on this system
}

// Version is a version that the loop made.
type Version struct {
	Version int           `json:"version"`
	At      time.Time     `json:"at"`
	Cause   string        `json:"cause"`
	Verdict string        `json:"verdict"`
	Summary string        `json:"summary"`
	Window  unit.Duration `json:"window,omitempty"` // that the search picked; zero: all rows, or there was one
	Phase   string        `json:"release,omitempty"`
	Reason  string        `json:"reason,omitempty"` // of the release's end
	Rows    int           `json:"rows"`             // that it answered
}

// Share is how many rows somebody answered.
type Share struct {
	Arm     string `json:"arm"`
	Version int    `json:"version"`
	Rows    int    `json:"rows"`
}

// report adds up what happened and holds it against the rivals.
func (r *run) report(ctx context.Context) (Report, error) {
	out := Report{
		Model: r.Model.Name, Policy: r.Policy, From: r.stream.From, To: r.stream.To, Rows: r.stream.Rows(), Unanswered: r.unanswered,
		Problem: r.refusal, Events: r.memory.events, Shares: r.shares(), Cost: r.spent.cost,
	}
	r.count(&out)
	return out, r.compare(ctx, &out)
}

// count fills in what the loop did.
func (r *run) count(out *Report) {
	for _, j := range r.memory.jobs {
		out.Did.Trainings++
		if j.State == job.Failed {
			out.Did.Failed++
		}
	}
	for _, s := range r.memory.releases {
		switch s.Phase {
		case release.Full, release.BakePhase, release.Succeeded:
			out.Did.Releases++
		case release.Aborted, release.RolledBack:
			out.Did.Back++
		}
	}
	for _, e := range out.Events {
		switch {
		case e.Kind == "hold":
			out.Did.Holds++
		case e.Kind == "floor" && e.Mark == event.Stop:
			out.Did.Floor++
		}
	}
	out.Did.Findings = len(r.memory.findings)
	for _, v := range r.memory.versions[r.Model.Name] {
		var verdict gate.Verdict
		if err := json.Unmarshal(v.Report, &verdict); err != nil {
			continue // it was written by us
		}
		made := Version{Version: v.Version, At: v.CreatedAt, Cause: v.Cause, Verdict: v.Verdict, Summary: verdict.Summary, Window: r.spent.windows[v.Key]}
		if v.Verdict != "pass" {
			out.Did.Refused++
		}
		for _, s := range r.memory.releases {
			if s.Candidate == v.Version {
				made.Phase, made.Reason = string(s.Phase), s.Reason
			}
		}
		for _, s := range out.Shares {
			if s.Version == v.Version && s.Arm != prediction.Baseline {
				made.Rows += s.Rows
			}
		}
		if v.Verdict == "pass" && made.Phase == "" {
			out.Did.Kept++
		}
		out.Made = append(out.Made, made)
	}
}

// shares are who answered how many rows, by version, and then whoever else.
func (r *run) shares() []Share {
	var out []Share
	for _, a := range r.answers {
		if a.arm == "" {
			continue
		}
		at := slices.IndexFunc(out, func(s Share) bool { return s.Arm == a.arm && s.Version == a.version })
		if at < 0 {
			at = len(out)
			out = append(out, Share{Arm: a.arm, Version: a.version})
		}
		out[at].Rows++
	}
	return out
}

// spent is what the trainings took.
type spent struct {
	cost    Cost
	windows map[string]unit.Duration // that were picked, by job key
}

// metered is a job's handler that notes what it took.
func (r *run) metered(do job.Handler) job.Handler {
	r.spent.windows = map[string]unit.Duration{}
	return func(ctx context.Context, j job.Job, progress func(string)) (json.RawMessage, error) {
		r.Progress(r.clock.now(), "training")
		began, cpu := time.Now(), cpuSeconds()
		raw, err := do(ctx, j, progress)
		r.spent.cost.Seconds += time.Since(began).Seconds()
		r.spent.cost.CPU += cpuSeconds() - cpu
		var res training.Result
		if err == nil && json.Unmarshal(raw, &res) == nil {
			r.spent.note(res, j.Key, r.twice)
		}
		return raw, err
	}
}

// note counts the fits of a training: of each trial, of what was judged, of what was
// released, and once more where the policy has it made twice.
func (s *spent) note(res training.Result, key string, twice bool) {
	s.cost.Fits += 2
	if twice {
		s.cost.Fits++
	}
	for _, t := range res.Trials {
		s.cost.Fits += len(t.Rungs)
		if t.Picked && t.Window != nil {
			s.windows[key] = t.Window.Window
		}
	}
}
