// SPDX-License-Identifier: Apache-2.0

package training

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sort"
	"time"

	"flyball/blob"
	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/experiment/evaluation"
	"flyball/experiment/gate"
	"flyball/experiment/modeltest"
	"flyball/fault"
	"flyball/model"
	"flyball/serving/prediction"
	"flyball/training/environment"
	"flyball/training/executor"
)

var nan = math.NaN()

// Trainer runs trainings. Its fields are set once; Run may be called at once.
type Trainer struct {
	Blobs    blob.Store
	Log      prediction.Log // nil: the source alone
	Sources  Sources        // nil: files alone, which came with the model file
	Decoders model.Decoders
	Workers  int   // 0: one per CPU
	Fits     *Fits // of a rehearsal, to fit nothing twice, not even for gate.reproduce; nil: nothing is remembered
	Logger   *slog.Logger
	Tracker  Tracker // nil: trainings leave no run

	// Of commands, the programs of model files. Executor runs them; nil: they are refused.
	// Tracking is where they log to, an address of MLflow's API. Environment makes a
	// Python environment (environment.Maker) and gives its interpreter; nil: none is
	// made. CPUs are granted to each; 0: one.
	Executor    executor.Executor
	Tracking    string
	Credential  func(ctx context.Context, about string) (string, error) // a token to log with; empty: none is needed
	Environment func(ctx context.Context, n environment.Need) (python string, err error)
	CPUs        int

	Keeper Keeper // nil: trainings leave neither snapshots nor findings of their data in the records
}

// Run makes a version of a request and judges it against live, the bundle that
// serves (nil: none). It registers nothing. Data that fails a check is a Refused
// fault that names rows and columns; a candidate that the gate refuses is a Result,
// not an error. progress may be nil.
func (t *Trainer) Run(ctx context.Context, r Request, live *Opponent, progress func(string)) (Result, error) {
	return t.run(ctx, r, live, nil, progress)
}

// run is Run, with the lock of the Python environment that is to be made again; nil: none.
func (t *Trainer) run(ctx context.Context, r Request, live *Opponent, lock []byte, progress func(string)) (res Result, err error) {
	if progress == nil {
		progress = func(string) {}
	}
	began := time.Now()
	w := &work{Trainer: t, request: r, recipe: r.Recipe, live: live, progress: progress, began: began, lock: lock}
	defer func() { err = errors.Join(err, w.close()) }()
	defer func() { res.fits = w.fits }()
	if live != nil {
		w.unseen = live.SeenUntil
	}
	for _, step := range []func(context.Context) error{w.data, w.split, w.choose, w.judged, w.evaluate, w.final, w.record} {
		if err := step(ctx); err != nil {
			return w.result, err
		}
	}
	w.result.Seconds, w.result.said = time.Since(began).Seconds(), w.said
	return w.result, nil
}

// work is one training under way.
type work struct {
	*Trainer
	request  Request
	recipe   Recipe
	live     *Opponent
	unseen   time.Time // test rows are due after this: nobody was trained on them
	progress func(string)

	snapshot dataset.Snapshot
	rows     *frame.Frame
	labels   []float64
	classes  []string
	due      []int64
	part     dataset.Split

	candidate, floor *model.Bundle // fitted on the training rows, for the gate
	rebuilt          *bool
	opened           []*model.Bundle
	fits             []fit               // of a command
	settled          bool                // which interpreter the command runs in
	lock             []byte              // that is recorded, of a version that is made again
	made             string              // the interpreter of the environment that was made; empty: none was
	python           *environment.Python // that the command ran in; nil: it is no Python, or not known
	last             []int               // rows that the final version was fitted on
	pipeline         blob.Digest         // its pipeline.json
	began            time.Time
	values           map[string]float64
	said             said
	result           Result
}

