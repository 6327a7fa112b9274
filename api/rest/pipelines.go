// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"net/http"

	"flyball/api/wire"
	"flyball/governance/access"
)

// pipelineRoutes are about pipeline files that models share.
func (f *face) pipelineRoutes() {
	type apply struct{ Body wire.ApplyPipeline }
	route(f, access.Apply, http.MethodPost, "/v1/pipelines", "apply-pipeline", "Apply a pipeline file to all models that name it",
		func(ctx context.Context, in *apply) (*body[wire.PipelineChange], error) {
			return answer(f.Control.ApplyPipeline(ctx, access.Actor(ctx), in.Body.Name, in.Body.File, in.Body.DryRun))
		})
	type none struct{}
	route(f.then(), access.Read, http.MethodGet, "/v1/pipelines", "pipelines", "The newest version of each pipeline file, and those in use",
		func(ctx context.Context, _ *none) (*body[[]wire.PipelineUse], error) {
			return answer(f.Control.Pipelines(ctx, ""))
		})
	type one struct {
		Name string `path:"name" minLength:"1" doc:"the pipeline's name"`
	}
	route(f.then(), access.Read, http.MethodGet, "/v1/pipelines/{name}", "pipeline", "All versions of a pipeline file",
		func(ctx context.Context, in *one) (*body[[]wire.PipelineUse], error) {
			return answer(f.Control.Pipelines(ctx, in.Name))
		})
	type two struct {
		Name string `path:"name" minLength:"1" doc:"the pipeline's name"`
		From int    `query:"from" minimum:"0" doc:"a version; 0: the newest"`
		To   int    `query:"to" minimum:"0" doc:"a version; 0: the newest"`
	}
	route(f.then(), access.Read, http.MethodGet, "/v1/pipelines/{name}/diff", "diff-pipelines", "What one version has that another had not",
		func(ctx context.Context, in *two) (*body[[]wire.PipelineDifference], error) {
			return answer(f.Control.DiffPipelines(ctx, in.Name, in.From, in.To))
		})
}
