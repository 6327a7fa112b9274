// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"flyball/api/rest"
	"flyball/blob"
	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/model"
	"flyball/serving"
	"flyball/serving/predictionlog"
	"flyball/serving/release"
	"flyball/training/learner"
	"flyball/unit"
)

// features is how many numbers a row has.
const features = 30

// ours serves the model file under a route, with the log that every served model has:
// the product's own face, without the loop around it.
func ours(ctx context.Context, file, address, dir string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	fields := make([]frame.Field, features)
	cols := make([]frame.Column, features)
	for i := range fields {
		fields[i] = frame.Field{Name: fmt.Sprint("f", i), Kind: frame.Number}
		cols[i] = frame.NumberColumn(fields[i].Name, []float64{0.5, -0.5})
	}
	p, err := pipeline.Fit(ctx, pipeline.Spec{Inputs: fields}, frame.New(cols...), 1)
	if err != nil {
		return err
	}
	name := "model.json"
	if filepath.Base(file) == "constant.json" {
		name = "constant.json"
	}
	task := dataset.Task{Column: "y", Kind: dataset.Binary, Truth: dataset.Truth{Within: unit.Duration(time.Hour)}}
	b, err := model.Make(ctx, blob.Memory(), learner.Decoders(), model.Parts{
		Model: "m", Task: task, Pipeline: p, Estimator: model.File{Name: name, Bytes: raw}, Rows: frame.New(cols...),
	})
	if err != nil {
		return err
	}
	log, err := predictionlog.Open(dir, predictionlog.Options{Logger: slog.Default()})
	if err != nil {
		return err
	}
	go func() { _ = log.Run(ctx) }() // the process ends with it
	<-log.Ready()
	s := serving.New(serving.Options{Log: log, Now: time.Now})
	if err := s.Publish("m", serving.Entry{Task: task, Route: release.Route{Model: "m", Live: 1}, Versions: map[int]*model.Bundle{1: b}}); err != nil {
		return err
	}
	mux := http.NewServeMux()
	rest.New(mux, rest.Options{Serving: s, Log: log, Now: time.Now, Logger: slog.Default()})
	return (&http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: time.Second}).ListenAndServe()
}
