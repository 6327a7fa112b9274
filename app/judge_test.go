// SPDX-License-Identifier: Apache-2.0

package app

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flyball/api/wire"
	"flyball/blob"
	"flyball/client"
	"flyball/control"
	"flyball/experiment"
	"flyball/fault"
	"flyball/ident"
	"flyball/job"
	"flyball/model/registry"
	"flyball/training"
)

const modelFile = `apiVersion: flyball/v1
kind: Model
name: demand
predict: {column: y, kind: regression, id: id, time: at, truth: {within: 10h}, block: {each: 1d}}
data: {source: a.csv, test: {window: 10d, at_least: 200}}
pipeline: {inputs: {x: number, z: number}}
train: {with: builtin/gbdt, settings: {trees: 5, depth: 2}, seed: 7}
gate:
  metrics:
    - {name: mae, require: noninferior, margin: 0.1}
    - {name: mae, against: baseline, require: superior}
  reproduce: required
release: {shadow: {for: 0s, at_least: 0}, canary: [{share: 100%}], bake: {for: 0s}}
retrain: {when: [schedule], every: 365d}
duties:
  feed: {owner: ana, backup: bo, within: 1d}
  monitor: {owner: ana, backup: bo, within: 1d}
  retrain: {owner: ana, backup: bo, within: 1d}
  fix: {owner: ana, backup: bo, within: 1d}
`

const description = `flavors:
  python_function: {loader_module: mlflow.xgboost, data: model.ubj}
  xgboost: {data: model.ubj, model_class: xgboost.sklearn.XGBRegressor, model_format: ubj, xgb_version: 3.2.0}
signature: {inputs: '[{"type": "double", "name": "x", "required": true}, {"type": "double", "name": "z", "required": true}]', outputs: null}
`

var first = time.Date(2016, 1, 1, 0, 0, 0, 0, time.UTC)

// table is hourly rows whose label hangs on x and z in a way that no line follows.
func table(t *testing.T, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	rows := [][]string{{"id", "at", "x", "z", "y"}}
	for i := range n {
		x, z := 2*math.Sin(float64(i)), math.Cos(float64(i)/3)
		y := fmt.Sprint(10 + 5*math.Abs(x) + x*z + 0.5*math.Sin(float64(i*i)))
		text := fmt.Sprint(x)
		if i%31 == 0 {
			text = ""
		}
		rows = append(rows, []string{fmt.Sprint(i), first.Add(time.Duration(i) * time.Hour).Format(time.RFC3339), text, fmt.Sprint(z), y})
	}
	if err := w.WriteAll(rows); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// trained has XGBoost train on the first 700 rows, and returns the folder of the model
// and the bits of its predictions.
func trained(t *testing.T, raw []byte) (folder string, predictions []uint32) {
	t.Helper()
	python := os.Getenv("FLYBALL_PYTHON")
	if python == "" {
		python = "../.cache/venv/bin/python"
	}
	if _, err := exec.LookPath(python); err != nil {
		t.Skip("no Python with xgboost: set FLYBALL_PYTHON or make .cache/venv")
	}
	folder = t.TempDir()
	source := filepath.Join(folder, "a.csv")
	if err := os.WriteFile(source, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), python, "testdata/train.py", source, folder, "700").Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &predictions); err != nil {
		t.Fatal(err)
	}
	return folder, predictions
}

