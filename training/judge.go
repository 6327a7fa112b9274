// SPDX-License-Identifier: Apache-2.0

package training

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"flyball/blob"
	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/event"
	"flyball/experiment"
	"flyball/experiment/gate"
	"flyball/fault"
	"flyball/ident"
	"flyball/job"
	"flyball/model"
	"flyball/model/mlmodel"
	"flyball/model/registry"
	"flyball/training/environment"
)

// JudgeKind is the kind of a judging's job.
const JudgeKind = "judge"

// JudgeType names what the record.json of a judged version describes.
const JudgeType = "https://flyball.dev/judging/v1"

// Judging is the input of a judging's job: a version that a client registered, to be
// judged as a training's own candidate is, on the same data and the same split.
type Judging struct {
	Request
	Version    int       `json:"version"`
	Location   string    `json:"location"`               // of its files
	Registered time.Time `json:"registered"`             // when; it was trained before
	Trained    time.Time `json:"trained_until,omitzero"` // rows whose truth was due by then were trained on, as its people say; zero: they do not say

	// Snapshots are those that its run read, where Trained does not say: the labelled
	// rows of them were trained on.
	Snapshots []blob.Digest `json:"snapshots,omitempty"`
}

// ParseJudging reads a job's input. The error is an Invalid fault.
func ParseJudging(b []byte) (Judging, error) {
	var r Judging
	if err := json.Unmarshal(b, &r); err != nil {
		return Judging{}, fault.Wrap(err, fault.Invalid, "this is not the input of a judging")
	}
	return r, nil
}

// Judge judges versions that clients registered. Its fields are set once; Run may be
// called at once.
type Judge struct {
	*Trainer
	Folder func(location string) mlmodel.Source // the files below a version's location

	// Convert writes the files of a scikit-learn model in a Python process as ONNX, which
	// is scored without Python. Nil: none is. What cannot be written is a Refused fault.
	Convert func(ctx context.Context, m model.Manifest, files model.Files) ([]byte, error)
}

// JudgeRegistry is where a verdict is kept. Package store implements it.
type JudgeRegistry interface {
	Registry
	JudgeVersion(ctx context.Context, v registry.Version, evs ...event.Event) (registry.Version, error)
}

// Handler is the job that reads a registered version, judges it and keeps the verdict.
// It may run again after a crash.
func (t *Judge) Handler(reg JudgeRegistry) func(context.Context, job.Job, func(string)) (json.RawMessage, error) {
	return func(ctx context.Context, j job.Job, progress func(string)) (json.RawMessage, error) {
		r, err := ParseJudging(j.Input)
		if err != nil {
			return nil, err
		}
		live, err := opponent(ctx, reg, r.Request)
		if err != nil {
			return nil, err
		}
		res, err := t.Run(ctx, r, live, progress)
		if noted := t.note(ctx, r.Request, res.Snapshot, "judging"); noted != nil {
			t.Logger.Warn("the snapshot of a judging was not noted", "model", r.Recipe.Model, "snapshot", res.Snapshot, "error", noted)
		}
		if err != nil {
			return nil, err
		}
		if err := keep(ctx, reg, r, &res); err != nil {
			return nil, err
		}
		t.log(ctx, r, res)
		return json.Marshal(res)
	}
}

// Run reads the version and judges it against live, the bundle that serves (nil:
// none), and the baseline, on the newest data of the model file. It keeps nothing but
// blobs. A model that cannot be scored here is a Refused fault that says why.
func (t *Judge) Run(ctx context.Context, r Judging, live *Opponent, progress func(string)) (res Result, err error) {
	if progress == nil {
		progress = func(string) {}
	}
	began := time.Now()
	if r.Trained.IsZero() {
		if r.Trained, err = newest(ctx, t.Blobs, r.Recipe.Task, r.Snapshots); err != nil {
			return Result{}, err
		}
	}
	w := &work{Trainer: t.Trainer, request: r.Request, recipe: r.Recipe, live: live, progress: progress, unseen: r.Trained, began: began}
	defer func() { err = errors.Join(err, w.close()) }()
	if live != nil && live.SeenUntil.After(w.unseen) {
		w.unseen = live.SeenUntil
	}
	progress("reading the model")
	m, err := mlmodel.Read(ctx, t.Folder(r.Location), t.Decoders, r.Recipe.Task.Kind)
	if err != nil {
		return Result{}, err
	}
	for _, step := range []func(context.Context) error{w.data, w.split} {
		if err := step(ctx); err != nil {
			return w.result, err
		}
	}
	how, err := t.foreign(ctx, w, m)
	if err != nil {
		return w.result, err
	}
	v := &w.result.Verdict
	v.Reasons = append(append(v.Reasons, t.apart(r, w)...), how...)
	w.result.SeenUntil = r.Trained
	if w.result.SeenUntil.IsZero() {
		w.result.SeenUntil = r.Registered // no later truth was there to be trained on
	}
	err = w.describe(ctx, JudgeType, map[string]any{
		"live": w.live, "version": r.Version, "location": r.Location, "flavor": m.Flavor, "class": m.Class, "uuid": m.UUID,
		"seen_until": w.result.SeenUntil, "converted": how, "machine": environment.Here(),
	})
	w.result.Seconds, w.result.said = time.Since(began).Seconds(), w.said
	return w.result, err
}

