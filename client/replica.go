// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"flyball/serving/replica"
)

var _ replica.Control = (*Client)(nil)

// Desired is what replicas are to serve. Where that is the version that the caller has,
// the server waits for the next for some time first.
func (c *Client) Desired(ctx context.Context, have int64) (out replica.Desired, err error) {
	return out, c.do(ctx, http.MethodGet, "/v1/desired?have="+strconv.FormatInt(have, 10), nil, &out)
}

// Report tells how a replica stands; the answer is its lease.
func (c *Client) Report(ctx context.Context, r replica.Report) (out replica.Grant, err error) {
	return out, c.do(ctx, http.MethodPost, "/v1/replicas/"+url.PathEscape(r.Name), r, &out)
}

// Leave ends the lease of a replica.
func (c *Client) Leave(ctx context.Context, name, process string) error {
	return c.do(ctx, http.MethodDelete, "/v1/replicas/"+url.PathEscape(name)+"?process="+url.QueryEscape(process), nil, nil)
}

// Replicas are the processes that serve, by name.
func (c *Client) Replicas(ctx context.Context) (out []replica.State, err error) {
	return out, c.do(ctx, http.MethodGet, "/v1/replicas", nil, &out)
}
