// SPDX-License-Identifier: Apache-2.0

package training

import (
	"encoding/json"
	"maps"
	"time"

	"flyball/blob"
	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/experiment/evaluation"
	"flyball/experiment/gate"
	"flyball/fault"
	"flyball/model/registry"
	"flyball/monitoring"
)

// Recipe is everything of a model file that a training depends on. With a snapshot
// and a moment it decides the bytes that come out.
type Recipe struct {
	Model    string            `json:"model"`
	Task     dataset.Task      `json:"predict"`
	Data     dataset.Settings  `json:"data"`
	Pipeline pipeline.Spec     `json:"pipeline"`
	Train    Settings          `json:"train"`
	Gate     gate.Policy       `json:"gate"`
	Watch    monitoring.Policy `json:"watch"`

	// Level says when truth is due for the base rate that mean_score is held against,
	// where a rehearsal takes rows for mature by something else, on purpose: a rate of the
	// rows it chose would agree with itself. nil: as predict.truth says.
	Level *dataset.Truth `json:"level,omitempty"`
}

// Kinds are the kinds that the recipe gives to columns of the source: what the
// pipeline says of its inputs, text for the key, which is compared as sent, and what
// data.kinds says of any.
func (r Recipe) Kinds() map[string]frame.Kind {
	out := map[string]frame.Kind{}
	for _, f := range r.Pipeline.Inputs {
		if f.Kind != frame.Time {
			out[f.Name] = f.Kind
		}
	}
	if r.Task.Kind == dataset.Multiclass {
		out[r.Task.Column] = frame.Text
	} else {
		out[r.Task.Column] = frame.Number
	}
	if r.Task.ID != "" {
		out[r.Task.ID] = frame.Text
	}
	maps.Copy(out, r.Data.Kinds)
	return out
}

// LossRule is the gate's first rule against the live version whose metric is a mean
// over rows, and so can be followed row by row online; false when there is none.
func (r Recipe) LossRule() (gate.Rule, bool) {
	for _, rule := range r.Gate.Metrics {
		judged := rule.Require.Word == "superior" || rule.Require.Word == "noninferior"
		if _, mean := evaluation.Loss(rule.Name, r.Task.Kind, 0, []float64{0.5}); mean && judged && rule.Against != "baseline" {
			return rule, true
		}
	}
	return gate.Rule{}, false
}

// PairedRule is the gate's first rule against the live version that two versions can be
// compared by row by row while both score: a loss, or what decisions cost by predict.cost;
// false when there is none.
func (r Recipe) PairedRule() (gate.Rule, bool) {
	for _, rule := range r.Gate.Metrics {
		judged := rule.Require.Word == "superior" || rule.Require.Word == "noninferior"
		name := evaluation.Name(rule.Name)
		paired := evaluation.IsMean(rule.Name) && name != "mean_score" && evaluation.Check(rule.Name, r.Task.Kind) == nil && (name != "cost" || len(r.Task.Cost) > 0)
		if judged && paired && rule.Against != "baseline" {
			return rule, true
		}
	}
	return gate.Rule{}, false
}

// Request is one training: the input of its job.
type Request struct {
	Recipe   Recipe                       `json:"recipe"`
	Files    map[string]registry.DataFile `json:"files"`              // the source, by name; none where it lies elsewhere
	Columns  []frame.Field                `json:"columns,omitempty"`  // of the source, as they were pinned; empty: those it has
	Code     map[string]registry.DataFile `json:"code,omitempty"`     // of the command, by path
	Commit   *registry.Commit             `json:"commit,omitempty"`   // the commit of the model file; nil: not known
	Snapshot blob.Digest                  `json:"snapshot,omitempty"` // set: train on it, gather nothing
	Sample   Sample                       `json:"sample,omitzero"`    // of the rows that train; zero: all of them
	Now      time.Time                    `json:"now"`
	Live     int                          `json:"live"`  // version to compare with; 0: none
	Cause    string                       `json:"cause"` // schedule, drift, score, hand, first
	By       string                       `json:"by"`    //
	Key      string                       `json:"key"`   // the job's key: registering twice is once
}

// Opponent is the live version, as the gate needs it.
type Opponent struct {
	Bundle    blob.Digest `json:"bundle"`
	SeenUntil time.Time   `json:"seen_until"`
	Snapshot  blob.Digest `json:"snapshot,omitempty"` // that it was made from; empty: not known, and the growth of the data is not checked
}

// ParseRequest reads a job's input. The error is an Invalid fault.
func ParseRequest(b []byte) (Request, error) {
	var r Request
	if err := json.Unmarshal(b, &r); err != nil {
		return Request{}, fault.Wrap(err, fault.Invalid, "this is not the input of a training")
	}
	return r, nil
}

// Result is what a training came to.
type Result struct {
	Version    int               `json:"version"`  // as registered
	Baseline   int               `json:"baseline"` // its own count
	Verdict    gate.Verdict      `json:"verdict"`
	Judged     blob.Digest       `json:"judged"` // the bundle that the gate judged
	Bundle     blob.Digest       `json:"bundle"` // the bundle that may be released
	Floor      blob.Digest       `json:"floor"`  // the baseline's bundle
	Snapshot   blob.Digest       `json:"snapshot"`
	Record     blob.Digest       `json:"record"`
	SeenUntil  time.Time         `json:"seen_until"`
	Train      int               `json:"train"`           // rows
	Whole      int               `json:"whole,omitempty"` // training rows that Request.Sample was drawn from; 0: all train
	Test       int               `json:"test"`
	Mature     int               `json:"mature"`
	Unlabelled int               `json:"unlabelled"` // mature rows whose truth is not known
	Immature   int               `json:"immature"`
	TestFrom   time.Time         `json:"test_from"`
	TestTo     time.Time         `json:"test_to"`
	Shift      *float64          `json:"shift,omitempty"` // mean absolute move of the refit's predictions
	Problems   []dataset.Problem `json:"problems,omitempty"`
	Seconds    float64           `json:"seconds"`
	Trials     []Trial           `json:"trials,omitempty"` // of a search, as they were tried
	Metric     string            `json:"metric,omitempty"` // that the search went by

	said    said   // what the judged version and its opponents said of the test rows
	fits    []fit  // runs of the command
	instead string // why the command did not run in the Python environment that is recorded; empty: it did
}
