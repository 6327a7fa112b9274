// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"context"
	"fmt"

	"flyball/event"
	"flyball/model/registry"
)

// AddReproduction keeps one time that a version was made again, with evs. The same ID
// again is the same; without one, the same moment.
func (db *DB) AddReproduction(ctx context.Context, r registry.Reproduction, evs ...event.Event) error {
	return db.atomic(ctx, "what came of making the version again was not kept", func(t *tx) error {
		at := r.At.UnixMicro()
		n, err := t.exec(ctx, `INSERT INTO reproductions (id, model, version, at, by_whom, grade, report) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (id) DO NOTHING`, cmp.Or(r.ID, fmt.Sprintf("%s@%d/%d", r.Model, r.Version, at)), r.Model, r.Version, at, r.By, r.Grade, string(r.Report))
		if err != nil || n == 0 {
			return err
		}
		return t.keep(ctx, nil, evs)
	})
}

// Reproductions are the times that a version was made again, the newest first.
func (db *DB) Reproductions(ctx context.Context, model string, version int) ([]registry.Reproduction, error) {
	scan := func(s scanner) (registry.Reproduction, error) {
		var r registry.Reproduction
		err := s.Scan(&r.ID, &r.Model, &r.Version, moment{&r.At}, &r.By, &r.Grade, body{&r.Report})
		return r, err
	}
	ctx, at := then(ctx)
	return all(ctx, db, "the reproductions cannot be read", scan,
		`SELECT id, model, version, at, by_whom, grade, report FROM reproductions WHERE model = $1 AND version = $2 AND at <= $3 ORDER BY at DESC, id DESC`, model, version, at)
}
