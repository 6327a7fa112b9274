// SPDX-License-Identifier: Apache-2.0

package model

import (
	"context"
	"encoding/json"
	"errors"

	"flyball/blob"
	"flyball/data/frame"
	"flyball/fault"
)

// Golden reads the bundle's golden rows, with the columns of their scores.
func (b *Bundle) Golden(ctx context.Context, blobs blob.Store) (*frame.Frame, error) {
	return b.readGolden(ctx, blobs)
}

// Warm scores the first 1, 8 and 64 of rows, so that what a first request would wait for
// (memory, threads, a process) is there before it. Fewer rows are repeated; of none,
// and for a model that answers by itself, only a process is started.
func (b *Bundle) Warm(ctx context.Context, rows *frame.Frame) error {
	if w, ok := b.scorer.(interface{ Warm(context.Context) error }); ok {
		if err := w.Warm(ctx); err != nil {
			return err
		}
	}
	own := b.Manifest.Answer != nil && b.Manifest.Answer.Form == Own // it may have no scores at all
	if rows == nil || rows.Rows() == 0 || own {
		return nil
	}
	for _, n := range []int{1, 8, 64} {
		at := make([]int, n)
		for i := range at {
			at[i] = i % rows.Rows()
		}
		if _, err := b.Predict(ctx, rows.Take(at)); err != nil {
			return err
		}
	}
	return nil
}

// Ready opens a bundle, replays its golden rows and warms it: it may serve then. Whoever
// asked for it closes it.
func Ready(ctx context.Context, blobs blob.Store, decoders Decoders, d blob.Digest) (*Bundle, error) {
	b, err := Open(ctx, blobs, decoders, d)
	if err != nil {
		return nil, err
	}
	if err = b.Verify(ctx, blobs); err == nil {
		var rows *frame.Frame
		if rows, err = b.readGolden(ctx, blobs); err == nil {
			err = b.Warm(ctx, rows)
		}
	}
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// ReadManifest reads what a bundle says of itself, and nothing else of it.
func ReadManifest(ctx context.Context, blobs blob.Store, d blob.Digest) (Manifest, error) {
	raw, err := blob.ReadAll(ctx, blobs, d, maxFile)
	if err != nil {
		return Manifest{}, err
	}
	var m Manifest
	if err := json.Unmarshal(raw, &m); err != nil || m.Format != BundleFormat {
		return Manifest{}, fault.New(fault.Invalid, "%s is not a bundle that this version reads", d)
	}
	return m, nil
}
