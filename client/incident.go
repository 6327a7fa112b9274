// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"flyball/api/wire"
)

// Incidents are those of a model, or of all where it is empty, the newest first.
func (c *Client) Incidents(ctx context.Context, model string, open bool) (out []wire.Incident, err error) {
	return out, c.do(ctx, http.MethodGet, fmt.Sprintf("/v1/incidents?model=%s&open=%t", url.QueryEscape(model), open), nil, &out)
}

// OpenIncident opens one by hand.
func (c *Client) OpenIncident(ctx context.Context, model, why string) (out wire.Incident, err error) {
	return out, c.do(ctx, http.MethodPost, of(model, "/incidents"), wire.Change{Why: why}, &out)
}

// CloseIncident closes one with what was learnt from it.
func (c *Client) CloseIncident(ctx context.Context, model string, l wire.Learnt) (out wire.Incident, err error) {
	return out, c.do(ctx, http.MethodPost, of(model, "/incidents/close"), l, &out)
}

// BreakGlass gives the caller two hours without others' leave, or ends them.
func (c *Client) BreakGlass(ctx context.Context, model string, b wire.Break) (out wire.Changed, err error) {
	return out, c.do(ctx, http.MethodPost, of(model, "/break-glass"), b, &out)
}
