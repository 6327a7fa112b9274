// SPDX-License-Identifier: Apache-2.0

package training

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"flyball/blob"
	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/experiment"
	"flyball/experiment/compare"
	"flyball/experiment/evaluation"
	"flyball/ident"
	"flyball/model/registry"
	"flyball/serving/prediction"
)

// Tracker keeps a training as a run, beside the runs that people log.
type Tracker interface {
	// Track keeps a run and its files, by their paths below its artifacts, in the
	// experiment of that name, which it makes when there is none. A run that is kept
	// already is left as it is.
	Track(ctx context.Context, name string, r experiment.Run, files map[string][]byte) error

	// Begin keeps a run that goes on, as Track does, or gives the tags of r to one that
	// is kept. Track ends it: it adds what the program in it did not log.
	Begin(ctx context.Context, name string, r experiment.Run) error
}

// RunOf is the run of the training whose job has the key: the same whenever the job
// runs again.
func RunOf(key string) ident.RunID {
	return ident.RunID(blob.Sum([]byte("training/" + key))[:32])
}

// said is what the judged version and its opponents said of the test rows.
type said struct {
	sample evaluation.Sample
	keys   []string
	values map[string]float64 // measured apart from the rows
}

// keys name the test rows across trainings: by the caller's key; where rows have
// none, by their place in the snapshot.
func (w *work) keys(test *frame.Frame) []string {
	column := test.Column(w.recipe.Task.ID)
	seen := make(map[string]bool, test.Rows())
	out := make([]string, test.Rows())
	for i := range out {
		key := ""
		if column != nil && w.recipe.Task.ID != "" {
			key = column.Format(i)
		}
		if key == "" || seen[key] {
			key = fmt.Sprintf("%s/%d", w.snapshot.ID[:12], w.part.Test[i])
		}
		seen[key], out[i] = true, key
	}
	return out
}

// track logs the training. A run that cannot be kept is told and does not keep a
// version from serving.
func (t *Trainer) track(ctx context.Context, r Request, res Result) {
	if t.Tracker == nil {
		return
	}
	run := trial(r, res)
	files, err := evaluationFiles(r, res)
	if err == nil {
		files = withLogs(files, res)
		err = t.Tracker.Track(ctx, r.Recipe.Model, run, files)
	}
	if err != nil {
		t.Logger.Warn("a training left no run", "model", r.Recipe.Model, "version", res.Version, "run", run.ID, "error", err)
		return
	}
	for _, one := range res.Trials {
		child := childRun(r, res, one)
		if err := t.Tracker.Track(ctx, r.Recipe.Model, child, nil); err != nil {
			t.Logger.Warn("a trial left no run", "model", r.Recipe.Model, "run", child.ID, "error", err)
			return
		}
	}
}

// trackFailure logs a training that came to no version, once however often it is tried.
// One that was stopped is tried again and has not failed.
func (t *Trainer) trackFailure(ctx context.Context, r Request, res Result, cause error) {
	if t.Tracker == nil || ctx.Err() != nil {
		return
	}
	run := trial(r, res)
	run.ID, run.Name, run.Status = RunOf(r.Key+"/failed"), "failed", experiment.Failed
	if r.Recipe.Train.With == Command || len(res.fits) > 0 {
		run.ID = RunOf(r.Key) // it was shown while it ran
	}
	run.Tags = slices.DeleteFunc(run.Tags, func(tag experiment.Tag) bool {
		return slices.Contains([]string{experiment.NameTag, "flyball.version", "flyball.verdict", "flyball.summary"}, tag.Key)
	})
	why := []rune(cause.Error())
	run.Tags = append(run.Tags, experiment.Tag{Key: "flyball.error", Value: string(why[:min(len(why), experiment.MaxTagValue)])}, experiment.Tag{Key: experiment.NameTag, Value: run.Name})
	if err := t.Tracker.Track(ctx, r.Recipe.Model, run, withLogs(nil, res)); err != nil {
		t.Logger.Warn("a failed training left no run", "model", r.Recipe.Model, "run", run.ID, "error", err)
	}
}