// hold notes a bundle to be closed at the end.
func (w *work) hold(b *model.Bundle, err error) (*model.Bundle, error) {
	if b != nil {
		w.opened = append(w.opened, b)
	}
	return b, err
}

// close closes all bundles: some have processes.
func (w *work) close() error {
	errs := make([]error, len(w.opened))
	for i, b := range w.opened {
		errs[i] = b.Close()
	}
	return errors.Join(errs...)
}

// data makes or opens the snapshot and runs the checks.
func (w *work) data(ctx context.Context) (err error) {
	w.progress("reading the data")
	var warnings []string
	if w.request.Snapshot != "" {
		w.snapshot, err = dataset.Open(ctx, w.Blobs, w.request.Snapshot)
	} else {
		w.snapshot, warnings, err = w.gather(ctx, w.request)
	}
	if err != nil {
		return err
	}
	w.result.Snapshot = w.snapshot.ID
	if w.rows, err = w.snapshot.Rows(ctx, w.Blobs); err != nil {
		return err
	}
	given, err := w.given(ctx)
	if err != nil {
		return err
	}
	problems, err := dataset.Run(w.recipe.Data.Checks, w.recipe.Task, w.rows, given)
	if err != nil {
		return err
	}
	w.result.Problems = append(noted(warnings), problems...)
	for _, p := range problems {
		if p.Severity == "stop" {
			return fault.New(fault.Refused, "the data fails a check: %s", p.Text).Do("mend the data, or change the check in the model file")
		}
	}
	return nil
}

// split takes the mature rows apart: which train and which test.
func (w *work) split(context.Context) (err error) {
	task := w.recipe.Task
	if w.labels, w.classes, err = task.Labels(w.rows, w.request.Now); err != nil {
		return err
	}
	if w.due, err = task.Due(w.rows); err != nil {
		return err
	}
	var window dataset.TrainWindow // of several the search finds the best
	if len(w.recipe.Data.Train) == 1 {
		window = w.recipe.Data.Train[0]
	}
	return w.cut(window)
}

// cut takes the mature rows apart with a window of training rows.
func (w *work) cut(window dataset.TrainWindow) (err error) {
	if w.part, err = w.recipe.Task.Split(w.rows, window, w.recipe.Data.Test, w.unseen, w.request.Now); err != nil {
		return err
	}
	if !w.request.Sample.All() {
		w.result.Whole = len(w.part.Train)
		w.part.Train = w.request.Sample.of(w.part.Train)
	}
	p := w.part
	w.result.Train, w.result.Test, w.result.Mature = len(p.Train), len(p.Test), len(p.Mature)
	w.result.Unlabelled, w.result.Immature = p.MatureUnlabelled, p.Immature
	w.result.TestFrom, w.result.TestTo = p.TestFrom, p.TestTo
	if len(p.Test) == 0 && len(p.Mature) > 0 && !w.unseen.IsZero() {
		return fault.New(fault.Refused, "no truth fell due since %s: the versions that are compared were trained on all of it", w.unseen.Format(time.DateTime)).
			Do("wait for more truth")
	}
	if len(p.Train) == 0 || len(p.Test) == 0 {
		return fault.New(fault.Refused, "%d mature rows: too few to train and to test (%d are not due yet)", len(p.Mature), p.Immature).
			Do("wait for more truth, or make data.test.window shorter")
	}
	return nil
}

// judged makes the candidate and the floor on the training rows alone, and the
// candidate a second time, with another number of workers, to see that it comes out
// the same.
func (w *work) judged(ctx context.Context) (err error) {
	w.progress("training the candidate")
	if w.candidate, err = w.make(ctx, w.recipe.Train, w.recipe.Pipeline, w.part.Train, w.Workers, nil); err != nil {
		return err
	}
	if w.floor, err = w.makeFloor(ctx, w.part.Train); err != nil {
		return err
	}
	w.result.Judged = w.candidate.Digest
	if w.recipe.Gate.Reproduce == "" {
		return nil
	}
	w.progress("making it again")
	again, err := w.make(ctx, w.recipe.Train, w.recipe.Pipeline, w.part.Train, 1, nil)
	if err != nil {
		return err
	}
	same, err := w.sameAs(ctx, again)
	w.rebuilt = &same
	return err
}

