// SPDX-License-Identifier: Apache-2.0

package mlmodel

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"flyball/data/dataset"
	"flyball/fault"
	"flyball/model"
	"flyball/model/xgboost"
)

// xgboostClass is the class of models that say none: MLflow's own default.
const xgboostClass = "xgboost.core.Booster"

// xgboost reads a model of XGBoost. How its predict answers is told by its class and
// its objective (XGBoost 3.2, sklearn.py, and MLflow's _XGBModelWrapper).
func (r *reader) xgboost(ctx context.Context, flavor map[string]any) (Model, error) {
	m := Model{Class: textOf(flavor, "model_class", xgboostClass), Behind: true}
	var err error
	if m.File, err = r.booster(ctx, flavor, m.Class); err != nil {
		return Model{}, err
	}
	about, err := xgboost.ReadAbout(m.File.Bytes)
	if err != nil {
		return Model{}, err
	}
	if known := objectives[r.kind]; r.kind != "" && !slices.Contains(known, about.Objective) {
		return Model{}, fault.New(fault.Refused, "the model was trained with the objective %s, and the model file predicts %s", about.Objective, r.kind).
			Do("train it with %s", strings.Join(known, " or "))
	}
	e, err := xgboost.Decode(m.File.Bytes)
	if err != nil {
		return Model{}, err
	}
	m.Kind, m.Classes = meaning(about.Objective, e.Outputs())
	if m.Answer, err = xgboostAnswer(m.Class, about.Objective, e.Outputs()); err != nil {
		return Model{}, err
	}
	m.Inputs, err = r.numbers("XGBoost", about.Features)
	return m, err
}

// objectives are those of XGBoost whose scores are those of a kind.
var objectives = map[dataset.Kind][]string{
	dataset.Binary:     {"binary:logistic"},
	dataset.Multiclass: {"multi:softprob"},
	dataset.Regression: {"reg:squarederror", "reg:absoluteerror", "reg:squaredlogerror", "reg:pseudohubererror"},
}

// meaning is the kind that an objective's scores have, where it is one of ours.
func meaning(objective string, outputs int) (dataset.Kind, []string) {
	switch {
	case objective == "binary:logistic" && outputs == 1:
		return dataset.Binary, nil
	case objective == "multi:softprob" || objective == "multi:softmax":
		return dataset.Multiclass, numbered(outputs)
	case strings.HasPrefix(objective, "reg:") && objective != "reg:logistic" && outputs == 1:
		return dataset.Regression, nil
	}
	return "", nil
}

// numbered are the classes of a model that knows them by number alone.
func numbered(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = strconv.Itoa(i)
	}
	return out
}

// xgboostAnswer is how predict of a class of XGBoost answers. A classifier has the
// classes 0, 1, … whatever its labels were called before.
func xgboostAnswer(class, objective string, outputs int) (model.Answer, error) {
	_, name, _ := strings.Cut(class, "xgboost.")
	switch name {
	case "core.Booster", "sklearn.XGBRegressor", "sklearn.XGBRFRegressor", "sklearn.XGBRanker", "sklearn.XGBModel":
		if objective == "multi:softmax" { // the class, as a float
			return model.Answer{Form: model.Label, Single: true, Classes: literals(max(outputs, 2), "%d.0"), Type: "float32"}, nil
		}
		return model.Answer{Single: true, Type: "float32"}, nil
	case "sklearn.XGBClassifier", "sklearn.XGBRFClassifier":
		kind := "int64"
		switch objective {
		case "multi:softmax":
			kind = "int32"
		case "multi:softprob", "binary:logistic", "binary:logitraw", "binary:hinge":
		default:
			return model.Answer{}, errForWorker
		}
		return model.Answer{Form: model.Label, Single: true, Classes: literals(max(outputs, 2), "%d"), Type: kind}, nil
	}
	return model.Answer{}, errForWorker
}

// literals are n classes in JSON.
func literals(n int, format string) []json.RawMessage {
	out := make([]json.RawMessage, n)
	for i := range out {
		out[i] = fmt.Appendf(nil, format, i)
	}
	return out
}

// booster reads the model file of the flavor as XGBoost's JSON. The classes of
// XGBoost's scikit-learn interface answer with the best iterations after an early stop.
func (r *reader) booster(ctx context.Context, flavor map[string]any, class string) (model.File, error) {
	name := textOf(flavor, "data", "")
	if !filepath.IsLocal(name) {
		return model.File{}, fault.New(fault.Invalid, "the flavor xgboost names the file %q", name)
	}
	raw, err := read(ctx, r.from, name, maxModel)
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
