// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"flyball/api/wire"
)

// Explain says why a prediction was what it was: that of an id, or the newest of a key.
// against is another version to compare with on the same row, such as 7 or candidate; it
// may be empty. flip asks for the smallest changes of the row that flip the decision.
func (c *Client) Explain(ctx context.Context, model, name, against string, flip bool) (out wire.Explained, err error) {
	path, query := "/predictions/"+url.PathEscape(name)+"/explanation", url.Values{}
	if against != "" {
		query.Set("against", against)
	}
	if flip {
		query.Set("flip", "true")
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return out, c.do(ctx, http.MethodGet, of(model, path), nil, &out)
}

// PredictExplained answers rows, and says why beside each answer.
func (c *Client) PredictExplained(ctx context.Context, model string, rows []json.RawMessage) (out wire.PredictResponse, err error) {
	return out, c.do(ctx, http.MethodPost, of(model, "/predict"), wire.PredictRequest{Rows: rows, Explain: true}, &out)
}

// Dependence is how the scores of a version follow each of its columns.
func (c *Client) Dependence(ctx context.Context, model string, version int) (out wire.Dependence, err error) {
	return out, c.do(ctx, http.MethodGet, of(model, "/versions/"+strconv.Itoa(version)+"/dependence"), nil, &out)
}
