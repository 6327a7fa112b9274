// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// mlflows are the environments of scripts/setup.sh that hold MLflow's client, and what
// is done with each. The scripts have passed against MLflow's own server too.
var mlflows = map[string][]string{
	"mlflow2": {"test_tracking", "test_artifacts", "test_models"},
	"mlflow3": {"test_tracking", "test_artifacts", "test_models"},
}

func TestMLflowsOwnClientsWorkWithNothingButTheAddress(t *testing.T) {
	for environment, modules := range mlflows {
		t.Run(environment, func(t *testing.T) {
			t.Parallel() // the time goes into the clients
			exe := python(t, environment)
			s := start(t, t.TempDir())
			for _, module := range modules {
				t.Run(module, func(t *testing.T) { unittest(t, exe, filepath.Join("testdata", "mlflow"), s.url, module) })
			}
		})
	}
}

// unittest runs a module of Python tests against the server at url.
func unittest(t *testing.T, exe, dir, url, module string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), exe, "-W", "ignore", "-m", "unittest", "-v", module)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), clientOf(t, url)...)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "\nOK") {
		t.Errorf("%v\n%s", err, out)
	}
}

// clientOf are the variables of a process with MLflow's client of the server at url.
func clientOf(t *testing.T, url string) []string {
	t.Helper()
	// The timeout ends a search for a model's requirements, which takes seconds in a process
	// of its own and asks the server nothing.
	return []string{
		"MLFLOW_TRACKING_URI=" + url, "MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT=1", "HOME=" + t.TempDir(), "PYTHONDONTWRITEBYTECODE=1",
		"MLFLOW_DISABLE_TELEMETRY=true", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT=true", "MPLBACKEND=Agg", "GIT_PYTHON_REFRESH=quiet",
	}
}

// tracked sends MLflow's API a request and returns what it answers.
func tracked(url, path string, in any) (map[string]any, error) {
	raw, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	res, err := http.Post(url+"/api/2.0/mlflow/"+path, "application/json", bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s %s %w", path, res.Status, body, err)
	}
	out := map[string]any{}
	return out, json.Unmarshal(body, &out)
}

// object is what JSON calls so.
type object = map[string]any

func TestThirtyTwoClientsThatLogAtOnceLoseNothing(t *testing.T) {
	const clients = 32
	points := sized(50, 1000)
	s := start(t, t.TempDir())
	made, err := tracked(s.url, "experiments/create", object{"name": "at once"})
	if err != nil {
		t.Fatal(err)
	}
	experiment := made["experiment_id"]
	runs := make([]string, clients)
	failed := make([]error, clients)
	var all sync.WaitGroup
	for c := range clients {
		all.Go(func() { runs[c], failed[c] = logs(s.url, experiment, c, points) })
	}
	all.Wait()
	for c, err := range failed {
		if err != nil {
			t.Fatalf("client %d: %v", c, err)
		}
	}
	for c, run := range runs {
		checkLogged(t, s.url, run, c, points)
	}
	if said := s.said(); strings.Contains(said, "locked") {
		t.Errorf("the server says %s", said)
	}
}

// logs is what one client does: a run, a parameter and a tag, metrics one by one and in
// batches, and the end.
func logs(url string, experiment any, client, points int) (string, error) {
	made, err := tracked(url, "runs/create", object{"experiment_id": experiment, "start_time": client + 1, "run_name": fmt.Sprint("client ", client)})
	if err != nil {
		return "", err
	}
	run, _ := made["run"].(object)["info"].(object)["run_id"].(string)
	for i := range points {
		_, err := tracked(url, "runs/log-metric", object{"run_id": run, "key": "one", "value": float64(i) / 8, "timestamp": i, "step": i})
		if err != nil {
			return run, err
		}
		batch := make([]object, 20)
		for k := range batch {
			batch[k] = object{"key": "batch", "value": i*20 + k, "timestamp": i, "step": i*20 + k}
		}
		if _, err := tracked(url, "runs/log-batch", object{
			"run_id": run, "metrics": batch,
			"params": []object{{"key": fmt.Sprint("p", i%100), "value": "v"}}, "tags": []object{{"key": "last", "value": fmt.Sprint(i)}},
		}); err != nil {
			return run, err
		}
	}
	_, err = tracked(url, "runs/update", object{"run_id": run, "status": "FINISHED", "end_time": 9999})
	return run, err
}

// checkLogged compares the run with what its client logged.
func checkLogged(t *testing.T, url, id string, client, points int) {
	t.Helper()
	var got struct {
		Run struct {
			Info struct {
				Status  string `json:"status"`
				RunName string `json:"run_name"`
			} `json:"info"`
			Data struct {
				Params  []object `json:"params"`
				Tags    []object `json:"tags"`
				Metrics []struct {
					Key   string  `json:"key"`
					Value float64 `json:"value"`
				} `json:"metrics"`
			} `json:"data"`
		} `json:"run"`
	}
	get(t, url+"/api/2.0/mlflow/runs/get?run_id="+id, &got)
	r := got.Run
	if r.Info.Status != "FINISHED" || r.Info.RunName != fmt.Sprint("client ", client) || len(r.Data.Params) != min(points, 100) {
		t.Errorf("client %d: run %+v with %d params", client, r.Info, len(r.Data.Params))
	}
	for _, m := range r.Data.Metrics {
		if want := map[string]float64{"one": float64(points-1) / 8, "batch": float64(points*20 - 1)}[m.Key]; m.Value != want {
			t.Errorf("client %d: the latest %s is %v, want %v", client, m.Key, m.Value, want)
		}
	}
	for key, want := range map[string]int{"one": points, "batch": points * 20} {
		var history struct {
			Metrics []struct {
				Step  int     `json:"step"`
				Value float64 `json:"value"`
			} `json:"metrics"`
		}
		get(t, url+"/api/2.0/mlflow/metrics/get-history?max_results=25000&metric_key="+key+"&run_id="+id, &history)
		if len(history.Metrics) != want {
			t.Errorf("client %d: %d points of %s, want %d", client, len(history.Metrics), key, want)
		}
		for i, m := range history.Metrics {
			if m.Step != i {
				t.Fatalf("client %d: step %d of %s stands at %d", client, m.Step, key, i)
			}
		}
	}
}

func get(t *testing.T, url string, out any) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", url, res.Status)
	}
	if err := json.NewDecoder(res.Body).Decode(out); err != nil {
		t.Fatal(err)
	}
}
