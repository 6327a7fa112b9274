// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"path/filepath"
	"testing"

	"flyball/serving/release/releasetest"
)

// The walks break some writes off midway: what is kept is whole or it is not there.
func TestNoCrashAndNoRaceBreaksAReleaseThatIsKept(t *testing.T) {
	for name, dsn := range map[string]func(t *testing.T) string{
		"SQLite":     func(t *testing.T) string { return filepath.Join(t.TempDir(), "flyball.db") },
		"PostgreSQL": func(t *testing.T) string { return server.DSN(t) },
	} {
		t.Run(name, func(t *testing.T) {
			db := open(t, dsn(t))
			for seed := range uint64(4) {
				releasetest.Walk(t, db, seed, 300)
			}
			if _, err := db.VerifyAudit(t.Context()); err != nil {
				t.Errorf("the audit chain: %v", err)
			}
		})
	}
}
