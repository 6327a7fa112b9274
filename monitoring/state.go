// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"encoding/json"
	"time"

	"flyball/data/dataset"
	"flyball/data/pipeline"
	usual "flyball/model/unusual"
	"flyball/serving/prediction"
)

// State is where the watch of one version stands. It is small, JSON, and all that
// Step remembers. The zero value begins at the first whole block of time.
type State struct {
	From  time.Time `json:"from,omitzero"`  // give Step every row of the version with an event time at or after this
	Block time.Time `json:"block,omitzero"` // start of the next block to close
	Next  time.Time `json:"next,omitzero"`  // before this Step changes nothing, so no rows need be read

	Quality Window    `json:"quality,omitzero"` // growing until it has enough rows
	Drift   Window    `json:"drift,omitzero"`
	Due     Tally     `json:"due,omitzero"`
	DueFrom time.Time `json:"due_from,omitzero"`

	Inputs      Detector `json:"inputs,omitzero"`
	Predictions Detector `json:"predictions,omitzero"`
	Bias        Detector `json:"bias,omitzero"`
	Performance Detector `json:"performance,omitzero"`

	Slow      []slow `json:"slow,omitempty"` // of each feature's level, over drift windows
	SlowScore slow   `json:"slow_score,omitzero"`

	Unusual Run `json:"unusual,omitzero"` // of rows that were flagged

	Groups  []GroupRun        `json:"groups,omitempty"`  // of groups that lie beyond a limit
	Against map[string]string `json:"against,omitempty"` // the group that those of a column are held against

	Recent []WindowBias `json:"recent,omitempty"` // bias of the newest days, at most seven and the one under way

	Open []Episode `json:"open,omitempty"`
	Told []string  `json:"told,omitempty"` // notes that were given, by subject
}

// Detector gathers evidence over windows. Evidence is the Shiryaev–Roberts
// statistic; the run is where the change, if there is one, most likely began.
type Detector struct {
	Evidence float64   `json:"evidence"`
	Run      float64   `json:"run"`             // CUSUM of the log evidence; 0: no run
	From     time.Time `json:"from,omitzero"`   // of the run
	Rows     int       `json:"rows,omitempty"`  // of the run
	Sum      float64   `json:"sum,omitempty"`   // over the run's rows
	Means    []float64 `json:"means,omitempty"` // of the run's newest windows
	Suspect  Suspect   `json:"suspect,omitzero"`
}

// slowOf is the slow level of a feature.
func (s *State) slowOf(i int) slow {
	switch {
	case i == scoreFeature:
		return s.SlowScore
	case i >= 0 && i < len(s.Slow):
		return s.Slow[i]
	}
	return slow{}
}

// keep remembers what a shift's slow level became.
func (s *State) keep(sh shift) {
	switch {
	case sh.to.Windows == 0: // it has none
	case sh.feature == scoreFeature:
		s.SlowScore = sh.to
	case sh.feature >= 0:
		for len(s.Slow) <= sh.feature {
			s.Slow = append(s.Slow, slow{})
		}
		s.Slow[sh.feature] = sh.to
	}
}

// WindowBias is the bias over the windows of a day, or over one longer window.
type WindowBias struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	Rows int       `json:"rows"`
	Sum  float64   `json:"sum"` // of score less truth
}

// Episode is a finding that is open, and for how many windows it has been quiet.
type Episode struct {
	Finding Finding `json:"finding"`
	Quiet   int     `json:"quiet,omitempty"`
}

// Input is what Step looks at.
type Input struct {
	Policy   Policy
	Task     dataset.Task
	Profile  *Profile         // nil: only volume and skew are watched
	Pipeline *pipeline.Fitted // of the version; nil: skew is not watched
	Usual    *usual.Reference // of the version; nil: unusual rows are not counted
	Model    string
	Version  int
	State    State

	// Rows are the rows that this version scored, answering or beside, with an event
	// time at or after State.From, in order of event time.
	Rows []prediction.Joined
	Now  time.Time

	Limits GroupLimits // of the groups of Task

	Baseline         bool // the version is the baseline: its scores are those of that role
	MinRowsPerWindow int  // rows that a block of Policy.Every must have; 0: not asked for
}

// Output is what Step found.
type Output struct {
	State    State
	Windows  []Window  // blocks that closed
	Findings []Finding // opened, or closed, now
	Notes    []Note    // told once for each version
	Readings []Reading // what was measured, for pages; alarms are in Findings
}

// Note is a sentence that informs: it asks nothing of anybody.
type Note struct {
	Model   string          `json:"model"`
	Version int             `json:"version"`
	Subject string          `json:"subject"`
	At      time.Time       `json:"at"` // end of the window
	Text    string          `json:"text"`
	Data    json.RawMessage `json:"data,omitempty"`
}

// Reading is one measurement over one window.
type Reading struct {
	Kind      string    `json:"kind"`
	Subject   string    `json:"subject"`
	Start     time.Time `json:"start"`
	End       time.Time `json:"end"`
	Rows      int       `json:"rows"`
	Value     float64   `json:"value"`     // PSI, share, bias or metric
	Reference float64   `json:"reference"` // the same of the reference: its highest PSI, its share, held-out
	P         float64   `json:"p"`         // of a value as far off as this if nothing had changed; 1: not judged
	Evidence  float64   `json:"evidence,omitempty"`
	Alarm     float64   `json:"alarm,omitempty"` // the evidence at which a finding opens
	Coverage  float64   `json:"coverage,omitempty"`
}
