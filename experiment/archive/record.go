// SPDX-License-Identifier: Apache-2.0

// Package archive is tracking and registry on their way from one server to another:
// each experiment, run, logged model, registered model, version and alias as one
// Record that names what it belongs to by name and not by a number of one server. It
// writes and reads records as lines of JSON and as a folder of Parquet and JSON, and it
// brings them in (Importer). It reads no other server's database: package mlflowimport
// does.
package archive

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	"flyball/experiment"
	"flyball/fault"
	"flyball/ident"
	"flyball/model/registry"
)

// Record is one thing. Exactly one field is set.
type Record struct {
	Experiment  *Experiment     `json:"experiment,omitempty"`
	Run         *Run            `json:"run,omitempty"`
	Points      *Points         `json:"points,omitempty"`
	LoggedModel *LoggedModel    `json:"logged_model,omitempty"`
	Model       *registry.Model `json:"model,omitempty"`
	Version     *Version        `json:"version,omitempty"`
	Alias       *Alias          `json:"alias,omitempty"`
}

// Kind is the word for what the record is: experiments, runs, points, logged_models,
// models, versions or aliases; empty when it is nothing.
func (r Record) Kind() string {
	switch {
	case r.Experiment != nil:
		return "experiments"
	case r.Run != nil:
		return "runs"
	case r.Points != nil:
		return "points"
	case r.LoggedModel != nil:
		return "logged_models"
	case r.Model != nil:
		return "models"
	case r.Version != nil:
		return "versions"
	case r.Alias != nil:
		return "aliases"
	}
	return ""
}

// Kinds are the words of Record.Kind, in the order in which records are brought in.
func Kinds() []string {
	return []string{"experiments", "runs", "points", "logged_models", "models", "versions", "aliases"}
}

