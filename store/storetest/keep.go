// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"database/sql"
	"math"
	"testing"

	"flyball/experiment"
	"flyball/fault"
	"flyball/ident"
)

// keeping are the tests of what comes from other servers and of what goes for good.
func keeping(t *testing.T, open Open) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, open Open)
	}{
		{"runs are brought in with their whole history, twice as once", importedRuns},
		{"an import that conflicts brings in nothing", importRefused},
		{"deleted runs are brought in deleted, and come back with their experiment", importedDeleted},
		{"logged models are brought in with all their points, twice as once", importedModels},
		{"a run was deleted when that was said first", deletedOnce},
		{"what is purged leaves nothing behind, and the rest as it was", purged},
		{"what is not deleted is not purged", purgeRefused},
		{"a long history is purged too", purgedLong},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open) })
	}
}

func importedRuns(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	var in []experiment.ImportedRun
	for _, id := range []ident.RunID{runA, runB} {
		in = append(in, experiment.ImportedRun{Run: wholeRun(id, experiment.Default), History: append(inOrder(), climb(0, 300)...)})
	}
	want := wholeRun(runA, experiment.Default)
	want.Metrics = []experiment.Metric{want.Metrics[0], want.Metrics[1], inOrder()[10], want.Metrics[2], want.Metrics[3]}
	for i, added := range []int{2, 0} {
		if n := must(db.ImportRuns(ctx, in))(t); n != added {
			t.Errorf("time %d: got %d new runs, want %d", i, n, added)
		}
		same(t, "the run", must(db.Run(ctx, runA))(t), want)
		if n := len(history(t, db, runA, "m")); n != 311 {
			t.Errorf("time %d: got %d points, want 311", i, n)
		}
	}
	in[0].History = climb(300, 5)
	if n := must(db.ImportRuns(ctx, in))(t); n != 0 {
		t.Errorf("got %d new runs, want 0", n)
	}
	if n := len(history(t, db, runA, "m")); n != 316 {
		t.Errorf("points that came later: got %d points, want 316", n)
	}
	says(t, db.ImportPoints(ctx, "none", nil), fault.NotFound, "Run with id=none not found")
}

func importRefused(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	check(t, db.CreateRun(ctx, wholeRun(runA, experiment.Default)))
	other, fresh := wholeRun(runA, experiment.Default), experiment.ImportedRun{Run: experiment.Run{ID: "fresh"}}
	other.Status = experiment.Failed
	_, err := db.ImportRuns(ctx, []experiment.ImportedRun{fresh, {Run: other}})
	says(t, err, fault.Conflict, "Run with id="+string(runA)+" already exists with another Status.")
	_, err = db.ImportRuns(ctx, []experiment.ImportedRun{fresh, fresh})
	says(t, err, fault.Conflict, "Run with id=fresh already exists.")
	_, err = db.ImportRuns(ctx, []experiment.ImportedRun{fresh, {Run: experiment.Run{ID: "lost", Experiment: 9}}})
	says(t, err, fault.NotFound, "No Experiment with id=9 exists")
	_, err = db.Run(ctx, "fresh")
	says(t, err, fault.NotFound, "Run with id=fresh not found")
}

func importedDeleted(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	e := must(db.CreateExperiment(ctx, experiment.Experiment{Name: "e", Deleted: true}))(t)
	in := []experiment.ImportedRun{{Run: experiment.Run{ID: "with", Experiment: e.ID, Deleted: true}}, {Run: experiment.Run{ID: "by itself", Deleted: true}}}
	for range 2 {
		must(db.ImportRuns(ctx, in))(t)
	}
	check(t, db.ImportPoints(ctx, "by itself", climb(0, 3)))
	same(t, "deleted", living(t, db, "with", "by itself"), map[ident.RunID]bool{"with": true, "by itself": true})
	check(t, db.SetExperimentDeleted(ctx, e.ID, false, 1))
	same(t, "restored", living(t, db, "with", "by itself"), map[ident.RunID]bool{"with": false, "by itself": true})
}

func importedModels(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	m := wholeLogged()
	m.Metrics = []experiment.Metric{
		{Key: "acc", Value: 1, Step: 1, RunID: runA, ModelID: modA},
		{Key: "acc", Value: math.NaN(), Step: 2, RunID: runA, ModelID: modA, DatasetName: "x", DatasetDigest: "d"},
		{Key: "acc", Value: 3, Step: 2, RunID: runA, ModelID: modA},
	}
	gone := experiment.LoggedModel{ID: "m-gone", Deleted: true, Updated: 4}
	for i, added := range []int{2, 0} {
		if n := must(db.ImportLoggedModels(ctx, []experiment.LoggedModel{m, gone}))(t); n != added {
			t.Errorf("time %d: got %d new models, want %d", i, n, added)
		}
	}
	want := m
	want.Metrics = []experiment.Metric{m.Metrics[2], m.Metrics[1]}
	same(t, "the model", must(db.LoggedModel(ctx, modA, false))(t), want)
	same(t, "the deleted one", must(db.LoggedModel(ctx, "m-gone", true))(t), gone)
	_, err := db.ImportLoggedModels(ctx, []experiment.LoggedModel{{ID: "m-new"}, {ID: "m-lost", Experiment: 9}})
	says(t, err, fault.NotFound, "No Experiment with id=9 exists")
	_, err = db.LoggedModel(ctx, "m-new", true)
	says(t, err, fault.NotFound, "Logged model with ID 'm-new' not found.")
}

