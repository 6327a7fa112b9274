// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"flyball/blob"
	"flyball/data/dataset"
)

// AddSnapshot notes that a snapshot was made for a model. One that is noted already is as
// new as the newest run that made it.
func (db *DB) AddSnapshot(ctx context.Context, s dataset.Made) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode snapshot %s: %w", s.ID, err)
	}
	return db.atomic(ctx, "the snapshot was not noted", func(t *tx) error {
		_, err := t.exec(ctx, `INSERT INTO snapshots (model, id, made_at, rows, bytes, cause) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (model, id) DO UPDATE SET made_at = excluded.made_at, cause = excluded.cause WHERE excluded.made_at > snapshots.made_at`, s.Model, string(s.ID), s.At.UnixMicro(), s.Rows, s.Bytes, s.Cause)
		if err != nil {
			return err
		}
		return t.remember(ctx, pastSnapshot, s.Model, string(s.ID), string(raw))
	})
}

// Snapshots are the snapshots of a model (of all models when it is empty), the newest
// first.
func (db *DB) Snapshots(ctx context.Context, model string) ([]dataset.Made, error) {
	const what = "the snapshots cannot be read"
	ctx, at := then(ctx)
	if at != present {
		ms, err := earlier[dataset.Made](ctx, db, what, pastSnapshot, model, at)
		slices.SortStableFunc(ms, func(a, b dataset.Made) int { return b.At.Compare(a.At) })
		return ms, err
	}
	return all(ctx, db, what, func(s scanner) (m dataset.Made, err error) {
		err = s.Scan(&m.Model, &m.ID, moment{&m.At}, &m.Rows, &m.Bytes, &m.Cause)
		return m, err
	}, `SELECT model, id, made_at, rows, bytes, cause FROM snapshots WHERE $1 = '' OR model = $1 ORDER BY made_at DESC, model, id`, model)
}

// needless picks the snapshots that were made before $1 and that nothing needs: no version
// was made from them, they are of one model, and it has a newer one.
const needless = ` FROM snapshots WHERE made_at < $1
	AND NOT EXISTS (SELECT 1 FROM versions v WHERE v.snapshot = snapshots.id)
	AND NOT EXISTS (SELECT 1 FROM snapshots o WHERE o.id = snapshots.id AND o.model <> snapshots.model)
	AND EXISTS (SELECT 1 FROM snapshots n WHERE n.model = snapshots.model AND n.made_at > snapshots.made_at)`

// NeedlessSnapshots are the snapshots that were made before a moment, in microseconds since
// 1970, and that no version was made from; of each model the newest is needed.
func (db *DB) NeedlessSnapshots(ctx context.Context, before int64) ([]blob.Digest, error) {
	return all(ctx, db, "the snapshots cannot be read", func(s scanner) (d blob.Digest, err error) {
		err = s.Scan(&d)
		return d, err
	}, `SELECT DISTINCT id`+needless+` ORDER BY id`, before)
}

// DropSnapshots forgets the snapshots that NeedlessSnapshots names, as things are now, and
// returns how many they are. Their bytes go when nothing else refers to them.
func (db *DB) DropSnapshots(ctx context.Context, before int64) (n int, err error) {
	err = db.atomic(ctx, "the snapshots were not removed", func(t *tx) error {
		gone, err := t.exec(ctx, `DELETE`+needless, before)
		n = int(gone)
		return err
	})
	return n, err
}
