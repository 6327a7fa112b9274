// SPDX-License-Identifier: Apache-2.0

package mlmodel

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/fault"
	"flyball/model"
	"flyball/model/lightgbm"
	"flyball/model/onnx"
	"flyball/model/worker"
)

// numbers are the columns of a model that takes numbers alone: of the signature, or
// else of the model file itself; both must name the same. A signature of one matrix tells
// no names.
func (r *reader) numbers(library string, features []string) ([]frame.Field, error) {
	var names []string
	for i, c := range r.schema.Columns {
		if c.Type.Name != "any" && !slices.Contains(numeric, c.Type.Name) {
			return nil, fault.New(fault.Refused, "the signature's column %q is of the type %s, and %s takes numbers", c.Name, c.Type, library).
				Do("make it a number before, or leave it out")
		}
		if c.Name == "" && !c.Unnamed {
			return nil, fault.New(fault.Invalid, "column %d of the signature has no name, or that of another", i+1)
		}
		names = append(names, c.Name)
	}
	if !r.schema.Named() {
		names = features
	}
	if len(names) == 0 && len(r.schema.Tensors) == 1 {
		if shape := r.schema.Tensors[0].Shape; len(shape) == 2 && shape[1] > 0 && shape[1] <= maxColumns {
			names = numbered(shape[1])
		}
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
			return nil, fault.New(fault.Invalid, "column %d of the model has no name, or that of another", i+1)
		}
		seen[n] = true
		out[i] = frame.Field{Name: n, Kind: frame.Number}
	}
	return out, nil
}

// The class of LightGBM that is kept as text. The classes of its scikit-learn interface
// are pickled.
const lightgbmClass = "lightgbm.basic.Booster"

// lightgbm reads a Booster of LightGBM, whose predict gives numbers of float64. It does
// not look at the names of columns, but at their places (LightGBM 4.6, basic.py).
func (r *reader) lightgbm(ctx context.Context, flavor map[string]any) (Model, error) {
	m := Model{Class: textOf(flavor, "model_class", lightgbmClass), Answer: model.Answer{Type: "float64"}}
	if _, known := r.decoders.Scorers[lightgbm.File]; m.Class != lightgbmClass || !known {
		return Model{}, errForWorker
	}
	raw, err := r.data(ctx, "lightgbm", flavor)
	if err != nil {
		return Model{}, err
	}
	if !bytes.HasPrefix(raw, []byte("tree")) {
		return Model{}, errForWorker
	}
	about, err := lightgbm.ReadAbout(raw)
	if err != nil {
		return Model{}, err
	}
	m.File = model.File{Name: lightgbm.File, Bytes: raw}
	objective, _, _ := strings.Cut(about.Objective, " ")
	switch {
	case objective == "binary":
		m.Kind = dataset.Binary
	case objective == "multiclass" || objective == "multiclassova":
		m.Kind, m.Classes = dataset.Multiclass, numbered(about.Classes)
	case slices.Contains([]string{"regression", "regression_l1", "huber", "fair", "quantile", "mape"}, objective):
		m.Kind = dataset.Regression
	}
	if err := r.agree(m.Kind, "objective "+objective); err != nil {
		return Model{}, err
	}
	b, err := m.open(ctx, r.decoders, "")
	if err != nil {
		return Model{}, err
	}
	fields := b.Inputs()
	if err := b.Close(); err != nil {
		return Model{}, err
	}
	if m.Inputs, err = r.inPlace("LightGBM", fields); err != nil || slices.Equal(m.Inputs, fields) {
		return m, err
	}
	names := make([]string, len(m.Inputs))
	for i, in := range m.Inputs {
		names[i] = in.Name
	}
	columns, err := json.Marshal(names)
	m.More = []model.File{{Name: lightgbm.ColumnsFile, Bytes: columns}}
	return m, err
}

