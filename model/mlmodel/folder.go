// SPDX-License-Identifier: Apache-2.0

package mlmodel

import (
	"bytes"
	"context"
	_ "embed" // the loader
	"encoding/json"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"flyball/blob"
	"flyball/blob/artifact"
	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/fault"
	"flyball/model"
	"flyball/model/registry"
)

//go:embed flyball_model.py
var loader []byte

// Tree is where files are put under paths. Package artifact implements it.
type Tree interface {
	// Stat is the file under a path; a NotFound fault when there is none.
	Stat(ctx context.Context, path string) (artifact.Entry, error)

	// Link puts the blob of a digest under a path, in the place of what is there.
	Link(ctx context.Context, path string, d blob.Digest, size int64) error
}

// maxFile bounds what is read of one file of a bundle.
const maxFile = 1 << 30

// exampleRows is how many golden rows the input example has.
const exampleRows = 5

// LoaderFormat is the format tag of loader.json: what the loader needs besides the
// files of the bundle.
const LoaderFormat = "flyball.loader/v1"

// loaderFile is loader.json.
type loaderFile struct {
	Format      string         `json:"format"`
	Expressions map[string]any `json:"expressions"` // trees of the expr steps, by the number of the step
	Golden      golden         `json:"golden"`
	Tolerance   float64        `json:"tolerance"` // of a golden score, relative; 0: equal bits
}

// golden are the golden rows: null is missing, a time is in microseconds.
type golden struct {
	Columns map[string][]any `json:"columns"`
	Scores  [][]float64      `json:"scores"` // by row and output
}

// Folder writes a version that Flyball made as an MLflow model folder, and returns
// where it lies in the tree: versions/<model>/<number>. The same version gives the
// same bytes, and a folder that lies there with this loader is not written again. A
// version without a bundle, and one with an expression that the loader cannot work out,
// is a Refused fault.
func Folder(ctx context.Context, blobs blob.Store, tree Tree, v registry.Version) (string, error) {
	if v.Bundle == "" {
		return "", fault.New(fault.Refused, "%s has no bundle", v.Ref).Do("load it from where it was logged")
	}
	w := writer{blobs: blobs, tree: tree, at: path.Join("versions", v.Model, fmt.Sprint(v.Version))}
	if there, err := w.there(ctx); there || err != nil {
		return w.at, err
	}
	raw, err := blob.ReadAll(ctx, blobs, v.Bundle, maxFile)
	if err != nil {
		return "", err
	}
	var m model.Manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return "", fault.Wrap(err, fault.Invalid, "%s is not a bundle", v.Bundle)
	}
	if m.Format != model.BundleFormat {
		return "", fault.New(fault.Invalid, "bundle %s has format %q; this version reads %s", v.Bundle, m.Format, model.BundleFormat)
	}
	w.link(ctx, "flyball/bundle.json", v.Bundle, int64(len(raw)))
	files := map[string][]byte{}
	for _, name := range sorted(m.Files) {
		if files[name], err = blob.ReadAll(ctx, blobs, m.Files[name], maxFile); err != nil {
			return "", err
		}
		w.link(ctx, "flyball/"+name, m.Files[name], int64(len(files[name])))
	}
	fitted, err := pipeline.Decode(files[model.PipelineFile])
	if err != nil {
		return "", err
	}
	rows, err := model.Golden(files[model.GoldenFile])
	if err != nil {
		return "", err
	}
	if err := w.write(ctx, v, m, fitted, rows); err != nil {
		return "", err
	}
	return w.at, w.err
}

// writer puts files into the tree and keeps the first error.
type writer struct {
	blobs blob.Store
	tree  Tree
	at    string
	size  int64
	err   error
}

// The files by which a folder is known to be whole: the loader, and MLmodel, which is
// written last.
const (
	loaderPath  = "code/flyball_model.py"
	mlmodelPath = "MLmodel"
)

// there reports whether the whole folder lies there already, with this loader.
func (w *writer) there(ctx context.Context) (bool, error) {
	code, err := w.tree.Stat(ctx, path.Join(w.at, loaderPath))
	if err == nil {
		_, err = w.tree.Stat(ctx, path.Join(w.at, mlmodelPath))
	}
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil && code.Digest == blob.Sum(loader), err
}