func deletedOnce(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	oneRun(t, db, runA)
	for _, now := range []int64{100, 900} {
		check(t, db.SetRunDeleted(ctx, runA, true, now))
	}
	expired := func(before int64) (ids []string) {
		for e, err := range db.Expired(ctx, before) {
			check(t, err)
			ids = append(ids, e.ID)
		}
		return ids
	}
	same(t, "before it", expired(100), []string(nil))
	same(t, "after it", expired(101), []string{string(runA)})
	check(t, db.SetRunDeleted(ctx, runA, false, 0))
	check(t, db.SetRunDeleted(ctx, runA, true, 500))
	same(t, "deleted anew", expired(101), []string(nil))
}

// counts are how many rows each table of tracking has.
func counts(t *testing.T, raw *sql.DB) map[string]int {
	t.Helper()
	out := map[string]int{}
	for _, table := range []string{
		"experiments", "experiment_tags", "runs", "metrics", "latest_metrics", "params", "tags", "datasets", "inputs", "run_models",
		"logged_models", "logged_model_params", "logged_model_tags", "logged_model_metrics",
	} {
		var n int
		check(t, raw.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+table).Scan(&n))
		out[table] = n
	}
	return out
}

func purged(t *testing.T, open Open) {
	db, raw := open(t)
	ctx := t.Context()
	check(t, db.CreateRun(ctx, wholeRun(runA, experiment.Default)))
	check(t, db.CreateLoggedModel(ctx, wholeLogged()))
	point := experiment.Metric{Key: "acc", Step: 5, ModelID: modA}
	check(t, db.Log(ctx, experiment.Batch{Run: runA, Metrics: []experiment.Metric{point}}, true))
	before := counts(t, raw)
	wantRun, wantModel := must(db.Run(ctx, runA))(t), must(db.LoggedModel(ctx, modA, false))(t)

	other := wholeRun("other", experiment.Default) // reads one dataset of its own, and one that the first run reads
	other.Inputs[1].Dataset.Digest = "d3"
	check(t, db.CreateRun(ctx, other))
	check(t, db.SetRunDeleted(ctx, "other", true, 1))
	check(t, db.PurgeRun(ctx, "other"))
	equal(t, "rows without the other run", counts(t, raw), before)

	e := must(db.CreateExperiment(ctx, experiment.Experiment{Name: "e", Tags: []experiment.Tag{{Key: "a"}}}))(t)
	check(t, db.CreateRun(ctx, wholeRun(runB, e.ID)))
	gone := wholeLogged()
	gone.ID, gone.Experiment = "m-gone", e.ID
	gone.Metrics = []experiment.Metric{{Key: "acc", RunID: runB}}
	must(db.ImportLoggedModels(ctx, []experiment.LoggedModel{gone}))(t)
	check(t, db.SetExperimentDeleted(ctx, e.ID, true, 1))
	for range 2 { // a step may be repeated
		check(t, db.PurgeRun(ctx, runB))
		check(t, db.PurgeLoggedModel(ctx, "m-gone"))
		check(t, db.PurgeExperiment(ctx, e.ID))
	}
	equal(t, "rows", counts(t, raw), before)
	same(t, "the other run", must(db.Run(ctx, runA))(t), wantRun)
	same(t, "the other model", must(db.LoggedModel(ctx, modA, false))(t), wantModel)
	check(t, db.SetRunDeleted(ctx, runA, true, 1))
	check(t, db.PurgeRun(ctx, runA))
	same(t, "a model keeps what a run logged to it", must(db.LoggedModel(ctx, modA, false))(t), wantModel)
}

func purgeRefused(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	e := must(db.CreateExperiment(ctx, experiment.Experiment{Name: "e"}))(t)
	check(t, db.CreateRun(ctx, experiment.Run{ID: runA, Experiment: e.ID}))
	check(t, db.CreateLoggedModel(ctx, experiment.LoggedModel{ID: modA, Experiment: e.ID}))
	says(t, db.PurgeRun(ctx, runA), fault.Refused, "run "+string(runA)+" is not deleted")
	says(t, db.PurgeLoggedModel(ctx, modA), fault.Refused, "logged model "+string(modA)+" is not deleted")
	says(t, db.PurgeExperiment(ctx, e.ID), fault.Refused, "experiment 1 is not deleted")
	check(t, db.SetExperimentDeleted(ctx, e.ID, true, 1))
	says(t, db.PurgeExperiment(ctx, e.ID), fault.Refused, "experiment 1 still has runs or logged models")
	check(t, db.PurgeRun(ctx, runA))
	says(t, db.PurgeExperiment(ctx, e.ID), fault.Refused, "experiment 1 still has runs or logged models")
	check(t, db.SetExperimentDeleted(ctx, experiment.Default, true, 1))
	says(t, db.PurgeExperiment(ctx, experiment.Default), fault.Refused, "experiment 0 is not deleted")
}

func purgedLong(t *testing.T, open Open) {
	db, raw := open(t)
	oneRun(t, db, runA)
	for i := range 11 {
		check(t, db.ImportPoints(t.Context(), runA, climb(i*1000, 1000)))
	}
	check(t, db.SetRunDeleted(t.Context(), runA, true, 1))
	check(t, db.PurgeRun(t.Context(), runA))
	for table, n := range counts(t, raw) {
		if want := map[string]int{"experiments": 1}[table]; n != want {
			t.Errorf("%s has %d rows, want %d", table, n, want)
		}
	}
}
