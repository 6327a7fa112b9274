// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"flyball/api/wire"
	"flyball/fault"
)

// ExportVersion writes a version as one archive into w, with its data or, with digests,
// the digests of it. An archive that breaks off is an Unavailable fault.
func (c *Client) ExportVersion(ctx context.Context, model string, version int, digests bool, w io.Writer) error {
	path := of(model, fmt.Sprintf("/versions/%d/archive", version))
	if digests {
		path += "?data=digests"
	}
	res, err := c.send(ctx, http.MethodGet, path, "", nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, err = io.Copy(w, res.Body)
	return fault.Wrap(err, fault.Unavailable, "the archive of %s@%d broke off", model, version)
}

// ImportVersion brings the version of an archive in, once, and says where it is now.
func (c *Client) ImportVersion(ctx context.Context, archive io.Reader) (out wire.Brought, err error) {
	res, err := c.send(ctx, http.MethodPost, "/v1/versions", "application/x-tar", archive)
	if err != nil {
		return out, err
	}
	defer res.Body.Close()
	err = json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(&out)
	return out, fault.Wrap(err, fault.Unavailable, "the server's answer to an import cannot be read")
}
