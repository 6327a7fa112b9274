// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"encoding/hex"

	"flyball/fault"
)

// Share is what the processes of this database share under a name and tell nobody: what
// one of them offered first. It is in no dump.
func (db *DB) Share(ctx context.Context, name string, offer []byte) ([]byte, error) {
	var kept string
	err := db.atomic(ctx, "what processes share cannot be read", func(t *tx) error {
		if _, err := t.exec(ctx, `INSERT INTO shared (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, name, hex.EncodeToString(offer)); err != nil {
			return err
		}
		return t.row(ctx, `SELECT value FROM shared WHERE name = $1`, name).Scan(&kept)
	})
	if err != nil {
		return nil, err
	}
	raw, err := hex.DecodeString(kept)
	return raw, fault.Wrap(err, fault.Internal, "what processes share as %s is damaged", name)
}
