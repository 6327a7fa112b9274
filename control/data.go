// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"strings"

	"flyball/blob"
	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/fault"
	"flyball/ident"
	"flyball/model/registry"
)

// SnapshotUse is a snapshot of a model's data, and the versions that were made from it.
type SnapshotUse struct {
	dataset.Made
	Versions []int `json:"versions,omitempty"` // of the model, the newest first
}

// Snapshots are a model's snapshots, the newest first.
func (s *Service) Snapshots(ctx context.Context, model string) ([]SnapshotUse, error) {
	if err := s.Known(ctx, model); err != nil {
		return nil, err
	}
	made, err := s.opts.Store.Snapshots(ctx, model)
	if err != nil {
		return nil, err
	}
	versions, err := s.opts.Store.Versions(ctx, model)
	if err != nil {
		return nil, err
	}
	out := make([]SnapshotUse, len(made))
	noted := map[blob.Digest]bool{}
	for i, m := range made {
		out[i].Made, noted[m.ID] = m, true
		for _, v := range versions {
			if v.Snapshot == m.ID {
				out[i].Versions = append(out[i].Versions, v.Version)
			}
		}
	}
	for _, v := range versions { // made before snapshots were noted
		if v.Snapshot == "" || noted[v.Snapshot] {
			continue
		}
		if d, err := dataset.Open(ctx, s.opts.Blobs, v.Snapshot); err == nil {
			noted[v.Snapshot] = true
			out = append(out, SnapshotUse{
				Made:     dataset.Made{Model: model, ID: d.ID, At: v.CreatedAt, Rows: d.Count, Bytes: d.Bytes, Cause: v.Cause},
				Versions: []int{v.Version},
			})
		}
	}
	return out, nil
}

// Snapshot is one snapshot of a model: by its digest or the first eight or more of its
// characters; empty: the newest. One that is not of the model is a NotFound fault.
func (s *Service) Snapshot(ctx context.Context, model, id string) (dataset.Snapshot, error) {
	all, err := s.Snapshots(ctx, model)
	if err != nil {
		return dataset.Snapshot{}, err
	}
	if len(all) == 0 {
		return dataset.Snapshot{}, fault.New(fault.NotFound, "%s has no snapshot of data yet", model).Do("train it")
	}
	if id == "" {
		return dataset.Open(ctx, s.opts.Blobs, all[0].ID)
	}
	for _, m := range all {
		if len(id) >= 8 && strings.HasPrefix(string(m.ID), id) {
			return dataset.Open(ctx, s.opts.Blobs, m.ID)
		}
	}
	return dataset.Snapshot{}, fault.New(fault.NotFound, "%s has no snapshot %q", model, id).Do("flyball data list %s lists them; the first 8 characters are enough", model)
}

// DiffSnapshots says what the second of two snapshots of a model has that the first had not.
func (s *Service) DiffSnapshots(ctx context.Context, model, from, to string) ([]dataset.Change, error) {
	a, err := s.Snapshot(ctx, model, from)
	if err != nil {
		return nil, err
	}
	b, err := s.Snapshot(ctx, model, to)
	if err != nil {
		return nil, err
	}
	return dataset.Diff(a, b), nil
}

// CheckSnapshot runs the checks of the model file on a snapshot, as of now.
func (s *Service) CheckSnapshot(ctx context.Context, model, id string) ([]dataset.Problem, error) {
	m, err := s.Model(ctx, model)
	if err != nil {
		return nil, err
	}
	d, err := s.Snapshot(ctx, model, id)
	if err != nil {
		return nil, err
	}
	rows, err := d.Rows(ctx, s.opts.Blobs)
	if err != nil {
		return nil, err
	}
	g := dataset.Given{Now: s.now(ctx)}
	if g.Before, err = s.rowsOfLive(ctx, model); err != nil {
		return nil, err
	}
	for _, f := range m.Recipe.Pipeline.Inputs {
		g.Inputs = append(g.Inputs, f.Name)
	}
	return dataset.Run(m.Recipe.Data.Checks, m.Recipe.Task, rows, g)
}

// rowsOfLive is how many rows the snapshot has that the live version was made from; 0:
// there is none, or its data is not kept here.
func (s *Service) rowsOfLive(ctx context.Context, model string) (int, error) {
	rel, found, err := s.opts.Store.Release(ctx, model)
	if err != nil || !found {
		return 0, err
	}
	live := rel.Aliases()[registry.Live]
	if live == 0 {
		return 0, nil
	}
	v, err := s.opts.Store.Version(ctx, ident.Ref{Model: model, Version: live})
	if err != nil || v.Snapshot == "" {
		return 0, err
	}
	d, err := dataset.Open(ctx, s.opts.Blobs, v.Snapshot)
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Invalid) {
		return 0, nil
	}
	return d.Count, err
}

// SuggestChecks writes checks for the model file, learned from a snapshot.
func (s *Service) SuggestChecks(ctx context.Context, model, id string) (string, error) {
	m, err := s.Model(ctx, model)
	if err != nil {
		return "", err
	}
	d, err := s.Snapshot(ctx, model, id)
	if err != nil {
		return "", err
	}
	return dataset.Suggest(d, m.Recipe.Task), nil
}

// SnapshotRows reads a snapshot's rows in chunks.
func (s *Service) SnapshotRows(ctx context.Context, model, id string) (frame.Reader, error) {
	d, err := s.Snapshot(ctx, model, id)
	if err != nil {
		return nil, err
	}
	return d.Reader(ctx, s.opts.Blobs), nil
}