// log keeps the judging as a run beside the trainings of the model, so that what the
// version said of the rows held out can be compared with what others did. The run that
// made the version is its people's, and stays as it is.
func (t *Judge) log(ctx context.Context, r Judging, res Result) {
	if t.Tracker == nil {
		return
	}
	ref := ident.Ref{Model: r.Recipe.Model, Version: r.Version}
	run := trial(r.Request, res)
	run.Name = fmt.Sprintf("v%d judged", r.Version)
	run.Params = []experiment.Param{{Key: "data.source", Value: r.Recipe.Data.Source}, {Key: "rows.test", Value: fmt.Sprint(res.Test)}}
	for i, tag := range run.Tags {
		switch tag.Key {
		case experiment.NameTag:
			run.Tags[i].Value = run.Name
		case "mlflow.source.name":
			run.Tags[i].Value = "flyball gate " + ref.String()
		}
	}
	run.Inputs[0].Tags[0].Value = "evaluation"
	files, err := evaluationFiles(r.Request, res)
	if err == nil {
		err = t.Tracker.Track(ctx, r.Recipe.Model, run, files)
	}
	if err != nil {
		t.Logger.Warn("a judging left no run", "version", ref.String(), "run", run.ID, "error", err)
	}
}

// newest is when the newest truth of the snapshots was due; zero without snapshots, and
// where rows have no time. A snapshot that is not kept any more is passed over.
func newest(ctx context.Context, blobs blob.Store, task dataset.Task, snapshots []blob.Digest) (time.Time, error) {
	last := int64(math.MinInt64)
	for _, d := range snapshots {
		s, err := dataset.Open(ctx, blobs, d)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return time.Time{}, err
		}
		rows, err := s.Rows(ctx, blobs)
		if err != nil {
			return time.Time{}, err
		}
		due, err := task.Due(rows)
		if err != nil {
			return time.Time{}, err
		}
		label := rows.Column(task.Column)
		for i, at := range due {
			if label != nil && !label.Missing(i) {
				last = max(last, at)
			}
		}
	}
	if last == math.MinInt64 {
		return time.Time{}, nil
	}
	return time.UnixMicro(last).UTC(), nil
}

// foreign judges a model that was trained elsewhere, and makes the bundles of it and of
// the baseline. It says how a model of Python's is scored, if it is one.
func (t *Judge) foreign(ctx context.Context, w *work, m mlmodel.Model) (how []gate.Reason, err error) {
	if len(m.Unframed) > 0 {
		return nil, fault.New(fault.Refused, "the model takes the column %q, whose type no data of a model file has", m.Unframed[0]).
			Do("train the model without it")
	}
	if err := fitting(m.Inputs, w.rows); err != nil {
		return nil, err
	}
	if m, err = m.For(w.classes); err != nil {
		return nil, err
	}
	if t.convertible(m) {
		w.progress("writing the model as ONNX")
		var reason gate.Reason
		if m, reason, err = t.converted(ctx, w, m); err != nil {
			return nil, err
		}
		how = []gate.Reason{reason}
	}
	return how, w.stand(ctx, m)
}

// stand has the model judged, and bundles it with the baseline.
func (w *work) stand(ctx context.Context, m mlmodel.Model) (err error) {
	if w.floor, err = w.makeFloor(ctx, w.part.Train); err != nil {
		return err
	}
	if w.candidate, err = w.bundle(ctx, m, nil); err != nil {
		return err
	}
	w.result.Judged = w.candidate.Digest
	w.recipe.Gate.Reproduce = "" // nobody can make it a second time here
	if err := w.evaluate(ctx); err != nil {
		return err
	}
	at := w.part.Train
	if w.result.Verdict.Pass && w.recipe.Train.Refit != "never" {
		at = w.part.Mature
	}
	floor, err := w.makeFloor(ctx, at)
	if err != nil {
		return err
	}
	w.recipe.Pipeline.Inputs = m.Inputs // what monitoring compares
	beside, err := w.beside(ctx, at)
	if err != nil {
		return err
	}
	b, err := w.bundle(ctx, m, beside)
	if err != nil {
		return err
	}
	w.result.Bundle, w.result.Floor = b.Digest, floor.Digest
	return nil
}