func (w *writer) link(ctx context.Context, name string, d blob.Digest, size int64) {
	if w.err == nil {
		w.err = w.tree.Link(ctx, path.Join(w.at, name), d, size)
		w.size += size
	}
}

func (w *writer) put(ctx context.Context, name string, content []byte) {
	if w.err != nil {
		return
	}
	d, n, err := w.blobs.Put(ctx, bytes.NewReader(content))
	if w.err = err; err == nil {
		w.link(ctx, name, d, n)
	}
}

// write makes the files that the bundle does not have. MLmodel comes last: a folder
// without it is no model yet.
func (w *writer) write(ctx context.Context, v registry.Version, m model.Manifest, p *pipeline.Fitted, rows *frame.Frame) error {
	var file struct {
		Spec pipeline.Spec `json:"spec"`
	}
	if err := json.Unmarshal(p.Encode(), &file); err != nil {
		return fault.Wrap(err, fault.Internal, "the pipeline cannot be read")
	}
	trees, exact, err := expressions(file.Spec)
	if err != nil {
		return err
	}
	g, err := goldenOf(m, rows)
	if err != nil {
		return err
	}
	content, err := json.Marshal(loaderFile{LoaderFormat, trees, g, tolerance(exact)})
	if err != nil {
		return fmt.Errorf("encode loader.json: %w", err)
	}
	w.put(ctx, "flyball/loader.json", content)
	w.put(ctx, loaderPath, loader)
	w.environment(ctx)
	example, err := split(m.Inputs, rows.Slice(0, min(exampleRows, rows.Rows())))
	if err != nil {
		return err
	}
	w.put(ctx, exampleFile, example)
	w.put(ctx, servingFile, slices.Concat([]byte(`{"dataframe_split": `), example, []byte("}")))
	text, err := w.description(v, m)
	if err != nil {
		return err
	}
	w.put(ctx, mlmodelPath, text)
	return w.err
}

// tolerance is how far a score may be from the golden one in another language: not at
// all, for both add, multiply, compare and make exp alike; but what the rounding of a
// feature to float32 makes of a last place where an expression has a logarithm or the
// like.
func tolerance(exact bool) float64 {
	if exact {
		return 0
	}
	return 1e-6
}

// The environment of the folder. The version of Python is what MLflow's tools install
// when they serve the folder; the loader works with any from 3.9.
const (
	pythonVersion = "3.11.9"
	requirements  = "mlflow>=2.22,<4\nnumpy\npandas"
	exampleFile   = "input_example.json"
	servingFile   = "serving_input_example.json"
)

func (w *writer) environment(ctx context.Context) {
	w.put(ctx, "requirements.txt", []byte(requirements))
	w.put(ctx, "python_env.yaml", []byte("python: "+pythonVersion+"\nbuild_dependencies:\n- pip\ndependencies:\n- -r requirements.txt\n"))
	w.put(ctx, "conda.yaml", []byte("name: mlflow-env\nchannels:\n- conda-forge\ndependencies:\n- python="+pythonVersion+
		"\n- pip\n- pip:\n  - "+strings.ReplaceAll(requirements, "\n", "\n  - ")+"\n"))
}

// document is the MLmodel file.
type document struct {
	Flavors struct {
		Function struct {
			Code   string            `yaml:"code"`
			Data   string            `yaml:"data"`
			Env    map[string]string `yaml:"env"`
			Loader string            `yaml:"loader_module"`
			Python string            `yaml:"python_version"`
		} `yaml:"python_function"`
	} `yaml:"flavors"`
	Metadata  map[string]any    `yaml:"metadata"`
	Version   string            `yaml:"mlflow_version"`
	Size      int64             `yaml:"model_size_bytes"`
	UUID      string            `yaml:"model_uuid"`
	Example   map[string]string `yaml:"saved_input_example_info"`
	Signature struct {
		Inputs  string  `yaml:"inputs"`
		Outputs string  `yaml:"outputs"`
		Params  *string `yaml:"params"`
	} `yaml:"signature"`
	Created string `yaml:"utc_time_created"`
}

