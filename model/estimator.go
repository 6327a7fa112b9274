// SPDX-License-Identifier: Apache-2.0

package model

import (
	"context"

	"flyball/data/pipeline"
)

// Estimator scores rows of features. It is immutable and may be used by many
// goroutines at once.
type Estimator interface {
	// Features is how many columns a row must have.
	Features() int

	// Outputs is how many scores a row gets: 1, or one a class.
	Outputs() int

	// Score writes Outputs scores a row into out, which has x.Rows*Outputs places:
	// a probability (binary), probabilities (multiclass) or a number (regression).
	// x has Features columns.
	Score(x pipeline.Matrix, out []float64)
}

// File is an estimator's bytes in its own open format, and the name that tells the
// format: model.json (XGBoost), linear.json, constant.json.
type File struct {
	Name  string
	Bytes []byte
}

// Decoders read what a bundle scores with, by the name of its file.
type Decoders struct {
	// Estimators read those that stand behind a pipeline.
	Estimators map[string]func([]byte) (Estimator, error)

	// Scorers read those that take columns as they are. They are told what the
	// manifest says, Inputs and Features not yet among it, and read the bundle's other
	// files by themselves.
	Scorers map[string]func(ctx context.Context, m Manifest, files Files) (Scorer, error)
}
