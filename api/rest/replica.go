// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"flyball/api"
	"flyball/api/wire"
	"flyball/fault"
	"flyball/governance/access"
	"flyball/serving"
	"flyball/serving/replica"
)

// Replicas are the processes that only serve, as whoever leads keeps them.
type Replicas interface {
	replica.Control
	Replicas(ctx context.Context) ([]replica.State, error)
}

// replicaRoutes are read and written by programs of other releases too, so what one does
// not know of the other's is left out, and not refused.
func (f *face) replicaRoutes() {
	route(f, access.Read, http.MethodGet, "/v1/replicas", "replicas", "The processes that serve, and how each stands",
		func(ctx context.Context, _ *struct{}) (*body[[]replica.State], error) {
			return answer(f.Replicas.Replicas(ctx))
		})
	f.desk.Handle(access.Serve, "GET /v1/desired", f.desired)
	f.desk.Handle(access.Serve, "POST /v1/replicas/{name}", f.report)
	f.desk.Handle(access.Serve, "DELETE /v1/replicas/{name}", f.leave)
}

// desired answers when there is something else than the version in have, or after a while.
func (f *face) desired(w http.ResponseWriter, r *http.Request) {
	have, err := strconv.ParseInt(r.FormValue("have"), 10, 64)
	if err != nil || have < 0 {
		f.writeProblem(w, r, fault.New(fault.Invalid, "have=%q is no version", r.FormValue("have")))
		return
	}
	d, err := f.Replicas.Desired(r.Context(), have)
	f.tell(w, r, d, err)
}

func (f *face) report(w http.ResponseWriter, r *http.Request) {
	var in replica.Report
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, f.MaxBody)).Decode(&in); err != nil {
		f.writeProblem(w, r, fault.Wrap(err, fault.Invalid, "the report cannot be read"))
		return
	}
	in.Name = r.PathValue("name")
	if len(in.Name) > 253 || in.Process == "" {
		f.writeProblem(w, r, fault.New(fault.Invalid, "a replica has a name of at most 253 letters, and its run has one too"))
		return
	}
	g, err := f.Replicas.Report(r.Context(), in)
	f.tell(w, r, g, err)
}

func (f *face) leave(w http.ResponseWriter, r *http.Request) {
	f.tell(w, r, struct{}{}, f.Replicas.Leave(r.Context(), r.PathValue("name"), r.FormValue("process")))
}

func (f *face) tell(w http.ResponseWriter, r *http.Request, v any, err error) {
	if err != nil {
		f.writeProblem(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the caller may have gone
}

// ServeOptions are what the face of a replica is built from.
type ServeOptions struct {
	Options                                               // Serving, Log, Now, Version, Logger and MaxBody
	Knows   func(ctx context.Context, model string) error // NotFound for a model that there is not
}

// NewServing adds to the routes of a replica those that it answers by itself: rows, truths,
// and what was answered elsewhere. All others are whoever leads'.
func NewServing(routes *api.Routes, opts ServeOptions) {
	f := newFace(routes, opts.Options, "")
	f.knows = opts.Knows
	f.predictRoute(routes.Face(f.writeProblem, func(r *http.Request) string { return named(r.PathValue("model")).Model }))
	f.tellRoutes()
}

// tellRoutes take what came of answers, and answers that were given elsewhere.
func (f *face) tellRoutes() {
	type record struct {
		OfModel
		Body wire.RecordRequest
	}
	route(f, access.Predict, http.MethodPost, "/v1/models/{model}/predictions", "record", "Keep what the live version answered elsewhere",
		func(ctx context.Context, in *record) (*body[wire.PredictResponse], error) {
			records, err := f.Serving.Record(ctx, in.Model, given(in.Body.Predictions))
			if err != nil {
				return nil, err
			}
			return &body[wire.PredictResponse]{response(serving.Answer{Model: in.Model, Generation: records[0].Generation, Records: records})}, nil
		})
	type labels struct {
		OfModel
		Body wire.LabelsRequest
	}
	route(f, access.Predict, http.MethodPost, "/v1/models/{model}/labels", "label", "Tell truths",
		func(ctx context.Context, in *labels) (*body[wire.LabelsResponse], error) {
			return answer(f.label(ctx, in.Model, in.Body.Labels))
		})
}
