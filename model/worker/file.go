// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"encoding/json"
	"slices"
	"strings"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/fault"
)

// FileName is the name of a model that a Python process scores, among the estimators of
// a bundle.
const FileName = "worker.json"

// Folder begins the names of the bundle's files that are the MLflow model folder.
const Folder = "folder/"

// Format is the format tag of worker.json; docs/formats/worker.md describes it.
const Format = "flyball.worker/v1"

// File is worker.json: what a model takes and gives, as far as the server must know it
// before a process is there to ask.
type File struct {
	Format string `json:"format"`

	// Flavor is the one of MLmodel whose library loads the model where the environment
	// has no MLflow: sklearn, xgboost, lightgbm. Empty: what the folder has.
	Flavor string `json:"flavor,omitempty"`

	Inputs  []Input      `json:"inputs"`
	Outputs int          `json:"outputs"` // scores a row
	Kind    dataset.Kind `json:"kind,omitempty"`
	Classes []string     `json:"classes,omitempty"`

	// Method is what makes the scores: predict_proba or predict. Empty: predict_proba
	// where the kind is not regression and the model has it.
	Method string `json:"method,omitempty"`

	// Python is the version to make an environment with, such as 3.11.7, of which the
	// first two numbers count. Empty: whichever uv finds.
	Python string `json:"python,omitempty"`
}

// Input is a column that the model takes.
type Input struct {
	frame.Field

	// Type is MLflow's type of the column: long, integer, float, double, boolean,
	// string, binary (a column of text that holds the bytes), datetime. Empty: by its
	// kind.
	Type string `json:"type,omitempty"`

	// Optional says that rows may lack the column. It is not among the scorer's inputs.
	Optional bool `json:"optional,omitempty"`
}

// maxOutputs bounds the scores of a row.
const maxOutputs = 1 << 16

// Encode is the file's bytes.
func (f File) Encode() ([]byte, error) {
	f.Format = Format
	return json.Marshal(f)
}

// Decode reads worker.json. The error is an Invalid fault.
func Decode(b []byte) (File, error) {
	var f File
	if err := json.Unmarshal(b, &f); err != nil {
		return File{}, fault.Wrap(err, fault.Invalid, "%s is not readable JSON", FileName)
	}
	if f.Format != Format {
		return File{}, fault.New(fault.Invalid, "%s has format %q; this version reads %s", FileName, f.Format, Format)
	}
	if f.Outputs < 1 || f.Outputs > maxOutputs {
		return File{}, fault.New(fault.Invalid, "%s has %d outputs", FileName, f.Outputs)
	}
	if len(f.Classes) > 0 && f.Kind == dataset.Multiclass && len(f.Classes) != f.Outputs {
		return File{}, fault.New(fault.Invalid, "%s has %d classes and %d outputs", FileName, len(f.Classes), f.Outputs)
	}
	if !slices.Contains([]string{"", "predict", "predict_proba"}, f.Method) {
		return File{}, fault.New(fault.Invalid, "%s has the method %q", FileName, f.Method).Do("write predict or predict_proba")
	}
	seen := map[string]bool{}
	for _, in := range f.Inputs {
		switch {
		case in.Kind == 0:
			return File{}, fault.New(fault.Invalid, "the input %q of %s has no kind", in.Name, FileName)
		case seen[in.Name]:
			return File{}, fault.New(fault.Invalid, "the input %q stands twice in %s", in.Name, FileName)
		}
		seen[in.Name] = true
	}
	return f, nil
}

// fields are the columns a row must have.
func (f File) fields() []frame.Field {
	out := make([]frame.Field, len(f.Inputs))
	for i, in := range f.Inputs {
		out[i] = in.Field
	}
	return out
}

// minor is a version of Python without its last number: 3.11.
func minor(version string) string {
	parts := strings.SplitN(version, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}
