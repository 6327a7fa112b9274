// SPDX-License-Identifier: Apache-2.0

// Package learner is the built-in estimators' training: histogram gradient boosting,
// linear models and the constant. The same data, settings and seed give the same
// bytes for any number of workers. It chooses no rows and judges nothing.
package learner

import (
	"context"
	"maps"
	"math"
	"slices"

	"flyball/data/dataset"
	"flyball/data/pipeline"
	"flyball/fault"
	"flyball/model"
	"flyball/model/constant"
	"flyball/model/linear"
	"flyball/model/xgboost"
	"flyball/unit"
)

// Data is what an estimator is trained on.
type Data struct {
	X       pipeline.Matrix
	Y       []float64 // a label a row: 0 or 1, the class's index, or a number
	Kind    dataset.Kind
	Classes int // Multiclass: how many
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
	var l Learner
	switch with {
	case "builtin/gbdt":
		l = &gbdt{
			trees: s.whole("trees", 100, 1, 100_000), depth: s.whole("depth", 6, 1, 16), bins: s.whole("bins", 254, 2, 254),
			rate: s.number("learning_rate", 0.1, 1e-6, 1), lambda: s.number("lambda", 1, 0, 1e9), gamma: s.number("gamma", 0, 0, 1e9),
			minWeight: s.number("min_child_weight", 1, 0, 1e9),
			rows:      s.number("subsample", 1, 0.01, 1), columns: s.number("colsample", 1, 0.01, 1),
		}
	case "builtin/linear":
		l = &linearModel{l2: s.number("l2", 1, 0, 1e12)}
	case "builtin/constant":
		l = mean{}
	default:
		return nil, fault.New(fault.Invalid, "there is no learner %q", with).Do("use builtin/gbdt, builtin/linear or builtin/constant")
	}
	if err := s.done(); err != nil {
		return nil, err
	}
	return l, nil
}

// reader takes settings that came from YAML or JSON apart, and keeps the first
// complaint.
type reader struct {
	with     string
	settings map[string]any
	known    []string
	err      error
}

func (r *reader) number(key string, or, low, high float64) float64 {
	r.known = append(r.known, key)
	v, ok := r.settings[key]
	if !ok {
		return or
	}
	var x float64
	switch v := v.(type) {
	case float64:
		x = v
	case int:
		x = float64(v)
	case int64:
		x = float64(v)
	case uint64:
		x = float64(v)
	default:
		x = math.NaN()
	}
	if !(x >= low && x <= high) && r.err == nil {
		r.err = fault.New(fault.Invalid, "train.settings.%s of %s is %v; it lies between %v and %v", key, r.with, v, low, high)
	}
	return x
}

func (r *reader) whole(key string, or, low, high int) int {
	x := r.number(key, float64(or), float64(low), float64(high))
	if x != math.Trunc(x) && r.err == nil {
		r.err = fault.New(fault.Invalid, "train.settings.%s of %s is %v; it is a whole number", key, r.with, x)
	}
	return int(x)
}

// done tells of the first setting, by name, that was not asked for.
func (r *reader) done() error {
	for _, key := range slices.Sorted(maps.Keys(r.settings)) {
		if slices.Contains(r.known, key) {
			continue
		}
		f := fault.New(fault.Invalid, "%s knows no setting %q", r.with, key)
		switch near := unit.Nearest(key, r.known); {
		case near != "":
			return f.Do("did you mean %s? it knows %s", near, unit.List(r.known))
		case len(r.known) > 0:
			return f.Do("it knows %s", unit.List(r.known))
		}
		return f.Do("it has no settings")
	}
	return r.err
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
	return constant.Fit(d.X, d.Y, classes)
}
