// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"

	"flyball/model/registry"
)

const pipelineColumns = `name, version, file, digest, applied_at, applied_by`

func scanPipeline(s scanner) (registry.Pipeline, error) {
	var p registry.Pipeline
	err := s.Scan(&p.Name, &p.Version, &p.File, &p.Digest, moment{&p.AppliedAt}, &p.AppliedBy)
	return p, err
}

// AddPipeline keeps a pipeline file as the newest version of its name, and returns it
// with its number and true. When the newest version has the same text, it is that one,
// and false.
func (db *DB) AddPipeline(ctx context.Context, p registry.Pipeline) (kept registry.Pipeline, added bool, err error) {
	err = db.atomic(ctx, "the pipeline was not applied", func(t *tx) (err error) {
		kept, added, err = t.addPipeline(ctx, p)
		return err
	})
	return kept, added, err
}

func (t *tx) addPipeline(ctx context.Context, p registry.Pipeline) (registry.Pipeline, bool, error) {
	newest, err := scanPipeline(t.row(ctx, `SELECT `+pipelineColumns+` FROM pipelines WHERE name = $1 ORDER BY version DESC LIMIT 1 {lock}`, p.Name))
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return registry.Pipeline{}, false, err
	case newest.File == p.File:
		return newest, false, nil
	}
	p.Version, p.Digest = newest.Version+1, registry.PipelineDigest(p.File)
	_, err = t.exec(ctx, `INSERT INTO pipelines (`+pipelineColumns+`) VALUES ($1, $2, $3, $4, $5, $6)`,
		p.Name, p.Version, p.File, p.Digest, p.AppliedAt.UnixMicro(), p.AppliedBy)
	return p, err == nil, err
}

// ApplyPipeline keeps a pipeline file as AddPipeline does, and the models that use it as
// ApplyModel does, all or nothing. It returns the names of those that changed.
func (db *DB) ApplyPipeline(ctx context.Context, p registry.Pipeline, models []registry.Applied) (kept registry.Pipeline, added bool, changed []string, err error) {
	err = db.atomic(ctx, "the pipeline was not applied", func(t *tx) (err error) {
		changed = nil
		if kept, added, err = t.addPipeline(ctx, p); err != nil {
			return err
		}
		for _, a := range models {
			_, moved, err := t.applyModel(ctx, a.Model, a.Record, a.Event)
			if err != nil {
				return err
			}
			if moved {
				changed = append(changed, a.Model.Name)
			}
		}
		return nil
	})
	return kept, added, changed, err
}

// Pipelines are all versions of the pipeline files of a name (empty: of all names), by
// name, the newest first.
func (db *DB) Pipelines(ctx context.Context, name string) ([]registry.Pipeline, error) {
	ctx, at := then(ctx)
	return all(ctx, db, "the pipelines cannot be read", scanPipeline,
		`SELECT `+pipelineColumns+` FROM pipelines WHERE ($1 = '' OR name = $1) AND applied_at <= $2 ORDER BY name, version DESC`, name, at)
}
