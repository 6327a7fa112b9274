// SPDX-License-Identifier: Apache-2.0

// Package learner is the built-in estimators' training: histogram gradient boosting,
// linear models and the constant. The same data, settings and seed give the same
// bytes for any number of workers. It chooses no rows and judges nothing.
package learner

import (
	"context"
	"math"

	"flyball/data/dataset"
	"flyball/data/pipeline"
	"flyball/fault"
	"flyball/model"
	"flyball/model/constant"
	"flyball/model/linear"
	"flyball/model/xgboost"
)

// Data is what an estimator is trained on.
type Data struct {
	X       pipeline.Matrix
	Y       []float64 // a label a row: 0 or 1, the class's index, or a number
	Kind    dataset.Kind
	Classes int // Multiclass: how many

	Weights []float64 // what a row counts, from 0 up; nil: 1 each
	Time    []int64   // when a row was, in any unit; nil: rows are in the order of time
}

// Options are of one fit. The zero value is good.
type Options struct {
	Seed     uint64
	Workers  int                // 0: one per CPU
	Progress func(done, of int) // may be nil; called by one goroutine
}

// Learner trains one kind of estimator. It may be used by many goroutines at once.
type Learner interface {
	// Fit returns the estimator's file. Wrong labels are an Invalid fault; a ctx that
	// is done ends it early with its cause.
	Fit(ctx context.Context, d Data, o Options) (model.File, error)
}

// Decoders read the files that learners write.
func Decoders() model.Decoders {
	return model.Decoders{Estimators: map[string]func([]byte) (model.Estimator, error){
		"model.json": xgboost.Decode, "linear.json": linear.Decode, "constant.json": constant.Decode,
	}}
}

// New makes the learner of a name, such as builtin/gbdt, with its settings. An
// unknown name or setting is an Invalid fault.
func New(with string, settings map[string]any) (Learner, error) {
	s := reader{settings: settings, with: with}
	l := s.learner()
	if l == nil {
		return nil, fault.New(fault.Invalid, "there is no learner %q", with).Do("use builtin/gbdt, builtin/linear, builtin/last or builtin/constant")
	}
	if err := s.done(); err != nil {
		return nil, err
	}
	return l, nil
}

// check looks at the labels before a fit.
func (d Data) check() error {
	if d.X.Rows == 0 || d.X.Rows != len(d.Y) {
		return fault.New(fault.Invalid, "%d rows and %d labels cannot be trained on", d.X.Rows, len(d.Y))
	}
	if len(d.X.Data) != d.X.Rows*d.X.Cols || d.X.Names != nil && len(d.X.Names) != d.X.Cols {
		return fault.New(fault.Invalid, "%d values under %d names are not %d rows of %d features", len(d.X.Data), len(d.X.Names), d.X.Rows, d.X.Cols)
	}
	if d.Kind == dataset.Multiclass && (d.Classes < 2 || d.Classes > d.X.Rows) {
		return fault.New(fault.Invalid, "%d rows of %d classes cannot be trained on", d.X.Rows, d.Classes).Do("give at least two classes, and a row of each")
	}
	if err := d.checkWeights(); err != nil {
		return err
	}
	for i, v := range d.X.Data {
		if math.IsInf(float64(v), 0) {
			return fault.New(fault.Invalid, "row %d, feature %d: the value is infinite", i/d.X.Cols, i%d.X.Cols).
				Do("clip the feature in the pipeline, or leave the value out")
		}
	}
	for i, y := range d.Y {
		bad := math.IsNaN(y) || math.IsInf(y, 0)
		switch d.Kind {
		case dataset.Binary:
			bad = bad || y != 0 && y != 1
		case dataset.Multiclass:
			bad = bad || y < 0 || y >= float64(d.Classes) || y != math.Trunc(y)
		}
		if bad {
			return fault.New(fault.Invalid, "row %d: %v is not a label of a %s model", i, y, d.Kind)
		}
	}
	return nil
}

// outputs is how many scores a row gets.
func (d Data) outputs() int {
	if d.Kind == dataset.Multiclass {
		return d.Classes
	}
	return 1
}

// mean is builtin/constant.
type mean struct{}

// Fit takes the mean, or the means of the groups that equal features make.
func (mean) Fit(_ context.Context, d Data, _ Options) (model.File, error) {
	if err := d.check(); err != nil {
		return model.File{}, err
	}
	classes := 0
	if d.Kind == dataset.Multiclass {
		classes = d.Classes
	}
	return constant.Fit(d.X, d.Y, d.Weights, classes)
}
