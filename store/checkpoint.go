// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// ofPredictions is the checkpoint of the prediction log.
const ofPredictions = "predictions"

// Checkpoint is the key in the bucket of the newest checkpoint of the prediction log;
// empty: there is none.
func (db *DB) Checkpoint(ctx context.Context) (string, error) {
	var key string
	err := db.row(ctx, `SELECT key FROM checkpoints WHERE name = $1`, ofPredictions).Scan(&key)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return key, problem(err, "the checkpoint of the predictions cannot be read")
}

// SetCheckpoint makes key the newest checkpoint of the prediction log, if this process
// still leads: see Behind.
func (db *DB) SetCheckpoint(ctx context.Context, key string) error {
	return db.atomic(ctx, "the checkpoint of the predictions was not kept", func(t *tx) error {
		_, err := t.exec(ctx, `INSERT INTO checkpoints (name, key, set_at) VALUES ($1, $2, $3)
			ON CONFLICT (name) DO UPDATE SET key = excluded.key, set_at = excluded.set_at`, ofPredictions, key, time.Now().UnixMicro())
		return err
	})
}
