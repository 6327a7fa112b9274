// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"math"
	"testing"

	"flyball/experiment"
	"flyball/fault"
	"flyball/ident"
)

func wholeLogged() experiment.LoggedModel {
	return experiment.LoggedModel{
		ID: modA, Name: "model", Type: "xgboost", SourceRun: runA, Status: experiment.ModelPending, StatusMessage: "so far",
		Location: "mlflow-artifacts:/0/models/" + string(modA) + "/artifacts", Created: 5, Updated: 6,
		Params: []experiment.Param{{Key: "a", Value: "1"}, {Key: "b", Value: ""}},
		Tags:   []experiment.Tag{{Key: "mlflow.modelVersions", Value: "[]"}, {Key: "z", Value: "ü"}},
	}
}

func loggedModels(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	want := wholeLogged()
	check(t, db.CreateLoggedModel(ctx, want))
	same(t, "as it was made", must(db.LoggedModel(ctx, modA, false))(t), want)

	check(t, db.CreateRun(ctx, experiment.Run{ID: runA}))
	check(t, db.CreateRun(ctx, experiment.Run{ID: runB}))
	point := func(value float64, step int64, dataset string) experiment.Metric {
		return experiment.Metric{Key: "acc", Value: value, Timestamp: 7, Step: step, ModelID: modA, DatasetName: dataset, DatasetDigest: "d"}
	}
	for range 2 {
		check(t, db.Log(ctx, experiment.Batch{Run: runA, Metrics: []experiment.Metric{point(1, 1, "x"), point(2, 2, "x"), point(3, 1, "y")}}, false))
		check(t, db.Log(ctx, experiment.Batch{Run: runB, Metrics: []experiment.Metric{point(math.NaN(), 1, "x"), {Key: "acc", Value: 9, Step: 9}}}, false))
	}
	of := func(run ident.RunID, m experiment.Metric) experiment.Metric {
		m.RunID = run
		return m
	}
	want.Metrics = []experiment.Metric{of(runB, point(math.NaN(), 1, "x")), of(runA, point(2, 2, "x")), of(runA, point(3, 1, "y"))}
	same(t, "the latest of each key, run and dataset", must(db.LoggedModel(ctx, modA, false))(t), want)
	got := must(db.Run(ctx, runA))(t).Metrics
	same(t, "and the run has them too", got, []experiment.Metric{{Key: "acc", Value: 2, Timestamp: 7, Step: 2}})
}

func loggedModelRefusals(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	check(t, db.CreateLoggedModel(ctx, wholeLogged()))
	gone := wholeLogged()
	gone.ID = "m-gone"
	check(t, db.CreateLoggedModel(ctx, gone))
	check(t, db.DeleteLoggedModel(ctx, "m-gone", 9))
	e := must(db.CreateExperiment(ctx, experiment.Experiment{Name: "e"}))(t)
	check(t, db.SetExperimentDeleted(ctx, e.ID, true, 1))
	in := func(id ident.ExperimentID) experiment.LoggedModel {
		return experiment.LoggedModel{ID: "m-new", Experiment: id}
	}
	get := func(id ident.ModelID) error {
		_, err := db.LoggedModel(ctx, id, false)
		return err
	}
	set := func(id ident.ModelID) error {
		_, err := db.SetLoggedModelStatus(ctx, id, experiment.ModelReady, "", 1)
		return err
	}
	for _, c := range []struct {
		name    string
		err     error
		kind    fault.Kind
		message string
	}{
		{"an id that is taken", db.CreateLoggedModel(ctx, wholeLogged()), fault.Conflict, "Logged model with ID '" + string(modA) + "' already exists."},
		{"in no experiment", db.CreateLoggedModel(ctx, in(99)), fault.NotFound, "No Experiment with id=99 exists"},
		{
			"in a deleted experiment", db.CreateLoggedModel(ctx, in(e.ID)), fault.Invalid,
			"The experiment 1 must be in the 'active' state. Current state is deleted.",
		},
		{"getting none", get("m-x"), fault.NotFound, "Logged model with ID 'm-x' not found."},
		{"getting a deleted one", get("m-gone"), fault.NotFound, "Logged model with ID 'm-gone' not found."},
		{"the status of none", set("m-x"), fault.NotFound, "Logged model with ID 'm-x' not found."},
		{"the status of a deleted one", set("m-gone"), fault.NotFound, "Logged model with ID 'm-gone' not found."},
		{"deleting twice", db.DeleteLoggedModel(ctx, "m-gone", 9), fault.NotFound, "Logged model with ID 'm-gone' not found."},
		{"tags of none", db.SetLoggedModelTags(ctx, "m-x", nil, 1), fault.NotFound, "Logged model with ID 'm-x' not found."},
		{"a tag that is none", db.DeleteLoggedModelTag(ctx, modA, "k", 1), fault.NotFound, "No tag with key 'k' found for model with ID '" + string(modA) + "'."},
		{
			"a param that is there", db.AddLoggedModelParams(ctx, modA, []experiment.Param{{Key: "new"}, {Key: "a", Value: "1"}}), fault.Invalid,
			"Changing param values is not allowed. Param with key='a' was already logged for model with ID '" + string(modA) + "'.",
		},
	} {
		t.Run(c.name, func(t *testing.T) { says(t, c.err, c.kind, c.message) })
	}
	same(t, "nothing was changed", must(db.LoggedModel(ctx, modA, false))(t), wholeLogged())
}

func loggedModelLife(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	want := wholeLogged()
	check(t, db.CreateLoggedModel(ctx, want))
	want.Status, want.StatusMessage, want.Updated = experiment.ModelReady, "", 1_700_000_000_000
	same(t, "ready", must(db.SetLoggedModelStatus(ctx, modA, experiment.ModelReady, "", 1_700_000_000_000))(t), want)
	check(t, db.SetLoggedModelTags(ctx, modA, []experiment.Tag{{Key: "z", Value: "new"}, {Key: "a", Value: "b"}}, 8))
	check(t, db.DeleteLoggedModelTag(ctx, modA, "mlflow.modelVersions", 9))
	check(t, db.AddLoggedModelParams(ctx, modA, []experiment.Param{{Key: "c", Value: "3"}}))
	want.Updated = 9
	want.Tags = []experiment.Tag{{Key: "a", Value: "b"}, {Key: "z", Value: "new"}}
	want.Params = append(want.Params, experiment.Param{Key: "c", Value: "3"})
	same(t, "changed", must(db.LoggedModel(ctx, modA, false))(t), want)
	check(t, db.DeleteLoggedModel(ctx, modA, 10))
	want.Deleted, want.Updated = true, 10
	same(t, "deleted", must(db.LoggedModel(ctx, modA, true))(t), want)
}