// inPlace are the columns of a model that knows them by their places, under the names
// of the signature, where it has some.
func (r *reader) inPlace(library string, fields []frame.Field) ([]frame.Field, error) {
	if !r.schema.Named() {
		return fields, nil
	}
	if len(r.schema.Columns) != len(fields) {
		return nil, fault.New(fault.Refused, "the signature has %d columns, and the model was trained on %d", len(r.schema.Columns), len(fields)).
			Do("log it with an input_example that has the columns of the training, in their order")
	}
	out := slices.Clone(fields)
	for i, c := range r.schema.Columns {
		text := c.Type.Name == "string"
		if c.Type.Name != "any" && text != (fields[i].Kind == frame.Text) || !text && !slices.Contains(numeric, c.Type.Name) {
			return nil, fault.New(fault.Refused, "the signature's column %q is of the type %s, and %s takes a %s", c.Name, c.Type, library, fields[i].Kind).
				Do("log it with an input_example that has the columns of the training, in their order")
		}
		if c.Name == "" {
			return nil, fault.New(fault.Invalid, "column %d of the signature has no name", i+1)
		}
		out[i].Name = c.Name
	}
	return out, nil
}

// agree refuses a model that does not predict what the model file asks for.
func (r *reader) agree(kind dataset.Kind, what string) error {
	if r.kind != "" && kind != r.kind {
		return fault.New(fault.Refused, "the model was trained with the %s, and the model file predicts %s", what, r.kind).
			Do("train it for %s", r.kind)
	}
	return nil
}

// data reads the file that a flavor names.
func (r *reader) data(ctx context.Context, name string, flavor map[string]any) ([]byte, error) {
	file := textOf(flavor, "data", "")
	if !filepath.IsLocal(file) {
		return nil, fault.New(fault.Invalid, "the flavor %s names the file %q", name, file)
	}
	return read(ctx, r.from, file, maxModel)
}

// onnx reads a model that package onnx can score; any other is for a worker. What a
// classifier or a regressor answers, its scorer says by itself.
func (r *reader) onnx(ctx context.Context, flavor map[string]any) (Model, error) {
	if _, known := r.decoders.Scorers[onnx.File]; !known {
		return Model{}, errForWorker
	}
	raw, err := r.data(ctx, "onnx", flavor)
	if err != nil {
		return Model{}, errForWorker // a folder of weights beside it
	}
	about, err := onnx.Describe(raw)
	if fault.Is(err, fault.Refused) {
		return Model{}, errForWorker
	}
	if err != nil {
		return Model{}, err
	}
	m := Model{Kind: r.kind, Tolerance: 1e-6, File: model.File{Name: onnx.File, Bytes: raw}}
	if m.Answer, err = r.onnxAnswer(about); err != nil {
		return Model{}, err
	}
	m.Answer.Signature = &model.Signature{Inputs: r.about.Signature.Inputs}
	if r.kind == "" && about.Classifier() && len(about.Classes) == 2 {
		m.Kind = dataset.Binary
	}
	if _, m.Unframed = r.framed(); len(m.Unframed) > 0 {
		return Model{}, errForWorker
	}
	b, err := m.open(ctx, r.decoders, "")
	if fault.Is(err, fault.Refused) {
		return Model{}, errForWorker
	}
	if err != nil {
		return Model{}, err
	}
	m.Inputs = b.Inputs()
	return m, b.Close()
}

// onnxAnswer is how MLflow's _OnnxModelWrapper answers (MLflow 3.17, onnx/__init__.py):
// rows of a table with a row for each number, under the names of the outputs; tensors
// with a list for each output.
func (r *reader) onnxAnswer(about onnx.About) (model.Answer, error) {
	a := model.Answer{Form: model.Records, Single: true, Type: "object", Maps: about.Zipped}
	for _, o := range about.Outputs {
		a.Names = append(a.Names, o.Name)
		if o.Type == "double" {
			a.Single = false
		}
	}
	if about.Classifier() {
		if len(about.Outputs) != 2 || !about.Outputs[0].Label || len(about.Classes) < 2 {
			return model.Answer{}, errForWorker
		}
		a.Form, a.Classes = model.Both, about.Classes
	}
	if len(r.schema.Tensors) > 0 {
		a.Form = model.Arrays
	}
	return a, nil
}

// framed are the columns of the signature that a frame holds, and the names of those
// that none does.
func (r *reader) framed() (fields []frame.Field, not []string) {
	for i, c := range r.schema.Columns {
		name := c.Name
		if c.Unnamed {
			name = strconv.Itoa(i)
		}
		switch {
		case slices.Contains(numeric, c.Type.Name):
			fields = append(fields, frame.Field{Name: name, Kind: frame.Number})
		case c.Type.Name == "string" || c.Type.Name == "binary":
			fields = append(fields, frame.Field{Name: name, Kind: frame.Text})
		case c.Type.Name == "datetime":
			fields = append(fields, frame.Field{Name: name, Kind: frame.Time})
		default:
			not = append(not, name)
		}
	}
	return fields, not
}

