// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"flyball/control"
	"flyball/data/pipeline"
)

// PipelineUse is one version of a pipeline file, and the models that use it.
type PipelineUse = control.PipelineUse

// PipelineChange is what a pipeline file would change, or did.
type PipelineChange = control.PipelineChange

// PipelineDifference is one difference between two pipelines.
type PipelineDifference = pipeline.Difference

// ApplyPipeline is a pipeline file to apply to all models that name it.
type ApplyPipeline struct {
	Name   string `json:"name" doc:"of the file, for messages"`
	File   string `json:"file" doc:"the pipeline file's YAML"`
	DryRun bool   `json:"dry_run,omitempty"`
}
