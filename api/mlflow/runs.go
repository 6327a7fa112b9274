// SPDX-License-Identifier: Apache-2.0

package mlflow

import (
	"context"
	"net/http"

	"flyball/experiment"
	"flyball/governance/access"
	"flyball/ident"
)

// runRoutes adds the calls about runs and what is logged to them.
func (f *face) runRoutes() {
	f.route(access.Track, http.MethodPost, "runs/create", f.createRun)
	f.route(access.Track, http.MethodPost, "runs/update", f.updateRun)
	f.route(access.Track, http.MethodPost, "runs/delete", f.deleteRun)
	f.route(access.Track, http.MethodPost, "runs/restore", f.restoreRun)
	f.route(access.Read, http.MethodGet, "runs/get", f.getRun)
	f.route(access.Read, http.MethodPost, "runs/search", f.searchRuns)
	f.route(access.Track, http.MethodPost, "runs/log-metric", f.logMetric)
	f.route(access.Track, http.MethodPost, "runs/log-parameter", f.logParameter)
	f.route(access.Track, http.MethodPost, "runs/log-batch", f.logBatch)
	f.route(access.Track, http.MethodPost, "runs/set-tag", f.setTag)
	f.route(access.Track, http.MethodPost, "runs/delete-tag", f.deleteTag)
	f.route(access.Track, http.MethodPost, "runs/log-inputs", f.logInputs)
	f.route(access.Track, http.MethodPost, "runs/outputs", f.logOutputs)
	f.route(access.Track, http.MethodPost, "runs/log-model", f.logModel)
}

type runAnswer struct {
	Run runEntity `json:"run"`
}

func (f *face) createRun(ctx context.Context, in *args) (any, error) {
	r := experiment.Run{Name: in.text("run_name"), User: in.text("user_id"), Start: in.int64("start_time", 0), Tags: in.tags()}
	if in.has("experiment_id") && in.scalar("experiment_id") != "" {
		r.Experiment = in.experimentID()
	}
	if err := in.err(); err != nil {
		return nil, err
	}
	r, err := f.Tracker.CreateRun(ctx, r)
	return runAnswer{runOf(r)}, err
}

func (f *face) updateRun(ctx context.Context, in *args) (any, error) {
	id := in.runID()
	var c experiment.RunChange
	if s := experiment.Status(in.enum("status", runStatuses...)); s != 0 {
		c.Status = &s
	}
	if in.has("end_time") {
		end := in.int64("end_time", 0)
		c.End = &end
	}
	if name := in.text("run_name"); name != "" {
		c.Name = &name
	}
	if err := in.err(); err != nil {
		return nil, err
	}
	r, err := f.Tracker.UpdateRun(ctx, id, c)
	return struct {
		Info runInfo `json:"run_info"`
	}{infoOf(r)}, err
}

func (f *face) deleteRun(ctx context.Context, in *args) (any, error) {
	id := in.runID()
	if err := in.err(); err != nil {
		return nil, err
	}
	return nil, f.Tracker.DeleteRun(ctx, id)
}

func (f *face) restoreRun(ctx context.Context, in *args) (any, error) {
	id := in.runID()
	if err := in.err(); err != nil {
		return nil, err
	}
	return nil, f.Tracker.RestoreRun(ctx, id)
}

func (f *face) getRun(ctx context.Context, in *args) (any, error) {
	id := in.runID()
	if err := in.err(); err != nil {
		return nil, err
	}
	r, err := f.Tracker.Run(ctx, id)
	return runAnswer{wholeRun(r)}, err
}

func (f *face) searchRuns(ctx context.Context, in *args) (any, error) {
	ask := experiment.Ask{
		Experiments: in.experimentIDs(), Filter: in.text("filter"), Order: in.texts("order_by"),
		View: experiment.View(in.enum("run_view_type", viewNames...)), Page: in.page(1000),
	}
	if err := in.err(); err != nil {
		return nil, err
	}
	found, next, err := f.Tracker.SearchRuns(ctx, ask)
	out := struct {
		Runs []runEntity `json:"runs,omitempty"`
		Next string      `json:"next_page_token,omitempty"`
	}{Next: next}
	for _, r := range found {
		out.Runs = append(out.Runs, wholeRun(r))
	}
	return out, err
}

func (f *face) logMetric(ctx context.Context, in *args) (any, error) {
	id, m := in.runID(), in.metric()
	if err := in.err(); err != nil {
		return nil, err
	}
	return nil, f.Tracker.LogMetric(ctx, id, m)
}

func (f *face) logParameter(ctx context.Context, in *args) (any, error) {
	id, p := in.runID(), experiment.Param{Key: in.need("key"), Value: in.text("value")}
	if err := in.err(); err != nil {
		return nil, err
	}
	return nil, f.Tracker.LogParam(ctx, id, p)
}

func (f *face) logBatch(ctx context.Context, in *args) (any, error) {
	b := experiment.Batch{Run: in.runID(), Params: in.params(), Tags: in.tags()}
	for _, m := range in.list("metrics") {
		b.Metrics = append(b.Metrics, m.metric())
	}
	if err := in.err(); err != nil {
		return nil, err
	}
	return nil, f.Tracker.LogBatch(ctx, b)
}

func (f *face) setTag(ctx context.Context, in *args) (any, error) {
	id, tag := in.runID(), experiment.Tag{Key: in.need("key"), Value: in.text("value")}
	if err := in.err(); err != nil {
		return nil, err
	}
	return nil, f.Tracker.SetTag(ctx, id, tag)
}

func (f *face) deleteTag(ctx context.Context, in *args) (any, error) {
	id, key := in.runID(), in.need("key")
	if err := in.err(); err != nil {
		return nil, err
	}
	return nil, f.Tracker.DeleteTag(ctx, id, key)
}

func (f *face) logInputs(ctx context.Context, in *args) (any, error) {
	id := in.runID()
	var inputs []experiment.Input
	for _, d := range in.list("datasets") {
		input := experiment.Input{Tags: d.tags()}
		if set := d.object("dataset"); set != nil {
			input.Dataset = experiment.Dataset{
				Name: set.need("name"), Digest: set.need("digest"), SourceType: set.text("source_type"), Source: set.text("source"),
				Schema: set.text("schema"), Profile: set.text("profile"),
			}
		} else {
			d.must("dataset")
		}
		inputs = append(inputs, input)
	}
	var models []ident.ModelID
	for _, m := range in.list("models") {
		models = append(models, ident.ModelID(m.need("model_id")))
	}
	if err := in.err(); err != nil {
		return nil, err
	}
	return nil, f.Tracker.LogInputs(ctx, id, inputs, models)
}

func (f *face) logOutputs(ctx context.Context, in *args) (any, error) {
	id := in.runID()
	in.must("models")
	var out []experiment.Output
	for _, m := range in.list("models") {
		out = append(out, experiment.Output{ModelID: ident.ModelID(m.need("model_id")), Step: m.int64("step", 0)})
	}
	if err := in.err(); err != nil {
		return nil, err
	}
	return nil, f.Tracker.LogOutputs(ctx, id, out)
}

func (f *face) logModel(ctx context.Context, in *args) (any, error) {
	id, info := in.runID(), in.need("model_json")
	if err := in.err(); err != nil {
		return nil, err
	}
	return nil, f.Tracker.LogModel(ctx, id, info)
}
