// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"

	"flyball/blob"
	"flyball/control"
	"flyball/data/dataset"
	"flyball/fault"
)

func dataPath(model, what, snapshot string) string {
	return "/v1/models/" + url.PathEscape(model) + "/data" + what + "?snapshot=" + url.QueryEscape(snapshot)
}

// Snapshots are the snapshots of a model's data, the newest first, and the versions that
// were made from each.
func (c *Client) Snapshots(ctx context.Context, model string) (out []control.SnapshotUse, err error) {
	return out, c.do(ctx, http.MethodGet, dataPath(model, "", ""), nil, &out)
}

// Snapshot is one snapshot, by the start of its digest; empty: the newest.
func (c *Client) Snapshot(ctx context.Context, model, id string) (dataset.Snapshot, error) {
	var out struct {
		ID       blob.Digest      `json:"id"`
		Manifest dataset.Snapshot `json:"manifest"`
	}
	err := c.do(ctx, http.MethodGet, dataPath(model, "/show", id), nil, &out)
	out.Manifest.ID = out.ID
	return out.Manifest, err
}

// DiffSnapshots says what snapshot to has that from had not; empty is the newest.
func (c *Client) DiffSnapshots(ctx context.Context, model, from, to string) (out []dataset.Change, err error) {
	q := url.Values{"from": {from}, "to": {to}}
	return out, c.do(ctx, http.MethodGet, "/v1/models/"+url.PathEscape(model)+"/data/diff?"+q.Encode(), nil, &out)
}

// CheckSnapshot is what the checks of the model file have against a snapshot.
func (c *Client) CheckSnapshot(ctx context.Context, model, id string) (out []dataset.Problem, err error) {
	return out, c.do(ctx, http.MethodGet, dataPath(model, "/check", id), nil, &out)
}

// SuggestChecks are checks for the model file, learned from a snapshot, as YAML.
func (c *Client) SuggestChecks(ctx context.Context, model, id string) (out string, err error) {
	return out, c.do(ctx, http.MethodGet, dataPath(model, "/suggest", id), nil, &out)
}

// ExportSnapshot writes the rows of a snapshot as a Parquet file. An answer that broke
// off is an Unavailable fault.
func (c *Client) ExportSnapshot(ctx context.Context, model, id string, to io.Writer) (err error) {
	res, err := c.send(ctx, http.MethodGet, dataPath(model, "/rows", id), "", nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	tail := &ending{to: to}
	if _, err := io.Copy(tail, res.Body); err != nil {
		return err
	}
	if string(tail.last) != "PAR1" {
		return fault.New(fault.Unavailable, "the answer broke off").Do("ask again; the server's log says why")
	}
	return nil
}

// ending remembers the last four bytes that were written.
type ending struct {
	to   io.Writer
	last []byte
}

func (e *ending) Write(p []byte) (int, error) {
	e.last = append(e.last, p[max(0, len(p)-4):]...)
	e.last = append([]byte{}, e.last[max(0, len(e.last)-4):]...)
	return e.to.Write(p)
}
