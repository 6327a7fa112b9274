// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"encoding/json"
	"strings"

	"flyball/data/dataset"
	"flyball/experiment/modeltest"
	"flyball/fault"
	"flyball/unit"
)

// Policy is what must hold before a candidate may replace the live version: the
// `gate` section of a model file. All of it must hold.
type Policy struct {
	Baseline  Baseline         `json:"baseline,omitzero"`   //
	Metrics   []Rule           `json:"metrics,omitempty"`   //
	Slices    []dataset.Slice  `json:"slices,omitempty"`    // searched for harm, Holm over all
	Fairness  *Fairness        `json:"fairness,omitempty"`  //
	Tests     []modeltest.Test `json:"tests,omitempty"`     // claims about the model itself
	Reproduce string           `json:"reproduce,omitempty"` // required or empty
	Refit     *Refit           `json:"refit,omitempty"`     //
}

// Baseline is the floor model: what every version must beat, whatever is live.
type Baseline struct {
	With     string         `json:"with,omitempty"`     // builtin/constant (default), builtin/linear or builtin/last
	Settings map[string]any `json:"settings,omitempty"` // constant: by, a list of columns, gives group means; last: column, whose value it repeats
}

// Rule is one metric and what is asked of it.
type Rule struct {
	Name    string      `json:"name"`              // log_loss auc mae pinball(0.9) recall_at_k(5%) mean_score latency_p99 size memory mix …
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

// Limit is a number in the metric's unit: plain, a duration in seconds (20ms), a share
// (5%) or a size in bytes (500MB).
type Limit float64

// Fairness asks something of a gap between the groups of dataset.Task.Groups, or of the
// ratio of their selection rates to the largest group's.
type Fairness struct {
	Metric  string              `json:"metric"` // selection_gap tpr_gap fpr_gap mae_gap bias_gap, or selection_ratio
	Require FairnessRequirement `json:"require"`
}

// FairnessRequirement is the word report, or one limit.
type FairnessRequirement struct {
	Word         string // report, or empty
	AtMost       *float64
	WidensAtMost *float64 // against the live version
	AtLeast      *float64 // selection_ratio: of each group to the largest
}

// Refit bounds how far the predictions may move when the judged recipe is fitted
// again on all mature rows.
type Refit struct {
	ShiftAtMost unit.Share `json:"shift_at_most"`
}

// Forms are the name of a learner, {with, settings}, or {by: [columns]}, which is
// short for the constant with a mean for each group.
func (b *Baseline) Forms() unit.Forms {
	var m struct {
		With     string         `json:"with,omitempty"`
		Settings map[string]any `json:"settings,omitempty"`
		By       []string       `json:"by,omitempty"`
		Column   string         `json:"column,omitempty"`
	}
	return unit.Forms{
		Map: &m, Words: []string{"builtin/constant", "builtin/linear", "builtin/last"},
		Word: func(text string) error {
			m.With = text
			return nil
		},
		Done: func(unit.Form) error {
			if m.With == "" {
				m.With = "builtin/constant"
			}
			if len(m.By) > 0 {
				if m.Settings["by"] != nil {
					return fault.New(fault.Invalid, "by is given twice").Do("write it once, beside with or in settings")
				}
				by := make([]any, len(m.By))
				for i, c := range m.By {
					by[i] = c
				}
				if m.Settings == nil {
					m.Settings = map[string]any{}
				}
				m.Settings["by"] = by
			}
			if m.Column != "" {
				if m.Settings["column"] != nil {
					return fault.New(fault.Invalid, "column is given twice").Do("write it once, beside with or in settings")
				}
				if m.Settings == nil {
					m.Settings = map[string]any{}
				}
				m.Settings["column"] = m.Column
			}
			*b = Baseline{With: m.With, Settings: m.Settings}
			return nil
		},
	}
}

// UnmarshalJSON reads any of the Forms.
func (b *Baseline) UnmarshalJSON(text []byte) error { return unit.ReadJSON(text, b.Forms()) }

// baseline is Baseline without its methods.
type baseline Baseline

// MarshalJSON writes the learner alone where it has no settings.
func (b Baseline) MarshalJSON() ([]byte, error) {
	if len(b.Settings) == 0 {
		return json.Marshal(b.With)
	}
	return json.Marshal(baseline(b))
}

// limits are the mapping form of a Requirement.
type limits struct {
	AtMost  *Limit `json:"at_most,omitempty"`
	AtLeast *Limit `json:"at_least,omitempty"`
	Within  *Limit `json:"within,omitempty"`
}

// Forms are superior, noninferior, report, or a mapping with exactly one limit.
func (r *Requirement) Forms() unit.Forms {
	var m limits
	words := []string{"superior", "noninferior", "report"}
	return unit.Forms{
		Map: &m, Words: words,
		Word: func(text string) error {
			*r = Requirement{Word: text}
			return unit.OneOf(text, words...)
		},
		Done: func(form unit.Form) error {
			if form == unit.AsWord {
				return nil
			}
			*r = Requirement{AtMost: m.AtMost, AtLeast: m.AtLeast, Within: m.Within}
			return one("at_most, at_least or within", m.AtMost != nil, m.AtLeast != nil, m.Within != nil)
		},
	}
}

// one says whether exactly one of the keys is given.
func one(keys string, given ...bool) error {
	n := 0
	for _, g := range given {
		if g {
			n++
		}
	}
	if n != 1 {
		return fault.New(fault.Invalid, "a requirement has %d limits", n).Do("give exactly one of %s", keys)
	}
	return nil
}

// UnmarshalJSON reads any of the Forms.
func (r *Requirement) UnmarshalJSON(text []byte) error { return unit.ReadJSON(text, r.Forms()) }

// MarshalJSON writes the word, or the limit.
func (r Requirement) MarshalJSON() ([]byte, error) {
	if r.Word != "" {
		return json.Marshal(r.Word)
	}
	return json.Marshal(limits{r.AtMost, r.AtLeast, r.Within})
}

// Forms are a number, a share (5%), a duration (20ms) or a size (500MB).
func (l *Limit) Forms() unit.Forms {
	return unit.Forms{Words: []string{"0.1", "5%", "20ms", "500MB"}, Word: func(text string) error {
		if size, err := unit.ParseBytes(text); err == nil && strings.HasSuffix(strings.TrimSpace(text), "B") {
			*l = Limit(size)
			return nil
		}
		x, err := unit.ParseNumber(text)
		*l = Limit(x)
		return err
	}}
}

// UnmarshalJSON reads any of the Forms; MarshalJSON is that of a number.
func (l *Limit) UnmarshalJSON(text []byte) error { return unit.ReadJSON(text, l.Forms()) }

// gaps are the mapping form of a FairnessRequirement.
type gaps struct {
	AtMost       *Limit `json:"at_most,omitempty"`
	WidensAtMost *Limit `json:"widens_at_most,omitempty"`
	AtLeast      *Limit `json:"at_least,omitempty"`
}

// Forms are the word report, or a mapping with exactly one limit.
func (r *FairnessRequirement) Forms() unit.Forms {
	var m gaps
	return unit.Forms{
		Map: &m, Words: []string{"report"},
		Word: func(text string) error {
			*r = FairnessRequirement{Word: text}
			return unit.OneOf(text, "report")
		},
		Done: func(form unit.Form) error {
			if form == unit.AsWord {
				return nil
			}
			*r = FairnessRequirement{AtMost: (*float64)(m.AtMost), WidensAtMost: (*float64)(m.WidensAtMost), AtLeast: (*float64)(m.AtLeast)}
			return one("at_most, widens_at_most or at_least", m.AtMost != nil, m.WidensAtMost != nil, m.AtLeast != nil)
		},
	}
}

// UnmarshalJSON reads any of the Forms.
func (r *FairnessRequirement) UnmarshalJSON(text []byte) error { return unit.ReadJSON(text, r.Forms()) }

// MarshalJSON writes the word, or the limit.
func (r FairnessRequirement) MarshalJSON() ([]byte, error) {
	if r.Word != "" {
		return json.Marshal(r.Word)
	}
	return json.Marshal(gaps{(*Limit)(r.AtMost), (*Limit)(r.WidensAtMost), (*Limit)(r.AtLeast)})
}
