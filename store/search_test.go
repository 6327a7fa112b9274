// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"flyball/store"
	"flyball/store/storetest"
)

func TestSearchesFindTheSameInShortSteps(t *testing.T) {
	for _, engine := range []string{"sqlite", "pgx"} {
		t.Run(engine, func(t *testing.T) {
			storetest.SearchRuns(t, func(t *testing.T) (*store.DB, *sql.DB) {
				dsn := filepath.Join(t.TempDir(), "flyball.db")
				if engine == "pgx" {
					dsn = server.DSN(t)
				}
				db := open(t, dsn)
				db.Shorten()
				return db, nil
			})
		})
	}
}
