// SPDX-License-Identifier: Apache-2.0

// Package export takes a fitted pipeline to where Flyball is not: ONNX writes it as a
// graph that any ONNX runtime computes, bit for bit in float32, and Table writes features
// to a Parquet file. It refuses, by name, a step that ONNX has no operators for. It reads
// pipeline.json by itself, as the format's page tells it, and so proves the page; package
// pipeline is what it is compared with.
package export

import (
	"encoding/json"

	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/fault"
)

// learned is what a step of pipeline.json learned: docs/formats/pipeline.md.
type learned struct {
	Fill   []float64   `json:"fill"`
	Words  []string    `json:"words"`
	Center []float64   `json:"center"`
	Scale  []float64   `json:"scale"`
	Edges  [][]float64 `json:"edges"`
	Kept   [][]string  `json:"kept"`
	Rare   [][]string  `json:"rare"`

	Means [][][]float64 `json:"means"`
}

// column is a name that stands, and where in the graph its values are. Every value has
// a row for each row of the inputs and one column.
type column struct {
	frame.Field
	at      string // float64, texts, or microseconds
	missing string // of texts and times: which rows have no value
}

// writer goes through a pipeline's steps and writes each into the graph.
type writer struct {
	*graph
	rows    string          // an input, whose shape tells the number of rows
	whole   map[string]bool // values that are known to have all rows
	columns []column        // that stand after the steps so far
	origins []column        // every column there ever was, by name the newest last
}

// ONNX is the pipeline as an ONNX model of opset 19, which takes a tensor of one column
// for each input and gives all features as one tensor, "features", of float32.
//
// A number is float64 and NaN where missing, a text is a string, a time is int64,
// microseconds since 1970 in UTC, and the lowest int64 where missing. A text has a second
// input, its name and ".missing", of bool; left out, no text is missing. What stands in
// the place of a missing text does not matter. The names of the features, the kinds of
// the inputs, the golden rows and the pipeline's digest are in the model's metadata.
//
// A step that ONNX cannot compute is a Refused fault that names it.
func ONNX(f *pipeline.Fitted) ([]byte, error) {
	var in struct {
		Spec   pipeline.Spec   `json:"spec"`
		States []learned       `json:"states"`
		Golden json.RawMessage `json:"golden"`
	}
	if err := json.Unmarshal(f.Encode(), &in); err != nil {
		return nil, fault.Wrap(err, fault.Internal, "the pipeline cannot be read back")
	}
	if len(in.Spec.Inputs) == 0 {
		return nil, refuse("a pipeline without inputs", "ONNX would not know the number of rows")
	}
	w := &writer{graph: newGraph(in.Spec.Inputs), whole: map[string]bool{}}
	for _, field := range in.Spec.Inputs {
		w.input(field)
	}
	for i, s := range in.Spec.Steps {
		if err := w.step(s, in.States[i]); err != nil {
			return nil, fault.Wrap(err, fault.Refused, "step %d (%s) cannot be written as ONNX", i+1, s.Op)
		}
	}
	if err := w.check(f.Names()); err != nil {
		return nil, err
	}
	w.output(w.columns)
	return w.model(f, in.Golden), nil
}

func refuse(what, why string) error {
	return fault.New(fault.Refused, "%s: %s", what, why).Do("leave it out of the pipeline, or transform with Flyball: flyball pipelines transform")
}

// check compares the columns that stand in the end with the features.
func (w *writer) check(names []string) error {
	for k, c := range w.columns {
		if len(names) != len(w.columns) || c.Name != names[k] {
			return fault.New(fault.Internal, "the graph gives other columns than the pipeline")
		}
	}
	return nil
}

// find is the column of the name that stands.
func (w *writer) find(name string) (column, error) {
	for _, c := range w.columns {
		if c.Name == name {
			return c, nil
		}
	}
	return column{}, fault.New(fault.Internal, "the column %q does not stand there", name)
}

// put lets what a step made of the column of that name stand in its place, or at the end
// where as names the result.
func (w *writer) put(name, as string, made ...column) {
	w.origins = append(w.origins, made...)
	at := len(w.columns)
	if as == "" {
		for k, c := range w.columns {
			if c.Name == name {
				at = k
			}
		}
	}
	if at == len(w.columns) {
		w.columns = append(w.columns, made...)
		return
	}
	rest := append([]column(nil), w.columns[at+1:]...)
	w.columns = append(append(w.columns[:at:at], made...), rest...)
}