// makeFloor makes the baseline. Its features are the columns of by, or the one column
// whose value it repeats, or, for another learner, the candidate's pipeline. Its rows
// weigh one each, as those of the gate do.
func (w *work) makeFloor(ctx context.Context, at []int) (*model.Bundle, error) {
	b := w.recipe.Gate.Baseline
	train := Settings{With: b.With, Settings: map[string]any{}, Seed: w.recipe.Train.Seed}
	for k, v := range b.Settings {
		if k != "by" {
			train.Settings[k] = v
		}
	}
	steps := w.recipe.Pipeline
	if key, ok := map[string]string{"builtin/constant": "by", "builtin/last": "column"}[b.With]; ok {
		by, err := columnNames(b.Settings[key])
		if err != nil {
			return nil, err
		}
		if steps, err = w.groupSteps(by); err != nil {
			return nil, err
		}
		if b.With == "builtin/last" && len(steps.Steps) > 0 {
			return nil, fault.New(fault.Invalid, "gate.baseline takes the column %q, which is a text, and builtin/last repeats a number", by[0]).
				Do("name a column of numbers, or use builtin/constant with by: [%s]", by[0])
		}
	}
	return w.make(ctx, train, steps, at, w.Workers, nil)
}

// groupSteps is the pipeline of a baseline: the columns as numbers, text by a code of
// each value.
func (w *work) groupSteps(by []string) (pipeline.Spec, error) {
	var out pipeline.Spec
	for _, name := range by {
		c := w.rows.Column(name)
		if c == nil {
			return out, fault.New(fault.Invalid, "gate.baseline takes column %q, which the data does not have", name)
		}
		out.Inputs = append(out.Inputs, c.Field)
		if c.Kind == frame.Text {
			out.Steps = append(out.Steps, pipeline.Step{Op: "ordinal", In: []string{name}})
		}
	}
	return out, nil
}

func columnNames(v any) ([]string, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		return []string{v}, nil
	case []string:
		return v, nil
	case []any:
		out := make([]string, len(v))
		for i, x := range v {
			s, ok := x.(string)
			if !ok {
				return nil, fault.New(fault.Invalid, "gate.baseline.settings.by is a list of columns")
			}
			out[i] = s
		}
		return out, nil
	}
	return nil, fault.New(fault.Invalid, "gate.baseline.settings.by is a list of columns")
}

