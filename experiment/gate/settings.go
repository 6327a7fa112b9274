// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"flyball/data/dataset"
	"flyball/unit"
)

// Policy is what must hold before a candidate may replace the live version: the
// `gate` section of a model file. All of it must hold.
type Policy struct {
	Baseline  Baseline        `json:"baseline,omitzero"`   //
	Metrics   []Rule          `json:"metrics,omitempty"`   //
	Slices    []dataset.Slice `json:"slices,omitempty"`    // searched for harm, Holm over all
	Fairness  *Fairness       `json:"fairness,omitempty"`  //
	Reproduce string          `json:"reproduce,omitempty"` // required or empty
	Refit     *Refit          `json:"refit,omitempty"`     //
}

// Baseline is the floor model: what every version must beat, whatever is live.
type Baseline struct {
	With     string         `json:"with"`               // builtin/constant (default) or builtin/linear
	Settings map[string]any `json:"settings,omitempty"` // constant: by, a list of columns, gives group means
}

// Rule is one metric and what is asked of it.
type Rule struct {
	Name    string      `json:"name"`              // log_loss brier auc accuracy rmse mae r2 bias mean_score latency_p99 …
	Against string      `json:"against,omitempty"` // live (default) or baseline
	Require Requirement `json:"require"`           //
	Margin  *float64    `json:"margin,omitempty"`  // for noninferior, in the metric's unit
}

// Requirement is a word (superior, noninferior, report) or one limit.
type Requirement struct {
	Word    string // empty when a limit is given
	AtMost  *Limit // the candidate's value is at most this
	AtLeast *Limit // the candidate's value is at least this
	Within  *Limit // the candidate's value lies within this of what it is compared with
}

// Limit is a number in the metric's unit: plain, a duration in seconds (20ms) or a
// share (5%).
type Limit float64

// Fairness asks something of a gap between the groups of dataset.Task.Groups.
type Fairness struct {
	Metric  string              `json:"metric"` // selection_gap tpr_gap fpr_gap mae_gap bias_gap
	Require FairnessRequirement `json:"require"`
}

// FairnessRequirement is the word report, or one limit.
type FairnessRequirement struct {
	Word         string // report, or empty
	AtMost       *float64
	WidensAtMost *float64 // against the live version
}

// Refit bounds how far the predictions may move when the judged recipe is fitted
// again on all mature rows.
type Refit struct {
	ShiftAtMost unit.Share `json:"shift_at_most"`
}
