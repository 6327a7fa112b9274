// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"net/http"
	"strings"

	"flyball/api/wire"
	"flyball/experiment"
	"flyball/experiment/compare"
	"flyball/governance/access"
)

// runsAsked is a search of runs in a query.
type runsAsked struct {
	Experiment string   `query:"experiment" doc:"its name or id, or the name of a model; empty: all"`
	Filter     string   `query:"filter" doc:"in MLflow's language, as in metrics.auc > 0.8 AND params.depth = '5'"`
	OrderBy    []string `query:"order_by,explode" doc:"MLflow's order_by clauses; none: the newest first"`
	Columns    string   `query:"columns" doc:"as in metrics.auc,params.depth,tags.note; empty: what tells the runs apart"`
	Metric     string   `query:"metric" doc:"that distances are measured in, or the last axis"`
	Against    string   `query:"against" doc:"what distances are measured from: baseline (default), live, constant, a reference, or none"`
	MaxResults int      `query:"max_results" minimum:"1" maximum:"1000" default:"100"`
	PageToken  string   `query:"page_token"`
}

func (a runsAsked) ask() compare.Ask {
	out := compare.Ask{
		Experiment: a.Experiment, Filter: a.Filter, Order: a.OrderBy, Against: a.Against, Metric: a.Metric,
		Page: experiment.Page{Limit: a.MaxResults, Token: a.PageToken},
	}
	if a.Columns != "" {
		out.Columns = strings.Split(a.Columns, ",")
	}
	return out
}

// runRoutes are about runs: finding them, looking at one, and comparing.
func (f *face) runRoutes() {
	route(f, access.Read, http.MethodGet, "/v1/runs", "runs", "Runs, each with its distance from a reference",
		func(ctx context.Context, in *runsAsked) (*body[wire.Runs], error) {
			return answer(f.Compare.List(ctx, in.ask()))
		})
	route(f, access.Read, http.MethodGet, "/v1/runs/parallel", "runs-parallel", "Runs as lines over the settings that vary and a metric",
		func(ctx context.Context, in *runsAsked) (*body[wire.Parallel], error) {
			return answer(f.Compare.Parallel(ctx, in.ask()))
		})
	type one struct {
		ID string `path:"id" doc:"a run's id, the beginning of one, or a version as in hotel-cancel@7"`
	}
	route(f, access.Read, http.MethodGet, "/v1/runs/{id}", "run", "One run with everything",
		func(ctx context.Context, in *one) (*body[wire.Run], error) { return answer(f.Compare.Run(ctx, in.ID)) })
	type metric struct {
		ID     string `path:"id"`
		Key    string `path:"key"`
		Points int    `query:"points" minimum:"1" maximum:"2500" default:"320"`
	}
	route(f, access.Read, http.MethodGet, "/v1/runs/{id}/metrics/{key}", "run-metric", "Points of a metric, spread evenly over its steps",
		func(ctx context.Context, in *metric) (*body[[]wire.Point], error) {
			return answer(f.Compare.Curve(ctx, in.ID, in.Key, in.Points))
		})
	type question struct {
		Refs    []string `query:"ref,explode" required:"true" doc:"run:8f3c, hotel-cancel@7, hotel-cancel@live or @live; the first is the reference unless against says another"`
		Against string   `query:"against" doc:"baseline, live, constant or a reference"`
		Model   string   `query:"model" doc:"of @live"`
		Metric  string   `query:"metric" doc:"that decides; empty: the gate's first, or the usual one"`
	}
	route(f, access.Read, http.MethodGet, "/v1/compare", "compare", "Whether runs or versions are better than another, on the rows that both predicted",
		func(ctx context.Context, in *question) (*body[wire.Comparison], error) {
			return answer(f.Compare.Compare(ctx, compare.Question{
				Refs: in.Refs, Against: in.Against, Model: in.Model, Metric: in.Metric, Slices: true, Curves: true,
			}))
		})
}
