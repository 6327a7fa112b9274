// SPDX-License-Identifier: Apache-2.0

package training

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"flyball/blob"
	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/experiment"
	"flyball/fault"
	"flyball/model"
	"flyball/training/executor"
)

// Command is the word of train.with for a program of one's own.
const Command = "command"

// The files that a command finds where it begins, and the bound of its log that is kept.
const (
	trainFile = "flyball/train.parquet"
	testFile  = "flyball/test.parquet"
	maxLog    = 8 << 20
)

// looking is how often a command is looked at.
const looking = 100 * time.Millisecond

// fit is one run of a command.
type fit struct {
	number int // from 1
	handle executor.Handle
	status executor.Status
	log    []byte // its end, at most maxLog
}

// commanded has the command fit on the rows, and bundles what it made with the pipeline.
func (w *work) commanded(ctx context.Context, train Settings, steps pipeline.Spec, at []int, beside []model.File) (*model.Bundle, error) {
	if on, err := w.on(); on == nil {
		if err != nil {
			return nil, err
		}
		return nil, fault.New(fault.Refused, "the training is a command, and nobody allowed programs to run here").
			Do("start the server with flyball serve --executor local")
	}
	rows := w.rows.Take(at)
	fitted, tables, err := w.tables(ctx, train, steps, at, rows)
	if err != nil {
		return nil, err
	}
	f, err := w.execute(ctx, train, tables)
	if err != nil {
		return nil, err
	}
	made, err := w.outputs(ctx, f)
	if err != nil {
		return nil, err
	}
	parts, err := w.read(ctx, made, fitted)
	if err != nil {
		return nil, err
	}
	parts.Model, parts.Task, parts.Classes, parts.Beside = w.recipe.Model, w.recipe.Task, w.classes, beside
	parts.Rows, parts.Describe = rows, describing(beside, rows)
	return w.hold(model.Make(ctx, w.Blobs, w.Decoders, parts))
}

// tables are the two files that the command reads. fitted is nil where the rows go to it
// as they are.
func (w *work) tables(ctx context.Context, train Settings, steps pipeline.Spec, at []int, rows *frame.Frame) (fitted *pipeline.Fitted, tables map[string][]byte, err error) {
	test := w.rows.Take(w.part.Test)
	var learned, held *frame.Frame
	if len(steps.Inputs) == 0 {
		names := w.rawColumns()
		if learned, err = rows.Select(names...); err == nil {
			held, err = test.Select(names...)
		}
	} else {
		y := make([]float64, len(at))
		for i, r := range at {
			y[i] = w.labels[r]
		}
		var x, z pipeline.Matrix
		if fitted, x, err = pipeline.FitTransform(ctx, steps, rows, pipeline.Options{Workers: w.Workers, Target: y, Classes: len(w.classes), Seed: train.Seed}); err != nil {
			return nil, nil, err
		}
		z, _, err = fitted.Transform(test)
		learned, held = matrixFrame(x), matrixFrame(z)
	}
	if err != nil {
		return nil, nil, err
	}
	extra := []frame.Column{w.labelColumn(at, fitted == nil)}
	if c := w.rows.Column(train.Weight); train.Weight != "" && c != nil && learned.Column(train.Weight) == nil {
		extra = append(extra, *frame.New(*c).Take(at).Column(train.Weight))
	}
	tables = map[string][]byte{}
	if tables[trainFile], err = parquetOf(frame.WithRows(learned.Rows(), append(slices.Clone(learned.Columns()), extra...)...)); err != nil {
		return nil, nil, err
	}
	tables[testFile], err = parquetOf(held)
	return fitted, tables, err
}

// rawColumns are the columns that a command may learn from where no pipeline says so.
func (w *work) rawColumns() []string {
	t := w.recipe.Task
	out := []string{}
	for _, f := range w.rows.Fields() {
		never := append([]string{t.Column, t.ID, t.Truth.KnownAt, t.Truth.DueAt, w.recipe.Train.Weight}, t.Never...)
		if !slices.Contains(never, f.Name) {
			out = append(out, f.Name)
		}
	}
	return out
}

// labelColumn is the truth of the rows: a number, for classes the place of the class; or
// as it is in the data.
func (w *work) labelColumn(at []int, raw bool) frame.Column {
	if c := w.rows.Column(w.recipe.Task.Column); raw && c != nil && w.recipe.Task.Kind == dataset.Multiclass {
		return *frame.New(*c).Take(at).Column(c.Name)
	}
	y := make([]float64, len(at))
	for i, r := range at {
		y[i] = w.labels[r]
	}
	return frame.NumberColumn(w.recipe.Task.Column, y)
}

// matrixFrame is features as columns.
func matrixFrame(x pipeline.Matrix) *frame.Frame {
	cols := make([]frame.Column, x.Cols)
	for j, name := range x.Names {
		v := make([]float64, x.Rows)
		for i := range v {
			v[i] = float64(x.Data[i*x.Cols+j])
		}
		cols[j] = frame.NumberColumn(name, v)
	}
	return frame.WithRows(x.Rows, cols...)
}

