// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"flyball/api/wire"
	"flyball/unit"
)

// Alerts are a model's alerts (of all when it is empty), newest first; only those that
// are open when openOnly is set.
func (c *Client) Alerts(ctx context.Context, model string, openOnly bool) (out []wire.Alert, err error) {
	q := url.Values{"model": {model}, "open": {strconv.FormatBool(openOnly)}}
	return out, c.do(ctx, http.MethodGet, "/v1/alerts?"+q.Encode(), nil, &out)
}

// AckAlert takes an alert, so that nobody else is told.
func (c *Client) AckAlert(ctx context.Context, id, why string) (out wire.Changed, err error) {
	return out, c.do(ctx, http.MethodPost, "/v1/alerts/"+url.PathEscape(id)+"/ack", wire.Change{Why: why}, &out)
}

// Silence has a model's alerts not told for so long; 0 ends a silence.
func (c *Client) Silence(ctx context.Context, model, why string, lasts time.Duration) (out wire.Changed, err error) {
	return out, c.do(ctx, http.MethodPost, of(model, "/silence"), wire.Silence{For: unit.Duration(lasts), Why: why}, &out)
}

// Digest is what the loop did in the last seven days, and what waits for whom.
func (c *Client) Digest(ctx context.Context) (out wire.Digest, err error) {
	return out, c.do(ctx, http.MethodGet, "/v1/digest", nil, &out)
}

// Away says that somebody cannot be called for a while; one that ends by now ends it.
func (c *Client) Away(ctx context.Context, a wire.Away) (out wire.Changed, err error) {
	return out, c.do(ctx, http.MethodPost, "/v1/owners/away", a, &out)
}

// Owners are the duties of a model (of all when it is empty), and who carries them.
func (c *Client) Owners(ctx context.Context, model string) (out []wire.Owner, err error) {
	return out, c.do(ctx, http.MethodGet, "/v1/owners?"+url.Values{"model": {model}}.Encode(), nil, &out)
}
