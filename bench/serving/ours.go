// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"flyball/api"
	"flyball/api/rest"
	"flyball/blob"
	"flyball/data/dataset"
	"flyball/model"
	"flyball/serving"
	"flyball/serving/predictionlog"
	"flyball/serving/release"
	"flyball/training/learner"
	"flyball/unit"
)

// alone serves a bundle under a route, with the log that every served model has: the
// product's own face, without the loop and what else stands around it.
func alone(ctx context.Context, folder string, bundle blob.Digest, address, dir string) error {
	blobs, err := blob.OpenDir(folder)
	if err != nil {
		return err
	}
	defer blobs.Close()
	b, err := model.Open(ctx, blobs, learner.Decoders(), bundle)
	if err != nil {
		return err
	}
	log, err := predictionlog.Open(dir, predictionlog.Options{Logger: slog.Default()})
	if err != nil {
		return err
	}
	go func() { _ = log.Run(ctx) }() // the process ends with it
	<-log.Ready()
	task := dataset.Task{Column: "y", Kind: dataset.Binary, Truth: dataset.Truth{Within: unit.Duration(time.Hour)}}
	s := serving.New(serving.Options{Log: log, Now: time.Now})
	if err := s.Publish("m", serving.Entry{Task: task, Route: release.Route{Model: "m", Live: 1}, Versions: map[int]*model.Bundle{1: b}}); err != nil {
		return err
	}
	mux := api.NewRoutes(nil)
	rest.New(mux, rest.Options{Serving: s, Log: log, Now: time.Now, Logger: slog.Default()})
	return (&http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: time.Minute}).ListenAndServe()
}