// parquetOf is a table in the order of its columns: a model may know them by their places.
func parquetOf(f *frame.Frame) ([]byte, error) {
	var out bytes.Buffer
	p, err := frame.NewOrderedParquetWriter(&out, f.Fields())
	if err == nil {
		err = p.Write(f)
	}
	if err == nil {
		err = p.Close()
	}
	return out.Bytes(), err
}

// execute runs the command to its end. After a crash of the server the same request
// finds the run that goes on, or that ended.
func (w *work) execute(ctx context.Context, train Settings, tables map[string][]byte) (fit, error) {
	f := fit{number: len(w.fits) + 1}
	on, err := w.on()
	if err != nil {
		return f, err
	}
	j, err := w.job(ctx, train, tables, f.number)
	if err != nil {
		return f, err
	}
	if f.handle, err = w.submit(ctx, on, j); err != nil {
		return f, err
	}
	w.fits = append(w.fits, f)
	this := &w.fits[len(w.fits)-1]
	w.begin(ctx, *this)
	if err = w.await(ctx, this); err != nil {
		return *this, err
	}
	if this.log, err = w.tail(ctx, this.handle); err != nil {
		return *this, err
	}
	return *this, problem(this)
}

// away is how long an engine that cannot take a job is asked again.
const away = 30 * time.Minute

// submit asks for the run, again and again while its engine does not answer: that takes a
// key that it knows for the same job.
func (w *work) submit(ctx context.Context, on executor.Executor, j executor.Job) (executor.Handle, error) {
	tick := time.NewTicker(10 * looking)
	defer tick.Stop()
	for began := time.Now(); ; {
		h, err := on.Submit(ctx, j)
		if !fault.Is(err, fault.Unavailable) || time.Since(began) > away {
			return h, err
		}
		w.progress("the command waits to be taken: " + err.Error())
		select {
		case <-ctx.Done():
			return "", err
		case <-tick.C:
		}
	}
}

// problem is why a run that ended without outputs did: the reason, and the last lines of
// its log.
func problem(f *fit) error {
	s := f.status
	last := lastLines(f.log, 3)
	switch s.State {
	case executor.Succeeded:
		return nil
	case executor.Canceled:
		return fault.New(fault.Refused, "the command was canceled").Do("train again when it is wanted")
	case executor.Lost:
		return fault.New(fault.Unavailable, "the command is lost: %s", s.Reason).Do("train again")
	}
	if last != "" {
		last = "; it said last: " + last
	}
	return fault.New(fault.Refused, "the command failed: %s%s", s.Reason, last).Do("see flyball runs logs for all that it said")
}

// lastLines are the last n lines of a log that say something, in one.
func lastLines(log []byte, n int) string {
	var out []string
	for line := range bytes.Lines(log) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			out = append(out, string(line[:min(len(line), 300)]))
		}
	}
	out = out[max(0, len(out)-n):]
	return string(bytes.ToValidUTF8([]byte(joined(out)), []byte("?")))
}

// await polls until the run has ended. When ctx is done the run goes on: whoever takes
// the job up again finds it.
func (w *work) await(ctx context.Context, f *fit) (err error) {
	tick := time.NewTicker(looking)
	defer tick.Stop()
	for {
		f.status, err = w.Executor.Poll(ctx, f.handle)
		if err != nil && !fault.Is(err, fault.Unavailable) {
			return err
		}
		if err == nil && f.status.State.Final() {
			return nil
		}
		w.progress(underWay(f.number, f.status, err))
		select {
		case <-ctx.Done():
			return fault.Wrap(context.Cause(ctx), fault.Unavailable, "the command goes on without us")
		case <-tick.C:
		}
	}
}

// underWay says how it stands with a run that has not ended, the nth of its job: a cluster
// may have it wait for long, and says for what.
func underWay(n int, s executor.Status, err error) string {
	switch {
	case err != nil:
		return fmt.Sprintf("nobody tells of the command (%d): %v", n, err)
	case s.State == executor.Pending && s.Reason != "":
		return fmt.Sprintf("the command waits (%d): %s", n, s.Reason)
	case s.State == executor.Pending:
		return fmt.Sprintf("the command waits (%d)", n)
	}
	return fmt.Sprintf("the command runs (%d), for %s", n, time.Duration(s.Usage.Seconds*float64(time.Second)).Round(time.Second))
}

// tail is the end of a run's log.
func (w *work) tail(ctx context.Context, h executor.Handle) ([]byte, error) {
	r, err := w.Executor.Logs(ctx, h, 0)
	if err != nil {
		return nil, err
	}
	var kept []byte
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		if kept = append(kept, buf[:n]...); len(kept) > 2*maxLog {
			kept = slices.Clone(kept[len(kept)-maxLog:])
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			_ = r.Close()
			return nil, fault.Wrap(err, fault.Unavailable, "the log of the command cannot be read")
		}
	}
	return kept[max(0, len(kept)-maxLog):], r.Close()
}

