// SPDX-License-Identifier: Apache-2.0

package experiment_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	"flyball/experiment"
	"flyball/fault"
	"flyball/ident"
	"flyball/store"
)

func newTracker(t *testing.T) *experiment.Tracker {
	t.Helper()
	db, err := store.Open(context.Background(), filepath.Join(t.TempDir(), "flyball.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return experiment.NewTracker(experiment.TrackerOptions{
		Experiments: db, Runs: db, LoggedModels: db, Now: func() time.Time { return time.UnixMilli(1_800_000_000_000) },
		Locations: []string{"s3://ours"},
	})
}

func TestARunMayBeginWithAllThatIsKnown(t *testing.T) {
	tr, ctx := newTracker(t), t.Context()
	made, err := tr.CreateRun(ctx, experiment.Run{
		ID: "mine", Status: experiment.Failed, Deleted: true, End: 5, // the server's, and not taken
		Name: "r", User: "ann", Start: 7,
		Metrics: []experiment.Metric{{Key: "loss", Value: math.Inf(1), Timestamp: 1}},
		Params:  []experiment.Param{{Key: "lr", Value: "0.1"}},
		Tags:    []experiment.Tag{{Key: "a", Value: "1"}, {Key: "a", Value: "2"}},
		Inputs:  []experiment.Input{{Dataset: experiment.Dataset{Name: "d", Digest: "1"}, Tags: []experiment.Tag{{Key: "mlflow.data.context", Value: "train"}}}},
		Models:  []ident.ModelID{"m-1"},
		Outputs: []experiment.Output{{ModelID: "m-2", Step: 3}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := experiment.Run{
		ID: made.ID, Name: "r", User: "ann", Status: experiment.Running, Start: 7, Location: "mlflow-artifacts:/0/" + string(made.ID) + "/artifacts",
		Metrics: []experiment.Metric{{Key: "loss", Value: math.MaxFloat64, Timestamp: 1}},
		Params:  []experiment.Param{{Key: "lr", Value: "0.1"}},
		Tags:    []experiment.Tag{{Key: "a", Value: "2"}, {Key: experiment.NameTag, Value: "r"}},
		Inputs:  []experiment.Input{{Dataset: experiment.Dataset{Name: "d", Digest: "1"}, Tags: []experiment.Tag{{Key: "mlflow.data.context", Value: "train"}}}},
		Models:  []ident.ModelID{"m-1"},
		Outputs: []experiment.Output{{ModelID: "m-2", Step: 3}},
	}
	if !reflect.DeepEqual(made, want) {
		t.Errorf("made\n%+v, want\n%+v", made, want)
	}
	if kept, err := tr.Run(ctx, made.ID); err != nil || !reflect.DeepEqual(kept, want) {
		t.Errorf("kept\n%+v, %v, want\n%+v", kept, err, want)
	}
}

func TestArtifactsLieBelowTheExperiment(t *testing.T) {
	tr, ctx := newTracker(t), t.Context()
	for i, c := range []struct{ location, run, model string }{
		{"", "mlflow-artifacts:/%d/", "mlflow-artifacts:/%d/models/"},
		{"mlflow-artifacts:/mine", "mlflow-artifacts:/mine/", "mlflow-artifacts:/mine/models/"},
		{"mlflow-artifacts:/mine/", "mlflow-artifacts:/mine/", "mlflow-artifacts:/mine/models/"},
		{"mlflow-artifacts:/", "mlflow-artifacts:/", "mlflow-artifacts:/models/"},
		{"s3://ours/a", "s3://ours/a/", "s3://ours/a/models/"},
	} {
		e, err := tr.CreateExperiment(ctx, fmt.Sprint("e", i), c.location, nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := tr.CreateRun(ctx, experiment.Run{Experiment: e.ID})
		if err != nil {
			t.Fatal(err)
		}
		m, err := tr.CreateLoggedModel(ctx, experiment.LoggedModel{Experiment: e.ID})
		if err != nil {
			t.Fatal(err)
		}
		if c.location == "" {
			c.run, c.model = fmt.Sprintf(c.run, e.ID), fmt.Sprintf(c.model, e.ID)
		}
		if want := c.run + string(r.ID) + "/artifacts"; r.Location != want {
			t.Errorf("%q: a run's are at %s, want %s", c.location, r.Location, want)
		}
		if want := c.model + string(m.ID) + "/artifacts"; m.Location != want {
			t.Errorf("%q: a model's are at %s, want %s", c.location, m.Location, want)
		}
	}
}

func TestAFinishedRunTakesEverything(t *testing.T) {
	tr, ctx := newTracker(t), t.Context()
	r, err := tr.CreateRun(ctx, experiment.Run{})
	if err != nil {
		t.Fatal(err)
	}
	finished, end := experiment.Finished, int64(9)
	if _, err := tr.UpdateRun(ctx, r.ID, experiment.RunChange{Status: &finished, End: &end}); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"a metric":  tr.LogMetric(ctx, r.ID, experiment.Metric{Key: "k", Value: 1, Timestamp: 1}),
		"a param":   tr.LogParam(ctx, r.ID, experiment.Param{Key: "k", Value: "1"}),
		"a tag":     tr.SetTag(ctx, r.ID, experiment.Tag{Key: "k", Value: "1"}),
		"a batch":   tr.LogBatch(ctx, experiment.Batch{Run: r.ID, Metrics: []experiment.Metric{{Key: "k2", Timestamp: 1}}}),
		"an input":  tr.LogInputs(ctx, r.ID, nil, []ident.ModelID{"m-1"}),
		"an output": tr.LogOutputs(ctx, r.ID, []experiment.Output{{ModelID: "m-2"}}),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestModelsThatAreLoggedAtOnceAreAllTold(t *testing.T) {
	tr, ctx := newTracker(t), t.Context()
	r, err := tr.CreateRun(ctx, experiment.Run{})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			info := fmt.Sprintf(`{"run_id": "%s", "artifact_path": "m%d", "utc_time_created": "now", "flavors": {}}`, r.ID, i)
			if err := tr.LogModel(ctx, r.ID, info); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	kept, err := tr.Run(ctx, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	var told []map[string]any
	for _, tag := range kept.Tags {
		if tag.Key == "mlflow.log-model.history" {
			err = json.Unmarshal([]byte(tag.Value), &told)
		}
	}
	if err != nil || len(told) != 8 {
		t.Errorf("of 8 models %d are told, %v", len(told), err)
	}
}

func TestWhatIsCheckedLeavesTheCallersBatchAsItWas(t *testing.T) {
	tr, ctx := newTracker(t), t.Context()
	r, err := tr.CreateRun(ctx, experiment.Run{})
	if err != nil {
		t.Fatal(err)
	}
	metrics := []experiment.Metric{{Key: "k", Value: math.Inf(-1), Timestamp: 1}}
	if err := tr.LogBatch(ctx, experiment.Batch{Run: r.ID, Metrics: metrics}); err != nil {
		t.Fatal(err)
	}
	if !math.IsInf(metrics[0].Value, -1) {
		t.Errorf("the caller's metric is %v now", metrics[0])
	}
	err = tr.LogBatch(ctx, experiment.Batch{Run: r.ID, Tags: make([]experiment.Tag, 101)})
	if !fault.Is(err, fault.Invalid) {
		t.Errorf("101 tags: %v", err)
	}
}
