// SPDX-License-Identifier: Apache-2.0

package mlflow

import (
	"encoding/json"
	"math"
	"strconv"

	"flyball/experiment"
	"flyball/ident"
)

// double is a number as MLflow writes it: what is not one is a text.
type double float64

// MarshalJSON writes NaN as "NaN".
func (d double) MarshalJSON() ([]byte, error) {
	switch f := float64(d); {
	case math.IsNaN(f):
		return []byte(`"NaN"`), nil
	case math.IsInf(f, 1):
		return []byte(`"Infinity"`), nil
	case math.IsInf(f, -1):
		return []byte(`"-Infinity"`), nil
	default:
		return json.Marshal(f)
	}
}

// pair is a tag or a param.
type pair struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func tagPairs(tags []experiment.Tag) []pair {
	out := make([]pair, len(tags))
	for i, t := range tags {
		out[i] = pair(t)
	}
	return out
}

func paramPairs(params []experiment.Param) []pair {
	out := make([]pair, len(params))
	for i, p := range params {
		out[i] = pair(p)
	}
	return out
}

type experimentEntity struct {
	ID        string `json:"experiment_id"`
	Name      string `json:"name"`
	Location  string `json:"artifact_location"`
	Stage     string `json:"lifecycle_stage"`
	Updated   int64  `json:"last_update_time"`
	Created   int64  `json:"creation_time"`
	Tags      []pair `json:"tags,omitempty"`
	Workspace string `json:"workspace"`
}

func experimentOf(e experiment.Experiment) experimentEntity {
	return experimentEntity{
		ID: e.ID.String(), Name: e.Name, Location: e.Location, Stage: stage(e.Deleted),
		Updated: e.Updated, Created: e.Created, Tags: tagPairs(e.Tags), Workspace: "default",
	}
}

func stage(deleted bool) string {
	if deleted {
		return "deleted"
	}
	return "active"
}

type runInfo struct {
	ID         ident.RunID `json:"run_id"`
	UUID       ident.RunID `json:"run_uuid"` // the same; what it was called before
	Name       string      `json:"run_name"`
	Experiment string      `json:"experiment_id"`
	User       string      `json:"user_id"`
	Status     string      `json:"status"`
	Start      int64       `json:"start_time"`
	End        int64       `json:"end_time,omitempty"`
	Location   string      `json:"artifact_uri"`
	Stage      string      `json:"lifecycle_stage"`
}

// runStatuses are the states of a run by number, which begins with 1; viewNames those of a
// view.
var (
	runStatuses = []string{"RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"}
	viewNames   = []string{"ACTIVE_ONLY", "DELETED_ONLY", "ALL"}
)

func infoOf(r experiment.Run) runInfo {
	status := "RUNNING"
	if i := int(r.Status) - 1; i >= 0 && i < len(runStatuses) {
		status = runStatuses[i]
	}
	return runInfo{
		ID: r.ID, UUID: r.ID, Name: r.Name, Experiment: r.Experiment.String(), User: r.User, Status: status,
		Start: r.Start, End: r.End, Location: r.Location, Stage: stage(r.Deleted),
	}
}

type metricEntity struct {
	Key       string        `json:"key"`
	Value     double        `json:"value"`
	Timestamp int64         `json:"timestamp"`
	Step      int64         `json:"step"`
	Dataset   string        `json:"dataset_name,omitempty"`
	Digest    string        `json:"dataset_digest,omitempty"`
	Model     ident.ModelID `json:"model_id,omitempty"`
	Run       ident.RunID   `json:"run_id,omitempty"`
}

func metricOf(m experiment.Metric) metricEntity {
	return metricEntity{
		Key: m.Key, Value: double(m.Value), Timestamp: m.Timestamp, Step: m.Step,
		Dataset: m.DatasetName, Digest: m.DatasetDigest, Model: m.ModelID, Run: m.RunID,
	}
}

func metricsOf(ms []experiment.Metric) []metricEntity {
	out := make([]metricEntity, len(ms))
	for i, m := range ms {
		out[i] = metricOf(m)
	}
	return out
}

