// SPDX-License-Identifier: Apache-2.0

package training

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/fault"
	"flyball/model"
	"flyball/training/executor"
	"flyball/training/learner"
)

// FitVerb is the hidden command that fits a built-in learner as the program of a job.
const FitVerb = "fit"

// rowsFile is what a row has besides its features: for built-in learners alone.
const rowsFile = "flyball/rows.parquet"

// The variables of a built-in learner, besides those of a command.
const (
	withVariable    = "FLYBALL_WITH"
	rowsVariable    = "FLYBALL_ROWS"
	outputsVariable = "FLYBALL_CLASS_COUNT"
)

// on is the executor that the recipe names; nil: there is none.
func (w *work) on() (executor.Executor, error) {
	return executor.On(w.Executor, w.recipe.Train.Executor)
}

// elsewhere has a built-in learner fit as a job of the executor that the recipe names. It
// comes to the same bytes as here: features are numbers of 32 bits, which a table holds
// whole, and no learner's result depends on the number of its workers.
func (w *work) elsewhere(ctx context.Context, in inputs, x pipeline.Matrix) (model.File, error) {
	cols := []frame.Column{frame.NumberColumn("label", in.y)}
	if in.weights != nil {
		cols = append(cols, frame.NumberColumn("weight", in.weights))
	}
	if in.times != nil {
		cols = append(cols, frame.TimeColumn("time", in.times))
	}
	rows, err := parquetOf(frame.WithRows(x.Rows, cols...))
	if err != nil {
		return model.File{}, err
	}
	tables := map[string][]byte{rowsFile: rows}
	if x.Cols > 0 { // a table of no columns is none
		if tables[trainFile], err = parquetOf(matrixFrame(x)); err != nil {
			return model.File{}, err
		}
	}
	f, err := w.execute(ctx, in.train, tables)
	if err != nil {
		return model.File{}, err
	}
	made, err := w.outputs(ctx, f)
	if err != nil {
		return model.File{}, err
	}
	if len(made) != 1 {
		return model.File{}, fault.New(fault.Internal, "a learner left %d files, not one", len(made))
	}
	for name, raw := range made {
		return model.File{Name: name, Bytes: raw}, nil
	}
	return model.File{}, nil
}

// learning are the command and the variables of a built-in learner's job.
func (w *work) learning(train Settings, j *executor.Job) {
	j.Command = []string{executor.Self, FitVerb}
	j.Env[withVariable], j.Env[rowsVariable], j.Env[outputsVariable] = train.With, "{in}/"+rowsFile, strconv.Itoa(len(w.classes))
}

// FitHere is a job that elsewhere asked for: it reads the tables that the environment
// names, fits, and writes the model's file into the output folder. What it says on the
// way goes to out. Only the program of a job calls it.
func FitHere(ctx context.Context, getenv func(string) string, out io.Writer) error {
	var settings map[string]any
	if err := json.Unmarshal([]byte(getenv("FLYBALL_SETTINGS")), &settings); err != nil {
		return fault.Wrap(err, fault.Invalid, "FLYBALL_SETTINGS is no JSON object; leave this command to flyball")
	}
	seed, err := strconv.ParseUint(getenv("FLYBALL_SEED"), 10, 64)
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "FLYBALL_SEED is no number")
	}
	classes, err := strconv.Atoi(getenv(outputsVariable))
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "%s is no number", outputsVariable)
	}
	workers, _ := strconv.Atoi(getenv("OMP_NUM_THREADS")) // 0: one per CPU
	l, err := learner.New(getenv(withVariable), settings)
	if err != nil {
		return err
	}
	d, err := readFit(getenv("FLYBALL_TRAIN"), getenv(rowsVariable))
	if err != nil {
		return err
	}
	d.Kind, d.Classes = dataset.Kind(getenv("FLYBALL_KIND")), classes
	step := 0
	file, err := l.Fit(ctx, d, learner.Options{Seed: seed, Workers: workers, Progress: func(done, of int) {
		if now := 10 * done / max(1, of); now > step {
			step = now
			_, _ = fmt.Fprintf(out, "trained %d of %d\n", done, of)
		}
	}})
	if err != nil {
		return err
	}
	err = os.WriteFile(filepath.Join(getenv("FLYBALL_OUT"), file.Name), file.Bytes, 0o600)
	return fault.Wrap(err, fault.Unavailable, "the model cannot be written")
}

// readFit reads the two tables of a fit. A model of no features has the second alone.
func readFit(features, rows string) (d learner.Data, err error) {
	f, err := readTable(rows)
	if err != nil {
		return d, err
	}
	for _, c := range f.Columns() {
		switch c.Name {
		case "label":
			d.Y = c.Num
		case "weight":
			d.Weights = c.Num
		case "time":
			d.Time = c.Time
		}
	}
	d.X = pipeline.Matrix{Rows: f.Rows()}
	if _, err := os.Stat(features); errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if f, err = readTable(features); err != nil {
		return d, err
	}
	cols := f.Columns()
	d.X.Cols, d.X.Data = len(cols), make([]float32, f.Rows()*len(cols))
	for j := range cols {
		if cols[j].Kind != frame.Number {
			return d, fault.New(fault.Invalid, "the feature %s holds no numbers", cols[j].Name)
		}
		d.X.Names = append(d.X.Names, cols[j].Name)
		for i, v := range cols[j].Num {
			d.X.Data[i*d.X.Cols+j] = float32(v)
		}
	}
	return d, nil
}

func readTable(path string) (*frame.Frame, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "the table %s cannot be read", filepath.Base(path))
	}
	r, err := frame.OpenParquet(filepath.Base(path), bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return nil, err
	}
	return frame.ReadAll(r)
}
