// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"net/http"
	"net/url"

	"flyball/api/wire"
)

// Approvals are all requests for leave of a model, the newest first; those that wait, of
// all models, where it is empty.
func (c *Client) Approvals(ctx context.Context, model string) (out []wire.Approval, err error) {
	path := "/v1/approvals"
	if model != "" {
		path = of(model, "/approvals")
	}
	return out, c.do(ctx, http.MethodGet, path, nil, &out)
}

// Say says something to a request for leave: approve, reject or override.
func (c *Client) Say(ctx context.Context, model, id, what string, say wire.Say) (out wire.Changed, err error) {
	return out, c.do(ctx, http.MethodPost, of(model, "/approvals/"+url.PathEscape(id)+"/"+what), say, &out)
}
