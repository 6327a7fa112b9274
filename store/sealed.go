// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"

	"flyball/governance/audit"
)

// TellFile appends the record of what happened to a sealed file, once: news that the
// chain tells already change nothing. News of a file that the chain knows with other
// bytes are a Conflict fault. What was told before servers had names is of the one that asks.
func (db *DB) TellFile(ctx context.Context, n audit.News) error {
	return db.atomic(ctx, "what happened to a sealed file was not recorded", func(t *tx) error {
		var have string
		err := t.row(ctx, `SELECT sha256 FROM sealed WHERE path = $1 OR path = $2 ORDER BY length(path) DESC LIMIT 1 {lock}`, n.Key(), n.Path).Scan(&have)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		news, anew, err := n.Known(have)
		if err != nil || !anew {
			return err
		}
		rec, err := news.Record()
		if err != nil {
			return err
		}
		if _, err = t.exec(ctx, `DELETE FROM sealed WHERE path = $1 OR path = $2`, n.Key(), n.Path); err != nil {
			return err
		}
		if n.SHA256 != "" {
			if _, err = t.exec(ctx, `INSERT INTO sealed (path, sha256) VALUES ($1, $2)`, n.Key(), n.SHA256); err != nil {
				return err
			}
		}
		return t.keep(ctx, &rec, nil)
	})
}
