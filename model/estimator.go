// SPDX-License-Identifier: Apache-2.0

package model

import (
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

// Decoders read estimators by the name of their file.
type Decoders map[string]func([]byte) (Estimator, error)
