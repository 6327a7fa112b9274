// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"flyball/api/wire"
	"flyball/fault"
)

// RunLogs writes what the command of a run printed from byte offset on to w: a part of
// it, n bytes. going says that more may come; when it is false and n is 0, that was all.
func (c *Client) RunLogs(ctx context.Context, ref string, offset int64, w io.Writer) (n int64, going bool, err error) {
	res, err := c.send(ctx, http.MethodGet, fmt.Sprintf("/v1/runs/%s/logs?offset=%d", url.PathEscape(ref), offset), "", nil)
	if err != nil {
		return 0, false, err
	}
	defer res.Body.Close()
	n, err = io.Copy(w, res.Body)
	if err != nil && ctx.Err() != nil {
		return n, false, ctx.Err()
	}
	return n, res.Header.Get("Flyball-Going") == "true", fault.Wrap(err, fault.Unavailable, "the log broke off")
}

// CancelRun ends the command of a run that goes on, and its training.
func (c *Client) CancelRun(ctx context.Context, ref, why string) (out wire.Changed, err error) {
	return out, c.do(ctx, http.MethodPost, "/v1/runs/"+url.PathEscape(ref)+"/cancel", wire.Change{Why: why}, &out)
}