type (
	runEntity struct {
		Info    runInfo     `json:"info"`
		Data    runData     `json:"data"`
		Inputs  runInputs   `json:"inputs"`
		Outputs *runOutputs `json:"outputs,omitempty"`
	}
	runData struct {
		Metrics []metricEntity `json:"metrics,omitempty"`
		Params  []pair         `json:"params,omitempty"`
		Tags    []pair         `json:"tags,omitempty"`
	}
	runInputs struct {
		Datasets []datasetInput `json:"dataset_inputs,omitempty"`
		Models   []modelInput   `json:"model_inputs,omitempty"`
	}
	datasetInput struct {
		Tags    []pair        `json:"tags,omitempty"`
		Dataset datasetEntity `json:"dataset"`
	}
	datasetEntity struct {
		Name       string `json:"name"`
		Digest     string `json:"digest"`
		SourceType string `json:"source_type"`
		Source     string `json:"source"`
		Schema     string `json:"schema,omitempty"`
		Profile    string `json:"profile,omitempty"`
	}
	modelInput struct {
		ID ident.ModelID `json:"model_id"`
	}
	runOutputs struct {
		Models []modelOutput `json:"model_outputs,omitempty"`
	}
	modelOutput struct {
		ID   ident.ModelID `json:"model_id"`
		Step int64         `json:"step"`
	}
)

// runOf is a run as it is made; wholeRun as it is asked for.
func runOf(r experiment.Run) runEntity {
	out := runEntity{
		Info: infoOf(r),
		Data: runData{Metrics: metricsOf(r.Metrics), Params: paramPairs(r.Params), Tags: tagPairs(r.Tags)},
	}
	for _, in := range r.Inputs {
		d := in.Dataset
		out.Inputs.Datasets = append(out.Inputs.Datasets, datasetInput{
			Tags:    tagPairs(in.Tags),
			Dataset: datasetEntity{d.Name, d.Digest, d.SourceType, d.Source, d.Schema, d.Profile},
		})
	}
	for _, id := range r.Models {
		out.Inputs.Models = append(out.Inputs.Models, modelInput{id})
	}
	return out
}

func wholeRun(r experiment.Run) runEntity {
	out := runOf(r)
	out.Outputs = &runOutputs{}
	for _, o := range r.Outputs {
		out.Outputs.Models = append(out.Outputs.Models, modelOutput{o.ModelID, o.Step})
	}
	return out
}

// experimentID is the experiment that a call is about. Some clients send a number.
func (in *args) experimentID() ident.ExperimentID {
	const name = "experiment_id"
	in.must(name)
	if in.err() != nil {
		return 0
	}
	s, ok := literal(in.scalar(name))
	if !ok {
		in.wrong(name, in.scalar(name))
		return 0
	}
	id, err := experiment.ParseExperimentID(s)
	in.fail(err)
	return id
}

// experimentIDs are the experiments that a call is about.
func (in *args) experimentIDs() []ident.ExperimentID {
	var out []ident.ExperimentID
	for _, s := range in.texts("experiment_ids") {
		id, err := experiment.ParseExperimentID(s)
		in.fail(err)
		out = append(out, id)
	}
	return out
}

// runID is the run that a call is about; clients send it under two names, or one.
func (in *args) runID() ident.RunID {
	if !in.has("run_id") && in.has("run_uuid") {
		return ident.RunID(in.need("run_uuid"))
	}
	return ident.RunID(in.need("run_id"))
}

// tags are a list of keys with values.
func (in *args) tags() []experiment.Tag {
	var out []experiment.Tag
	for _, t := range in.list("tags") {
		out = append(out, experiment.Tag{Key: t.need("key"), Value: t.text("value")})
	}
	return out
}

// params are the same, and are written once.
func (in *args) params() []experiment.Param {
	var out []experiment.Param
	for _, t := range in.list("params") {
		out = append(out, experiment.Param{Key: t.need("key"), Value: t.text("value")})
	}
	return out
}

// metric is a point whose fields stand in the arguments.
func (in *args) metric() experiment.Metric {
	in.must("value")
	in.must("timestamp")
	return experiment.Metric{
		Key: in.need("key"), Value: in.float("value"), Timestamp: in.int64("timestamp", 0), Step: in.int64("step", 0),
		ModelID: ident.ModelID(in.text("model_id")), DatasetName: in.text("dataset_name"), DatasetDigest: in.text("dataset_digest"),
	}
}

// page is which part of a long answer is wanted; def is its length when nothing is
// said.
func (in *args) page(def int64) experiment.Page {
	n := in.int64("max_results", def)
	if n != int64(int(n)) {
		in.wrong("max_results", number(strconv.FormatInt(n, 10)))
	}
	return experiment.Page{Limit: int(n), Token: in.text("page_token")}
}
