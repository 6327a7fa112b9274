// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"io"
	"net/http"
)

// Backup reads a copy of everything that the server keeps, as a tar stream (package
// backup). One that breaks off has no manifest at its end.
func (c *Client) Backup(ctx context.Context) (io.ReadCloser, error) {
	res, err := c.send(ctx, http.MethodGet, "/v1/backup", "", nil)
	if err != nil {
		return nil, err
	}
	return res.Body, nil
}
