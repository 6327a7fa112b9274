// SPDX-License-Identifier: Apache-2.0

package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"flyball/api/wire"
	"flyball/fault"
	"flyball/governance/retention"
)

// Collect has the server remove for good what was deleted, and calls tell at each step.
// A collection that was stopped goes on when it is asked for again.
func (c *Client) Collect(ctx context.Context, in wire.CollectRequest, tell func(retention.Step)) (retention.Result, error) {
	raw, err := json.Marshal(in)
	if err != nil {
		return retention.Result{}, fmt.Errorf("encode the request: %w", err)
	}
	res, err := c.send(ctx, http.MethodPost, "/v1/gc", "application/json", bytes.NewReader(raw))
	if err != nil {
		return retention.Result{}, err
	}
	defer res.Body.Close()
	lines := json.NewDecoder(res.Body)
	for {
		var l wire.Collecting
		err := lines.Decode(&l)
		switch {
		case ctx.Err() != nil:
			return retention.Result{}, ctx.Err()
		case err != nil:
			f := fault.New(fault.Unavailable, "the collection was cut off").Do("run it again: it goes on where it was")
			f.Cause = err
			return retention.Result{}, f
		case l.Problem != nil:
			return retention.Result{}, fault.New(kinds[l.Problem.Status], "%s", l.Problem.Detail)
		case l.Result != nil:
			return *l.Result, nil
		case l.Step != nil && tell != nil:
			tell(*l.Step)
		}
	}
}