// fitting checks that the data has the model's columns, of their kinds.
func fitting(inputs []frame.Field, rows *frame.Frame) error {
	for _, in := range inputs {
		switch c := rows.Column(in.Name); {
		case c == nil:
			return fault.New(fault.Refused, "the model takes the column %q, which the data of the model file does not have", in.Name).
				Do("add it to the data, or train the model without it")
		case c.Kind != in.Kind:
			return fault.New(fault.Refused, "the model takes the column %q as a %s, and the data holds %s", in.Name, in.Kind, c.Kind).
				Do("say %s: %s in the pipeline's inputs, or train the model without it", in.Name, in.Kind)
		}
	}
	return nil
}

// bundle is the model, with the identity for a pipeline where it takes a matrix. Its golden rows are those of
// its input example and then the first that are held out.
func (w *work) bundle(ctx context.Context, m mlmodel.Model, beside []model.File) (*model.Bundle, error) {
	names := make([]string, len(m.Inputs))
	for i, in := range m.Inputs {
		names[i] = in.Name
	}
	rows, err := w.rows.Take(w.part.Test).Select(names...)
	if err == nil && m.Examples != nil {
		rows, err = frame.Concat(m.Examples, rows)
	}
	if err != nil {
		return nil, err
	}
	fitted, err := m.Pipeline(ctx)
	if err != nil {
		return nil, err
	}
	return w.hold(model.Make(ctx, w.Blobs, w.Decoders, model.Parts{
		Model: w.recipe.Model, Task: w.recipe.Task, Classes: w.classes, Pipeline: fitted,
		Estimator: m.File, More: m.More, Answer: &m.Answer, Tolerance: m.Tolerance, Rows: rows, Beside: beside,
		Describe: describing(beside, rows),
	}))
}

// apart are what the verdict says of a version because it was trained elsewhere. They
// are reported and decide nothing.
func (t *Judge) apart(r Judging, w *work) []gate.Reason {
	blind := gate.Reason{Rule: "held-out rows", Decision: gate.Inconclusive, NotJudged: true}
	switch from := w.part.TestFrom.Format(time.DateOnly); {
	case !r.Trained.IsZero():
		blind.Decision, blind.NotJudged = gate.Superior, false
		who := "its people say"
		if len(r.Snapshots) > 0 {
			who = "the dataset of its run says"
		}
		blind.Text = fmt.Sprintf("trained until %s, as %s; the rows fell due from %s on", r.Trained.Format(time.DateOnly), who, from)
	case w.part.TestFrom.After(r.Registered):
		blind.Decision, blind.NotJudged = gate.Superior, false
		blind.Text = fmt.Sprintf("registered on %s; the rows fell due from %s on", r.Registered.Format(time.DateOnly), from)
	default:
		blind.Text = "what it was trained on is not known, so the comparison is not blind: it may know these rows"
	}
	out := []gate.Reason{blind}
	if r.Recipe.Gate.Reproduce == "required" {
		out = append(out, gate.Reason{
			Rule: "reproduce required", Decision: gate.Inconclusive, NotJudged: true,
			Text: "trained elsewhere, so it cannot be made a second time",
		})
	}
	return slices.Clip(out)
}

// keep keeps the verdict, and the baseline's version beside it.
func keep(ctx context.Context, reg JudgeRegistry, r Judging, res *Result) error {
	report, err := json.Marshal(res.Verdict)
	if err != nil {
		return fmt.Errorf("encode the gate's report: %w", err)
	}
	v := registry.Version{
		Ref: ident.Ref{Model: r.Recipe.Model, Version: r.Version}, Bundle: res.Bundle, Judged: res.Judged, Snapshot: res.Snapshot, Record: res.Record,
		SeenUntil: res.SeenUntil, Verdict: verdictWord(res), Report: report, Key: r.Key,
	}
	mark := event.Off
	if res.Verdict.Pass {
		mark = event.OK
	}
	kept, err := reg.JudgeVersion(ctx, v, event.Event{
		At: r.Now, Model: r.Recipe.Model, By: r.By, Mark: mark, Kind: "gate",
		Text: fmt.Sprintf("v%d %s", r.Version, res.Verdict.Summary), Command: fmt.Sprintf("flyball gate %s@%d", r.Recipe.Model, r.Version),
	})
	if err != nil {
		return err
	}
	res.Version = kept.Version
	v.Ref = ident.Ref{Model: registry.BaselineOf(r.Recipe.Model)}
	v.Bundle, v.Judged, v.Report, v.Cause, v.CreatedAt, v.CreatedBy = res.Floor, "", nil, r.Cause, r.Now, r.By
	floor, err := reg.AddVersion(ctx, v)
	res.Baseline = floor.Version
	return err
}
