// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"slices"
	"testing"
	"time"

	"flyball/experiment"
	"flyball/experiment/archive"
	"flyball/fault"
	"flyball/ident"
	"flyball/model/registry"
)

// archives brings records of every kind in, and takes them out again.
func archives(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	at := time.UnixMilli(1_700_000_000_000).UTC()
	run := wholeRun(runA, 77)
	run.Location = "mlflow-artifacts:/77/" + string(runA) + "/artifacts"
	records := []archive.Record{
		archive.FromExperiment(experiment.Experiment{ID: 77, Name: "there", Location: "mlflow-artifacts:/77", Created: 1, Updated: 2}),
		archive.FromRun("there", run, append(inOrder(), climb(0, 300)...)),
		{Model: &registry.Model{Name: "hotel", About: "bookings", Tags: []registry.Tag{{Key: "a", Value: "b"}}, CreatedAt: at, UpdatedAt: at}},
		{Version: &archive.Version{Version: registry.Version{
			Ref: ident.Ref{Model: "hotel", Version: 7}, Source: "mlflow-artifacts:/77/" + string(runA) + "/artifacts/model", RunID: runA,
			Stage: registry.Staging, CreatedAt: at, UpdatedAt: at, Tags: []registry.Tag{{Key: "c", Value: "d"}},
		}}},
		{Alias: &archive.Alias{Model: "hotel", Name: "best", Version: 7}},
	}
	each := func(yield func(archive.Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
	in := &archive.Importer{Store: db, Now: func() time.Time { return noon }}
	once := map[string]archive.Outcome{"experiments": {Added: 1}, "runs": {Added: 1}, "models": {Added: 1}, "versions": {Added: 1}, "aliases": {Added: 1}}
	again := map[string]archive.Outcome{"experiments": {Same: 1}, "runs": {Same: 1}, "models": {Same: 1}, "versions": {Same: 1}, "aliases": {Same: 1}}
	for _, c := range []struct {
		what string
		dry  bool
		want map[string]archive.Outcome
	}{{"a dry run", true, once}, {"the import", false, once}, {"a look", true, again}, {"the import again", false, again}} {
		equal(t, c.what, must(in.Import(ctx, "ana", c.dry, each))(t).Kinds, c.want)
	}
	v := must(db.Version(ctx, ident.Ref{Model: "hotel", Version: 7}))(t)
	here := must(db.ExperimentByName(ctx, "there"))(t)
	equal(t, "where the version's files lie here", v.Location, "mlflow-artifacts:/"+here.ID.String()+"/"+string(runA)+"/artifacts/model")
	wants(t, db.ImportVersion(ctx, v), fault.Conflict)
	next := must(db.RegisterVersion(ctx, registry.Version{Ref: ident.Ref{Model: "hotel"}, CreatedAt: noon}))(t)
	equal(t, "the next version's number", next.Ref.Version, 8)

	var out []string
	for r, err := range archive.Records(ctx, db) {
		check(t, err)
		if slices.ContainsFunc(records[1:2], func(w archive.Record) bool { return w.Digest() == r.Digest() }) {
			out = append(out, "the run")
		}
		out = append(out, r.Kind())
	}
	equal(t, "what is taken out", out, []string{"experiments", "experiments", "the run", "runs", "models", "versions", "versions", "aliases"})
}

// archivesDiffer says what is here and different, and leaves it.
func archivesDiffer(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	in := &archive.Importer{Store: db, Now: func() time.Time { return noon }}
	bring := func(rs ...archive.Record) archive.Report {
		return must(in.Import(ctx, "ana", false, func(yield func(archive.Record, error) bool) {
			for _, r := range rs {
				if !yield(r, nil) {
					return
				}
			}
		}))(t)
	}
	first := archive.FromRun("Default", wholeRun(runA, experiment.Default), climb(0, 3))
	bring(first, archive.Record{Model: &registry.Model{Name: "hotel"}}, archive.Record{Version: &archive.Version{Version: registry.Version{Ref: ident.Ref{Model: "hotel", Version: 1}, Source: "s3://b/1"}}})
	other := *first.Run
	other.Name, other.Metrics = "another", nil
	more := *first.Run
	more.Metrics = archive.FromRun("Default", experiment.Run{}, climb(2, 3)).Run.Metrics
	got := bring(archive.Record{Run: &other}, archive.Record{Version: &archive.Version{Version: registry.Version{Ref: ident.Ref{Model: "hotel", Version: 1}, Source: "s3://b/2"}}})
	equal(t, "what differs", got.Differing, []string{"run " + string(runA) + " is here with another name", "version hotel@1 is here with another source"})
	equal(t, "points that came later", bring(archive.Record{Run: &more}).Kinds, map[string]archive.Outcome{"runs": {Same: 1}, "points": {Added: 2}})
	_, err := in.Import(ctx, "ana", false, func(yield func(archive.Record, error) bool) {
		yield(archive.FromRun("nowhere", wholeRun(runB, 9), nil), nil)
	})
	wants(t, err, fault.Invalid)
}
