// SPDX-License-Identifier: Apache-2.0

// Package wire is the native API's types, shared by the server's REST face and the
// Go client. Records that are written once and never changed (versions, events,
// findings, audit records) travel in the form in which they are kept. It holds no
// rule.
package wire

import (
	"encoding/json"
	"time"

	"flyball/control"
	"flyball/experiment/compare"
	"flyball/model/dependence"
	"flyball/model/registry"
	"flyball/serving/prediction"
)

// PredictRequest asks for an answer to each row.
type PredictRequest struct {
	Rows    []json.RawMessage `json:"rows" doc:"one JSON object a row: the pipeline's inputs and the columns of predict.id, predict.time and due_at"`
	Explain bool              `json:"explain,omitempty" doc:"say why, beside each answer"`
	Audit   []json.RawMessage `json:"audit,omitempty" doc:"the groups of each row, in their order: an object of columns of predict.audit, or null. Kept apart from the rows, and never given out row by row"`
}

// PredictResponse answers the rows in their order.
type PredictResponse struct {
	Model       string       `json:"model"`
	Version     int          `json:"version" doc:"that answered the first row; 0 for the fallback"`
	Generation  int64        `json:"generation" doc:"of the route under which all rows were answered"`
	Predictions []Prediction `json:"predictions"`
}

// Prediction is the answer to one row.
type Prediction struct {
	ID       string    `json:"id,omitempty" doc:"UUIDv7 of the answer; none where it is not logged"`
	Key      string    `json:"key,omitempty" doc:"the caller's key, as sent"`
	Version  int       `json:"version" doc:"that answered; 0 for the fallback"`
	Arm      string    `json:"arm" doc:"live, candidate, baseline or fallback; asked where the caller named a version, or the model has no route"`
	Value    *float64  `json:"value" doc:"the number, or the probability of 1; null when nothing could answer or the model has classes"`
	Scores   []float64 `json:"scores,omitempty" doc:"of a multiclass model, one a class"`
	Decision string    `json:"decision,omitempty"`
	Flags    []string  `json:"flags,omitempty"`

	Reasons     []Reason `json:"reasons,omitempty" doc:"where explain asks: what the columns added, the greatest five"`
	Rest        *float64 `json:"rest,omitempty" doc:"what all other columns added"`
	Base        *float64 `json:"base,omitempty" doc:"what is said of a row of which nothing is known; with rest and the contributions it adds up to the score in the space"`
	Space       string   `json:"space,omitempty" doc:"in what reasons are counted: value, log-odds, margin, log or probability"`
	Class       string   `json:"class,omitempty" doc:"of a multiclass model: whose score the reasons are of"`
	Unexplained string   `json:"unexplained,omitempty" doc:"why there are no reasons"`
}

// Reason is what one column added to a score.
type Reason = prediction.Reason

// Dependence is how the scores of a version follow each of its columns.
type Dependence = dependence.Table

// Explained is a prediction of the log and why it was what it was, as control says it.
type Explained = control.Explained

// RecordRequest tells what the live version answered elsewhere.
type RecordRequest struct {
	Predictions []Given `json:"predictions" minItems:"1" maxItems:"10000"`
}

// Given is one answer of the live version, given elsewhere.
type Given struct {
	ID      string          `json:"id,omitempty" doc:"a UUIDv7; told twice under one id, it is one answer; default a new one"`
	Row     json.RawMessage `json:"row" doc:"as for predict"`
	Version int             `json:"version" doc:"that answered; it must be live"`
	Value   *float64        `json:"value,omitempty" doc:"the number, or the probability of 1"`
	Scores  []float64       `json:"scores,omitempty" doc:"of a multiclass model, one a class, in place of value"`
	At      time.Time       `json:"at,omitzero" doc:"when it answered; default now"`
	Audit   json.RawMessage `json:"audit,omitempty" doc:"an object of columns of predict.audit, as for predict"`
}

// LabelsRequest tells truths.
type LabelsRequest struct {
	Labels []Label `json:"labels" minItems:"1" maxItems:"10000"`
}

// Label is the truth of one prediction, named by its id or by the caller's key.
type Label struct {
	ID    string          `json:"id,omitempty" doc:"of the prediction"`
	Key   string          `json:"key,omitempty" doc:"the caller's key"`
	Value json.RawMessage `json:"value" doc:"a number, or the class as text"`
	At    string          `json:"at,omitempty" doc:"when it became known; default now"`
}

// LabelsResponse says what became of the labels.
type LabelsResponse struct {
	Accepted  int `json:"accepted"`
	Unmatched int `json:"unmatched" doc:"name no prediction yet; kept until it comes"`
}

// ApplyRequest is a model file, with the shared pipeline file it names and the
// digests of its data files, which are uploaded first.
type ApplyRequest struct {
	Name         string                       `json:"name" doc:"of the file, for messages"`
	File         string                       `json:"file" doc:"the model file's YAML"`
	PipelineName string                       `json:"pipeline_name,omitempty"`
	Pipeline     string                       `json:"pipeline,omitempty" doc:"the pipeline file's YAML"`
	Data         map[string]registry.DataFile `json:"data" doc:"the source's files by name"`
	Code         map[string]registry.DataFile `json:"code,omitempty" doc:"the files of the command, by path"`
	Commit       *registry.Commit             `json:"commit,omitempty" doc:"the commit that the files lie in"`
	Repin        bool                         `json:"repin,omitempty" doc:"forget what the columns of the source were, and take those that it has"`
	DryRun       bool                         `json:"dry_run,omitempty"`
}

// ApplyResponse says what the apply changed.
type ApplyResponse struct {
	Model      string   `json:"model"`
	Changed    bool     `json:"changed"`
	Generation int64    `json:"generation"`
	Warnings   []string `json:"warnings,omitempty"`
}

// Upload is the answer to the bytes of a data file.
type Upload struct {
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
}

// Change asks for a change of a model's course, by hand.
type Change struct {
	Why string `json:"why,omitempty" doc:"one sentence for the record"`
}

// Clock is the process's time.
type Clock struct {
	Now    time.Time `json:"now"`
	Manual bool      `json:"manual" doc:"true when it moves only by request"`
}

// Advance moves a manual clock.
type Advance struct {
	Now  time.Time `json:"now"`
	Hold bool      `json:"hold,omitempty" doc:"move the clock alone; the loop does not turn"`
}

// Health says what the server is.
type Health struct {
	Version string `json:"version"`
	Ready   bool   `json:"ready"`
}

// Changed is what a change by hand did, as control says it.
type Changed = control.Changed

// Foreseen is what a release would be, before it starts.
type Foreseen = control.Foreseen

// Status is a model as it stands, as control says it.
type Status = control.Status

// Runs is a page of runs, as compare says it.
type Runs = compare.List

// Run is one run with everything, as compare says it.
type Run = compare.Detail

// Parallel is runs as lines over settings, as compare says it.
type Parallel = compare.Parallel

// Point is a point of a metric, as compare says it.
type Point = compare.Point

// Comparison is whether runs or versions are better than another, as compare says it.
type Comparison = compare.Report

// Cell is one stage of the loop for one model.
type Cell = control.Cell

// Brought is where a version of an archive is now.
type Brought = control.Brought

// Reproduced is how equal a version made again came out.
type Reproduced = control.Reproduced

// Compared is one output of a version, recorded and made again.
type Compared = control.Compared
