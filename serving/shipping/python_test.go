// SPDX-License-Identifier: Apache-2.0

package shipping

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"gocloud.dev/blob/fileblob"

	"flyball/serving/prediction"
)

func TestDuckDBReadsTheBucketAsItStands(t *testing.T) {
	python := os.Getenv("FLYBALL_PYTHON_DATA")
	if python == "" {
		python = "../../.cache/data/bin/python"
	}
	if _, err := exec.LookPath(python); err != nil {
		t.Skip("no Python with duckdb: set FLYBALL_PYTHON_DATA or make .cache/data")
	}
	dir := t.TempDir()
	b, err := fileblob.OpenBucket(dir, &fileblob.Options{NoTempDir: true, Metadata: fileblob.MetadataDontWrite})
	if err != nil {
		t.Fatal(err)
	}
	m := start(t, t.TempDir(), b, by{&pointer{}, 0})
	var rs []prediction.Record
	for i := range 1000 {
		rs = append(rs, record(i, float64(i)/10))
	}
	m.append(rs...)
	m.checkpoint()
	if _, err := m.Forget(t.Context(), "m", "b-7", "alice", "asked"); err != nil {
		t.Fatal(err)
	}
	m.append(record(1000, 200))
	m.keeper.opts.Now = func() time.Time { return noon.AddDate(0, 1, 0) }
	m.checkpoint()
	out, err := exec.CommandContext(t.Context(), python, "-c", `import duckdb, sys
print(*duckdb.execute("SELECT count(*), count(DISTINCT id), count(DISTINCT date), min(model) FROM read_parquet(? || '/model=*/*/*.parquet', hive_partitioning = true)", [sys.argv[1]]).fetchone())`, dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(out)); got != "1000 1000 6 m" {
		t.Errorf("got %s", got)
	}
}
