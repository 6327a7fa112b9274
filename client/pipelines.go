// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"flyball/api/wire"
)

// ApplyPipeline applies a pipeline file to all models that name it, or says what that
// would change.
func (c *Client) ApplyPipeline(ctx context.Context, a wire.ApplyPipeline) (out wire.PipelineChange, err error) {
	return out, c.do(ctx, http.MethodPost, "/v1/pipelines", a, &out)
}

// Pipelines are all versions of a pipeline file, the newest first; without a name, the
// newest of each, and those in use.
func (c *Client) Pipelines(ctx context.Context, name string) (out []wire.PipelineUse, err error) {
	path := "/v1/pipelines"
	if name != "" {
		path += "/" + url.PathEscape(name)
	}
	return out, c.do(ctx, http.MethodGet, path, nil, &out)
}

// DiffPipelines says what version to of a pipeline has that version from had not; 0 is
// the newest.
func (c *Client) DiffPipelines(ctx context.Context, name string, from, to int) (out []wire.PipelineDifference, err error) {
	path := fmt.Sprintf("/v1/pipelines/%s/diff?from=%d&to=%d", url.PathEscape(name), from, to)
	return out, c.do(ctx, http.MethodGet, path, nil, &out)
}
