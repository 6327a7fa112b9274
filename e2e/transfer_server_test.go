// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"flyball/store/pgtest"
)

// mlflowServer starts MLflow's own server on a database and a folder of artifacts, and
// returns its address when it answers.
func mlflowServer(t *testing.T, exe, database, artifacts string) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-W", "ignore", "-m", "mlflow", "server", "--backend-store-uri", "sqlite:///"+database,
		"--artifacts-destination", artifacts, "--workers", "1", "--host", "127.0.0.1", "--port", port)
	cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), "MLFLOW_DISABLE_TELEMETRY=true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it has children
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may be gone already
		_ = cmd.Wait()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/health", nil)
		if err != nil {
			t.Fatal(err)
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return "http://" + address
			}
		}
		select {
		case <-ctx.Done():
			t.Fatal("MLflow's server does not come up")
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// brought is what a new server holds after an import.
func brought(t *testing.T, args ...string) map[string]int {
	t.Helper()
	s := start(t, t.TempDir())
	ctx, cancel := context.WithTimeout(t.Context(), 5*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, append([]string{"import", "mlflow"}, args...)...)
	cmd.Env = append(os.Environ(), "FLYBALL_TOKEN=", "FLYBALL_URL="+s.url)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "are here and equal") {
		t.Fatalf("import %v: %v\n%s", args, err, out)
	}
	return held(t, s)
}

func TestAnMLflowServerIsBroughtInThroughItsAPIAsThroughItsDatabase(t *testing.T) {
	exe := python(t, "mlflow3")
	database, artifacts := mlflowDatabase(t, 20), t.TempDir()
	var one string
	if err := query(t, database, `SELECT run_uuid FROM runs WHERE name = 'run 7'`, &one); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(artifacts, "10", one, "artifacts", "a folder")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "größe.txt"), []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	direct := brought(t, "sqlite:///"+database, "--artifacts", artifacts)
	through := brought(t, mlflowServer(t, exe, database, artifacts))
	if d := cmp.Diff(direct, through); d != "" {
		t.Errorf("the API gives (+) not what the database does (-): %s", d)
	}
}

func TestAnMLflowDatabaseInPostgreSQLIsBroughtIn(t *testing.T) {
	exe := python(t, "mlflow3")
	var server pgtest.Server
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	address := map[string]string{}
	for part := range strings.FieldsSeq(server.DSN(t)) {
		key, value, _ := strings.Cut(part, "=")
		address[key] = value
	}
	where := "postgresql+psycopg2://" + address["user"] + "@/" + address["dbname"] + "?" + url.Values{
		"host": {address["host"]}, "options": {"-csearch_path=" + address["search_path"]},
	}.Encode()
	cmd := exec.CommandContext(t.Context(), exe, "-W", "ignore", filepath.Join("..", "experiment", "mlflowimport", "testdata", "make.py"), where)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got := map[string]int{}
	for line, n := range brought(t, where, "--no-artifacts") {
		kind, _, _ := strings.Cut(strings.TrimPrefix(line, `{"`), `"`)
		got[kind] += n
	}
	want := map[string]int{"experiment": 4, "run": 7, "logged_model": 1, "model": 2, "version": 2, "alias": 1}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("records by kind (-want +got): %s", d)
	}
}
