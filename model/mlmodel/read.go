// SPDX-License-Identifier: Apache-2.0

package mlmodel

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/fault"
	"flyball/model"
)

// Source is the files of a model folder.
type Source interface {
	// Open opens a file by its path in the folder. What is not there is a NotFound
	// fault.
	Open(ctx context.Context, name string) (io.ReadCloser, error)

	// Names are the paths of all files.
	Names(ctx context.Context) ([]string, error)
}

// Model is a model that somebody else trained, as its folder tells it.
type Model struct {
	Flavor    string
	Class     string        // such as xgboost.sklearn.XGBClassifier
	Kind      dataset.Kind  // what its scores mean; empty: nobody can tell
	Classes   []string      // of a kind that has classes, in the order of the scores
	Inputs    []frame.Field // in the order of the signature, or of the training; none where nobody says
	Behind    bool          // the estimator takes a matrix: it stands behind a pipeline, the identity
	File      model.File    // what is scored with
	More      []model.File  // what that needs besides: the folder of a worker
	Answer    model.Answer  // how its predict answers
	Tolerance float64       // of its scores, relative; 0: the same bits every time
	Examples  *frame.Frame  // rows of the input example; nil where there are none that can be read
	UUID      string        // as MLflow gave it; may be empty

	// Unframed are the columns of the signature that no frame can hold, such as lists.
	// Rows with them can be scored only as their caller sent them.
	Unframed []string
}

// The bounds of what is read.
const (
	maxText    = 1 << 20 // of MLmodel and of the input example
	maxModel   = 1 << 27 // of the estimator
	maxFolder  = 1 << 30 // of all files that a worker gets
	maxFiles   = 10_000
	maxColumns = 10_000
)

// Read reads the model in a folder that MLflow wrote: XGBoost, LightGBM and ONNX as
// they are, any other flavor for a Python worker, where the decoders have one. With a
// kind its scores must be those of the kind: the probability of a binary model, the
// probabilities of a multiclass one, whatever MLflow's own predict makes of them;
// without one they are whatever they are. A flavor that cannot be scored here, and a
// model of another kind, are Refused faults that say what is supported; what cannot be
// read is an Invalid fault.
func Read(ctx context.Context, from Source, decoders model.Decoders, kind dataset.Kind) (Model, error) {
	raw, err := read(ctx, from, "MLmodel", maxText)
	if err != nil {
		return Model{}, err
	}
	d, err := parse(raw)
	if err != nil {
		return Model{}, err
	}
	schema, err := ParseSchema(d.Signature.Inputs)
	if err == nil {
		_, err = ParseParams(d.Signature.Params)
	}
	if err != nil {
		return Model{}, err
	}
	r := reader{from: from, decoders: decoders, kind: kind, about: d, schema: schema}
	m, err := r.flavor(ctx)
	if err != nil {
		return Model{}, err
	}
	m.UUID = d.UUID
	if d.Signature != (signature{}) {
		m.Answer.Signature = &model.Signature{Inputs: d.Signature.Inputs, Outputs: d.Signature.Outputs, Params: d.Signature.Params}
	}
	if len(m.Unframed) == 0 {
		m.Examples = examples(ctx, from, d, m.Inputs)
	}
	return m, nil
}

// reader is a folder while it is read.
type reader struct {
	from     Source
	decoders model.Decoders
	kind     dataset.Kind
	about    description
	schema   Schema
}

// flavor reads the flavor that is scored best here: natively, else by a worker.
func (r *reader) flavor(ctx context.Context) (Model, error) {
	for _, known := range []struct {
		name string
		read func(context.Context, map[string]any) (Model, error)
	}{{"xgboost", r.xgboost}, {"lightgbm", r.lightgbm}, {"onnx", r.onnx}} {
		flavor, ok := r.about.Flavors[known.name]
		if !ok {
			continue
		}
		m, err := known.read(ctx, flavor)
		if !errors.Is(err, errForWorker) {
			m.Flavor = known.name
			return m, err
		}
	}
	return r.worker(ctx)
}

// errForWorker says that only the model's own library can score it.
var errForWorker = errors.New("the model needs its own library")

// read reads a whole file of a bounded size.
func read(ctx context.Context, from Source, name string, limit int64) ([]byte, error) {
	f, err := from.Open(ctx, name)
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

// list shows some of the names.
func list(names []string) string {
	if len(names) > 8 {
		return strings.Join(names[:8], ", ") + fmt.Sprintf(" and %d more", len(names)-8)
	}
	return strings.Join(names, ", ")
}

// examples are the rows of the input example; nil where they are no table with the
// columns.
func examples(ctx context.Context, from Source, d description, inputs []frame.Field) *frame.Frame {
	if d.Example.Type != "dataframe" || d.Example.Orient != "split" || !filepath.IsLocal(d.Example.Path) || len(inputs) == 0 {
		return nil
	}
	raw, err := read(ctx, from, d.Example.Path, maxText)
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
		if at < 0 {
			return nil
		}
		var ok bool
		if cols[c], ok = exampleColumn(in, table.Data, at); !ok {
			return nil
		}
	}
	return frame.New(cols...)
}

// exampleColumn is a column of an input example; false where it holds something else.
func exampleColumn(in frame.Field, rows [][]any, at int) (frame.Column, bool) {
	numbers, texts, null := make([]float64, len(rows)), make([]string, len(rows)), make([]bool, len(rows))
	times := make([]int64, len(rows))
	for i, row := range rows {
		if at >= len(row) {
			return frame.Column{}, false
		}
		numbers[i], times[i] = math.NaN(), frame.NoTime
		switch x := row[at].(type) {
		case nil:
			null[i] = true
		case float64:
			if in.Kind != frame.Number {
				return frame.Column{}, false
			}
			numbers[i] = x
		case bool:
			if in.Kind != frame.Number {
				return frame.Column{}, false
			}
			if numbers[i] = 0; x {
				numbers[i] = 1
			}
		case string:
			texts[i] = x
			var err error
			if in.Kind == frame.Time {
				times[i], err = frame.ParseTime(x)
			}
			if in.Kind == frame.Number || err != nil {
				return frame.Column{}, false
			}
		default:
			return frame.Column{}, false
		}
	}
	switch in.Kind {
	case frame.Text:
		return frame.TextColumn(in.Name, texts, null), true
	case frame.Time:
		return frame.TimeColumn(in.Name, times), true
	}
	return frame.NumberColumn(in.Name, numbers), true
}
