// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"flyball/fault"
)

// Card writes the model card of a version to w: format is markdown, html, json or hf.
func (c *Client) Card(ctx context.Context, model string, version int, format string, w io.Writer) error {
	return c.document(ctx, of(model, fmt.Sprintf("/versions/%d/card", version)), format, w)
}

// VersionDossier writes all that is held about a version to w: format is html or json.
func (c *Client) VersionDossier(ctx context.Context, model string, version int, format string, w io.Writer) error {
	return c.document(ctx, of(model, fmt.Sprintf("/versions/%d/dossier", version)), format, w)
}

// PredictionDossier writes all that is held about a prediction to w, that of an id or the
// newest of a key: format is html or json.
func (c *Client) PredictionDossier(ctx context.Context, model, name, format string, w io.Writer) error {
	return c.document(ctx, of(model, "/predictions/"+url.PathEscape(name)+"/dossier"), format, w)
}

// Evidence writes what is held of a model by the headings of a profile to w: format is
// markdown, html or json.
func (c *Client) Evidence(ctx context.Context, model, profile, format string, w io.Writer) error {
	return c.document(ctx, of(model, "/evidence"), format+"&profile="+url.QueryEscape(profile), w)
}

// document writes what a path answers with; format may be followed by more of the query.
func (c *Client) document(ctx context.Context, path, format string, w io.Writer) error {
	res, err := c.send(ctx, http.MethodGet, path+"?format="+format, "", nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, err = io.Copy(w, res.Body)
	return fault.Wrap(err, fault.Unavailable, "the document broke off")
}
