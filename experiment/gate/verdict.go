// SPDX-License-Identifier: Apache-2.0

// Package gate judges whether a candidate may replace the live version: a verdict
// with every reason, and how many more rows would tell where these cannot. It
// judges what package evaluation measured; it moves nothing (package release).
package gate

import (
	"strings"

	"flyball/experiment/evaluation"
	"flyball/experiment/modeltest"
)

// Decision is the gate's answer, or that of one of its rules.
type Decision string

// The answers. A verdict that is Superior or NonInferior passes.
const (
	Superior     Decision = "superior"
	NonInferior  Decision = "noninferior"
	Inconclusive Decision = "inconclusive"
	Harm         Decision = "harm"
)

// Reason is what one rule found.
type Reason struct {
	Rule      string   `json:"rule"` // as the model file says it, in words
	Metric    string   `json:"metric"`
	Against   string   `json:"against,omitempty"`
	Slice     string   `json:"slice,omitempty"` // column=value; for fairness the column
	Decision  Decision `json:"decision"`
	Required  bool     `json:"required"`             // false: reported only
	Margin    *float64 `json:"margin,omitempty"`     // of noninferior; nil: not set by the owner
	Text      string   `json:"text"`                 // one sentence with its figures
	Needs     int      `json:"needs,omitempty"`      // Inconclusive: about so many more rows would tell; 0: cannot say
	NotJudged bool     `json:"not_judged,omitempty"` // too few rows to say anything
}

// Word is the decision for a table: passed or failed for a test of the model, and whether
// it was judged and decides.
func (r Reason) Word() string {
	word := string(r.Decision)
	switch {
	case r.NotJudged:
		return "not judged"
	case strings.Contains(r.Rule, testRule) && r.Decision == Harm:
		word = "failed"
	case strings.Contains(r.Rule, testRule):
		word = "passed"
	}
	switch {
	case !r.Required && r.Decision == Inconclusive:
		return "reported"
	case !r.Required:
		word += " (reported)"
	}
	return word
}

// testRule stands before the name of a test of the model.
const testRule = "test: "

// Verdict is the gate's answer with all it rests on.
type Verdict struct {
	Decision    Decision                `json:"decision"`
	Pass        bool                    `json:"pass"`
	Summary     string                  `json:"summary"` // one sentence of at most 56 characters, to stand after "v7 "
	Reasons     []Reason                `json:"reasons"`
	Estimates   []evaluation.Estimate   `json:"estimates"` // of the candidate each metric that a rule names, once; of older verdicts not all
	Differences []evaluation.Difference `json:"differences"`
	Rows        int                     `json:"rows"`
	Blocks      int                     `json:"blocks"`
	Mix         []evaluation.Distance   `json:"mix,omitempty"`     // of the rows against the newest traffic, the furthest first
	Changed     *int                    `json:"changed,omitempty"` // Binary: rows that candidate and live version decide differently
	Groups      []evaluation.GroupTable `json:"groups,omitempty"`  // Binary: what the candidate does for each group, by Input.Groups
	Tests       []modeltest.Result      `json:"tests,omitempty"`   // of Policy.Tests, in their order

	// Withheld is the id of the whole verdict, where this is what is left of it for whoever
	// may not see what a version does for groups. Package report withholds.
	Withheld string `json:"withheld,omitempty"`
}

// Input is what the gate judges.
type Input struct {
	Sample  evaluation.Sample
	Groups  []string              // which of Sample.Slices are groups, for Policy.Fairness
	First   bool                  // no version is live yet: rules against live do not apply
	Values  map[string]float64    // measured apart from the rows: latency_p99 (seconds), size, memory (bytes), mean_score_traffic, base_rate_mature
	Mix     []evaluation.Distance // of the rows against the newest traffic; nil: there is none
	Rebuilt *bool                 // whether the candidate, made twice, came out the same; nil: not tried
	Tests   []modeltest.Result    // of Policy.Tests
}
