// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"

	"flyball/experiment"
	"flyball/ident"
	"flyball/model/registry"
	"flyball/search"
)

// Kept is what an Exporter reads. Package store implements it.
type Kept interface {
	SearchExperiments(ctx context.Context, q experiment.Query) (found []experiment.Experiment, next string, err error)

	// RunIDs and LoggedModelIDs are ids after one, in their order, at most limit;
	// deleted ones too.
	RunIDs(ctx context.Context, after ident.RunID, limit int) ([]ident.RunID, error)
	LoggedModelIDs(ctx context.Context, after ident.ModelID, limit int) ([]ident.ModelID, error)

	RunsWithHistory(ctx context.Context, ids []ident.RunID) ([]experiment.ImportedRun, error)
	LoggedModel(ctx context.Context, id ident.ModelID, deleted bool) (experiment.LoggedModel, error)
	SearchModels(ctx context.Context, q registry.Query) (found []registry.Listing, next string, err error)
	SearchVersions(ctx context.Context, q registry.Query) (found []registry.Version, next string, err error)
}

// Records yields everything that is kept, in the order in which it can be brought in.
// What is logged meanwhile may be in it or not. An error is the last.
func Records(ctx context.Context, kept Kept) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		e := &exporter{kept: kept, names: map[ident.ExperimentID]string{}, yield: yield}
		for _, part := range []func(context.Context) error{e.experiments, e.runs, e.loggedModels, e.registry} {
			if err := part(ctx); err != nil {
				if !errors.Is(err, errStop) {
					yield(Record{}, err)
				}
				return
			}
		}
	}
}

type exporter struct {
	kept  Kept
	names map[ident.ExperimentID]string
	yield func(Record, error) bool
}

func (e *exporter) give(rs ...Record) error {
	for _, r := range rs {
		if !e.yield(r, nil) {
			return errStop
		}
	}
	return nil
}

func (e *exporter) experiments(ctx context.Context) error {
	q := experiment.Query{View: experiment.All, Order: []search.Order{{Key: "experiment_id"}}, Page: experiment.Page{Limit: 1000}}
	for {
		found, next, err := e.kept.SearchExperiments(ctx, q)
		if err != nil {
			return err
		}
		for _, x := range found {
			e.names[x.ID] = x.Name
			if err := e.give(FromExperiment(x)); err != nil {
				return err
			}
		}
		if q.Token = next; next == "" {
			return nil
		}
	}
}

func (e *exporter) runs(ctx context.Context) error {
	for after := ident.RunID(""); ; {
		ids, err := e.kept.RunIDs(ctx, after, runsAtOnce)
		if err != nil || len(ids) == 0 {
			return err
		}
		after = ids[len(ids)-1]
		found, err := e.kept.RunsWithHistory(ctx, ids)
		if err != nil {
			return err
		}
		slices.SortFunc(found, func(a, b experiment.ImportedRun) int { return strings.Compare(string(a.ID), string(b.ID)) })
		for _, r := range found {
			name, known := e.names[r.Experiment]
			if !known {
				continue // of an experiment that was made since
			}
			if err := e.give(FromRun(name, r.Run, r.History).Split()...); err != nil {
				return err
			}
		}
	}
}

func (e *exporter) loggedModels(ctx context.Context) error {
	for after := ident.ModelID(""); ; {
		ids, err := e.kept.LoggedModelIDs(ctx, after, 1000)
		if err != nil || len(ids) == 0 {
			return err
		}
		after = ids[len(ids)-1]
		for _, id := range ids {
			m, err := e.kept.LoggedModel(ctx, id, true)
			if err != nil {
				return err
			}
			name, known := e.names[m.Experiment]
			if !known {
				continue
			}
			if err := e.give(FromLoggedModel(name, m)); err != nil {
				return err
			}
		}
	}
}

func (e *exporter) registry(ctx context.Context) error {
	var aliases []Record
	models := map[string]bool{}
	for q := (registry.Query{Limit: 1000}); ; {
		found, next, err := e.kept.SearchModels(ctx, q)
		if err != nil {
			return err
		}
		for _, m := range found {
			models[m.Name] = true
			if err := e.give(Record{Model: &m.Model}); err != nil {
				return err
			}
			for _, a := range m.Aliases {
				aliases = append(aliases, Record{Alias: &Alias{Model: m.Name, Name: a.Name, Version: a.Version}})
			}
		}
		if q.Token = next; next == "" {
			break
		}
	}
	if err := e.versions(ctx, models); err != nil {
		return err
	}
	return e.give(aliases...)
}

func (e *exporter) versions(ctx context.Context, models map[string]bool) error {
	q := registry.Query{Limit: 1000, Order: []search.Order{{Key: "name"}, {Key: "version_number"}}}
	for {
		found, next, err := e.kept.SearchVersions(ctx, q)
		if err != nil {
			return err
		}
		for _, v := range found {
			if !models[v.Model] {
				continue // a baseline's, which is counted apart
			}
			v.Aliases = nil
			if err := e.give(Record{Version: &Version{v}}); err != nil {
				return err
			}
		}
		if q.Token = next; next == "" {
			return nil
		}
	}
}
