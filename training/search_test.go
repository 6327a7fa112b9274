// SPDX-License-Identifier: Apache-2.0

package training

import (
	"context"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"flyball/data/dataset"
	"flyball/experiment"
)

// runLog are the runs that a training left, by name.
type runLog map[string]experiment.Run

func (runLog) Begin(context.Context, string, experiment.Run) error { return nil }

func (k runLog) Track(_ context.Context, _ string, r experiment.Run, _ map[string][]byte) error {
	k[r.Name] = r
	return nil
}

func TestASearchTriesAllALittleAndTheBestWhole(t *testing.T) {
	tr, files := trainer(t, table(t, 1000))
	r := Request{Recipe: recipe(), Files: files, Now: start.Add(1100 * time.Hour), Cause: "first", By: "ana", Key: "m/1"}
	r.Recipe.Train.Settings = map[string]any{"trees": 60, "depth": 1, "learning_rate": 0.01}
	r.Recipe.Train.Search = map[string]Range{"depth": {Values: []any{2, 3}}, "learning_rate": {Low: 0.05, High: 0.5, Log: true}}
	r.Recipe.Train.Trials = 9
	res, err := tr.Run(t.Context(), r, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	rungs := map[int]int{}
	var picked Trial
	for _, one := range res.Trials {
		rungs[len(one.Rungs)]++
		if one.Picked {
			picked = one
		}
	}
	if want := map[int]int{1: 6, 2: 3}; len(res.Trials) != 9 || !reflect.DeepEqual(rungs, want) || res.Metric != "mae" {
		t.Errorf("got %d trials by %q, of steps %v; want 9 by mae, %v", len(res.Trials), res.Metric, rungs, want)
	}
	if picked.Number == 0 || len(picked.Rungs) != 2 || picked.last() >= res.Trials[0].last() {
		t.Errorf("picked %+v over the settings as they stand, %+v", picked, res.Trials[0])
	}
	again, err := tr.Run(t.Context(), r, nil, nil)
	if err != nil || again.Bundle != res.Bundle || !reflect.DeepEqual(again.Trials, res.Trials) {
		t.Errorf("searched again: got %s, %v; want %s", again.Bundle, err, res.Bundle)
	}

	tr.Tracker = runLog{}
	res.Version = 1
	tr.track(t.Context(), r, res)
	runs := tr.Tracker.(runLog)
	child := runs["v1 trial 4"]
	if len(runs) != 10 || len(child.Metrics) < 2 || child.Params[0].Key != "depth" {
		t.Errorf("got %d runs, and of trial 4 %+v", len(runs), child)
	}
	for _, tag := range child.Tags {
		if tag.Key == "mlflow.parentRunId" && tag.Value != string(runs["v1"].ID) {
			t.Errorf("the parent of trial 4 is %s, not %s", tag.Value, runs["v1"].ID)
		}
	}
	for _, p := range runs["v1"].Params {
		if p.Key == "depth" && p.Value != text(picked.Settings["depth"]) {
			t.Errorf("the run says depth %s, picked was %v", p.Value, picked.Settings["depth"])
		}
	}
}

func TestOfSeveralWindowsTheBestTrains(t *testing.T) {
	tr, files := trainer(t, table(t, 1000))
	r := Request{Recipe: recipe(), Files: files, Now: start.Add(1100 * time.Hour), Cause: "first", By: "ana", Key: "m/1"}
	r.Recipe.Data.Train = dataset.TrainWindows{{}, {Window: 2 * day}}
	res, err := tr.Run(t.Context(), r, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Trials) != 2 || res.Trials[1].Window.Window != 2*day || !res.Trials[0].Picked {
		t.Errorf("got %+v", res.Trials)
	}
	if res.Train < 500 {
		t.Errorf("%d rows trained; all were to", res.Train)
	}
}

func TestARangeIsWrittenAsItIsRead(t *testing.T) {
	for _, c := range []struct {
		text string
		want Range
	}{
		{`[4,6,8]`, Range{Values: []any{4.0, 6.0, 8.0}}},
		{`"log(0.01, 0.3)"`, Range{Low: 0.01, High: 0.3, Log: true}},
		{`"uniform(0, 1)"`, Range{Low: 0, High: 1}},
		{`"whole(4, 12)"`, Range{Low: 4, High: 12, Whole: true}},
	} {
		var got Range
		if err := json.Unmarshal([]byte(c.text), &got); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, %v", c.text, got, err)
		}
		if back, err := json.Marshal(got); err != nil || string(back) != c.text {
			t.Errorf("%s: written %s, %v", c.text, back, err)
		}
	}
	for _, bad := range []string{`"log(0, 1)"`, `"log(1)"`, `"whole(3, 2)"`, `"normal(0, 1)"`, `"log(0.1, 1"`, `"uniform(nan, 1)"`, `7`} {
		var got Range
		if err := json.Unmarshal([]byte(bad), &got); err == nil {
			t.Errorf("%s was read as %+v", bad, got)
		}
	}
}
