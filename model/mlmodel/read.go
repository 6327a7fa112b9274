// SPDX-License-Identifier: Apache-2.0

package mlmodel

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/fault"
	"flyball/model"
	"flyball/model/xgboost"
)

// Open opens a file of a model folder by its path in the folder. What is not there is
// a NotFound fault.
type Open func(ctx context.Context, name string) (io.ReadCloser, error)

// Model is a model that somebody else trained, as its folder tells it. It takes its
// columns as they are: its pipeline is the identity.
type Model struct {
	Flavor   string
	Class    string        // such as xgboost.sklearn.XGBClassifier
	Inputs   []frame.Field // numbers, in the order of the estimator's features
	File     model.File    // the estimator
	Examples *frame.Frame  // rows of the input example; nil where there are none that can be read
	UUID     string        // as MLflow gave it; may be empty
}

// The bounds of what is read.
const (
	maxText    = 1 << 20 // of MLmodel and of the input example
	maxModel   = 1 << 27 // of the estimator
	maxColumns = 10_000
)

// xgboostClass is the class of models that say none: MLflow's own default.
const xgboostClass = "xgboost.core.Booster"

// Read reads the model in a folder that MLflow wrote. Its scores must be those of the
// kind: the probability of a binary model, the probabilities of a multiclass one,
// whatever MLflow's own predict makes of them. A flavor that needs Python, a signature
// with columns that are no numbers, and a model of another kind are Refused faults
// that say what is supported; what cannot be read is an Invalid fault.
func Read(ctx context.Context, open Open, kind dataset.Kind) (Model, error) {
	raw, err := read(ctx, open, "MLmodel", maxText)
	if err != nil {
		return Model{}, err
	}
	d, err := parse(raw)
	if err != nil {
		return Model{}, err
	}
	flavor, ok := d.Flavors["xgboost"]
	if !ok {
		names := slices.DeleteFunc(slices.Sorted(maps.Keys(d.Flavors)), func(f string) bool { return f == "python_function" })
		return Model{}, fault.New(fault.Refused, "a model of the flavor %s cannot be scored without Python", strings.Join(append(names, "python_function"), ", ")).
			Do("log it with mlflow.xgboost.log_model, the flavor that is supported")
	}
	m := Model{Flavor: "xgboost", Class: textOf(flavor, "model_class", xgboostClass), UUID: d.UUID}
	if m.File, err = estimator(ctx, open, flavor, m.Class); err != nil {
		return Model{}, err
	}
	about, err := xgboost.ReadAbout(m.File.Bytes)
	if err != nil {
		return Model{}, err
	}
	if known := objectives[kind]; !slices.Contains(known, about.Objective) {
		return Model{}, fault.New(fault.Refused, "the model was trained with the objective %s, and the model file predicts %s", about.Objective, kind).
			Do("train it with %s", strings.Join(known, " or "))
	}
	if m.Inputs, err = inputs(d.Signature.Inputs, about.Features); err != nil {
		return Model{}, err
	}
	m.Examples = examples(ctx, open, d, m.Inputs)
	return m, nil
}

// objectives are those of XGBoost whose scores are those of a kind.
var objectives = map[dataset.Kind][]string{
	dataset.Binary:     {"binary:logistic"},
	dataset.Multiclass: {"multi:softprob"},
	dataset.Regression: {"reg:squarederror", "reg:absoluteerror", "reg:squaredlogerror", "reg:pseudohubererror"},
}

// read reads a whole file of a bounded size.
func read(ctx context.Context, open Open, name string, limit int64) ([]byte, error) {
	f, err := open(ctx, name)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "%s cannot be read", name)
	}
	if int64(len(raw)) > limit {
		return nil, fault.New(fault.TooLarge, "%s has more than %d bytes", name, limit)
	}
	return raw, nil
}

// textOf is a text among the values of a flavor.
func textOf(flavor map[string]any, key, otherwise string) string {
	if s, ok := flavor[key].(string); ok && s != "" {
		return s
	}
	return otherwise
}

// estimator reads the model file of the flavor as XGBoost's JSON. The classes of
// XGBoost's scikit-learn interface answer with the best iterations after an early stop.
func estimator(ctx context.Context, open Open, flavor map[string]any, class string) (model.File, error) {
	name := textOf(flavor, "data", "")
	if !filepath.IsLocal(name) {
		return model.File{}, fault.New(fault.Invalid, "the flavor xgboost names the file %q", name)
	}
	raw, err := read(ctx, open, name, maxModel)
	if err != nil {
		return model.File{}, err
	}
	switch formatOf(raw) {
	case "json":
	case "ubj":
		if raw, err = xgboost.FromUBJSON(raw); err != nil {
			return model.File{}, err
		}
	default:
		return model.File{}, fault.New(fault.Refused, "%s is in the binary format that XGBoost itself gave up", name).
			Do(`log it with model_format="json" or "ubj"`)
	}
	about, err := xgboost.ReadAbout(raw)
	if err != nil {
		return model.File{}, err
	}
	if about.Best > 0 && class != xgboostClass {
		if raw, err = xgboost.Cut(raw, about.Best); err != nil {
			return model.File{}, err
		}
	}
	return model.File{Name: "model.json", Bytes: raw}, nil
}

