// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPeopleAndProgramsSignIn goes the way of docs/access.md.
func TestPeopleAndProgramsSignIn(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("FLYBALL_PASSWORD", "correct horse battery")
	none := "http://127.0.0.1:1"
	for _, c := range []command{
		{args: "serve --listen 0.0.0.0:0 --data " + dir, code: 1, says: "flyball users add NAME --role admin --data " + dir},
		{args: "users add ana --role admin --role ml-engineer --data " + dir},
		{args: "users add bo --role admin --data " + dir, code: 4, says: "has users already"},
		{args: "login ana", code: 7, says: "no server answers"},
	} {
		c.check(t, none)
	}
	s := start(t, dir)
	for _, c := range []command{
		{args: "status", code: 4, says: "flyball login"},
		{args: "login bo", code: 4, says: "the name or the password is wrong"},
		{args: "login ana"},
		{args: "whoami", says: "admin ml-engineer"},
		{args: "users add shop --role app:hotel-cancel"},
		{args: "users add bo --role viewer --mail bo@example.org"},
		{args: "users add carl --role king", code: 1, says: "there is no role"},
		{args: "users", says: "app:hotel-cancel"},
		{args: "users roles", says: "data-scientist"},
		{args: "users set bo --role auditor"},
		{args: "users set ana --role viewer", code: 1, says: "nobody would be left"},
		{args: "audit --verify", says: "the chain holds"},
		{args: "tokens", says: "flyball login"},
	} {
		c.check(t, s.url)
	}
	secret := strings.TrimSpace(run(t, s.url, "", "tokens", "add", "--user", "shop", "--about", "the web shop").out)
	for path, want := range map[string]int{"/v1/models": http.StatusForbidden, "/v1/models/hotel-cancel/predict": http.StatusNotFound} {
		verb := http.MethodGet
		if strings.HasSuffix(path, "predict") {
			verb = http.MethodPost
		}
		req, err := http.NewRequestWithContext(t.Context(), verb, s.url+path, strings.NewReader(`{"rows":[{}]}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+secret)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s as the shop: %s", path, res.Status)
		}
	}
	for _, c := range []command{
		{args: "logout"},
		{args: "status", code: 4, says: "wants to know who asks"},
	} {
		c.check(t, s.url)
	}
	t.Run("MLflow's client, by name and password", func(t *testing.T) {
		exe := python(t, "mlflow3")
		cmd := exec.CommandContext(t.Context(), exe, "-W", "ignore", "-c", `
import os, mlflow
mlflow.set_experiment("signed in")
with mlflow.start_run() as run:
    mlflow.log_metric("m", 1)
print(mlflow.get_run(run.info.run_id).data.metrics)
os.environ["MLFLOW_TRACKING_PASSWORD"] = "wrong wrong wrong"
try:
    mlflow.get_run(run.info.run_id)
except Exception as e:
    print(type(e).__name__, e)
`)
		cmd.Dir = filepath.Join("testdata", "mlflow")
		cmd.Env = append(append(os.Environ(), clientOf(t, s.url)...), "MLFLOW_TRACKING_USERNAME=ana", "MLFLOW_TRACKING_PASSWORD=correct horse battery")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "{'m': 1.0}") || !strings.Contains(string(out), "the name or the password is wrong") {
			t.Errorf("%v\n%s", err, out)
		}
	})
}
