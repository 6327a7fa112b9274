// SPDX-License-Identifier: Apache-2.0

package lightgbm

import (
	"context"
	"encoding/json"
	"slices"

	"flyball/data/dataset"
	"flyball/fault"
	"flyball/model"
)

// File is the name of a model's file in a bundle.
const File = "model.txt"

// ColumnsFile may stand beside it: a JSON list of the columns' names, in the order of
// the features, where they are not those of the model. LightGBM writes _ for a blank in
// a name, and Column_0 where it was trained on rows without names.
const ColumnsFile = "columns.json"

// Open reads the model of a bundle; it is one of model.Decoders.Scorers. A model whose
// scores are not what the manifest's kind means is an Invalid fault.
func Open(_ context.Context, manifest model.Manifest, files model.Files) (model.Scorer, error) {
	raw, err := files.Read(File)
	if err != nil {
		return nil, err
	}
	m, err := Decode(raw)
	if err != nil {
		return nil, err
	}
	if k := manifest.Kind; (k == dataset.Binary || k == dataset.Multiclass) && !m.link.probability() {
		return nil, fault.New(fault.Invalid, "the LightGBM model gives no probabilities, which %s needs", k).
			Do("train with the objective binary, cross_entropy, multiclass or multiclassova, or register it as a regression")
	}
	if slices.Contains(files.Names(), ColumnsFile) {
		if raw, err = files.Read(ColumnsFile); err != nil {
			return nil, err
		}
		var names []string
		if err := json.Unmarshal(raw, &names); err != nil {
			return nil, fault.Wrap(err, fault.Invalid, "%s is not a list of names", ColumnsFile)
		}
		if err := m.name(names); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// name gives the columns other names.
func (m *Model) name(names []string) error {
	if len(names) != len(m.columns) {
		return fault.New(fault.Invalid, "%s has %d names, the LightGBM model has %d features", ColumnsFile, len(names), len(m.columns))
	}
	if name, ok := twice(names); ok {
		return fault.New(fault.Invalid, "the name %q stands twice in %s", clip(name), ColumnsFile)
	}
	for i, n := range names {
		m.columns[i].Name = n
	}
	return nil
}

func stopped(err error) error {
	return fault.Wrap(err, fault.Unavailable, "the rows were not scored in time")
}