// worker hands the whole folder to a Python process.
func (r *reader) worker(ctx context.Context) (Model, error) {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(r.about.Flavors)), func(f string) bool { return f == "python_function" })
	_, function := r.about.Flavors["python_function"]
	if _, known := r.decoders.Scorers[worker.FileName]; !known || !function {
		return Model{}, fault.New(fault.Refused, "a model of the flavor %s cannot be scored without Python", strings.Join(append(names, "python_function"), ", ")).
			Do("log it with mlflow.xgboost.log_model, or serve with a Python for workers")
	}
	var err error
	m := Model{Flavor: "python_function", Kind: r.kind, Answer: model.Answer{Form: model.Own}, Tolerance: 1e-6}
	if len(names) > 0 {
		m.Flavor = names[0]
		m.Class = textOf(r.about.Flavors[names[0]], "model_class", "")
	}
	m.Inputs, m.Unframed = r.framed()
	if r.kind != "" && len(m.Inputs) == 0 {
		return Model{}, fault.New(fault.Refused, "the model has no signature that names its columns").
			Do("log it with an input_example")
	}
	about := worker.File{
		Flavor: m.Flavor, Inputs: []worker.Input{}, Outputs: r.outputs(), Kind: r.kind, Method: "predict",
		Python: textOf(r.about.Flavors["python_function"], "python_version", ""),
	}
	if r.kind == dataset.Binary || r.kind == dataset.Multiclass {
		about.Method, about.Outputs = "", 1 // For tells how many
	}
	for _, in := range m.Inputs {
		about.Inputs = append(about.Inputs, worker.Input{Field: in, Type: r.typeOf(in.Name)})
	}
	if m.File, err = workerFile(about); err != nil {
		return Model{}, err
	}
	m.More, err = r.folder(ctx)
	return m, err
}

func workerFile(about worker.File) (model.File, error) {
	raw, err := about.Encode()
	return model.File{Name: worker.FileName, Bytes: raw}, err
}

// For is the model for a task with the classes, which only the data tells: a model in a
// Python process gives its probabilities in their order.
func (m Model) For(classes []string) (Model, error) {
	if m.File.Name != worker.FileName || m.Kind != dataset.Multiclass {
		return m, nil
	}
	about, err := worker.Decode(m.File.Bytes)
	if err != nil {
		return Model{}, err
	}
	about.Classes, about.Outputs = classes, len(classes)
	m.Classes = classes
	m.File, err = workerFile(about)
	return m, err
}

// outputs is how many numbers a row predict gives, as the signature says; 1 where it
// says nothing.
func (r *reader) outputs() int {
	s, err := ParseSchema(r.about.Signature.Outputs)
	if err != nil {
		return 1
	}
	if len(s.Tensors) == 1 && len(s.Tensors[0].Shape) == 2 && s.Tensors[0].Shape[1] > 0 && s.Tensors[0].Shape[1] < maxColumns {
		return s.Tensors[0].Shape[1]
	}
	return max(1, len(s.Columns))
}

// typeOf is MLflow's type of a column.
func (r *reader) typeOf(name string) string {
	for i, c := range r.schema.Columns {
		if c.Name == name || c.Unnamed && name == strconv.Itoa(i) {
			return c.Type.Name
		}
	}
	return ""
}

// folder reads all files of the folder.
func (r *reader) folder(ctx context.Context) ([]model.File, error) {
	names, err := r.from.Names(ctx)
	if err != nil {
		return nil, err
	}
	if len(names) > maxFiles {
		return nil, fault.New(fault.TooLarge, "the model has %d files, more than %d", len(names), maxFiles)
	}
	slices.Sort(names)
	left := int64(maxFolder)
	var out []model.File
	for _, name := range names {
		if !filepath.IsLocal(name) {
			return nil, fault.New(fault.Invalid, "the model has a file %q outside of its folder", name)
		}
		raw, err := read(ctx, r.from, name, left)
		if err != nil {
			return nil, fmt.Errorf("read the model's folder: %w", err)
		}
		left -= int64(len(raw))
		out = append(out, model.File{Name: worker.Folder + name, Bytes: raw})
	}
	return out, nil
}
