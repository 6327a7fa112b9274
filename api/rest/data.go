// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"flyball/data/frame"
	"flyball/governance/access"
)

// snapshotAsked names a snapshot of a model's data.
type snapshotAsked struct {
	Model string `path:"model" minLength:"1"`
	ID    string `query:"snapshot" doc:"its digest, or the first 8 or more characters; empty: the newest"`
}

// dataRoutes are about the snapshots of a model's data.
func (f *face) dataRoutes() {
	const at = "/v1/models/{model}/data"
	route(f.then(), access.Read, http.MethodGet, at, "snapshots", "The snapshots of a model's data, and the versions made from them",
		func(ctx context.Context, in *snapshotAsked) (*body[json.RawMessage], error) {
			return encoded(f.Control.Snapshots(ctx, in.Model))
		})
	route(f.then(), access.Read, http.MethodGet, at+"/show", "snapshot", "One snapshot: its schema, profile and files",
		func(ctx context.Context, in *snapshotAsked) (*body[json.RawMessage], error) {
			s, err := f.Control.Snapshot(ctx, in.Model, in.ID)
			return encoded(struct {
				ID any `json:"id"`
				S  any `json:"manifest"`
			}{s.ID, s}, err)
		})
	type two struct {
		Model string `path:"model" minLength:"1"`
		From  string `query:"from" doc:"a snapshot; empty: the newest"`
		To    string `query:"to" doc:"a snapshot; empty: the newest"`
	}
	route(f.then(), access.Read, http.MethodGet, at+"/diff", "diff-snapshots", "What one snapshot has that another had not, in words",
		func(ctx context.Context, in *two) (*body[json.RawMessage], error) {
			return encoded(f.Control.DiffSnapshots(ctx, in.Model, in.From, in.To))
		})
	route(f.then(), access.Read, http.MethodGet, at+"/check", "check-snapshot", "The checks of the model file that a snapshot does not pass",
		func(ctx context.Context, in *snapshotAsked) (*body[json.RawMessage], error) {
			return encoded(f.Control.CheckSnapshot(ctx, in.Model, in.ID))
		})
	route(f.then(), access.Read, http.MethodGet, at+"/suggest", "suggest-checks", "Checks for the model file, learned from a snapshot",
		func(ctx context.Context, in *snapshotAsked) (*body[json.RawMessage], error) {
			return encoded(f.Control.SuggestChecks(ctx, in.Model, in.ID))
		})
	route(f.then(), access.Read, http.MethodGet, at+"/rows", "snapshot-rows", "The rows of a snapshot as a Parquet file; one that broke off has no end, and cannot be read",
		func(ctx context.Context, in *snapshotAsked) (*huma.StreamResponse, error) {
			rows, err := f.Control.SnapshotRows(ctx, in.Model, in.ID)
			if err != nil {
				return nil, err
			}
			return &huma.StreamResponse{Body: func(c huma.Context) {
				c.SetHeader("Content-Type", "application/vnd.apache.parquet")
				if err := asParquet(c.BodyWriter(), rows); err != nil && c.Context().Err() == nil {
					f.Logger.ErrorContext(c.Context(), "the export of a snapshot broke off", "model", in.Model, "error", err)
				}
			}}, nil
		})
}

// encoded is an answer whose types have the names of others in the API's schema.
func encoded(v any, err error) (*body[json.RawMessage], error) {
	if err != nil {
		return answer[json.RawMessage](nil, err)
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	return answer[json.RawMessage](raw, nil)
}

// asParquet writes rows as one Parquet file.
func asParquet(w io.Writer, rows frame.Reader) error {
	const group = 1 << 17 // rows
	var p *frame.ParquetWriter
	n := 0
	for {
		f, err := rows.Next()
		if errors.Is(err, io.EOF) {
			if p == nil {
				return nil
			}
			return p.Close()
		}
		if err != nil {
			return err
		}
		if p == nil {
			if p, err = frame.NewOrderedParquetWriter(w, f.Fields()); err != nil {
				return err
			}
		}
		if err := p.Write(f); err != nil {
			return err
		}
		if n += f.Rows(); n >= group {
			n = 0
			if err := p.EndGroup(); err != nil {
				return err
			}
		}
	}
}
