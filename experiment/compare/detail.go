// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"context"
	"strings"
	"time"

	"flyball/data/dataset"
	"flyball/experiment"
	"flyball/fault"
	"flyball/ident"
)

// Detail is everything of one run.
type Detail struct {
	Row
	ExperimentName string        `json:"experiment_name"`
	Location       string        `json:"artifact_uri"`
	Deleted        bool          `json:"deleted,omitempty"`
	All            []Value       `json:"all_params"`
	AllTags        []Value       `json:"all_tags"`
	AllMetrics     []MetricValue `json:"all_metrics" doc:"the latest of each"`
	Inputs         []Input       `json:"inputs"`
	Predictions    *Predictions  `json:"predictions,omitempty" doc:"what it keeps below evaluation/"`
	Missing        string        `json:"missing,omitempty" doc:"why its predictions cannot be used"`
}

// Value is a param or a tag.
type Value struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// MetricValue is a metric as it was logged last.
type MetricValue struct {
	Key     string    `json:"key"`
	Value   *float64  `json:"value" doc:"null where it is not a number"`
	Step    int64     `json:"step"`
	At      time.Time `json:"at"`
	Dataset string    `json:"dataset,omitempty"`
}

// Input is a dataset that a run read.
type Input struct {
	Name    string `json:"name"`
	Digest  string `json:"digest"`
	Context string `json:"context,omitempty" doc:"training, evaluation and so on"`
	Source  string `json:"source,omitempty"`
}

// Predictions says what an evaluation holds.
type Predictions struct {
	Kind    dataset.Kind `json:"kind"`
	Rows    int          `json:"rows"`
	Dataset Dataset      `json:"dataset,omitzero"`
	Slices  []string     `json:"slices,omitempty"`
	Blocks  bool         `json:"blocks,omitempty"`
}

// Point is a point of a metric.
type Point struct {
	Step  int64     `json:"step"`
	At    time.Time `json:"at"`
	Value *float64  `json:"value" doc:"null where it is not a number"`
}

// Run is the run that a reference names: an id, the beginning of one, or a version.
func (f *Finder) Run(ctx context.Context, ref string) (Detail, error) {
	o, err := f.find(ctx, ref, "", nil)
	if err != nil {
		return Detail{}, err
	}
	if o.run.ID == "" {
		return Detail{}, fault.New(fault.NotFound, "%s", strings.TrimSuffix(o.missing, ", so nothing is judged."))
	}
	e, err := f.Tracker.Experiment(ctx, o.run.Experiment)
	if err != nil {
		return Detail{}, err
	}
	s, err := f.subject(ctx, o)
	if err != nil {
		return Detail{}, err
	}
	d := Detail{
		Row: row(o.run, nil), ExperimentName: e.Name, Location: o.run.Location, Deleted: o.run.Deleted, Missing: s.Missing,
		All: []Value{}, AllTags: []Value{}, AllMetrics: []MetricValue{}, Inputs: []Input{},
	}
	for _, p := range o.run.Params {
		d.All = append(d.All, Value(p))
	}
	for _, t := range o.run.Tags {
		d.AllTags = append(d.AllTags, Value(t))
	}
	for _, m := range o.run.Metrics {
		l := latest(m)
		d.AllMetrics = append(d.AllMetrics, MetricValue{Key: m.Key, Value: l.Value, Step: m.Step, At: moment(m.Timestamp), Dataset: l.Dataset})
	}
	for _, in := range o.run.Inputs {
		i := Input{Name: in.Dataset.Name, Digest: in.Dataset.Digest, Source: in.Dataset.Source}
		for _, t := range in.Tags {
			if t.Key == contextTag {
				i.Context = t.Value
			}
		}
		d.Inputs = append(d.Inputs, i)
	}
	if ev := s.Evaluation; ev != nil {
		d.Predictions = &Predictions{Kind: ev.Kind, Rows: len(ev.Keys), Dataset: ev.Dataset, Blocks: ev.Block != nil}
		for _, c := range ev.Slices {
			d.Predictions.Slices = append(d.Predictions.Slices, c.Name)
		}
	}
	return d, nil
}

// contextTag is the tag of an input that says what it was for.
const contextTag = "mlflow.data.context"

// Curve is at most n points of a metric of a run, spread evenly over its steps.
func (f *Finder) Curve(ctx context.Context, ref, key string, n int) ([]Point, error) {
	o, err := f.find(ctx, ref, "", nil)
	if err != nil {
		return nil, err
	}
	if o.run.ID == "" {
		return nil, fault.New(fault.NotFound, "%s has no run", ref)
	}
	points, err := f.Tracker.Sample(ctx, experiment.Curves{Runs: []ident.RunID{o.run.ID}, Key: key, Limit: n})
	out := []Point{}
	for _, m := range points {
		out = append(out, Point{Step: m.Step, At: moment(m.Timestamp), Value: latest(m).Value})
	}
	return out, err
}
