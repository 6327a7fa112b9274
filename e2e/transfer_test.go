// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"flyball/experiment/archive"
)

// mlflowDatabase is a database that a real MLflow 3.17 made, with n more runs of 20
// metrics and 20 params, which its own server would need too long for.
func mlflowDatabase(t *testing.T, n int) string {
	t.Helper()
	script, err := os.ReadFile(filepath.Join("..", "experiment", "mlflowimport", "testdata", "mlflow-3.17.sql"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "mlflow.db")
	db, err := sql.Open("sqlite", path+"?_pragma=synchronous(0)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), string(script)); err != nil {
		t.Fatal(err)
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	seed(t, tx, n)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	return path
}

func seed(t *testing.T, tx *sql.Tx, n int) {
	t.Helper()
	do := func(q string, args ...any) {
		if _, err := tx.ExecContext(t.Context(), q, args...); err != nil {
			t.Fatal(err)
		}
	}
	do(`INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage, creation_time, last_update_time, workspace)
		VALUES (10, 'seeded', 'mlflow-artifacts:/10', 'active', 1, 1, 'default')`)
	random := rand.New(rand.NewPCG(7, 7))
	for i := range n {
		id, at := fmt.Sprintf("%016x%016x", random.Uint64(), random.Uint64()), int64(1_700_000_000_000+i)
		do(`INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, end_time, source_version,
			lifecycle_stage, artifact_uri, experiment_id) VALUES (?, ?, 'UNKNOWN', '', '', 'ana', 'FINISHED', ?, ?, '', 'active', ?, 10)`,
			id, fmt.Sprint("run ", i), at, at+1000, "mlflow-artifacts:/10/"+id+"/artifacts")
		var metrics, params []any
		for k := range 20 {
			metrics = append(metrics, fmt.Sprint("m", k), random.Float64(), at, id, 0, false)
			params = append(params, fmt.Sprint("p", k), fmt.Sprint(random.IntN(1000)), id)
		}
		do(`INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES (?, ?, ?, ?, ?, ?)`+strings.Repeat(", (?, ?, ?, ?, ?, ?)", 19), metrics...)
		do(`INSERT INTO latest_metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES (?, ?, ?, ?, ?, ?)`+strings.Repeat(", (?, ?, ?, ?, ?, ?)", 19), metrics...)
		do(`INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)`+strings.Repeat(", (?, ?, ?)", 19), params...)
		do(`INSERT INTO tags (key, value, run_uuid) VALUES ('mlflow.user', 'ana', ?), ('mlflow.runName', ?, ?)`, id, fmt.Sprint("run ", i), id)
	}
}

// held is every record that a server holds, as a line, and how often.
func held(t *testing.T, s *server) map[string]int {
	t.Helper()
	out := map[string]int{}
	err := s.Export(t.Context(), func(r archive.Record) error {
		if r.Experiment != nil {
			r.Experiment.Updated = 0 // a run that comes in moves it
			if r.Experiment.Name == "Default" {
				r.Experiment.Created = 0 // each server makes its own
			}
		}
		if r.Model != nil {
			r.Model.UpdatedAt = r.Model.CreatedAt // and so does a version
		}
		if r.Version != nil {
			r.Version.Location = "" // names the experiment by a number of this server
		}
		line, err := json.Marshal(r)
		if err != nil {
			return err
		}
		out[string(line)]++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestWhatAnMLflowDatabaseHoldsIsBroughtInAndTakenOutAgain(t *testing.T) {
	path := mlflowDatabase(t, 50)
	files := t.TempDir()
	var one string
	if err := query(t, path, `SELECT run_uuid FROM runs WHERE name = 'run 7'`, &one); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(files, "10", one, "artifacts", "model")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"MLmodel": "flavors: {}", "empty": "", "größe.txt": "1"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a := start(t, t.TempDir())
	where := "sqlite:///" + path
	first := run(t, a.url, "", "import", "mlflow", where, "--artifacts", files, "-o", "json")
	if first.code != 0 || !strings.Contains(strings.Join(strings.Fields(first.out), ""), `"runs":{"added":57,"same":0,"differ":0}`) ||
		!strings.Contains(first.stderr, "records are here and equal") {
		t.Fatalf("the first import: %+v", first)
	}
	again := run(t, a.url, "", "import", "mlflow", where, "--artifacts", files, "-o", "json")
	if text := strings.Join(strings.Fields(again.out), ""); again.code != 0 || strings.Contains(text, `"added":1`) || !strings.Contains(text, `"files":{"added":0,"same":3,"bytes":0}`) {
		t.Fatalf("the second import is nothing new: %+v", again)
	}
	out := filepath.Join(t.TempDir(), "out")
	if r := run(t, a.url, "", "export", "--all", out); r.code != 0 || !strings.Contains(r.out, "files          3") {
		t.Fatalf("the export: %+v", r)
	}
	if r := run(t, a.url, "", "export", "--all", out); r.code != 6 {
		t.Errorf("an export into a folder that holds one: %+v, want exit code 6", r)
	}
	b := start(t, t.TempDir())
	if r := run(t, b.url, "", "import", out); r.code != 0 {
		t.Fatalf("the import of the export: %+v", r)
	}
	want, got := held(t, a), held(t, b)
	if d := cmp.Diff(want, got); d != "" || len(want) < 60 {
		t.Errorf("the second server holds (+) not what the first does (-): %s", d)
	}
	in, err := b.OpenArtifact(t.Context(), place(t, b, one)+"/model/größe.txt")
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
}

func place(t *testing.T, s *server, id string) string {
	t.Helper()
	var at string
	err := s.Export(t.Context(), func(r archive.Record) error {
		if r.Run != nil && string(r.Run.ID) == id {
			var err error
			at, err = s.RunPlace(t.Context(), r.Run.ID)
			return err
		}
		return nil
	})
	if err != nil || at == "" {
		t.Fatalf("run %s has no place: %v", id, err)
	}
	return at
}

func query(t *testing.T, path, q string, to any) error {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	defer db.Close()
	return db.QueryRowContext(t.Context(), q).Scan(to)
}

func TestAnImportWhoseServerIsKilledGoesOnWhereItWas(t *testing.T) {
	path := mlflowDatabase(t, sized(2000, 20_000))
	dir := t.TempDir()
	for kill := range sized(3, 20) {
		s, err := launch(dir)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cmd := exec.CommandContext(ctx, binary, "import", "mlflow", "sqlite:///"+path, "--no-artifacts")
		cmd.Env = append(os.Environ(), "FLYBALL_TOKEN=", "FLYBALL_URL="+s.url)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for held := int64(-1); held < int64(kill*200); { // until more runs are in than at the kill before
			if err := query(t, filepath.Join(dir, "flyball.db"), `SELECT COUNT(*) FROM runs`, &held); err != nil || cmd.ProcessState != nil {
				t.Fatal(held, err)
			}
			select {
			case <-s.ended:
				t.Fatal(s.said())
			case <-time.After(time.Millisecond):
			}
		}
		s.kill()
		_ = cmd.Wait() // its server is gone
		cancel()
	}
	s := start(t, dir)
	r := run(t, s.url, "", "import", "mlflow", "sqlite:///"+path, "--no-artifacts")
	if r.code != 0 || !strings.Contains(r.stderr, fmt.Sprintf("verified: %d records are here and equal", sized(2000, 20_000)+18)) {
		t.Errorf("the last import: %+v", r)
	}
}

// TestMLflowsClientReadsAnImportAsItReadsTheOriginal reads both through MLflow's own
// client, run by run: params, tags, latest metrics, histories, models and aliases.
func TestMLflowsClientReadsAnImportAsItReadsTheOriginal(t *testing.T) {
	exe := python(t, "mlflow3")
	path := mlflowDatabase(t, sized(300, 100_000))
	s := start(t, t.TempDir())
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	bring := exec.CommandContext(ctx, binary, "import", "mlflow", "sqlite:///"+path, "--no-artifacts")
	bring.Env = append(os.Environ(), "FLYBALL_TOKEN=", "FLYBALL_URL="+s.url)
	if out, err := bring.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	read := exec.CommandContext(ctx, exe, "-W", "ignore", filepath.Join("testdata", "mlflow", "same.py"), "sqlite:///"+path, s.url)
	out, err := read.CombinedOutput()
	if err != nil || !strings.Contains(string(out), fmt.Sprintf("%d runs are equal", sized(300, 100_000)+7)) {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestAVersionOfFlyballComesWithWhatItIsMadeOf(t *testing.T) {
	past, _ := history(t)
	past = past[len(past)-150*24:]
	a := start(t, t.TempDir())
	file := modelFile(t, byHand...)
	live(t, a, file, past)
	out := filepath.Join(t.TempDir(), "out")
	if r := run(t, a.url, "", "export", "--all", out); r.code != 0 {
		t.Fatalf("the export: %+v", r)
	}
	b := start(t, t.TempDir())
	if r := run(t, b.url, "", "import", out); r.code != 0 {
		t.Fatalf("the import: %+v", r)
	}
	applied, err := os.ReadFile(filepath.Join(out, "models", bike, "model.yaml"))
	if err != nil || string(applied) != file {
		t.Fatalf("the model file of the export is another: %v", err)
	}
	if err := apply(t.Context(), b.Client, file, csvFile(past)); err != nil {
		t.Fatal(err)
	}
	if r := run(t, b.url, "", "reproduce", bike+"@1"); r.code != 0 || !strings.HasPrefix(r.out, bike+"@1: R3") {
		t.Errorf("made again on the other server: %+v; want the same bytes", r)
	}
}
