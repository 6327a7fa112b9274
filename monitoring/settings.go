// SPDX-License-Identifier: Apache-2.0

package monitoring

import "flyball/unit"

// Policy is what is watched and how often it may cry wolf: the `watch` section of
// a model file.
type Policy struct {
	Every       unit.Duration `json:"every,omitempty"`        // a window; default 1d
	FalseAlarms Rate          `json:"false_alarms,omitempty"` // the budget from which all thresholds are set; default 1 per month
	AtLeast     int           `json:"at_least,omitempty"`     // rows before a window is judged; default 200
	Season      unit.Duration `json:"season,omitempty"`       // compare with the same season of the reference; zero: none
	Score       *ScorePolicy  `json:"score,omitempty"`        //
}

// Rate is a number of times in a month of 30 days, written "1 per month" (also per
// day, week, year).
type Rate float64

// ScorePolicy is the metric by which performance on due rows is watched.
type ScorePolicy struct {
	Metric string `json:"metric"`
	PageIf Worse  `json:"page_if,omitzero"`
}

// Worse is how much worse than the reference is too bad, written "worse by 0.03" (in
// the metric's unit) or "worse by 30%" (of the reference). Zero: never.
type Worse struct {
	By       float64
	Relative bool
}