// Digest is the SHA-256 of the record in its one form. Two records are equal when
// their digests are.
func (r Record) Digest() string {
	b, err := json.Marshal(r)
	if err != nil { // nothing in a record can fail to be written
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Pair is a tag or a param.
type Pair struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Experiment is an experiment. Location is empty when it is the usual one,
// mlflow-artifacts:/<id>.
type Experiment struct {
	Name     string `json:"name"`
	Location string `json:"location,omitempty"`
	Deleted  bool   `json:"deleted,omitempty"`
	Created  int64  `json:"created"` // ms since 1970, as all times here
	Updated  int64  `json:"updated"`
	Tags     []Pair `json:"tags,omitempty"`
}

// Run is a run with the history of its metrics, by key, then as History orders it.
type Run struct {
	ID         ident.RunID         `json:"run_id"`
	Experiment string              `json:"experiment"` // its name
	Name       string              `json:"name"`
	User       string              `json:"user,omitempty"`
	Status     experiment.Status   `json:"status"`
	Start      int64               `json:"start"`
	End        int64               `json:"end,omitempty"`
	Location   string              `json:"location,omitempty"` // empty: the usual one
	Deleted    bool                `json:"deleted,omitempty"`
	Metrics    []Metric            `json:"metrics,omitempty"`
	More       bool                `json:"more,omitempty"` // Points follow
	Params     []Pair              `json:"params,omitempty"`
	Tags       []Pair              `json:"tags,omitempty"`
	Inputs     []Input             `json:"inputs,omitempty"`
	Models     []ident.ModelID     `json:"models,omitempty"`
	Outputs    []experiment.Output `json:"outputs,omitempty"`
}

// Metric is one point.
type Metric struct {
	Key   string `json:"key"`
	At    int64  `json:"at"`
	Step  int64  `json:"step"`
	Value Number `json:"value"`

	// Of a point of a logged model, else empty.
	Run           ident.RunID `json:"run_id,omitempty"`
	DatasetName   string      `json:"dataset_name,omitempty"`
	DatasetDigest string      `json:"dataset_digest,omitempty"`
}

// Points are more points of a run than one record should hold. They follow the run.
type Points struct {
	Run     ident.RunID `json:"run_id"`
	Metrics []Metric    `json:"metrics"`
}

// Input is a dataset that a run read.
type Input struct {
	experiment.Dataset
	Tags []Pair `json:"Tags,omitempty"`
}

// LoggedModel is a logged model with every point of its metrics.
type LoggedModel struct {
	ID            ident.ModelID          `json:"model_id"`
	Experiment    string                 `json:"experiment"`
	Name          string                 `json:"name"`
	Type          string                 `json:"type,omitempty"`
	SourceRun     ident.RunID            `json:"source_run,omitempty"`
	Status        experiment.ModelStatus `json:"status"`
	StatusMessage string                 `json:"status_message,omitempty"`
	Location      string                 `json:"location,omitempty"` // empty: the usual one
	Created       int64                  `json:"created"`
	Updated       int64                  `json:"updated"`
	Deleted       bool                   `json:"deleted,omitempty"`
	Params        []Pair                 `json:"params,omitempty"`
	Tags          []Pair                 `json:"tags,omitempty"`
	Metrics       []Metric               `json:"metrics,omitempty"`
}

// Version is a version of a registered model, without its aliases.
type Version struct{ registry.Version }

// Alias is a name that points at a version.
type Alias struct {
	Model   string `json:"model"`
	Name    string `json:"alias"`
	Version int    `json:"version"`
}

// Number is a float64 that JSON can hold: NaN is the text "NaN".
type Number float64

// MarshalJSON writes a number in its shortest exact form.
func (n Number) MarshalJSON() ([]byte, error) {
	f := float64(n)
	switch {
	case math.IsNaN(f):
		return []byte(`"NaN"`), nil
	case math.IsInf(f, 0):
		f = math.Copysign(math.MaxFloat64, f)
	}
	return json.Marshal(f)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (n *Number) UnmarshalJSON(b []byte) error {
	if string(b) == `"NaN"` {
		*n = Number(math.NaN())
		return nil
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return fault.New(fault.Invalid, "%.40q is not a number", b)
	}
	*n = Number(f)
	return nil
}

func pairs[T ~struct{ Key, Value string }](in []T) []Pair {
	out := make([]Pair, len(in))
	for i, p := range in {
		kv := struct{ Key, Value string }(p)
		out[i] = Pair{kv.Key, kv.Value}
	}
	slices.SortFunc(out, func(a, b Pair) int { return strings.Compare(a.Key, b.Key) })
	return slices.Clip(out)
}

func unpair[T ~struct{ Key, Value string }](in []Pair) []T {
	out := make([]T, len(in))
	for i, p := range in {
		out[i] = T(struct{ Key, Value string }{p.Key, p.Value})
	}
	return out
}

// FromExperiment is e as a record.
func FromExperiment(e experiment.Experiment) Record {
	out := &Experiment{Name: e.Name, Location: e.Location, Deleted: e.Deleted, Created: e.Created, Updated: e.Updated, Tags: pairs(e.Tags)}
	if e.Location == "mlflow-artifacts:/"+e.ID.String() {
		out.Location = ""
	}
	return Record{Experiment: out}
}

// experiment is the record as it is kept under a new id.
func (e Experiment) experiment() experiment.Experiment {
	return experiment.Experiment{
		Name: e.Name, Location: e.Location, Deleted: e.Deleted, Created: e.Created, Updated: e.Updated,
		Tags: unpair[experiment.Tag](e.Tags),
	}
}

// RunLocation is where the artifacts of a run usually lie.
func RunLocation(id ident.ExperimentID, run ident.RunID) string {
	return "mlflow-artifacts:/" + id.String() + "/" + string(run) + "/artifacts"
}

// ModelLocation is where the artifacts of a logged model usually lie.
func ModelLocation(id ident.ExperimentID, model ident.ModelID) string {
	return "mlflow-artifacts:/" + id.String() + "/models/" + string(model) + "/artifacts"
}

// FromRun is a run of the named experiment as a record. points are all points of its
// metrics; r.Metrics are not looked at.
func FromRun(name string, r experiment.Run, points []experiment.Metric) Record {
	out := &Run{
		ID: r.ID, Experiment: name, Name: r.Name, User: r.User, Status: r.Status, Start: r.Start, End: r.End,
		Location: r.Location, Deleted: r.Deleted, Metrics: metrics(points), Params: pairs(r.Params), Tags: pairs(r.Tags),
		Models: slices.Sorted(slices.Values(r.Models)), Outputs: slices.Clone(r.Outputs),
	}
	slices.SortFunc(out.Outputs, func(a, b experiment.Output) int {
		return cmp.Or(strings.Compare(string(a.ModelID), string(b.ModelID)), cmp.Compare(a.Step, b.Step))
	})
	for _, in := range r.Inputs {
		out.Inputs = append(out.Inputs, Input{Dataset: in.Dataset, Tags: pairs(in.Tags)})
	}
	slices.SortFunc(out.Inputs, func(a, b Input) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Digest, b.Digest))
	})
	if r.Location == RunLocation(r.Experiment, r.ID) {
		out.Location = ""
	}
	return Record{Run: out}
}

