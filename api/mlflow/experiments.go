// SPDX-License-Identifier: Apache-2.0

package mlflow

import (
	"context"
	"net/http"

	"flyball/experiment"
	"flyball/governance/access"
)

// experimentRoutes adds the calls about experiments.
func (f *face) experimentRoutes() {
	f.route(access.Track, http.MethodPost, "experiments/create", f.createExperiment)
	f.route(access.Read, http.MethodGet, "experiments/get", f.getExperiment)
	f.route(access.Read, http.MethodGet, "experiments/get-by-name", f.getExperimentByName)
	f.route(access.Read, http.MethodPost, "experiments/search", f.searchExperiments)
	f.route(access.Read, http.MethodGet, "experiments/search", f.searchExperiments)
	f.route(access.Track, http.MethodPost, "experiments/update", f.updateExperiment)
	f.route(access.Track, http.MethodPost, "experiments/delete", f.deleteExperiment)
	f.route(access.Track, http.MethodPost, "experiments/restore", f.restoreExperiment)
	f.route(access.Track, http.MethodPost, "experiments/set-experiment-tag", f.setExperimentTag)
	f.route(access.Track, http.MethodPost, "experiments/delete-experiment-tag", f.deleteExperimentTag)
	f.route(access.Read, http.MethodPost, "experiments/search-datasets", f.searchDatasets)
}

func (f *face) createExperiment(ctx context.Context, in *args) (any, error) {
	name, location, tags := in.need("name"), in.text("artifact_location"), in.tags()
	if err := in.err(); err != nil {
		return nil, err
	}
	e, err := f.Tracker.CreateExperiment(ctx, name, location, tags)
	return struct {
		ID string `json:"experiment_id"`
	}{e.ID.String()}, err
}

type experimentAnswer struct {
	Experiment experimentEntity `json:"experiment"`
}

func (f *face) getExperiment(ctx context.Context, in *args) (any, error) {
	id := in.experimentID()
	if err := in.err(); err != nil {
		return nil, err
	}
	e, err := f.Tracker.Experiment(ctx, id)
	return experimentAnswer{experimentOf(e)}, err
}

func (f *face) getExperimentByName(ctx context.Context, in *args) (any, error) {
	name := in.need("experiment_name")
	if err := in.err(); err != nil {
		return nil, err
	}
	e, err := f.Tracker.ExperimentByName(ctx, name)
	return experimentAnswer{experimentOf(e)}, err
}

func (f *face) searchExperiments(ctx context.Context, in *args) (any, error) {
	ask := experiment.Ask{
		Filter: in.text("filter"), Order: in.texts("order_by"), Page: in.page(0),
		View: experiment.View(in.enum("view_type", viewNames...)),
	}
	if err := in.err(); err != nil {
		return nil, err
	}
	found, next, err := f.Tracker.SearchExperiments(ctx, ask)
	out := struct {
		Experiments []experimentEntity `json:"experiments,omitempty"`
		Next        string             `json:"next_page_token,omitempty"`
	}{Next: next}
	for _, e := range found {
		out.Experiments = append(out.Experiments, experimentOf(e))
	}
	return out, err
}

func (f *face) updateExperiment(ctx context.Context, in *args) (any, error) {
	id, name := in.experimentID(), in.need("new_name")
	if err := in.err(); err != nil {
		return nil, err
	}
	return nil, f.Tracker.RenameExperiment(ctx, id, name)
}

func (f *face) deleteExperiment(ctx context.Context, in *args) (any, error) {
	id := in.experimentID()
	if err := in.err(); err != nil {
		return nil, err
	}
	if id == experiment.Default {
		f.Logger.WarnContext(ctx, "the default experiment is deleted: runs that name no experiment will be refused")
	}
	return nil, f.Tracker.DeleteExperiment(ctx, id)
}

func (f *face) restoreExperiment(ctx context.Context, in *args) (any, error) {
	id := in.experimentID()
	if err := in.err(); err != nil {
		return nil, err
	}
	return nil, f.Tracker.RestoreExperiment(ctx, id)
}

func (f *face) setExperimentTag(ctx context.Context, in *args) (any, error) {
	in.given("value")
	id, tag := in.experimentID(), experiment.Tag{Key: in.need("key"), Value: in.text("value")}
	if err := in.err(); err != nil {
		return nil, err
	}
	return nil, f.Tracker.SetExperimentTag(ctx, id, tag)
}

func (f *face) deleteExperimentTag(ctx context.Context, in *args) (any, error) {
	id, key := in.experimentID(), in.need("key")
	if err := in.err(); err != nil {
		return nil, err
	}
	return nil, f.Tracker.DeleteExperimentTag(ctx, id, key)
}

func (f *face) searchDatasets(ctx context.Context, in *args) (any, error) {
	ids := in.experimentIDs()
	if err := in.err(); err != nil {
		return nil, err
	}
	found, err := f.Tracker.SearchDatasets(ctx, ids)
	type summary struct {
		Experiment string `json:"experiment_id"`
		Name       string `json:"name"`
		Digest     string `json:"digest"`
		Context    string `json:"context,omitempty"`
	}
	var out struct {
		Summaries []summary `json:"dataset_summaries,omitempty"`
	}
	for _, d := range found {
		out.Summaries = append(out.Summaries, summary{d.Experiment.String(), d.Name, d.Digest, d.Context})
	}
	return out, err
}