// formatOf tells JSON from UBJSON by how it begins, for what MLflow 2 calls model.xgb is
// what the XGBoost at hand writes; empty: neither.
func formatOf(raw []byte) string {
	text := bytes.TrimLeft(raw, " \t\r\n")
	switch {
	case len(text) == 0 || text[0] != '{':
		return ""
	case len(text) > 1 && (text[1] == 'L' || text[1] == 'i' || text[1] == '#'):
		return "ubj"
	}
	return "json"
}

// inputs are the columns of a signature, or else of the model file itself.
func inputs(signature string, features []string) ([]frame.Field, error) {
	names, err := columns(signature)
	if err != nil {
		return nil, err
	}
	if names == nil {
		names = features
	}
	if len(names) == 0 {
		return nil, fault.New(fault.Refused, "neither the signature nor the model names its columns").
			Do("train it on a table with column names, and log it with an input_example")
	}
	if len(features) > 0 && !slices.Equal(names, features) {
		return nil, fault.New(fault.Refused, "the signature has the columns %s, and the model was trained on %s", list(names), list(features)).
			Do("log it with an input_example that has the columns of the training, in their order")
	}
	out := make([]frame.Field, len(names))
	seen := map[string]bool{}
	for i, n := range names {
		if n == "" || seen[n] {
			return nil, fault.New(fault.Invalid, "column %d of the signature has no name, or that of another", i+1)
		}
		seen[n] = true
		out[i] = frame.Field{Name: n, Kind: frame.Number}
	}
	return out, nil
}

// list shows some of the names.
func list(names []string) string {
	if len(names) > 8 {
		return strings.Join(names[:8], ", ") + fmt.Sprintf(" and %d more", len(names)-8)
	}
	return strings.Join(names, ", ")
}

// numeric are the types of a signature that are numbers.
var numeric = []string{"boolean", "integer", "long", "float", "double"}

// columns are the names in a signature; nil where it names none.
func columns(signature string) ([]string, error) {
	if signature == "" {
		return nil, nil
	}
	var specs []struct {
		Type json.RawMessage `json:"type"`
		Name *string         `json:"name"`
	}
	if err := json.Unmarshal([]byte(signature), &specs); err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "the inputs of the signature cannot be read")
	}
	if len(specs) > maxColumns {
		return nil, fault.New(fault.TooLarge, "the signature has %d columns, more than %d", len(specs), maxColumns)
	}
	var names []string
	for i, s := range specs {
		var kind string
		if err := json.Unmarshal(s.Type, &kind); err != nil {
			return nil, fault.Wrap(err, fault.Invalid, "column %d of the signature has no type", i+1)
		}
		switch {
		case kind == "tensor" || s.Name == nil:
			return nil, nil
		case !slices.Contains(numeric, kind):
			return nil, fault.New(fault.Refused, "the signature's column %q is of the type %s, and XGBoost takes numbers", *s.Name, kind).
				Do("make it a number before, or leave it out")
		}
		names = append(names, *s.Name)
	}
	return names, nil
}

// examples are the rows of the input example; nil where they are no table of numbers
// with the columns.
func examples(ctx context.Context, open Open, d description, inputs []frame.Field) *frame.Frame {
	if d.Example.Type != "dataframe" || d.Example.Orient != "split" || !filepath.IsLocal(d.Example.Path) {
		return nil
	}
	raw, err := read(ctx, open, d.Example.Path, maxText)
	if err != nil {
		return nil
	}
	var table struct {
		Columns []string `json:"columns"`
		Data    [][]any  `json:"data"`
	}
	if json.NewDecoder(bytes.NewReader(raw)).Decode(&table) != nil || len(table.Data) == 0 {
		return nil
	}
	cols := make([]frame.Column, len(inputs))
	for c, in := range inputs {
		at := slices.Index(table.Columns, in.Name)
		values := make([]float64, len(table.Data))
		for i, row := range table.Data {
			x, ok := value(row, at)
			if !ok {
				return nil
			}
			values[i] = x
		}
		cols[c] = frame.NumberColumn(in.Name, values)
	}
	return frame.New(cols...)
}

// value is a number in a row; null is missing.
func value(row []any, at int) (float64, bool) {
	if at < 0 || at >= len(row) {
		return 0, false
	}
	switch x := row[at].(type) {
	case nil:
		return math.NaN(), true
	case float64:
		return x, true
	case bool:
		if x {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}
