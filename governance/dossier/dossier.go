// SPDX-License-Identifier: Apache-2.0

// Package dossier is all that is held about one prediction, or about one version, in one
// file that opens without a network and prints: what was asked and answered, by which
// version under which route, what became true, how the version was made and judged, who
// changed what, and the row scored again from the version's bundle. It gathers nothing
// (package control) and judges nothing.
package dossier

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"flyball/blob"
	"flyball/data/dataset"
	"flyball/experiment/gate"
	"flyball/experiment/gate/report"
	"flyball/fault"
	"flyball/governance/audit"
	"flyball/governance/card"
	"flyball/model/registry"
	"flyball/serving/prediction"
	"flyball/serving/release"
)

// Dossier is what is held at a moment. Prediction is nil in the dossier of a version, and
// Card where no version answered.
type Dossier struct {
	Subject    string      `json:"subject"` // the version, or the id of the prediction
	Model      string      `json:"model"`
	Made       time.Time   `json:"made"`
	By         string      `json:"by"`
	Prediction *Prediction `json:"prediction,omitempty"`
	Card       *card.Card  `json:"card,omitempty"`
	Verdict    *Verdict    `json:"verdict,omitempty"` // nil: the gate has not judged the version
	Records    Records     `json:"records"`
}

// Verdict is what the gate said of the version.
type Verdict struct {
	gate.Verdict
	ID string `json:"id"` // by which it is asked for: flyball gate show

	of registry.Version
}

// Judged is what the gate said of a version; nil when it was not judged. A report
// that cannot be read is an Internal fault.
func Judged(v registry.Version) (*Verdict, error) {
	if v.Verdict == "" || len(v.Report) == 0 {
		return nil, nil
	}
	out := &Verdict{of: v}
	if err := json.Unmarshal(v.Report, &out.Verdict); err != nil {
		return nil, fault.Wrap(err, fault.Internal, "the report of %s cannot be read", v.Ref)
	}
	out.ID = report.ID(v, out.Verdict)
	return out, nil
}

// Prediction is one answer with all that was kept of it.
type Prediction struct {
	prediction.Record
	Bits        []string            `json:"bits"`              // of the scores as float64, in hex
	Decide      *dataset.Decision   `json:"decide,omitempty"`  // the rule that made the decision of the score
	Classes     []string            `json:"classes,omitempty"` // that the scores are of
	Truth       *prediction.Label   `json:"truth,omitempty"`   // nil: not known
	Why         *prediction.Reasons `json:"why,omitempty"`     // as it was kept, else worked out for this dossier
	Kept        bool                `json:"kept"`              // the reasons were kept with the prediction
	Unexplained string              `json:"unexplained,omitempty"`
	Route       *release.State      `json:"route,omitempty"` // under which it was answered; nil: not known
	Replay      Replay              `json:"replay"`
}

// Replay is the row scored again by the version that answered it, opened from its bundle
// for this dossier.
type Replay struct {
	Equal  bool        `json:"equal"` // to the last bit
	Bundle blob.Digest `json:"bundle,omitempty"`
	Scores []float64   `json:"scores,omitempty"`
	Bits   []string    `json:"bits,omitempty"`
	Why    string      `json:"why,omitempty"` // where they are not equal, or why it could not be scored
}

// Records are the audit records of the model.
type Records struct {
	All      []audit.Record `json:"all,omitempty"`     // the newest of them, the oldest first
	Earlier  int            `json:"earlier,omitempty"` // that are left out before them
	Withheld bool           `json:"withheld,omitempty"`
	Changed  []int64        `json:"changed,omitempty"` // of All, those whose hash is not that of their text
}

// Most is how many audit records a dossier holds.
const Most = 500

// Gather makes the records of a dossier. A nil all is one that whoever asks may not see.
func Gather(all []audit.Record) Records {
	if all == nil {
		return Records{Withheld: true}
	}
	out := Records{All: all}
	if n := len(all) - Most; n > 0 {
		out.All, out.Earlier = all[n:], n
	}
	for _, r := range out.All {
		if sealed, err := audit.Seal(r.Prev, r); err != nil || sealed.Hash != r.Hash {
			out.Changed = append(out.Changed, r.Seq)
		}
	}
	return out
}

// Bits are scores as float64, in hex: equal bits are equal scores.
func Bits(scores []float64) []string {
	out := make([]string, len(scores))
	for i, s := range scores {
		out[i] = fmt.Sprintf("0x%016x", math.Float64bits(s))
	}
	return out
}

// Differ says where scores are not equal to the last bit; empty: nowhere.
func Differ(was, now []float64) string {
	if len(was) != len(now) {
		return fmt.Sprintf("there were %d scores, and are %d now", len(was), len(now))
	}
	for k := range was {
		if math.Float64bits(was[k]) != math.Float64bits(now[k]) {
			return fmt.Sprintf("score %d was %v and is %v now", k, was[k], now[k])
		}
	}
	return ""
}

// RouteAt is the release under which a model's route had the generation: its newest
// state up to then. nil where the history has none, as for generation 0.
func RouteAt(history []release.State, generation int64) *release.State {
	var out *release.State
	for i := range history {
		if s := &history[i]; generation > 0 && s.Generation <= generation && (out == nil || s.Generation > out.Generation) {
			out = s
		}
	}
	return out
}

// inputs are the columns of a row in the order in which they were sent.
func inputs(row json.RawMessage) [][]string {
	var all map[string]json.RawMessage
	if json.Unmarshal(row, &all) != nil {
		return nil
	}
	var out [][]string
	for _, name := range order(row) {
		if v, ok := all[name]; ok {
			out = append(out, []string{name, string(v)})
			delete(all, name)
		}
	}
	return out
}
