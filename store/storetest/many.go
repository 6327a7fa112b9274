// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"crypto/sha256"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"flyball/store"
)

// ManyRuns is the path of a SQLite database of 100,000 runs in experiment 1 and 1,000 in
// each of 2 and 3, with 20 metrics, 20 params and 3 tags each, for benchmarks. It is made
// once for each schema, and is kept beside other temporary files, so copy it
// before you write; delete flyball-search-*.db to have it made anew.
func ManyRuns(b testing.TB) string {
	b.Helper()
	half := filepath.Join(b.TempDir(), "half.db")
	db, err := store.Open(b.Context(), half)
	if err != nil {
		b.Fatal(err)
	}
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(os.TempDir(), fmt.Sprintf("flyball-search-%x.db", schema(b, half)))
	if _, err := os.Stat(path); err == nil {
		return path
	}
	began := time.Now()
	fillLarge(b, half)
	if err := os.Rename(half, path); err != nil {
		b.Fatal(err)
	}
	b.Logf("%s was made in %v", path, time.Since(began).Round(time.Second))
	return path
}

// schema is a digest of the whole schema of a database.
func schema(b testing.TB, path string) []byte {
	b.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	var all string
	if err := db.QueryRowContext(b.Context(), `SELECT group_concat(sql, char(10)) FROM (SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name)`).Scan(&all); err != nil {
		b.Fatal(err)
	}
	sum := sha256.Sum256([]byte(all))
	return sum[:4]
}

// fillLarge writes rows in the order in which their tables lie, and the indexes after
// them. What looks random is arithmetic, and so the same everywhere.
func fillLarge(b testing.TB, path string) {
	b.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(OFF)&_pragma=synchronous(OFF)&_pragma=cache_size(-400000)")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	indexes := map[string]string{
		"runs_by_start":           "runs (experiment, started DESC, run_id)",
		"runs_deleted":            "runs (experiment) WHERE deleted <> 0",
		"runs_by_end":             "runs (experiment, ended)",
		"runs_by_name":            "runs (experiment, substr(name, 1, 64))",
		"runs_by_status":          "runs (experiment, status)",
		"latest_metrics_by_value": "latest_metrics (experiment, key, nan, value, run)",
		"params_by_value":         "params (experiment, key, head, run)",
		"tags_by_value":           "tags (experiment, key, head, run)",
	}
	var statements []string
	for name := range indexes {
		statements = append(statements, "DROP INDEX "+name)
	}
	statements = append(statements,
		`INSERT INTO experiments (id, name, location, created, updated) VALUES (1, 'many', 'mlflow-artifacts:/1', 0, 0), (2, 'some', 'mlflow-artifacts:/2', 0, 0), (3, 'others', 'mlflow-artifacts:/3', 0, 0)`,
		`WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 101999)
		INSERT INTO runs (seq, run_id, experiment, name, user_id, status, started, ended, location, deleted)
		SELECT i + 1, printf('%08x%024x', (i * 2654435761) % 4294967296, i), CASE WHEN i < 100000 THEN 1 WHEN i < 101000 THEN 2 ELSE 3 END, 'run-' || (i % 5000), 'user' || (i % 20),
			CASE WHEN i % 2000 = 7 THEN 1 WHEN i % 10 = 3 THEN 4 ELSE 3 END, 1700000000000 + i * 1000, 1700000000000 + i * 1000 + (i * 7919) % 3600000, 'mlflow-artifacts:/1/x/artifacts', i % 500 = 99 FROM n`,
		`WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 42) INSERT INTO keys (id, name)
		SELECT i + 1, CASE WHEN i < 20 THEN 'm' || i WHEN i < 40 THEN 'p' || (i - 20) WHEN i = 40 THEN 'mlflow.runName' WHEN i = 41 THEN 'mlflow.user' ELSE 'team' END FROM n`,
		// m0 … m19: any number; m1 is what m0 is not; m2 one of 50; m3 in one of 1000; m4 not a number in one of 100
		`INSERT INTO latest_metrics (run, key, experiment, at, step, nan, value)
		SELECT r.seq, k.id, r.experiment, r.started, 10, k.id = 5 AND r.seq % 100 = 5,
			CASE WHEN k.id = 5 AND r.seq % 100 = 5 THEN 0 WHEN k.id = 2 THEN 1 - ((r.seq * 7919) % 100003) / 100003.0 WHEN k.id = 1 THEN ((r.seq * 7919) % 100003) / 100003.0
				WHEN k.id = 3 THEN (r.seq * 31 % 50) ELSE ((r.seq * 7919 + k.id * 104729 * r.seq % 99991) % 100003) / 100003.0 END
		FROM runs r CROSS JOIN keys k WHERE k.id <= 20 AND (k.id <> 4 OR r.seq % 1000 = 0) ORDER BY r.seq, k.id`,
		// p0: one of 5; p1: its own; p2 in one of 1000; the others one of 10
		`INSERT INTO params (run, key, experiment, head, value)
		SELECT run, key, experiment, value, value FROM (
			SELECT r.seq AS run, k.id AS key, r.experiment, CASE k.id WHEN 21 THEN 'model' || (r.seq * 17 % 5) WHEN 22 THEN printf('%.9f', ((r.seq * 7919) % 100003) / 100003.0) ELSE 'value' || (r.seq * k.id % 10) END AS value
			FROM runs r CROSS JOIN keys k WHERE k.id BETWEEN 21 AND 40 AND (k.id <> 23 OR r.seq % 1000 = 0) ORDER BY r.seq, k.id)`,
		`INSERT INTO tags (run, key, experiment, head, value)
		SELECT run, key, experiment, value, value FROM (
			SELECT r.seq AS run, k.id AS key, r.experiment, CASE k.id WHEN 41 THEN r.name WHEN 42 THEN r.user_id ELSE 'team' || (r.seq % 8) END AS value
			FROM runs r CROSS JOIN keys k WHERE k.id >= 41 ORDER BY r.seq, k.id)`,
	)
	for name, on := range indexes {
		statements = append(statements, "CREATE INDEX "+name+" ON "+on)
	}
	statements = append(statements, "PRAGMA journal_mode = WAL")
	for _, s := range statements {
		if _, err := db.ExecContext(b.Context(), s); err != nil {
			b.Fatal(s, err)
		}
	}
}
