// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What a digest in each text column keeps, as store.DB's Documents and AllArtifacts
// have it: the columns whose digests keep a blob, and the tables of which none does.
var (
	digestsIn = []string{
		"artifacts.digest", "jobs.input", "jobs.progress", "jobs.result", "loop_state.body", "models.code", "models.data", "models.file", "models.pipeline",
		"monitor_state.body", "release_history.body", "reproductions.report", "snapshots.id", "versions.bundle", "versions.judged", "versions.record", "versions.report", "versions.snapshot",
	}
	noDigestsIn = []string{
		"absences", "alerts", "alias_history", "aliases", "approvals", "audit", "checkpoints", "datasets", "deliveries", "desired", "events", "experiment_tags", "experiments", "fences", "findings", "heads", "hours", "incidents", "inputs", "keys", "leases",
		"logged_model_metrics", "logged_model_params", "logged_model_tags", "logged_models", "model_tags", "outbox", "params", "past", "pipelines", "releases", "replicas", "run_models",
		"runs", "sealed", "sessions", "shared", "silences", "statements", "tags", "tokens", "turns", "users", "version_tags", "windows",
	}
	otherColumns = []string{
		"artifacts.dir", "artifacts.name", "artifacts.owner", "jobs.error", "jobs.id", "jobs.job_key", "jobs.kind", "jobs.model", "jobs.state",
		"jobs.worker", "loop_state.model", "models.about", "models.applied_by", "models.columns", "models.from_commit", "models.name", "monitor_state.model", "release_history.id",
		"release_history.model", "release_history.phase", "reproductions.by_whom", "reproductions.grade", "reproductions.id", "reproductions.model", "snapshots.cause",
		"snapshots.model", "versions.about", "versions.cause", "versions.created_by", "versions.job_key",
		"versions.location", "versions.model", "versions.model_id", "versions.run_id", "versions.run_link", "versions.source", "versions.stage",
		"versions.verdict",
	}
)

var (
	createTable = regexp.MustCompile(`(?m)^CREATE TABLE (\w+) \(((?:.|\n)*?)\n\)`)
	textColumn  = regexp.MustCompile(`(?m)^\s*(\w+)\s+TEXT\b`)
	addColumn   = regexp.MustCompile(`(?m)^ALTER TABLE (\w+) ADD COLUMN (\w+) TEXT\b`)
)

// A collection deletes every blob whose digest it does not find. So whoever adds a
// column of text decides here whether digests in it keep blobs, and if they do adds it
// to documents in retention.go.
func TestOfEachColumnItIsKnownWhetherItKeepsBlobs(t *testing.T) {
	files, err := filepath.Glob("migrations/sqlite/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %v, %v", files, err)
	}
	var columns []string
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range createTable.FindAllStringSubmatch(string(raw), -1) {
			for _, c := range textColumn.FindAllStringSubmatch(table[2], -1) {
				columns = append(columns, table[1]+"."+c[1])
			}
		}
		for _, c := range addColumn.FindAllStringSubmatch(string(raw), -1) {
			columns = append(columns, c[1]+"."+c[2])
		}
	}
	for _, c := range columns {
		table, _, _ := strings.Cut(c, ".")
		if !slices.Contains(noDigestsIn, table) && !slices.Contains(digestsIn, c) && !slices.Contains(otherColumns, c) {
			t.Errorf("does a digest in %s keep a blob? say so here, and in the documents of a collection", c)
		}
	}
	for _, c := range digestsIn {
		if !slices.Contains(columns, c) {
			t.Errorf("there is no column %s", c)
		}
	}
}
