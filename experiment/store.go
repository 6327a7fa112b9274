// SPDX-License-Identifier: Apache-2.0

package experiment

import (
	"context"
	"iter"

	"flyball/ident"
	"flyball/search"
)

// Batch is what one request logs to a run: all of it or nothing.
type Batch struct {
	Run     ident.RunID
	Metrics []Metric
	Params  []Param
	Tags    []Tag
}

// RunChange is what changes of a run; nil leaves a field as it is.
type RunChange struct {
	Status *Status
	End    *int64 // ms since 1970; 0: no end
	Name   *string
}

// Page is which part of a long answer is wanted. Token is that of the answer before;
// it is opaque, names a place and not a number of rows, and one that cannot be read is
// an Invalid fault. Empty: from the beginning. Limit is positive.
type Page struct {
	Limit int
	Token string
}

// Query asks for experiments, runs or logged models.
type Query struct {
	Experiments []ident.ExperimentID // of runs and logged models; none: nothing is found
	Filter      search.Filter
	Order       []search.Order
	View        View // 0: ActiveOnly
	Page

	// Datasets limits which metrics of logged models the filter sees; none: all.
	Datasets []Dataset // Name and Digest count; an empty Digest is any
}

// Experiments keeps experiments. Package store implements it. A name that is taken
// is a Conflict fault, an id that is not there a NotFound fault, with MLflow's words.
type Experiments interface {
	// CreateExperiment keeps e under a new id, unless e.ID is positive and free; an
	// empty Location becomes mlflow-artifacts:/<id>. It returns what is kept.
	CreateExperiment(ctx context.Context, e Experiment) (Experiment, error)
	Experiment(ctx context.Context, id ident.ExperimentID) (Experiment, error)                 // deleted ones too
	ExperimentByName(ctx context.Context, name string) (Experiment, error)                     // deleted ones too
	RenameExperiment(ctx context.Context, id ident.ExperimentID, name string, now int64) error // now in ms
	// SetExperimentDeleted deletes or restores, with the runs that go with it. When it
	// is so already: NotFound.
	SetExperimentDeleted(ctx context.Context, id ident.ExperimentID, deleted bool, now int64) error
	SetExperimentTag(ctx context.Context, id ident.ExperimentID, t Tag, now int64) error
	DeleteExperimentTag(ctx context.Context, id ident.ExperimentID, key string, now int64) error
	SearchExperiments(ctx context.Context, q Query) (found []Experiment, next string, err error)
}

// Runs keeps runs. Package store implements it.
type Runs interface {
	// CreateRun keeps r with its params, metrics, tags, inputs and outputs, in one
	// transaction. A run of the same id is a Conflict fault. A missing experiment is a
	// NotFound fault, a deleted one an Invalid fault.
	CreateRun(ctx context.Context, r Run) error
	Run(ctx context.Context, id ident.RunID) (Run, error)                             // with everything; deleted ones too
	UpdateRun(ctx context.Context, id ident.RunID, c RunChange) (Run, error)          // the Run without metrics, params, inputs
	SetRunDeleted(ctx context.Context, id ident.RunID, deleted bool, now int64) error // twice is once

	// Log keeps a batch. Requests that wait at once share a transaction, yet each is
	// all or nothing. A metric point that is kept already is not kept again; a param
	// with another value is an Invalid fault in MLflow's words, single says which.
	Log(ctx context.Context, b Batch, single bool) error
	DeleteRunTag(ctx context.Context, id ident.RunID, key string) error
	LogInputs(ctx context.Context, id ident.RunID, in []Input, models []ident.ModelID) error
	LogOutputs(ctx context.Context, id ident.RunID, out []Output) error
	SearchRuns(ctx context.Context, q Query) (found []Run, next string, err error)

	// History is a metric's points by timestamp, step, value; a NaN last among its
	// equals. An unknown run or key has none.
	History(ctx context.Context, id ident.RunID, key string, p Page) (points []Metric, next string, err error)
	// Points yields the same without a bound, and is for samplers.
	Points(ctx context.Context, id ident.RunID, key string) iter.Seq2[Metric, error]
	// Sample is at most n points of a key by step, timestamp, value: the first of each
	// of n buckets as NTILE makes them, and the last point. steps nil: all.
	Sample(ctx context.Context, id ident.RunID, key string, steps *[2]int64, n int) ([]Metric, error)
	SearchDatasets(ctx context.Context, ids []ident.ExperimentID, limit int) ([]DatasetSummary, error)
	// MetricKeys and ParamKeys are names in use in an experiment that begin with prefix.
	MetricKeys(ctx context.Context, id ident.ExperimentID, prefix string, limit int) ([]string, error)
	ParamKeys(ctx context.Context, id ident.ExperimentID, prefix string, limit int) ([]string, error)
}

// DatasetSummary is a dataset as runs of an experiment used it.
type DatasetSummary struct {
	Experiment            ident.ExperimentID
	Name, Digest, Context string
}

// LoggedModels keeps logged models. Package store implements it.
type LoggedModels interface {
	CreateLoggedModel(ctx context.Context, m LoggedModel) error
	LoggedModel(ctx context.Context, id ident.ModelID, deleted bool) (LoggedModel, error) // deleted: also a deleted one
	SetLoggedModelStatus(ctx context.Context, id ident.ModelID, s ModelStatus, message string, now int64) (LoggedModel, error)
	DeleteLoggedModel(ctx context.Context, id ident.ModelID, now int64) error
	SetLoggedModelTags(ctx context.Context, id ident.ModelID, tags []Tag, now int64) error
	DeleteLoggedModelTag(ctx context.Context, id ident.ModelID, key string, now int64) error
	AddLoggedModelParams(ctx context.Context, id ident.ModelID, params []Param) error
	SearchLoggedModels(ctx context.Context, q Query) (found []LoggedModel, next string, err error)
}