// run is the record as a run of the experiment with this id.
func (r Run) run(id ident.ExperimentID) (experiment.Run, []experiment.Metric) {
	out := experiment.Run{
		ID: r.ID, Experiment: id, Name: r.Name, User: r.User, Status: r.Status, Start: r.Start, End: r.End,
		Location: cmp.Or(r.Location, RunLocation(id, r.ID)), Deleted: r.Deleted, Params: unpair[experiment.Param](r.Params),
		Tags: unpair[experiment.Tag](r.Tags), Models: r.Models, Outputs: r.Outputs,
	}
	for _, in := range r.Inputs {
		out.Inputs = append(out.Inputs, experiment.Input{Dataset: in.Dataset, Tags: unpair[experiment.Tag](in.Tags)})
	}
	return out, points(r.Metrics)
}

// metrics are points in the order of a record: by key, time, step and value, a NaN
// last.
func metrics(ms []experiment.Metric) []Metric {
	out := make([]Metric, len(ms))
	for i, m := range ms {
		out[i] = Metric{
			Key: m.Key, At: m.Timestamp, Step: m.Step, Value: Number(m.Value), Run: m.RunID,
			DatasetName: m.DatasetName, DatasetDigest: m.DatasetDigest,
		}
	}
	slices.SortFunc(out, func(a, b Metric) int {
		return cmp.Or(
			strings.Compare(a.Key, b.Key), cmp.Compare(a.At, b.At), cmp.Compare(a.Step, b.Step), compareNumbers(a.Value, b.Value),
			strings.Compare(string(a.Run), string(b.Run)), strings.Compare(a.DatasetName, b.DatasetName), strings.Compare(a.DatasetDigest, b.DatasetDigest),
		)
	})
	return out
}

func compareNumbers(a, b Number) int {
	switch an, bn := math.IsNaN(float64(a)), math.IsNaN(float64(b)); {
	case an && bn:
		return 0
	case an:
		return 1
	case bn:
		return -1
	}
	return cmp.Compare(a, b)
}

func points(ms []Metric) []experiment.Metric {
	out := make([]experiment.Metric, len(ms))
	for i, m := range ms {
		out[i] = experiment.Metric{
			Key: m.Key, Value: float64(m.Value), Timestamp: m.At, Step: m.Step, RunID: m.Run,
			DatasetName: m.DatasetName, DatasetDigest: m.DatasetDigest,
		}
	}
	return out
}

// FromLoggedModel is a logged model of the named experiment as a record.
func FromLoggedModel(name string, m experiment.LoggedModel) Record {
	out := &LoggedModel{
		ID: m.ID, Experiment: name, Name: m.Name, Type: m.Type, SourceRun: m.SourceRun, Status: m.Status, StatusMessage: m.StatusMessage,
		Location: m.Location, Created: m.Created, Updated: m.Updated, Deleted: m.Deleted,
		Params: pairs(m.Params), Tags: pairs(m.Tags), Metrics: metrics(m.Metrics),
	}
	if m.Location == ModelLocation(m.Experiment, m.ID) {
		out.Location = ""
	}
	return Record{LoggedModel: out}
}

// model is the record as a logged model of the experiment with this id.
func (m LoggedModel) model(id ident.ExperimentID) experiment.LoggedModel {
	return experiment.LoggedModel{
		ID: m.ID, Experiment: id, Name: m.Name, Type: m.Type, SourceRun: m.SourceRun, Status: m.Status, StatusMessage: m.StatusMessage,
		Location: cmp.Or(m.Location, ModelLocation(id, m.ID)), Created: m.Created, Updated: m.Updated, Deleted: m.Deleted,
		Params: unpair[experiment.Param](m.Params), Tags: unpair[experiment.Tag](m.Tags), Metrics: points(m.Metrics),
	}
}