// job is the command as an executor takes it. Its key tells the request, which of its
// runs this is, and all that goes in.
func (w *work) job(ctx context.Context, train Settings, tables map[string][]byte, number int) (executor.Job, error) {
	j := executor.Job{
		Command: train.Command, Inputs: map[string]executor.Input{},
		Limits: executor.Limits{
			Time: train.Limits.Time, Memory: train.Limits.Memory, CPUs: cpus(train, w.CPUs),
			GPUs: train.Limits.GPUs, Image: train.Limits.Image, Queue: train.Limits.Queue,
		},
	}
	settings := train.Settings
	if settings == nil {
		settings = map[string]any{}
	}
	raw, err := json.Marshal(settings)
	if err != nil {
		return j, fmt.Errorf("encode the settings: %w", err)
	}
	j.Env = map[string]string{
		"FLYBALL_TRAIN": "{in}/" + trainFile, "FLYBALL_TEST": "{in}/" + testFile, "FLYBALL_OUT": "{out}", "FLYBALL_SETTINGS": string(raw),
		"FLYBALL_SEED": fmt.Sprint(train.Seed), "PYTHONHASHSEED": fmt.Sprint(train.Seed % (1 << 32)),
		"FLYBALL_MODEL": w.recipe.Model, "FLYBALL_LABEL": w.recipe.Task.Column, "FLYBALL_KIND": string(w.recipe.Task.Kind),
		"MLFLOW_TRACKING_URI": "file:{in}/mlruns", "GIT_PYTHON_REFRESH": "quiet",
	}
	if len(w.classes) > 0 {
		classes, err := json.Marshal(w.classes)
		if err != nil {
			return j, fmt.Errorf("encode the classes: %w", err)
		}
		j.Env["FLYBALL_CLASSES"] = string(classes)
	}
	if train.Weight != "" {
		j.Env["FLYBALL_WEIGHT"] = train.Weight
	}
	if train.With != Command {
		w.learning(train, &j)
	}
	content := []string{fmt.Sprint(j.Command), string(raw), fmt.Sprint(train.Seed, train.Environment)}
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		table := tables[name]
		content = append(content, string(blob.Sum(table)))
		j.Inputs[name] = executor.Input{Size: int64(len(table)), Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(table)), nil }}
	}
	for _, name := range slices.Sorted(maps.Keys(w.request.Code)) {
		file := w.request.Code[name]
		content = append(content, name, string(file.Digest))
		j.Inputs[name] = executor.Input{Size: file.Size, Mode: 0o700, Open: func(ctx context.Context) (io.ReadCloser, error) { return w.Blobs.Open(ctx, file.Digest) }}
	}
	j.Key = fmt.Sprintf("%s/fit/%d/%s", w.request.Key, number, blob.Sum([]byte(joined(content)))[:16])
	if w.Tracking != "" && w.Tracker != nil {
		j.Env["MLFLOW_TRACKING_URI"], j.Env["MLFLOW_RUN_ID"] = w.Tracking, string(fitRun(w.request, number))
		if err := w.credential(ctx, &j); err != nil {
			return j, err
		}
	}
	if train.With != Command {
		return j, nil
	}
	return j, w.interpreter(ctx, train.Environment, &j)
}

// cpus are granted to a job: what the model file asks for, or the trainer's own.
func cpus(train Settings, own int) int {
	if train.Limits.CPUs > 0 {
		return train.Limits.CPUs
	}
	return max(1, own)
}

// credential lets the command log where it must say who it is.
func (w *work) credential(ctx context.Context, j *executor.Job) error {
	if w.Credential == nil {
		return nil
	}
	secret, err := w.Credential(ctx, j.Key)
	if err == nil && secret != "" {
		j.Env["MLFLOW_TRACKING_TOKEN"] = secret
	}
	return err
}

// begin shows the run in the experiment while it is under way. That it cannot be shown
// is told and hinders nothing.
func (w *work) begin(ctx context.Context, f fit) {
	if w.Tracker == nil {
		return
	}
	r := w.request
	run := experiment.Run{ID: fitRun(r, f.number), Name: "training", User: r.By, Status: experiment.Running, Start: r.Now.UnixMilli()}
	run.Tags = []experiment.Tag{
		{Key: "flyball.model", Value: r.Recipe.Model},
		{Key: "flyball.cause", Value: r.Cause},
		{Key: "mlflow.source.type", Value: "JOB"},
		{Key: "mlflow.source.name", Value: joinedWith(r.Recipe.Train.Command, " ")},
		{Key: "mlflow.user", Value: r.By},
		{Key: JobTag, Value: string(f.handle)},
	}
	if f.number > 1 {
		run.Name = fmt.Sprintf("fit %d", f.number)
		run.Tags = append(run.Tags, experiment.Tag{Key: "mlflow.parentRunId", Value: string(RunOf(r.Key))})
	}
	run.Tags = append(run.Tags, experiment.Tag{Key: experiment.NameTag, Value: run.Name})
	if err := w.Tracker.Begin(ctx, r.Recipe.Model, run); err != nil {
		w.Logger.Warn("a training is not shown while it runs", "model", r.Recipe.Model, "run", run.ID, "error", err)
	}
}