// register puts the folder's model into the tree and registers it, as a client would.
func register(t *testing.T, a *App, folder string) registry.Version {
	t.Helper()
	ctx, id := t.Context(), ident.RunID(strings.Repeat("a", 32))
	model, err := os.ReadFile(filepath.Join(folder, "model.ubj"))
	if err != nil {
		t.Fatal(err)
	}
	root := "0/" + string(id) + "/artifacts"
	run := experiment.Run{ID: id, Status: experiment.Finished, Location: "mlflow-artifacts:/" + root}
	seen := registry.Tag{Key: control.SeenUntilTag, Value: first.Add(710 * time.Hour).Format(time.RFC3339)}
	if err := a.store.CreateRun(ctx, run); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"MLmodel": []byte(description), "model.ubj": model} {
		if _, err := a.artifacts.Put(ctx, root+"/model/"+name, bytes.NewReader(b)); err != nil {
			t.Fatal(err)
		}
	}
	v, err := registry.New(registry.Options{Store: a.store, Now: a.clock.now}).CreateVersion(ctx, registry.Version{
		Ref: ident.Ref{Model: "demand"}, Source: run.Location + "/model", RunID: id, CreatedBy: "ana", Tags: []registry.Tag{seen},
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestAModelThatXGBoostTrainedIsJudgedReleasedAndServed(t *testing.T) {
	raw := table(t, 1000)
	folder, want := trained(t, raw)
	cfg := config(t)
	cfg.Manual, cfg.Start = true, first.Add(650*time.Hour) // later rows are not due yet
	a := start(t, cfg)
	ctx, c := t.Context(), client.New(a.URL(), "", http.DefaultClient)
	now := cfg.Start
	advance := func() {
		t.Helper()
		now = now.Add(time.Hour)
		if err := c.Advance(ctx, now); err != nil {
			t.Fatal(err)
		}
	}
	up, err := c.Upload(ctx, bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Apply(ctx, wire.ApplyRequest{
		Name: "model.yaml", File: modelFile, Data: map[string]registry.DataFile{"a.csv": {Digest: blob.Digest(up.Digest), Size: up.Size}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 6 {
		advance()
	}
	if st, err := c.Status(ctx, "demand"); err != nil || st.Live != 1 || st.Phase != "steady" {
		t.Fatalf("before: %+v, %v", st, err)
	}

	now = first.Add(1004 * time.Hour)
	advance()
	v := register(t, a, folder)
	if _, err := c.Release(ctx, "demand", v.Version, ""); !fault.Is(err, fault.Refused) {
		t.Errorf("the release of what was not judged: %v", err)
	}
	asked, err := c.Judge(ctx, "demand", v.Version)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := c.Judge(ctx, "demand", v.Version); err != nil || again.Job != asked.Job {
		t.Errorf("asked again: %+v, %v; want the same job", again, err)
	}
	advance()
	j, err := c.Job(ctx, asked.Job)
	if err != nil || j.State != job.Done {
		t.Fatalf("the judging: %+v, %v", j, err)
	}
	var res training.Result
	if err := json.Unmarshal(j.Result, &res); err != nil {
		t.Fatal(err)
	}
	if !res.Verdict.Pass || len(res.Verdict.Differences) != 2 || res.Test != 240 {
		t.Fatalf("the verdict: %+v", res.Verdict)
	}
	if _, err := c.Judge(ctx, "demand", v.Version); !fault.Is(err, fault.Conflict) {
		t.Errorf("judged twice: %v", err)
	}

	if _, err := c.Release(ctx, "demand", v.Version, "the team's own"); err != nil {
		t.Fatal(err)
	}
	for range 6 {
		advance()
	}
	st, err := c.Status(ctx, "demand")
	if err != nil || st.Live != v.Version || st.Phase != "steady" || st.Release.Baseline != res.Baseline || res.Baseline != 2 {
		t.Fatalf("after: %+v, %v", st, err)
	}
	same(t, c, raw, want)
	if _, err := c.Reproduce(ctx, "demand", v.Version); !fault.Is(err, fault.Refused) {
		t.Errorf("made again: %v", err)
	}
}

// same compares what the server answers with XGBoost's predictions, in float32.
func same(t *testing.T, c *client.Client, raw []byte, want []uint32) {
	t.Helper()
	cells, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows []json.RawMessage
	for _, r := range cells[1:] {
		x := r[2]
		if x == "" {
			x = "null"
		}
		rows = append(rows, json.RawMessage(fmt.Sprintf(`{"id":%q,"at":%q,"x":%s,"z":%s}`, "new "+r[0], r[1], x, r[3])))
	}
	got, err := c.Predict(context.Background(), "demand", rows)
	if err != nil || len(got.Predictions) != len(want) {
		t.Fatalf("%d predictions, %v", len(got.Predictions), err)
	}
	differ := 0
	for i, p := range got.Predictions {
		if p.Value == nil || math.Float32bits(float32(*p.Value)) != want[i] {
			differ++
		}
	}
	if differ != 0 {
		t.Errorf("%d of %d predictions differ from XGBoost's", differ, len(want))
	}
}
