// SPDX-License-Identifier: Apache-2.0

// Package formats is all that Flyball can score with, in one place: whoever opens
// bundles that others made takes its decoders from here. It reads nothing itself; the
// packages of the formats do.
package formats

import (
	"context"

	"flyball/model"
	"flyball/model/constant"
	"flyball/model/lightgbm"
	"flyball/model/linear"
	"flyball/model/onnx"
	"flyball/model/worker"
	"flyball/model/xgboost"
)

// Decoders read the estimators of every format. Host runs the models that need Python;
// nil: they are refused.
func Decoders(host *worker.Host) model.Decoders {
	d := model.Decoders{
		Estimators: map[string]func([]byte) (model.Estimator, error){
			"model.json": xgboost.Decode, "linear.json": linear.Decode, "constant.json": constant.Decode,
		},
		Scorers: map[string]open{lightgbm.File: lightgbm.Open, onnx.File: onnx.Open},
	}
	if host != nil {
		d.Scorers[worker.FileName] = host.Open
	}
	return d
}

// open opens a model that takes columns as they are.
type open = func(context.Context, model.Manifest, model.Files) (model.Scorer, error)