// trial is the run of a training.
func trial(r Request, res Result) experiment.Run {
	ref := ident.Ref{Model: r.Recipe.Model, Version: res.Version}
	at := r.Now.UnixMilli()
	run := experiment.Run{
		ID: RunOf(r.Key), Name: fmt.Sprintf("v%d", res.Version), User: r.By, Status: experiment.Finished,
		Start: at, End: at + int64(res.Seconds*1000), Params: params(r.Recipe, res),
	}
	for key, v := range res.said.metrics() {
		run.Metrics = append(run.Metrics, experiment.Metric{Key: key, Value: v, Timestamp: at})
	}
	for _, m := range res.used() {
		m.Timestamp = at
		run.Metrics = append(run.Metrics, m)
	}
	slices.SortFunc(run.Metrics, func(a, b experiment.Metric) int { return strings.Compare(a.Key, b.Key) })
	tags := map[string]string{
		experiment.NameTag: run.Name, "mlflow.user": r.By, "mlflow.source.type": "JOB", "mlflow.source.name": "flyball train " + r.Recipe.Model,
		"flyball.model": r.Recipe.Model, "flyball.version": ref.String(), "flyball.cause": r.Cause, "flyball.snapshot": string(res.Snapshot),
		"flyball.verdict": verdictWord(&res), "flyball.summary": res.Verdict.Summary,
	}
	if r.Live != 0 {
		tags["flyball.live"] = ident.Ref{Model: r.Recipe.Model, Version: r.Live}.String()
	}
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		run.Tags = append(run.Tags, experiment.Tag{Key: k, Value: tags[k]})
	}
	if res.Snapshot == "" { // it failed before there was one
		return run
	}
	run.Inputs = []experiment.Input{{
		Dataset: experiment.Dataset{
			Name: r.Recipe.Model, Digest: string(res.Snapshot[:32]), SourceType: "flyball", Source: fmt.Sprintf(`{"snapshot":%q}`, res.Snapshot),
			Profile: fmt.Sprintf(`{"num_rows":%d}`, res.Mature),
		},
		Tags: []experiment.Tag{{Key: "mlflow.data.context", Value: "training"}},
	}}
	return run
}

// childRun is the run of one trial of a search, below the training's own.
func childRun(r Request, res Result, t Trial) experiment.Run {
	at := r.Now.UnixMilli()
	run := experiment.Run{
		ID: RunOf(fmt.Sprintf("%s/trial/%d", r.Key, t.Number)), Name: fmt.Sprintf("v%d trial %d", res.Version, t.Number), User: r.By,
		Status: experiment.Finished, Start: at, End: at,
	}
	for _, k := range slices.Sorted(maps.Keys(t.Settings)) {
		run.Params = append(run.Params, experiment.Param{Key: k, Value: text(t.Settings[k])})
	}
	if t.Window != nil {
		run.Params = append(run.Params, experiment.Param{Key: "data.train", Value: text(*t.Window)})
	}
	for step, rung := range t.Rungs {
		run.Metrics = append(run.Metrics,
			experiment.Metric{Key: "search." + res.Metric, Value: rung.Value, Timestamp: at, Step: int64(step)},
			experiment.Metric{Key: "search.share", Value: rung.Share, Timestamp: at, Step: int64(step)})
	}
	run.Tags = []experiment.Tag{
		{Key: "flyball.model", Value: r.Recipe.Model},
		{Key: "flyball.picked", Value: fmt.Sprint(t.Picked)},
		{Key: "mlflow.parentRunId", Value: string(RunOf(r.Key))},
		{Key: experiment.NameTag, Value: run.Name},
		{Key: "mlflow.source.type", Value: "JOB"},
		{Key: "mlflow.user", Value: r.By},
	}
	return run
}

// picked is the trial that the search chose; false when there was no search.
func (r Result) picked() (Trial, bool) {
	i := slices.IndexFunc(r.Trials, func(t Trial) bool { return t.Picked })
	if i < 0 {
		return Trial{}, false
	}
	return r.Trials[i], true
}

// Search says what a search came to, in a sentence; "" when there was none.
func (r Result) Search() string {
	t, ok := r.picked()
	if !ok {
		return ""
	}
	what := "with the settings as they stand"
	if t.Number > 0 {
		what = text(t.Settings)
	}
	if t.Window != nil {
		what += ", trained on " + text(*t.Window)
	}
	return fmt.Sprintf("trial %d of %d was best on the newest training rows, %s %.4g: %s", t.Number, len(r.Trials), r.Metric, t.last(), what)
}