func (w *writer) description(v registry.Version, m model.Manifest) ([]byte, error) {
	var d document
	f := &d.Flavors.Function
	f.Code, f.Data, f.Loader, f.Python = "code", "flyball", "flyball_model", pythonVersion
	f.Env = map[string]string{"conda": "conda.yaml", "virtualenv": "python_env.yaml"}
	kinds := map[string]string{}
	for _, in := range m.Inputs {
		kinds[in.Name] = in.Kind.String()
	}
	about := map[string]any{
		"version": v.Ref.String(), "bundle": string(v.Bundle), "kind": m.Kind, "inputs": kinds,
	}
	if len(m.Classes) > 0 {
		about["classes"] = m.Classes
	}
	d.Metadata = map[string]any{"flyball": about}
	d.Version, d.UUID, d.Size = mlflowVersion, string(v.Bundle[:32]), w.size
	d.Example = map[string]string{
		"artifact_path": exampleFile, "pandas_orient": "split", "serving_input_path": servingFile, "type": "dataframe",
	}
	d.Created = v.CreatedAt.UTC().Format("2006-01-02 15:04:05.000000")
	var err error
	if d.Signature.Inputs, d.Signature.Outputs, err = signatureOf(m); err != nil {
		return nil, err
	}
	text, err := yaml.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encode MLmodel: %w", err)
	}
	return text, nil
}

// mlflowVersion is the version of MLflow whose layout the folder has.
const mlflowVersion = "2.22.0"

// signatureOf is the signature as two JSON texts. The columns are of type any: MLflow
// lets no whole number pass for a double and no text for a datetime, and Flyball takes
// both; the loader checks the values. All of them are, for MLflow 2 puts a table of any
// and other types together by its index, and mixes up the rows where that does not
// count from zero. A score is a float64 a row, or one a class.
func signatureOf(m model.Manifest) (inputs, outputs string, err error) {
	type column struct {
		Type     string `json:"type"`
		Name     string `json:"name"`
		Required bool   `json:"required"`
	}
	columns := make([]column, len(m.Inputs))
	for i, in := range m.Inputs {
		columns[i] = column{"any", in.Name, true}
	}
	shape := []int{-1}
	if m.Kind == dataset.Multiclass {
		shape = append(shape, len(m.Classes))
	}
	in, err := json.Marshal(columns)
	if err != nil {
		return "", "", fmt.Errorf("encode the signature: %w", err)
	}
	out, err := json.Marshal([]any{map[string]any{"type": "tensor", "tensor-spec": map[string]any{"dtype": "float64", "shape": shape}}})
	return string(in), string(out), err
}

// goldenOf takes the golden rows apart into inputs and scores.
func goldenOf(m model.Manifest, rows *frame.Frame) (golden, error) {
	g := golden{Columns: map[string][]any{}, Scores: make([][]float64, rows.Rows())}
	for _, in := range m.Inputs {
		c := rows.Column(in.Name)
		if c == nil {
			return g, fault.New(fault.Invalid, "the golden rows have no column %q", in.Name)
		}
		values := make([]any, rows.Rows())
		for i := range values {
			values[i] = cell(c, i, false)
		}
		g.Columns[in.Name] = values
	}
	for k := 0; ; k++ {
		c := rows.Column(fmt.Sprint(model.ScoreColumn, k))
		if c == nil || c.Kind != frame.Number {
			break
		}
		for i, x := range c.Num {
			g.Scores[i] = append(g.Scores[i], x)
		}
	}
	return g, nil
}

// cell is a value as JSON has it; a number that JSON cannot hold counts as missing,
// here as in a pipeline. A time is microseconds, or text for people.
func cell(c *frame.Column, i int, text bool) any {
	switch {
	case c.Missing(i):
		return nil
	case c.Kind == frame.Number:
		if math.IsInf(c.Num[i], 0) {
			return nil
		}
		return c.Num[i]
	case c.Kind == frame.Time && !text:
		return c.Time[i]
	}
	return c.Format(i)
}

// split are rows in the form of pandas' orient="split".
func split(inputs []frame.Field, rows *frame.Frame) ([]byte, error) {
	out := struct {
		Columns []string `json:"columns"`
		Data    [][]any  `json:"data"`
	}{Columns: []string{}, Data: make([][]any, rows.Rows())}
	for _, in := range inputs {
		out.Columns = append(out.Columns, in.Name)
		for i := range out.Data {
			out.Data[i] = append(out.Data[i], cell(rows.Column(in.Name), i, true))
		}
	}
	raw, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("encode the input example: %w", err)
	}
	return raw, nil
}

func sorted(files map[string]blob.Digest) []string {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
