// SPDX-License-Identifier: Apache-2.0

package mlflow

import (
	"context"
	"net/http"

	"flyball/experiment"
	"flyball/governance/access"
	"flyball/ident"
	"flyball/search"
)

// loggedModel is a logged model as MLflow writes it.
type loggedModel struct {
	Info loggedInfo `json:"info"`
	Data loggedData `json:"data"`
}

type loggedInfo struct {
	ID            ident.ModelID `json:"model_id"`
	Experiment    string        `json:"experiment_id"`
	Name          string        `json:"name"`
	Created       int64         `json:"creation_timestamp_ms"`
	Updated       int64         `json:"last_updated_timestamp_ms"`
	Location      string        `json:"artifact_uri"`
	Status        string        `json:"status"`
	Type          string        `json:"model_type"`
	SourceRun     ident.RunID   `json:"source_run_id"`
	StatusMessage string        `json:"status_message,omitempty"`
	Tags          []pair        `json:"tags,omitempty"`
}

type loggedData struct {
	Params  []pair         `json:"params,omitempty"`
	Metrics []metricEntity `json:"metrics,omitempty"`
}

// statuses are the states of a logged model, in the order of their numbers.
var statuses = []string{"LOGGED_MODEL_PENDING", "LOGGED_MODEL_READY", "LOGGED_MODEL_UPLOAD_FAILED"}

func statusOf(s experiment.ModelStatus) string {
	if s < 1 || int(s) > len(statuses) {
		return "LOGGED_MODEL_STATUS_UNSPECIFIED"
	}
	return statuses[s-1]
}

func loggedModelOf(m experiment.LoggedModel) loggedModel {
	return loggedModel{
		Info: loggedInfo{
			ID: m.ID, Experiment: m.Experiment.String(), Name: m.Name, Created: m.Created, Updated: m.Updated, Location: m.Location,
			Status: statusOf(m.Status), Type: m.Type, SourceRun: m.SourceRun, StatusMessage: m.StatusMessage, Tags: tagPairs(m.Tags),
		},
		Data: loggedData{Params: paramPairs(m.Params), Metrics: metricsOf(m.Metrics)},
	}
}

// oneLogged is the answer of the calls about one logged model.
type oneLogged struct {
	Model loggedModel `json:"model"`
}

func oneLoggedOf(m experiment.LoggedModel, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return oneLogged{loggedModelOf(m)}, nil
}

// manyLogged is the answer of a search.
type manyLogged struct {
	Models []loggedModel `json:"models,omitempty"`
	Next   string        `json:"next_page_token,omitempty"`
}

// loggedModelRoutes adds the calls about logged models.
func (f *face) loggedModelRoutes() {
	const one = "logged-models/{id}"
	f.route(access.Track, http.MethodPost, "logged-models", f.createLogged)
	f.route(access.Read, http.MethodPost, "logged-models/search", f.searchLogged)
	f.loggedRoute(access.Read, http.MethodGet, one, func(ctx context.Context, id ident.ModelID, in *args) (any, error) {
		deleted := in.bool("allow_deleted")
		if err := in.err(); err != nil {
			return nil, err
		}
		return oneLoggedOf(f.Tracker.LoggedModel(ctx, id, deleted))
	})
	f.loggedRoute(access.Track, http.MethodPatch, one, func(ctx context.Context, id ident.ModelID, in *args) (any, error) {
		in.must("status")
		status := in.enum("status", statuses...)
		if err := in.err(); err != nil {
			return nil, err
		}
		return oneLoggedOf(f.Tracker.FinishLoggedModel(ctx, id, experiment.ModelStatus(status)))
	})
	f.loggedRoute(access.Track, http.MethodDelete, one, func(ctx context.Context, id ident.ModelID, _ *args) (any, error) {
		return nil, f.Tracker.DeleteLoggedModel(ctx, id)
	})
	f.loggedRoute(access.Track, http.MethodPatch, one+"/tags", func(ctx context.Context, id ident.ModelID, in *args) (any, error) {
		tags := in.tags()
		if err := in.err(); err != nil {
			return nil, err
		}
		return nil, f.Tracker.SetLoggedModelTags(ctx, id, tags)
	})
	f.loggedRoute(access.Track, http.MethodDelete, one+"/tags/{key...}", func(ctx context.Context, id ident.ModelID, in *args) (any, error) {
		key := in.path("key")
		if err := in.err(); err != nil {
			return nil, err
		}
		return nil, f.Tracker.DeleteLoggedModelTag(ctx, id, key)
	})
	f.loggedRoute(access.Track, http.MethodPost, one+"/params", func(ctx context.Context, id ident.ModelID, in *args) (any, error) {
		params := in.params()
		if err := in.err(); err != nil {
			return nil, err
		}
		return nil, f.Tracker.AddLoggedModelParams(ctx, id, params)
	})
}

// loggedRoute adds a call about the logged model that its path names.
func (f *face) loggedRoute(p access.Permission, verb, path string, do func(ctx context.Context, id ident.ModelID, in *args) (any, error)) {
	f.route(p, verb, path, func(ctx context.Context, in *args) (any, error) {
		id := ident.ModelID(in.path("id"))
		if err := in.err(); err != nil {
			return nil, err
		}
		return do(ctx, id, in)
	})
}

func (f *face) createLogged(ctx context.Context, in *args) (any, error) {
	m := experiment.LoggedModel{
		Experiment: in.experimentID(),
		Name:       in.text("name"), Type: in.text("model_type"), SourceRun: ident.RunID(in.text("source_run_id")),
		Params: in.params(), Tags: in.tags(),
	}
	if err := in.err(); err != nil {
		return nil, err
	}
	return oneLoggedOf(f.Tracker.CreateLoggedModel(ctx, m))
}

// someLogged is how many logged models a search gives unasked.
const someLogged = 50

func (f *face) searchLogged(ctx context.Context, in *args) (any, error) {
	in.must("experiment_ids")
	a := experiment.AskModels{Experiments: in.experimentIDs(), Filter: in.text("filter"), Page: in.page(someLogged)}
	for _, o := range in.list("order_by") {
		by := search.OrderBy{Field: o.text("field_name"), DatasetName: o.text("dataset_name"), DatasetDigest: o.text("dataset_digest")}
		by.Desc = o.has("ascending") && !o.bool("ascending")
		a.Order = append(a.Order, by)
	}
	for _, d := range in.list("datasets") {
		a.Datasets = append(a.Datasets, experiment.Dataset{Name: d.text("dataset_name"), Digest: d.text("dataset_digest")})
	}
	if err := in.err(); err != nil {
		return nil, err
	}
	found, next, err := f.Tracker.SearchLoggedModels(ctx, a)
	if err != nil {
		return nil, err
	}
	out := manyLogged{Next: next}
	for _, m := range found {
		out.Models = append(out.Models, loggedModelOf(m))
	}
	return out, nil
}