// params are the settings that a training depends on, flat.
func params(recipe Recipe, res Result) []experiment.Param {
	flat := map[string]string{"learner": recipe.Train.With, "seed": fmt.Sprint(recipe.Train.Seed), "rows.train": fmt.Sprint(res.Train), "rows.test": fmt.Sprint(res.Test)}
	if t, ok := res.picked(); ok {
		recipe.Train.Settings = t.Settings
		if t.Window != nil {
			recipe.Data.Train = dataset.TrainWindows{*t.Window}
		}
	}
	for k, v := range recipe.Train.Settings {
		flat[k] = text(v)
	}
	if recipe.Train.Refit != "" {
		flat["refit"] = recipe.Train.Refit
	}
	flat["data.source"], flat["data.test"] = recipe.Data.Source, text(recipe.Data.Test)
	if len(recipe.Data.Train) > 0 {
		flat["data.train"] = text(recipe.Data.Train[0])
	}
	var inputs []string
	for _, f := range recipe.Pipeline.Inputs {
		inputs = append(inputs, f.Name)
	}
	flat["columns"] = strings.Join(inputs, ", ")
	flat["pipeline"] = string(blob.Sum([]byte(text(recipe.Pipeline)))[:12])
	var out []experiment.Param
	for _, k := range slices.Sorted(maps.Keys(flat)) {
		if runes := []rune(flat[k]); len(runes) > experiment.MaxParamValue {
			flat[k] = string(runes[:experiment.MaxParamValue])
		}
		out = append(out, experiment.Param{Key: k, Value: flat[k]})
	}
	return out
}

// text is a setting as a param: words as they are, the rest as JSON.
func text(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return strings.Trim(string(b), `"`)
}

// metrics are those of the kind, of the judged version on the rows held out.
func (s said) metrics() map[string]float64 {
	out := map[string]float64{}
	for _, m := range evaluation.ForKind(s.sample.Kind) {
		if v, err := evaluation.Value(m, s.sample, prediction.Candidate); err == nil {
			out[m] = v
		}
	}
	for _, m := range []string{"latency_p99", "size", "memory", "mean_score_traffic"} {
		if v, ok := s.values[m]; ok {
			out[m] = v
		}
	}
	return out
}

// evaluationFiles are what the run keeps below evaluation/: what the judged version
// said of the rows held out, and what the live version and the baseline did. Several
// classes have no such form.
func evaluationFiles(r Request, res Result) (map[string][]byte, error) {
	s := res.said.sample
	if s.Kind == dataset.Multiclass || len(s.Truth) == 0 {
		return nil, nil
	}
	e := &compare.Evaluation{
		Manifest: compare.Manifest{Kind: s.Kind, Dataset: compare.Dataset{Name: r.Recipe.Model + " held out", Digest: string(res.Snapshot[:32])}},
		Keys:     res.said.keys, Truth: s.Truth, Block: runs(s), Slices: s.Slices,
	}
	if s.Decide != nil {
		e.Threshold = s.Decide.Above
	}
	files := map[string][]byte{}
	others := map[string]ident.Ref{prediction.Live: {Model: r.Recipe.Model, Version: r.Live}, prediction.Baseline: {Model: registry.BaselineOf(r.Recipe.Model), Version: res.Baseline}}
	for role, scores := range s.Scores {
		e.Score = scores
		manifest, predictions, err := e.Write()
		if err != nil {
			return nil, err
		}
		if role == prediction.Candidate {
			files[compare.ManifestFile], files[compare.PredictionsFileZip] = manifest, predictions
		} else if ref := others[role]; !ref.Zero() {
			files[compare.OtherFile(ref.String())] = predictions
		}
	}
	return files, nil
}

// runs are the blocks as other programs are told of them: blocks that depend on each other
// are one, since the file has no way to say so.
func runs(s evaluation.Sample) []uint64 {
	if s.Run <= 1 {
		return s.Block
	}
	out := make([]uint64, len(s.Block))
	for i, b := range s.Block {
		out[i] = b / uint64(s.Run)
	}
	return out
}
