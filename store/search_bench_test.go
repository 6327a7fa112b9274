// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"flyball/experiment"
	"flyball/ident"
	"flyball/search"
	"flyball/store"
)

// largeDB is a database of 100,000 runs in experiment 1 and 1,000 in each of 2 and 3,
// with 20 metrics, 20 params and 3 tags each. It is made once for each schema, and is
// kept beside other temporary files; delete flyball-search-*.db to have it made anew.
func largeDB(b *testing.B) *store.DB {
	b.Helper()
	ctx := context.Background()
	schema, err := os.ReadFile("migrations/sqlite/0002_tracking.sql")
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(os.TempDir(), fmt.Sprintf("flyball-search-%08x.db", sum(schema)))
	if _, err := os.Stat(path); err != nil {
		began := time.Now()
		half := path + ".new"
		for _, end := range []string{"", "-wal", "-shm"} {
			_ = os.Remove(half + end)
		}
		db, err := store.Open(ctx, half)
		if err != nil {
			b.Fatal(err)
		}
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
		fillLarge(b, half)
		if err := os.Rename(half, path); err != nil {
			b.Fatal(err)
		}
		b.Logf("%s was made in %v", path, time.Since(began).Round(time.Second))
	}
	db, err := store.Open(ctx, path)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	return db
}

func sum(raw []byte) (n uint32) {
	for _, c := range raw {
		n = n*31 + uint32(c)
	}
	return n
}

// fillLarge writes rows in the order in which their tables lie, and the indexes after
// them. What looks random is arithmetic, and so the same everywhere.
func fillLarge(b *testing.B, path string) {
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
		if _, err := db.Exec(s); err != nil {
			b.Fatal(s, err)
		}
	}
}

// searches are the shapes of queries that are measured; a page has 100 runs unless it
// says otherwise.
var searches = []struct {
	name, filter string
	order        []string
	limit        int
	ids          []ident.ExperimentID
	page         int // which page
	view         experiment.View
}{
	{name: "the newest runs"},
	{name: "the newest 1000 runs", limit: 1000},
	{name: "the oldest runs", order: []string{"start_time ASC"}},
	{name: "a metric that half of the runs satisfy", filter: "metrics.m0 > 0.5"},
	{name: "a metric that 100 runs satisfy", filter: "metrics.m0 > 0.999"},
	{name: "a metric that no run satisfies", filter: "metrics.m0 > 2"},
	{name: "the greatest of a metric", order: []string{"metrics.m0 DESC"}},
	{name: "page 50 of a metric", order: []string{"metrics.m5"}, page: 50},
	{name: "the greatest of a metric among a fifth", filter: "params.p0 = 'model1'", order: []string{"metrics.m6 DESC"}},
	{name: "a metric with 50 values", order: []string{"metrics.m2 DESC"}},
	{name: "a metric that few runs have", order: []string{"metrics.m3 DESC"}},
	{name: "a param with 5 values", order: []string{"params.p0"}},
	{name: "a param of its own", order: []string{"params.p1 DESC"}},
	{name: "one value of a param", filter: "params.p1 = '0.500005000'"},
	{name: "a param like this", filter: "params.p1 LIKE '0.12%'", order: []string{"metrics.m0"}},
	{name: "a param that none is like", filter: "params.p5 LIKE '%nothing%'"},
	{name: "a param that is not this", filter: "params.p0 != 'model1'", order: []string{"metrics.m7"}},
	{name: "three tests that 1 in 100 passes", filter: "params.p0 = 'model1' AND metrics.m6 > 0.6 AND tags.team = 'team3'", order: []string{"metrics.m8 DESC"}},
	{name: "a metric, then the time", order: []string{"metrics.m0 DESC", "start_time DESC"}},
	{name: "two tests that exclude each other", filter: "metrics.m0 > 0.5 AND metrics.m1 > 0.51"},
	{name: "two tests of a tenth that exclude each other", filter: "metrics.m0 > 0.9 AND metrics.m1 > 0.9"},
	{name: "the runs that failed", filter: "status = 'FAILED'"},
	{name: "the runs that run", filter: "status = 'RUNNING'"},
	{name: "a name", filter: "run_name = 'run-77'"},
	{name: "the runs without a metric that few have", filter: "params.p2 IS NULL"},
	{name: "the runs of a week ago", filter: "start_time > 1700050000000 AND start_time < 1700050500000", order: []string{"metrics.m0"}},
	{name: "the deleted runs", view: experiment.DeletedOnly, order: []string{"metrics.m0"}},
	{name: "three experiments", ids: []ident.ExperimentID{1, 2, 3}},
	{name: "a metric of three experiments", ids: []ident.ExperimentID{1, 2, 3}, order: []string{"metrics.m0 DESC"}},
	{name: "the last to end", order: []string{"end_time DESC"}},
	{name: "by name", order: []string{"run_name"}},
}

func BenchmarkSearchRuns(b *testing.B) {
	db := largeDB(b)
	for _, s := range searches {
		b.Run(s.name, func(b *testing.B) {
			f, err := search.Runs(s.filter)
			if err != nil {
				b.Fatal(err)
			}
			o, err := search.RunsOrder(s.order)
			if err != nil {
				b.Fatal(err)
			}
			q := experiment.Query{Experiments: s.ids, Filter: f, Order: o, View: s.view, Page: experiment.Page{Limit: max(s.limit, 100)}}
			if s.ids == nil {
				q.Experiments = []ident.ExperimentID{1}
			}
			for range s.page {
				if _, q.Token, err = db.SearchRuns(context.Background(), q); err != nil {
					b.Fatal(err)
				}
			}
			found := 0
			cost(b, func(int) error {
				runs, _, err := db.SearchRuns(context.Background(), q)
				found = len(runs)
				return err
			})
			b.ReportMetric(float64(found), "runs")
		})
	}
}
