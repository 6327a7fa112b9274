// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"flyball/store"
	"flyball/store/storetest"
)

func TestSearchesFindTheSameOnBothEngines(t *testing.T) {
	for _, s := range []struct {
		name string
		test func(t *testing.T, open storetest.Open)
	}{
		{"runs, in short steps", storetest.SearchRuns},
		{"experiments", storetest.SearchExperiments},
		{"logged models", storetest.SearchLoggedModels},
		{"registered models and versions", storetest.SearchRegistry},
		{"pages stay where they were", storetest.SearchPages},
		{"there is an end to what may be asked", storetest.SearchMuch},
	} {
		for _, engine := range []string{"sqlite", "pgx"} {
			t.Run(s.name+" on "+engine, func(t *testing.T) {
				s.test(t, func(t *testing.T) (*store.DB, *sql.DB) {
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
}
