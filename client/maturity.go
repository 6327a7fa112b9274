// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"net/http"
	"net/url"

	"flyball/api/wire"
)

// Maturities is how far the work on all models has come.
func (c *Client) Maturities(ctx context.Context) (out wire.Organisation, err error) {
	return out, c.do(ctx, http.MethodGet, "/v1/maturity", nil, &out)
}

// Maturity is how far the work on a model has come.
func (c *Client) Maturity(ctx context.Context, model string) (out wire.Maturity, err error) {
	return out, c.do(ctx, http.MethodGet, "/v1/models/"+url.PathEscape(model)+"/maturity", nil, &out)
}

// Deliveries are the delivery figures of all models over a window such as 90d; empty is
// that.
func (c *Client) Deliveries(ctx context.Context, window string) (out []wire.Delivery, err error) {
	return out, c.do(ctx, http.MethodGet, "/v1/delivery?window="+url.QueryEscape(window), nil, &out)
}

// Delivery are those of one model.
func (c *Client) Delivery(ctx context.Context, model, window string) (out wire.Delivery, err error) {
	return out, c.do(ctx, http.MethodGet, "/v1/models/"+url.PathEscape(model)+"/delivery?window="+url.QueryEscape(window), nil, &out)
}

// Attest says, in the caller's name, that a check holds.
func (c *Client) Attest(ctx context.Context, a wire.Attest) (out wire.Attestation, err error) {
	return out, c.do(ctx, http.MethodPost, "/v1/attestations", a, &out)
}

// ReportTest tells what ran elsewhere.
func (c *Client) ReportTest(ctx context.Context, r wire.ReportTest) (out wire.TestReport, err error) {
	return out, c.do(ctx, http.MethodPost, "/v1/reports", r, &out)
}

// Drill proves that a rollback of a model would work, and moves nothing. Whether it would
// is in the answer.
func (c *Client) Drill(ctx context.Context, model string) (out wire.Drill, err error) {
	return out, c.do(ctx, http.MethodPost, "/v1/models/"+url.PathEscape(model)+"/rollback/drill", nil, &out)
}
