// SPDX-License-Identifier: Apache-2.0

// Package experiment holds what people try: experiments, runs with their parameters,
// metrics, tags, datasets and logged models, as MLflow names them. It checks what is
// logged and says what a run is; package store keeps it, package search reads what is
// asked for, and package artifact holds the files. It trains nothing and judges
// nothing.
package experiment

import (
	"flyball/ident"
)

// Default is the experiment of a run that names none.
const Default ident.ExperimentID = 0

// Experiment is a set of runs under one name.
type Experiment struct {
	ID       ident.ExperimentID
	Name     string // unique, among deleted ones too
	Location string // where artifacts of its runs lie: mlflow-artifacts:/<id>
	Deleted  bool   // hidden; may be restored
	Created  int64  // ms since 1970
	Updated  int64  // ms since 1970; moves with every change of name, tags or life
	Tags     []Tag  // by key
}

// Tag is a label that may change.
type Tag struct{ Key, Value string }

// Param is a setting of a run; it is written once.
type Param struct{ Key, Value string }

// Metric is one point of a metric.
type Metric struct {
	Key       string
	Value     float64 // may be NaN; infinities are ±math.MaxFloat64
	Timestamp int64   // ms since 1970
	Step      int64   // may be negative

	// Of a metric that belongs to a logged model too, else empty.
	ModelID                    ident.ModelID
	DatasetName, DatasetDigest string
	RunID                      ident.RunID // filled in answers about logged models
}

// Status is where a run stands. The numbers are MLflow's.
type Status uint8

// The states of a run.
const (
	Running   Status = 1
	Scheduled Status = 2
	Finished  Status = 3
	Failed    Status = 4
	Killed    Status = 5
)

// Run is one attempt: what went in, what came out.
type Run struct {
	ID         ident.RunID
	Experiment ident.ExperimentID
	Name       string // the same as its tag mlflow.runName
	User       string
	Status     Status
	Start      int64  // ms since 1970; 0: not given
	End        int64  // ms since 1970; 0: not ended
	Location   string // of its artifacts: mlflow-artifacts:/<experiment>/<run>/artifacts
	Deleted    bool

	Metrics []Metric // the latest of each key, by key
	Params  []Param  // by key
	Tags    []Tag    // by key
	Inputs  []Input
	Models  []ident.ModelID // logged models that it read
	Outputs []Output        // logged models that it made
}

// Dataset is data that a run read, as the client describes it. One experiment keeps
// one dataset of a name and digest; the first description stays.
type Dataset struct {
	Name, Digest, SourceType, Source string
	Schema, Profile                  string // JSON in text; may be empty
}

// Input is a dataset that a run read, with tags of the link (mlflow.data.context).
type Input struct {
	Dataset Dataset
	Tags    []Tag
}

// Output is a logged model that a run made at a step.
type Output struct {
	ModelID ident.ModelID
	Step    int64
}

// ModelStatus is where a logged model stands. The numbers are MLflow's.
type ModelStatus uint8

// The states of a logged model.
const (
	ModelPending      ModelStatus = 1
	ModelReady        ModelStatus = 2
	ModelUploadFailed ModelStatus = 3
)

// LoggedModel is a model that was logged, before and apart from its registration.
type LoggedModel struct {
	ID            ident.ModelID
	Experiment    ident.ExperimentID
	Name          string
	Type          string
	SourceRun     ident.RunID
	Status        ModelStatus
	StatusMessage string
	Location      string // mlflow-artifacts:/<experiment>/models/<id>/artifacts
	Created       int64  // ms since 1970
	Updated       int64  // ms since 1970
	Deleted       bool
	Params        []Param
	Tags          []Tag
	Metrics       []Metric // latest of each key, run and dataset
}

// View says which of the living and the deleted are asked for.
type View uint8

// The views. The numbers are MLflow's.
const (
	ActiveOnly  View = 1
	DeletedOnly View = 2
	All         View = 3
)