// evaluate measures candidate, live version and baseline on the test rows, and
// judges.
func (w *work) evaluate(ctx context.Context) error {
	w.progress("judging on held-out rows")
	test := w.rows.Take(w.part.Test)
	s := evaluation.Sample{Kind: w.recipe.Task.Kind, Classes: w.classes, Decide: w.recipe.Task.Decide, Costs: w.recipe.Task.Cost, Scores: map[string][]float64{}}
	for _, r := range w.part.Test {
		s.Truth = append(s.Truth, w.labels[r])
	}
	var err error
	if s.Block, err = w.recipe.Task.Blocks(test); err != nil {
		return err
	}
	s.Run = w.recipe.Task.Block.Together()
	for _, cut := range slices.Concat(w.recipe.Gate.Slices, w.recipe.Task.Groups) {
		values, err := cut.Values(test)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(s.Slices, func(c evaluation.SliceColumn) bool { return c.Name == cut.Column }) {
			s.Slices = append(s.Slices, evaluation.SliceColumn{Name: cut.Column, Values: values})
		}
	}
	var groups []string
	for _, g := range w.recipe.Task.Groups {
		groups = append(groups, g.Column)
	}
	voices := map[string]*model.Bundle{prediction.Candidate: w.candidate, prediction.Baseline: w.floor}
	if w.live != nil {
		if voices[prediction.Live], err = w.hold(model.Open(ctx, w.Blobs, w.Decoders, w.live.Bundle)); err != nil {
			return err
		}
	}
	for role, b := range voices {
		got, err := b.Predict(ctx, test)
		if err != nil {
			return fmt.Errorf("score the test rows by the %s version: %w", role, err)
		}
		s.Scores[role] = got.Values
	}
	if err := w.measure(ctx, test); err != nil {
		return err
	}
	w.said = said{sample: s, keys: w.keys(test), values: w.values}
	traffic, err := w.traffic()
	if err != nil {
		return err
	}
	mix, err := w.mix(test, s.Block, traffic, s.Seed())
	if err != nil {
		return err
	}
	tests, err := modeltest.Run(ctx, w.recipe.Gate.Tests, modeltest.Subject{Model: w.candidate, Rows: test, Sample: s})
	if err != nil {
		return err
	}
	w.result.Verdict = w.recipe.Gate.Judge(gate.Input{
		Sample: s, Groups: groups, First: w.live == nil, Values: w.values, Mix: mix, Tests: tests, Rebuilt: w.rebuilt,
	})
	return nil
}

// measure finds what the gate asks for apart from the test rows: the time one row
// takes, and the level of the scores on the newest traffic.
func (w *work) measure(ctx context.Context, test *frame.Frame) error {
	w.values = map[string]float64{}
	n := min(test.Rows(), 500)
	took := make([]float64, n)
	for i := range n {
		row := test.Slice(i, i+1)
		began := time.Now()
		if _, err := w.candidate.Predict(ctx, row); err != nil {
			return err
		}
		took[i] = time.Since(began).Seconds()
	}
	sort.Float64s(took)
	w.values["latency_p99"] = took[min(n-1, n*99/100)]
	if err := w.sizes(ctx, w.candidate); err != nil {
		return err
	}
	if w.recipe.Task.Kind == dataset.Multiclass {
		return nil
	}
	due, err := w.level()
	if err != nil {
		return err
	}
	w.values["base_rate_mature"] = mean(w.labels, due)
	traffic, err := w.traffic()
	if err != nil || len(traffic) == 0 {
		return err
	}
	got, err := w.candidate.Predict(ctx, w.rows.Take(traffic))
	if err != nil {
		return err
	}
	w.values["mean_score_traffic"] = mean(got.Values, nil)
	return nil
}

// level is the rows whose mean truth the scores are held against: those held out or, where
// these were chosen by something else, the newest that are due.
func (w *work) level() ([]int, error) {
	if w.recipe.Level == nil {
		return w.part.Test, nil
	}
	task := w.recipe.Task
	task.Truth = *w.recipe.Level
	part, err := task.Split(w.rows, dataset.TrainWindow{}, w.recipe.Data.Test, time.Time{}, w.request.Now)
	return part.Test, err
}

// traffic is the rows asked in the newest test window, whether their truth is due
// or not; none where rows have no time.
func (w *work) traffic() ([]int, error) {
	if w.recipe.Task.Time == "" {
		return nil, nil
	}
	asked, err := dataset.Times(w.rows, w.recipe.Task.Time)
	if err != nil {
		return nil, err
	}
	to := w.request.Now.UnixMicro()
	from := to - w.recipe.Data.Test.Window.D().Microseconds()
	var out []int
	for i, t := range asked {
		if t > from && t <= to {
			out = append(out, i)
		}
	}
	return out, nil
}

// mean is over the values at the places, or over all where at is nil.
func mean(v []float64, at []int) float64 {
	sum, n := 0.0, 0
	if at == nil {
		for _, x := range v {
			sum, n = sum+x, n+1
		}
	}
	for _, i := range at {
		sum, n = sum+v[i], n+1
	}
	return sum / float64(n)
}
